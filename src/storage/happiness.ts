/**
 * How good a placement is: how many servers it really counts on, and how many of them may be lost. Pure.
 *
 * "Servers of happiness" is the measure of Tahoe-LAFS (docs/specifications/servers-of-happiness.rst): the size of the largest
 * matching between servers and distinct shards. Ten shards at one server are one; two copies of one shard at two servers are one.
 */
import type { PeerName } from '../../protocols/wire/index.ts'

export interface Holding {
  readonly shard: number
  readonly peer: PeerName
}

/**
 * How many operators may be lost, whichever they are; who does not say who runs it is by itself. Null: nobody says. What they say is
 * not proven.
 */
export function operatorsBorne(
  holdings: readonly Holding[],
  k: number,
  operatorOf: (peer: PeerName) => string | undefined,
): number | null {
  if (holdings.every(({ peer }) => operatorOf(peer) === undefined)) return null
  const fateOf = (peer: PeerName): string => {
    const operator = operatorOf(peer)
    return operator === undefined ? `peer ${peer}` : `operator ${operator}`
  }
  return lossesBorne(
    holdings.map(({ shard, peer }) => ({ shard, peer: fateOf(peer) })),
    k,
  )
}

/** A largest matching: each shard with one server, no server twice (augmenting paths; Kuhn, 1955). */
export function matchShards(holdings: Iterable<Holding>): Map<number, PeerName> {
  const servers = Map.groupBy(holdings, ({ shard }) => shard)
  const shardOf = new Map<PeerName, number>()
  const find = (shard: number, seen: Set<PeerName>): boolean => {
    for (const { peer } of servers.get(shard) ?? []) {
      if (seen.has(peer)) continue
      seen.add(peer)
      const taken = shardOf.get(peer)
      if (taken !== undefined && !find(taken, seen)) continue
      shardOf.set(peer, shard)
      return true
    }
    return false
  }
  for (const shard of servers.keys()) find(shard, new Set())
  return new Map([...shardOf].map(([peer, shard]) => [shard, peer]))
}

export function happinessOf(holdings: Iterable<Holding>): number {
  return matchShards(holdings).size
}

/**
 * How many keepers may be lost, whichever they are, so that k distinct shards are left; -1: there are not k now. Exact when each
 * shard has one keeper; a shard with several is counted at one of them, so that it is never too much.
 */
export function lossesBorne(holdings: readonly Holding[], k: number): number {
  const byShard = [...Map.groupBy(holdings, ({ shard }) => shard).values()]
  const loads = new Map<PeerName, number>()
  // Whoever has the least choice chooses first.
  for (const keepers of byShard.toSorted((left, right) => left.length - right.length)) {
    const [least] = keepers.toSorted((left, right) => (loads.get(left.peer) ?? 0) - (loads.get(right.peer) ?? 0))
    loads.set(least!.peer, (loads.get(least!.peer) ?? 0) + 1)
  }
  let left = byShard.length
  if (left < k) return -1
  let losses = 0
  for (const load of [...loads.values()].toSorted((one, two) => two - one)) {
    left -= load
    if (left < k) break
    losses++
  }
  return losses
}
