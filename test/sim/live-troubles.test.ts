// What honest live peers do on disks that are full, and by clocks that are wrong.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { LivePeer } from '../../sim/live/live-peer.ts'
import type { LiveWorld } from '../../sim/live/world.ts'
import { viewOf } from '../../src/control/errors.ts'
import { realRandom } from '../../src/environment.ts'
import { sleeps } from '../fixtures/programs.ts'
import { asker, booted, connected, deadlineMs, ended, inTime, lender, Opinions, run, Scratch } from '../support/live.ts'

const text = 'well, well\n'
let scratch: Scratch
before(async () => {
  scratch = await Scratch.make()
})
after(async () => scratch.remove())

describe('a full disk', { timeout: 2 * deadlineMs }, () => {
  let world: LiveWorld
  let requester: LivePeer
  /** Of equal offers the one of the lesser name is taken. */
  let full: LivePeer
  let others: LivePeer[]
  let object: string
  const data = realRandom.bytes(200_000)

  before(async () => {
    world = await booted(12, [asker, lender, lender, lender])
    requester = world.peers[0]!
    ;[full, ...others] = world.peers.slice(1).toSorted((left, right) => (left.name < right.name ? -1 : 1)) as [
      LivePeer,
      ...LivePeer[],
    ]
    object = (await requester.control.put({ path: await scratch.file('data', data), code: '1+2' }, inTime())).object
    full.disk.isFull = true
  })
  after(async () => ended(world))

  test('of a keeper: it says that it has no room, and what it has is not lost', async () => {
    const path = await scratch.file('more', realRandom.bytes(200_000))
    const { keepers } = await requester.control.put({ path, code: '2+2' }, inTime())
    assert.deepEqual(new Set(keepers.map(({ peer }) => peer)), new Set(others.map(({ name }) => name)))
    await assert.rejects(requester.control.put({ path, code: '2+1' }, inTime()), {
      code: 'NO_KEEPERS',
      why: /NO_SPACE/,
    })
    assert.equal((await full.control.status()).keeping.shards, 1)
    const kept = join(scratch.path, 'kept')
    await requester.control.get({ object, path: kept }, inTime())
    assert.ok((await readFile(kept)).equals(data))
  })

  test('of a provider: another does the work, and the next job is not offered to it', async () => {
    const spec = { module: await scratch.file('quick.wasm', sleeps(10, text)) }
    const first = await run(requester, spec)
    assert.equal(first.job.stage, 'paid')
    assert.notEqual(first.job.provider?.peer, full.name)
    const second = await run(requester, spec)
    assert.deepEqual([second.job.stage, second.replaced], ['paid', []])
    const { market } = await full.control.status()
    // By the first write that failed, or by what it was taken for.
    const { 'ledger failed': failed = 0, 'disk nearly full': low = 0 } = market.notAnswered
    assert.ok(failed + low > 0, JSON.stringify(market.notAnswered))
  })

  test('of a requester: it takes no job, and says why; when there is room again, it does', async () => {
    const spec = {
      module: await scratch.file('slow.wasm', sleeps(10, text)),
      inputs: [{ path: await scratch.file('large', realRandom.bytes(200_000)) }],
      code: '1+1',
    }
    requester.disk.isFull = true
    const error = await run(requester, spec).then(
      () => assert.fail('it took the job'),
      (thrown: unknown) => viewOf(thrown).error,
    )
    assert.deepEqual([error.code, error.exit], ['DISK_FULL', 6])
    requester.disk.isFull = false
    assert.equal((await run(requester, spec)).job.stage, 'paid')
    assert.deepEqual(await requester.control.jobs().then((jobs) => jobs.filter(({ stage }) => stage !== 'paid')), [])
  })

  test('that has room again: it keeps shards again', async () => {
    full.disk.isFull = false
    const path = await scratch.file('again', realRandom.bytes(200_000))
    const { keepers } = await requester.control.put({ path, code: '2+1' }, inTime())
    assert.ok(keepers.some(({ peer }) => peer === full.name))
  })
})

describe('clocks that are wrong', { timeout: deadlineMs }, () => {
  const [exact, ahead, behind, farAhead, farBehind, lateAsker, earlyAsker] = [0, 1, 2, 3, 4, 5, 6]
  let world: LiveWorld

  before(async () => {
    const wrong = [10_000, -10_000, 60_000, -60_000].map((skewMs) => ({ ...lender, skewMs }))
    world = await connected(13, [asker, ...wrong, { ...asker, skewMs: -60_000 }, { ...asker, skewMs: 60_000 }])
  })
  after(async () => ended(world))

  test('by ten seconds: they are leased and paid; by a minute: they hear no bid that is meant for now', async () => {
    const requester = world.peers[exact]!
    const module = await scratch.file('clock.wasm', sleeps(1_000, text))
    const offeredBy = new Set<string>()
    for (let job = 0; job < 2; job++) {
      const story = await run(requester, { module, waitMs: 30_000 })
      assert.equal(story.job.stage, 'paid')
      assert.deepEqual(story.replaced, [])
      for (const { peer } of story.all('offer')) offeredBy.add(peer.peer)
    }
    assert.ok(offeredBy.size > 0)
    for (const far of [farAhead, farBehind]) assert.ok(!offeredBy.has(world.peers[far]!.name), String(far))
    for (const near of [ahead, behind]) {
      const { bidsSeen } = (await world.peers[near]!.control.status()).market
      assert.ok(bidsSeen > 0)
    }
  })

  test('of who asks, by a minute: only those whose clocks are wrong alike answer', async () => {
    for (const [who, alike] of [
      [lateAsker, farBehind],
      [earlyAsker, farAhead],
    ] as const) {
      const story = await run(world.peers[who]!, {
        module: await scratch.file('late.wasm', sleeps(10, text)),
        waitMs: 10_000,
      })
      assert.deepEqual([story.job.stage, story.job.provider?.peer], ['paid', world.peers[alike]!.name])
    }
  })

  test('the records of those within half a minute are found, and one from the future is not', async () => {
    const requester = world.peers[exact]!
    const offers = await requester.control.offers(true, inTime())
    const known = new Set(offers.map(({ peer }) => peer))
    for (const near of [ahead, behind, farBehind]) assert.ok(known.has(world.peers[near]!.name), String(near))
    assert.ok(!known.has(world.peers[farAhead]!.name))
  })

  test('nobody blames anybody for his clock', async () => {
    await world.stopPeers()
    assert.deepEqual(new Opinions(world).amongHonest, [])
  })
})
