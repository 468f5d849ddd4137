/** A scenario is data: who is there, what they do, what goes wrong, and what must come of it. */
import type { NetworkFaults } from '../model/network.ts'
import type { Vice } from '../model/vices.ts'

export interface Workload {
  readonly jobs: number
  /** Jobs are asked for within this. */
  readonly jobsWithinMs: number
  /** Share of the jobs that need several places at once, and how many at most. */
  readonly gangShare: number
  readonly gangSlotsMax: number
  /** Share of the jobs that are taken back at some moment. */
  readonly cancelShare: number
  /** Share of the jobs before which their requester looks for providers in the DHT. */
  readonly lookUpShare: number
  /** Share of the lives in which accounts are settled. */
  readonly settleShare: number
  /** Classes of work; a peer hears of the bids of one. */
  readonly classes: number
}

export interface Faults {
  readonly crashesMax: number
  /** Of the crashes: how many come in the middle of a write, one in so many effects of the peer. */
  readonly freezesMax: number
  readonly diskFullMax: number
  readonly clockJumpsMax: number
  readonly cutsMax: number
  readonly clogsMax: number
  readonly lastsMsMax: number
}

/** What the run as a whole must show, beyond the invariants. Shares are of all jobs of all lives. */
export interface Assertions {
  readonly paidShareMin: number
}

export interface Scenario {
  readonly name: string
  readonly about: string
  readonly peers: number
  /** Share of the peers that lend. */
  readonly lendShare: number
  /** Share of the peers whose books are the ledger of production, which costs some ten times as much as the model's own. */
  readonly ledgerShare: number
  readonly workload: Workload
  readonly network: NetworkFaults
  readonly faults: Faults
  /** After this nothing goes wrong any more, … */
  readonly faultsUntilMs: number
  /** … and by then everything must be over. */
  readonly virtualMs: number
  readonly skewMsMax: number
  readonly dishonestShare: number
  readonly vices: readonly Vice[]
  readonly assertions: Assertions
}

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
      vices: [...new Set([...joined.vices, ...other.vices])],
      assertions: { paidShareMin: Math.min(joined.assertions.paidShareMin, other.assertions.paidShareMin) },
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
