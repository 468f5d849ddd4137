import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { happinessOf, lossesBorne, matchShards, operatorsBorne, type Holding } from '../../src/storage/happiness.ts'

const holdings = (shards: number, peers: number) =>
  fc.uniqueArray(fc.record({ shard: fc.nat(shards - 1), peer: fc.nat(peers - 1).map((peer) => `peer${peer}`) }), {
    maxLength: 12,
    selector: ({ shard, peer }) => `${shard} ${peer}`,
  })

/** The largest set of holdings in which no shard and no peer is twice, by trying all. */
function bruteMatching([first, ...rest]: readonly Holding[]): number {
  if (first === undefined) return 0
  const fitting = rest.filter(({ shard, peer }) => shard !== first.shard && peer !== first.peer)
  return Math.max(1 + bruteMatching(fitting), bruteMatching(rest))
}

/** By losing every set of keepers. */
function bruteLosses(all: readonly Holding[], k: number): number {
  const peers = [...new Set(all.map(({ peer }) => peer))]
  let worst = peers.length
  if (new Set(all.map(({ shard }) => shard)).size < k) return -1
  for (let set = 0; set < 2 ** peers.length; set++) {
    const lost = peers.filter((_, bit) => (set >> bit) % 2 === 1)
    const left = new Set(all.filter(({ peer }) => !lost.includes(peer)).map(({ shard }) => shard))
    if (left.size < k) worst = Math.min(worst, lost.length - 1)
  }
  return worst
}

test('happiness is what trying all matchings gives', () => {
  fc.assert(
    fc.property(holdings(6, 6), (all) => {
      assert.equal(happinessOf(all), bruteMatching(all))
      const matched = [...matchShards(all)]
      assert.equal(new Set(matched.map(([, peer]) => peer)).size, matched.length)
      for (const [shard, peer] of matched) assert.ok(all.some((one) => one.shard === shard && one.peer === peer))
    }),
  )
})

test('the keepers that may be lost are what losing every set of them gives; with copies, never more', () => {
  fc.assert(
    fc.property(holdings(8, 5), fc.integer({ min: 1, max: 4 }), (all, k) => {
      assert.ok(lossesBorne(all, k) <= bruteLosses(all, k))
      const single = [...new Map(all.map((one) => [one.shard, one])).values()]
      assert.equal(lossesBorne(single, k), bruteLosses(single, k))
    }),
  )
})

test('ten shards at one server are one; two copies of one shard at two servers are one', () => {
  const at = (shard: number, peer: string): Holding => ({ shard, peer })
  assert.equal(happinessOf(Array.from({ length: 10 }, (_, shard) => at(shard, 'a'))), 1)
  assert.equal(happinessOf([at(0, 'a'), at(0, 'b')]), 1)
  assert.equal(happinessOf([at(0, 'a'), at(1, 'a'), at(0, 'b')]), 2)
})

test('keepers of one operator are lost together, who does not say is by itself, and nobody says is nothing to count', () => {
  const all = ['a1', 'a2', 'b1', 'c1', 'c2', 'a'].map((peer, shard): Holding => ({ shard, peer }))
  const operatorOf = (peer: string) => (/^[ab]\d/.test(peer) ? peer[0] : undefined)
  assert.equal(lossesBorne(all, 3), 3)
  // `a1` and `a2` with one loss; the peer named `a` is not of them.
  assert.equal(operatorsBorne(all, 3, operatorOf), 2)
  assert.equal(operatorsBorne(all, 5, operatorOf), 0)
  assert.equal(
    operatorsBorne(all, 3, () => undefined),
    null,
  )
})
