// Live peers that are not honest, among honest ones: what it costs these, and what they think of each other afterwards.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { LivePeer } from '../../sim/live/live-peer.ts'
import type { LiveRole, LiveWorld } from '../../sim/live/world.ts'
import { realRandom } from '../../src/environment.ts'
import { sleeps } from '../fixtures/programs.ts'
import { everything } from '../node/programs.ts'
import {
  asker,
  booted,
  deadlineMs,
  ended,
  lender,
  Opinions,
  run,
  runAt,
  Scratch,
  until,
  type Story,
} from '../support/live.ts'

let scratch: Scratch
before(async () => {
  scratch = await Scratch.make()
})
after(async () => scratch.remove())

const worksFor = [
  'over-meter',
  'lazy',
  'over-charge',
  'no-show',
  'false-record',
  'lie',
  'slow',
  'replay',
  'forge',
  'equivocate',
] as const
const asksFor = ['no-countersign', 'under-pay', 'freeload', 'forge', 'equivocate', 'replay'] as const
const honestLenders = 4
const text = 'well, well\n'

describe('a market in which some cheat', { timeout: 2 * deadlineMs }, () => {
  let world: LiveWorld
  let opinions: Opinions
  const stories = new Map<string, Story>()
  const victimOf = (vice: (typeof worksFor)[number]): LivePeer => world.peers[honestLenders + worksFor.indexOf(vice)]!
  const workerOf = (vice: (typeof worksFor)[number]): LivePeer =>
    world.peers[honestLenders + worksFor.length + worksFor.indexOf(vice)]!
  const askerOf = (vice: (typeof asksFor)[number]): LivePeer =>
    world.peers[honestLenders + 2 * worksFor.length + asksFor.indexOf(vice)]!
  const storyOf = (vice: (typeof worksFor)[number]): Story => stories.get(`works ${vice}`)!
  /** What lenders that worked for it have against a requester, all together. */
  const heldAgainst = (who: LivePeer) => {
    const all = world.peers.slice(0, honestLenders).map((peer) => opinions.of(peer, who))
    return {
      success: all.reduce((sum, { success }) => sum + success, 0),
      fault: all.reduce((sum, { fault }) => sum + fault, 0),
      noShow: all.reduce((sum, { noShow }) => sum + noShow, 0),
      evidence: all.map(({ evidence }) => evidence).join(),
    }
  }

  before(async () => {
    // Each cheat works for one requester alone, and is cheaper than the honest ones.
    world = await booted(5, [
      ...Array.from({ length: honestLenders }, () => lender),
      ...worksFor.map(() => asker),
      ...worksFor.map((vice, index): LiveRole => ({ ...lender, vice, victims: [honestLenders + index] })),
      ...asksFor.map((vice): LiveRole => ({ ...asker, vice })),
    ])
    const quick = { module: await scratch.file('quick.wasm', sleeps(10, text)) }
    // As long as it takes for three times the time to be more than a requester puts up with.
    const long = { module: await scratch.file('long.wasm', sleeps(1_500, text)) }
    const asked = asksFor.map((vice) => async () => run(askerOf(vice), quick))
    const worked = worksFor.map((vice) => async () => {
      const story = await runAt(workerOf(vice), victimOf(vice), vice === 'over-meter' ? long : quick)
      stories.set(`works ${vice}`, story)
    })
    // The first of those that work are waited for in vain, and so do not keep others from being on time.
    const [waiting, rest] = [worked.slice(0, 3), [...worked.slice(3), ...asked].values()]
    const some = async (): Promise<void> => {
      for (const job of rest) await job()
    }
    await Promise.all([...waiting.map(async (job) => job()), some(), some(), some()])
    // Lenders wait for what some never sign.
    await until('all work is over', async () => {
      const lent = await Promise.all(world.peers.slice(0, honestLenders).map(async ({ control }) => control.status()))
      return lent.every(({ jobs: { running } }) => running === 0)
    })
    await world.stopPeers()
    opinions = new Opinions(world)
  })

  after(async () => {
    await ended(world)
    assert.deepEqual(world.errors, [])
  })

  for (const vice of ['over-meter', 'lazy', 'over-charge'] as const) {
    test(`${vice}: what it asks for is not signed, and it is paid nothing`, () => {
      const { job } = storyOf(vice)
      assert.equal(job.provider?.peer, workerOf(vice).name)
      assert.deepEqual([job.stage, job.code, job.cost], ['expired', 'NO_FINAL_RECEIPT', '0'])
      assert.equal(opinions.of(victimOf(vice), workerOf(vice)).noShow, 1)
    })
  }

  test('over-charge: a wrong amount proves itself', () => {
    const { fault, evidence } = opinions.of(victimOf('over-charge'), workerOf('over-charge'))
    assert.ok(fault > 0)
    assert.match(evidence, /^OVERCHARGED/)
  })

  for (const [vice, code] of [
    ['no-show', 'NO_ANSWER'],
    ['false-record', 'BUSY'],
  ] as const) {
    test(`${vice}: another does the work`, () => {
      const { job, replaced, said } = storyOf(vice)
      // More than once, when all the others were busy just then.
      const times = replaced.filter((one) => one === `${workerOf(vice).name} ${code}`).length
      assert.ok(times > 0)
      assert.equal(job.stage, 'paid')
      assert.notEqual(job.provider?.peer, workerOf(vice).name)
      assert.equal(said, text + text)
      assert.equal(opinions.of(victimOf(vice), workerOf(vice)).noShow, times)
    })
  }

  test('lie: one answer alone looks like any other', () => {
    const { job, said } = storyOf('lie')
    assert.deepEqual([job.stage, job.provider?.peer], ['paid', workerOf('lie').name])
    assert.notEqual(said, text + text)
    assert.equal(opinions.of(victimOf('lie'), workerOf('lie')).fault, 0)
  })

  test('slow: it is waited for, and paid for its time', () => {
    const { job, said } = storyOf('slow')
    assert.deepEqual([job.stage, job.provider?.peer], ['paid', workerOf('slow').name])
    assert.equal(said, text + text)
  })

  test('replay: what was said before changes nothing, whoever does the work in the end', () => {
    const { job, said } = storyOf('replay')
    assert.equal(job.stage, 'paid')
    assert.equal(said, text + text)
  })

  for (const [vice, code] of [
    ['forge', 'SIGNATURE_INVALID'],
    ['equivocate', 'EQUIVOCATION'],
  ] as const) {
    test(`${vice}, by who works: the job is done, once, and it is held against the one who did it`, () => {
      const { job, said } = storyOf(vice)
      assert.equal(job.stage, 'paid')
      assert.equal(said, text + text)
      const { fault, evidence } = opinions.of(victimOf(vice), workerOf(vice))
      assert.ok(fault > 0)
      assert.match(evidence, new RegExp(`^${code}`))
    })

    test(`${vice}, by who asks: it is held against the one who did it`, () => {
      const { fault, evidence } = heldAgainst(askerOf(vice))
      assert.ok(fault > 0)
      assert.match(evidence, new RegExp(code))
    })
  }

  for (const vice of ['no-countersign', 'under-pay', 'freeload'] as const) {
    test(`${vice}: who worked for it once remembers`, () => {
      const { success, noShow } = heldAgainst(askerOf(vice))
      assert.deepEqual({ success, noShow }, { success: 0, noShow: 1 })
    })
  }

  test('the honest have nothing against each other', () => assert.deepEqual(opinions.amongHonest, []))
})

describe('keepers of which some have nothing, or something else', { timeout: deadlineMs }, () => {
  let world: LiveWorld

  before(async () => {
    const idle = { victims: [] }
    world = await booted(6, [
      asker,
      lender,
      lender,
      { ...lender, vice: 'corrupt', ...idle },
      { ...lender, vice: 'withhold', ...idle },
    ])
  })
  after(async () => ended(world))

  test('the inputs come all the same, and a wrong block is held against who sent it', async () => {
    const [requester, one, other, corrupt, withhold] = world.peers as [LivePeer, LivePeer, LivePeer, LivePeer, LivePeer]
    const large = realRandom.bytes(200_000)
    const out = join(scratch.path, 'kept')
    const story = await run(requester, {
      module: await scratch.file('everything.wasm', everything(0, text)),
      inputs: [
        { path: await scratch.file('small', 'small\n') },
        { path: await scratch.file('large-one', large), guestPath: '/in/large' },
      ],
      code: '3+2',
      out,
    })
    assert.equal(story.job.stage, 'paid')
    assert.deepEqual(
      new Set(story.all('staged')[0]!.keepers.map(({ peer }) => peer)),
      new Set([one, other, corrupt, withhold].map(({ name }) => name)),
    )
    assert.ok((await readFile(join(out, 'copy'))).equals(large))
    await world.stopPeers()
    const opinions = new Opinions(world)
    const worker = [one, other].find(({ name }) => name === story.job.provider?.peer)!
    const all = [requester, worker].map((who) => opinions.of(who, corrupt))
    assert.ok(all.some(({ fault }) => fault > 0))
    assert.match(all.map(({ evidence }) => evidence).join(), /PROOF_INVALID/)
    for (const who of [requester, worker])
      assert.equal(opinions.of(who, withhold).fault, 0, 'it is free to have nothing')
    assert.deepEqual(opinions.amongHonest, [])
  })
})
