/**
 * Shards that several keepers have: one was away, its shard was made again elsewhere, and it came back. One of them is enough, and
 * which of them goes on is said here. Pure.
 */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Placed } from './place.ts'

export interface Soundness {
  readonly passed: boolean
  /** Since when it has passed every audit. */
  readonly steadyMs: number
}

/**
 * Those that are not needed beside another that passed. The one that stays has the fewest other shards of the object, because what
 * counts is how many keepers may be lost; among equals the one that has passed every audit for longest, because who was away once is
 * likelier to be again. Where nobody passed all stay: any of them may come back.
 */
export function sparePlaces(places: readonly Placed[], soundnessOf: (place: Placed) => Soundness): Placed[] {
  const rows = Map.groupBy(places, ({ shard }) => shard)
  const loads = new Map<PeerName, number>()
  const staying = new Map<number, Placed>()
  const stays = (place: Placed): void => {
    staying.set(place.shard, place)
    loads.set(place.peer, (loads.get(place.peer) ?? 0) + 1)
  }
  const passedOf = (row: readonly Placed[]): Placed[] => row.filter((place) => soundnessOf(place).passed)
  const isBetter = (left: Placed, right: Placed): number =>
    (loads.get(left.peer) ?? 0) - (loads.get(right.peer) ?? 0) ||
    soundnessOf(left).steadyMs - soundnessOf(right).steadyMs ||
    right.keepUntilMs - left.keepUntilMs ||
    (left.peer < right.peer ? -1 : 1)
  // Where there is no choice first.
  for (const row of [...rows.values()].map(passedOf).toSorted((left, right) => left.length - right.length)) {
    const [best] = row.toSorted(isBetter)
    if (best !== undefined) stays(best)
  }
  return places.filter((place) => staying.has(place.shard) && staying.get(place.shard) !== place)
}
