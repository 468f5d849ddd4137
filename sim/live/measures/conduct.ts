/** Who holds what against whom: how many of the dishonest were caught, and whether an honest peer was accused. */
import type { PeerName } from '../../../protocols/wire/index.ts'
import type { PeerFindings } from './findings.ts'

/** Somebody whom at least one honest peer holds a fault against. What dishonest peers say of others counts for nothing. */
export interface Accused {
  readonly name: PeerName
  /** Null: honest, or not one of the peers that are measured. */
  readonly vice: string | null
  readonly by: number
  readonly faults: number
}

export interface Conduct {
  readonly dishonest: number
  readonly caught: number
  readonly honest: number
  readonly honestAccused: number
  readonly byVice: ReadonlyMap<string, { readonly peers: number; readonly caught: number }>
  /** Whom most accuse first. */
  readonly accused: readonly Accused[]
}

export function conductOf(peers: readonly PeerFindings[]): Conduct {
  const known = new Map(peers.map((peer) => [peer.name, peer]))
  const against = new Map<PeerName, { by: number; faults: number }>()
  for (const { vice, holds } of peers) {
    if (vice !== null) continue
    for (const [name, faults] of Object.entries(holds)) {
      const before = against.get(name)
      against.set(name, { by: (before?.by ?? 0) + 1, faults: (before?.faults ?? 0) + faults })
    }
  }
  const dishonest = peers.filter(({ vice }) => vice !== null)
  const honest = peers.filter(({ vice }) => vice === null)
  const caught = (some: readonly PeerFindings[]): number => some.filter(({ name }) => against.has(name)).length
  const kinds = [...Map.groupBy(dishonest, ({ vice }) => vice!)]
  return {
    dishonest: dishonest.length,
    caught: caught(dishonest),
    honest: honest.length,
    honestAccused: caught(honest),
    byVice: new Map(
      kinds
        .toSorted(([left], [right]) => (left < right ? -1 : 1))
        .map(([vice, some]) => [vice, { peers: some.length, caught: caught(some) }]),
    ),
    accused: [...against]
      .map(([name, counts]) => ({ name, vice: known.get(name)?.vice ?? null, ...counts }))
      .toSorted((left, right) => right.by - left.by || right.faults - left.faults || (left.name < right.name ? -1 : 1)),
  }
}
