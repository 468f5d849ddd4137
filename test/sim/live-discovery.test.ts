// Real peers: what one can do is known by all within moments, is gone when it is, and is found by who has just come.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { noWishes } from '../../protocols/bid/index.ts'
import type { Want } from '../../protocols/discover/index.ts'
import type { LivePeer } from '../../sim/live/live-peer.ts'
import type { LiveWorld } from '../../sim/live/world.ts'
import { plainPolicy } from '../../src/config/options.ts'
import { aliveForMs } from '../../src/discovery/record-index.ts'
import { asker, booted, ended, inTime, lender, until } from '../support/live.ts'

const gib = 2 ** 30
const gpu = { model: 'NVIDIA H100 80GB HBM3', memoryBytes: 80 * gib, count: 1 }
const rarity = { ...lender, offer: { policy: { ...plainPolicy, gpus: [gpu] } } }
const rare: Want = {
  kind: 'work',
  ask: {
    requirements: {
      ...noWishes,
      runtime: 'wasi-preview1',
      cpuMilli: 100,
      memoryBytes: 1,
      diskBytes: 0,
      wallMsMax: 1_000,
      gpus: { count: 1, memoryBytes: 40 * gib, vendor: '', model: 'h100' },
    },
    unit: 'credit',
    cpuHourMicroMax: 2_000_000,
  },
}
const visibleWithinMs = 10_000

describe('discovery among live peers', () => {
  let world: LiveWorld
  const all = () => world.peers.filter(({ isUp }) => isUp)
  const knows = async (peer: LivePeer, other: LivePeer): Promise<boolean> =>
    (await peer.control.offers(false, inTime())).some((offer) => offer.peer === other.name)
  const knownBy = async (other: LivePeer): Promise<number> => {
    const known = await Promise.all(all().map(async (peer) => peer === other || knows(peer, other)))
    return known.filter(Boolean).length
  }
  const found = async (peer: LivePeer): Promise<string[]> =>
    (await peer.find(rare, 1, inTime())).map((record) => record.peer)

  before(async () => {
    world = await booted(71, [
      rarity,
      ...Array.from({ length: 4 }, () => lender),
      ...Array.from({ length: 15 }, () => asker),
    ])
    await world.announced()
    for (const peer of world.lenders)
      await until('everybody knows every lender', async () => (await knownBy(peer)) === all().length)
  })
  after(async () => ended(world))

  test('what one of twenty has is found by each of the others', async () => {
    for (const peer of world.peers.slice(1)) assert.deepEqual(await found(peer), [world.peer(0).name])
  })

  test('who has lost its disk finds it as soon as it has a neighbour', async () => {
    const peer = world.peer(19)
    await peer.leave()
    await peer.loseDisk()
    await peer.restart()
    await peer.host.dial(world.own[12]!.address, inTime())
    await until('it finds what is rare', async () => (await found(peer)).length > 0)
  })

  test('a provider that stops is gone at once, and known within ten seconds when it is back', async () => {
    const peer = world.peer(4)
    const leaving = peer.leave()
    await until('nobody knows it', async () => (await knownBy(peer)) === 0, visibleWithinMs)
    await leaving
    await peer.restart()
    await until('everybody knows it', async () => (await knownBy(peer)) === all().length, visibleWithinMs)
  })

  test('a provider that is killed leaves the answers within two minutes', async () => {
    const peer = world.peer(3)
    const reader = world.peers.find((other) => other.isUp && other.index > 4)!
    peer.crash()
    await until('no connection to it is left', () => reader.host.connections().every((line) => line.peer !== peer.name))
    assert.ok(await knows(reader, peer), 'it was there a moment ago')
    reader.clock.aheadMs += aliveForMs
    assert.equal(await knows(reader, peer), false)
    assert.deepEqual(await found(reader), [world.peer(0).name], 'and of the others it is asked')
  })
})
