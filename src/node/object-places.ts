/** Where the shards of an object are: from the ledger, from the network, and as text in the ledger. */
import type { Version } from '../../protocols/placement/index.ts'
import type { CachedAt } from '../storage/locate.ts'
import type { Placed } from '../storage/place.ts'
import type { FetchSource } from '../storage/sources.ts'

/** Placement of an object that is with us alone. */
export const nowhere = '[]'

/** Of a place whose term nobody has told us. */
export const untilUnknown = 0

export function placesOf(text: string): Placed[] {
  const entries = JSON.parse(text) as (Omit<Placed, 'peer' | 'keepUntilMs'> & {
    peers: string[]
    keepUntilMs?: number
  })[]
  return entries.flatMap(({ peers, keepUntilMs = untilUnknown, ...place }) =>
    peers.map((peer) => ({ ...place, peer, keepUntilMs })),
  )
}

export function placesText(places: readonly Placed[]): string {
  return JSON.stringify(places.map(({ peer, ...place }) => ({ ...place, peers: [peer] })))
}

/** Places of several accounts: those of the first first, each shard and keeper once, with the longest terms. */
export function mergedPlaces(...accounts: readonly (readonly Placed[])[]): Placed[] {
  const merged = new Map<string, Placed>()
  for (const place of accounts.flat()) {
    const name = `${place.shard} ${place.peer}`
    const known = merged.get(name)
    const heardUntilMs = Math.max(known?.heardUntilMs ?? 0, place.heardUntilMs ?? 0)
    merged.set(name, {
      shard: place.shard,
      peer: place.peer,
      keepUntilMs: Math.max(known?.keepUntilMs ?? 0, place.keepUntilMs),
      ...(heardUntilMs > 0 ? { heardUntilMs } : {}),
    })
  }
  return [...merged.values()]
}

/** Without those whose term is over while another keeper's of the same shard is not: they were let run out. */
export function placesThatLast(places: readonly Placed[], nowMs: number): Placed[] {
  const lasting = new Set(places.filter(({ keepUntilMs }) => keepUntilMs > nowMs).map(({ shard }) => shard))
  return places.filter(
    ({ shard, keepUntilMs }) => keepUntilMs === untilUnknown || keepUntilMs > nowMs || !lasting.has(shard),
  )
}

/** Until when every shard is kept by somebody; 0: there are none. */
export function keptUntil(places: readonly Placed[]): number {
  const rows = [...Map.groupBy(places, ({ shard }) => shard).values()]
  return rows.length === 0 ? 0 : Math.min(...rows.map((row) => Math.max(...row.map(({ keepUntilMs }) => keepUntilMs))))
}

/** What versions say, the newest first. Places whose term is over, and shards that there cannot be, are left out. */
export function placesFrom(versions: readonly Version[], shards: number, nowMs: number): Placed[] {
  return mergedPlaces(
    ...versions.map(({ places }) =>
      places
        .filter(({ shard, keepUntilMs }) => shard < shards && keepUntilMs > nowMs)
        .map(({ shard, keeper, keepUntilMs }) => ({ shard, peer: keeper, keepUntilMs })),
    ),
  )
}

/** What is known of an object that is to be read. */
export interface Found {
  readonly manifest: Uint8Array
  readonly places: readonly Placed[]
  readonly cached: readonly CachedAt[]
  /** Envelopes that say so. */
  readonly records: readonly Uint8Array[]
}

/** Keepers first: who only has a shard may have let it go by now. */
export function sourcesFrom(places: readonly Placed[], cached: readonly CachedAt[]): FetchSource[] {
  return [...Map.groupBy<number, CachedAt>([...places, ...cached], ({ shard }) => shard)].map(([shard, own]) => ({
    shard,
    peers: [...new Set(own.map(({ peer }) => peer))],
  }))
}
