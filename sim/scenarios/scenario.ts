/** A scenario is data: how many peers, what they do, what goes wrong. */
import type { NetworkFaults } from '../model/network.ts'
import type { Vice } from '../model/peer.ts'

export interface Scenario {
  readonly name: string
  readonly about: string
  readonly peers: number
  readonly jobs: number
  /** Jobs that need several places at once, and how many at most. */
  readonly gangShare: number
  readonly gangSlotsMax: number
  /** Jobs are asked for within this. */
  readonly jobsWithinMs: number
  readonly network: NetworkFaults
  readonly faults: {
    readonly crashesMax: number
    readonly freezesMax: number
    readonly diskFullMax: number
    readonly clockJumpsMax: number
    readonly cutsMax: number
    readonly lastsMsMax: number
  }
  /** After this nothing goes wrong any more, … */
  readonly faultsUntilMs: number
  /** … and by then everything must be over. */
  readonly virtualMs: number
  readonly skewMsMax: number
  readonly dishonestShare: number
  readonly vices: readonly Vice[]
}
