// An object among sixteen live peers: read by another, a quarter of its keepers silent, repaired, and read again.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { LivePeer } from '../../sim/live/live-peer.ts'
import type { LiveWorld } from '../../sim/live/world.ts'
import type { PutView } from '../../src/control/api.ts'
import { realRandom } from '../../src/environment.ts'
import { asker, booted, deadlineMs, ended, inTime, lender, Opinions, Scratch } from '../support/live.ts'

const keepersCount = 14
const [k, n] = [8, 12]

/** The DHT of so small a world names six keepers, and whoever is connected is known too. */
async function meets(world: LiveWorld, peer: LivePeer): Promise<void> {
  for (const { address, peer: name } of world.own)
    if (name !== peer.name) await peer.control.join(`${address}/p2p/${name}`, inTime())
}

describe('an object of 8+4 shards', { timeout: 4 * deadlineMs }, () => {
  let world: LiveWorld
  let scratch: Scratch
  let owner: LivePeer
  let reader: LivePeer
  let put: PutView
  const data = realRandom.bytes(1_500_000)
  const peerOf = (name: string): LivePeer => world.peers.find((peer) => peer.name === name)!
  const readBy = async (peer: LivePeer, to: string): Promise<Buffer> => {
    const { path } = await peer.control.get({ object: put.read, path: join(scratch.path, to) }, inTime())
    return readFile(path)
  }

  before(async () => {
    scratch = await Scratch.make()
    world = await booted(31, [asker, asker, ...Array.from({ length: keepersCount }, () => lender)])
    ;[owner, reader] = world.peers as [LivePeer, LivePeer]
    for (const peer of [owner, reader]) await meets(world, peer)
    put = await owner.control.put({ path: await scratch.file('data', data), code: `${k}+${n - k}` }, inTime())
  })
  after(async () => {
    await ended(world)
    await scratch.remove()
  })

  test('is read by another peer that has the string', async () => {
    assert.deepEqual([put.keepers.length, put.happiness, put.lossesBorne], [n, n, n - k])
    assert.ok((await readBy(reader, 'first')).equals(data))
  })

  test('of which a quarter of the keepers are silent is whole again after a repair, and is the same object', async () => {
    const silent = put.keepers.slice(0, n / 4).map(({ peer }) => peerOf(peer))
    for (const peer of silent) peer.freeze()
    const audit = await reader.control.audit(put.verify, inTime())
    assert.equal(audit.healthy, n - silent.length)
    const absent = audit.results.filter(({ verdict }) => verdict !== 'passed')
    assert.deepEqual(new Set(absent.map(({ keeper }) => keeper.peer)), new Set(silent.map(({ name }) => name)))
    assert.ok(absent.every(({ verdict }) => verdict === 'absent'))

    // Whoever has the string that cannot read; the owner learns of it.
    const repair = await reader.control.repair({ object: put.verify }, inTime())
    assert.deepEqual([repair.object, repair.healthyBefore, repair.healthyAfter, repair.missing], [put.object, 9, n, []])
    // Whoever is back is not waited for.
    for (const peer of silent) peer.thaw()
    const again = await owner.control.audit(put.object, inTime())
    assert.deepEqual([again.healthy, again.object], [n, put.object])
  })

  test('still reads when as many others are gone for good', async () => {
    const others = put.keepers.slice(n / 4, n / 2).map(({ peer }) => peerOf(peer))
    for (const peer of others) peer.crash()
    for (const { peer } of put.keepers.slice(0, n / 4)) peerOf(peer).crash()
    assert.ok((await readBy(reader, 'second')).equals(data))
    assert.ok((await readBy(owner, 'third')).equals(data))
  })

  test('leaves no reproach among honest peers', async () => {
    await world.stopPeers()
    assert.deepEqual(new Opinions(world).amongHonest, [])
    assert.deepEqual(world.errors, [])
  })
})

describe('two that repair at once', { timeout: 2 * deadlineMs }, () => {
  test('do not do the same work: one is told that the other is at it', async () => {
    const scratch = await Scratch.make()
    const world = await booted(32, [asker, asker, asker, ...Array.from({ length: 8 }, () => lender)])
    try {
      const [owner, one, two] = world.peers as [LivePeer, LivePeer, LivePeer]
      for (const peer of [owner, one, two]) await meets(world, peer)
      const path = await scratch.file('data', realRandom.bytes(4_000_000))
      const put = await owner.control.put({ path, code: '4+2' }, inTime())
      world.peers.find(({ name }) => name === put.keepers[0]!.peer)!.crash()
      const repairs = await Promise.allSettled(
        [one, two].map(async ({ control }) => control.repair({ object: put.verify }, inTime())),
      )
      const done = repairs.filter(({ status }) => status === 'fulfilled')
      const reasons = repairs.flatMap((repair) => (repair.status === 'rejected' ? [String(repair.reason.code)] : []))
      assert.equal(done.length, 1, String(reasons))
      assert.deepEqual(reasons, ['REPAIR_CLAIMED'])
    } finally {
      await ended(world)
      await scratch.remove()
    }
  })
})
