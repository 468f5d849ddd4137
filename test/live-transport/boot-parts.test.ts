// What a boot of live peers is made of: who dials whom, what waits for its turn, and peer stores that remember.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

import { neighboursOf } from '../../sim/live/neighbours.ts'
import { PeerStoreMemo } from '../../sim/live/peer-store-memo.ts'
import { Unhurried } from '../../sim/live/unhurried.ts'
import { SeededRandom } from '../../sim/random.ts'
import { identityFromSeed } from '../../src/host/index.ts'

describe('who dials whom', () => {
  for (const [count, each] of [
    [2, 4],
    [5, 4],
    [24, 4],
    [300, 4],
  ] as const)
    test(`among ${count}, ${each} each`, () => {
      const dials = neighboursOf(count, each, new SeededRandom(1))
      assert.equal(dials.length, count)
      const ties = new Set<string>()
      for (const [from, others] of dials.entries())
        for (const to of others) {
          assert.notEqual(from, to)
          const tie = `${Math.min(from, to)} ${Math.max(from, to)}`
          assert.ok(!ties.has(tie), 'nobody is dialled by whom it dials')
          ties.add(tie)
        }
      assert.equal(ties.size, Math.min(count * each, (count * (count - 1)) / 2))
      // Whoever is reached from the first is reached from all.
      const reached = new Set([0])
      for (const peer of reached)
        for (const tie of ties) {
          const [left, right] = tie.split(' ').map(Number) as [number, number]
          if (left === peer) reached.add(right)
          if (right === peer) reached.add(left)
        }
      assert.equal(reached.size, count)
      if (count > 2 * each) for (const others of dials) assert.equal(others.length, each)
    })

  test('is the same for the same seed', () => {
    assert.deepEqual(neighboursOf(40, 4, new SeededRandom(3)), neighboursOf(40, 4, new SeededRandom(3)))
    assert.notDeepEqual(neighboursOf(40, 4, new SeededRandom(3)), neighboursOf(40, 4, new SeededRandom(4)))
  })
})

test('turns come one after another, and none while the event loop is late', async () => {
  const unhurried = new Unhurried()
  const turns: number[] = []
  const waits = [1, 2, 3].map(async (turn) => {
    await unhurried.turn()
    turns.push(turn)
  })
  // The loop comes round late: nobody's turn comes meanwhile.
  const untilMs = performance.now() + 120
  while (performance.now() < untilMs);
  assert.deepEqual(turns, [])
  await Promise.all(waits)
  assert.deepEqual(turns, [1, 2, 3])
})

test('a peer store that remembers says what one that does not says, and is asked less', async () => {
  const memo = new PeerStoreMemo()
  const peer = peerIdFromString(identityFromSeed(new Uint8Array(32).fill(7)).peer)
  const story = async (): Promise<unknown[]> => {
    const { peerStore } = await createLibp2p({ start: false })
    const told: unknown[] = []
    const tell = async (): Promise<void> => {
      const { addresses, protocols, tags, metadata } = await peerStore.get(peer)
      told.push({
        addresses: addresses.map(({ multiaddr: address, isCertified }) => [address.toString(), isCertified]),
        protocols,
        tags: [...tags.keys()],
        metadata: [...metadata.keys()],
      })
    }
    await assert.rejects(peerStore.get(peer), { name: 'NotFoundError' })
    await peerStore.merge(peer, { multiaddrs: [multiaddr('/ip4/20.0.0.1/tcp/1')], protocols: ['/a/1'] })
    await tell()
    // Nothing new, twice; then something, of each kind.
    for (let times = 0; times < 2; times++) await peerStore.merge(peer, { protocols: ['/a/1'] })
    await tell()
    await peerStore.merge(peer, { protocols: ['/b/1'], multiaddrs: [multiaddr('/ip4/20.0.0.2/tcp/1')] })
    await tell()
    await peerStore.merge(peer, { tags: { near: { value: 1 } }, metadata: { agent: Uint8Array.of(1) } })
    await tell()
    const answer = await peerStore.get(peer)
    answer.protocols.push('/not/there')
    answer.tags.clear()
    await tell()
    await peerStore.patch(peer, { protocols: ['/c/1'] })
    await tell()
    await peerStore.delete(peer)
    await assert.rejects(peerStore.get(peer), { name: 'NotFoundError' })
    return told
  }
  const plain = await story()
  const uninstall = await memo.install()
  const remembered = await story()
  uninstall()
  assert.deepEqual(remembered, plain)
  assert.ok(memo.counts.spared >= 5, `${memo.counts.spared}`)
  const { made } = memo.counts
  assert.deepEqual(await story(), plain)
  assert.equal(memo.counts.made, made, 'it is not asked any more')
})
