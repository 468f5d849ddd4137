/** A scenario is data: who is there, what they do, what goes wrong, and what must come of it. The files are in mesh/. */
import type { Scenario } from './schema.ts'

export type { Scenario } from './schema.ts'

/** Scenarios joined: of each kind of fault the worst of them, of each promise the weakest. The workload is the first one's. */
export function compose(name: string, first: Scenario, ...others: readonly Scenario[]): Scenario {
  let joined: Scenario = { ...first, name }
  for (const other of others) {
    joined = {
      ...joined,
      about: `${joined.about}; ${other.about}`,
      network: worseOf(joined.network, other.network),
      faults: worseOf(joined.faults, other.faults),
      faultsUntilMs: Math.max(joined.faultsUntilMs, other.faultsUntilMs),
      virtualMs: Math.max(joined.virtualMs, other.virtualMs),
      skewMsMax: Math.max(joined.skewMsMax, other.skewMsMax),
      ledgerShare: Math.max(joined.ledgerShare, other.ledgerShare),
      dishonestShare: Math.max(joined.dishonestShare, other.dishonestShare),
      sybilShare: Math.max(joined.sybilShare, other.sybilShare),
      tricks: [...new Set([...joined.tricks, ...other.tricks])],
      vices: [...new Set([...joined.vices, ...other.vices])],
      live: {
        ...joined.live,
        regions: joined.live.regions || other.live.regions,
        forMs: Math.max(joined.live.forMs, other.live.forMs),
        vices: [...new Set([...joined.live.vices, ...other.live.vices])],
        faults: [...joined.live.faults, ...other.live.faults],
        expect: [...new Set([...joined.live.expect, ...other.live.expect])],
      },
      assertions: {
        paidShareMin: Math.min(joined.assertions.paidShareMin, other.assertions.paidShareMin),
        successShareMin: Math.min(joined.assertions.successShareMin, other.assertions.successShareMin),
        liarShareMax: Math.max(joined.assertions.liarShareMax, other.assertions.liarShareMax),
      },
    }
  }
  return joined
}

/** Number by number, and in ranges end by end, the greater one. */
function worseOf<Part extends object>(left: Part, right: Part): Part {
  const theirs = right as Readonly<Record<string, number | readonly number[]>>
  const worse = (mine: number | readonly number[], other: number | readonly number[]): number | number[] =>
    typeof mine === 'number' || typeof other === 'number'
      ? Math.max(Number(mine), Number(other))
      : mine.map((value, index) => Math.max(value, other[index]!))
  return Object.fromEntries(
    Object.entries(left as typeof theirs).map(([key, mine]) => [key, worse(mine, theirs[key]!)]),
  ) as Part
}
