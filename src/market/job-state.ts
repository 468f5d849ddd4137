/** What a requester knows of one of its jobs, and what may happen to it. The machine itself is job-machine.ts. */
import { watchWakeAtMs, type StartOrder, type WatchState } from '../../protocols/execute/index.ts'
import {
  gangWakeAtMs,
  type AwardState,
  type GangState,
  type Lease,
  type Notary,
  type Offer,
} from '../../protocols/negotiate/index.ts'
import type { PayState, Receipt } from '../../protocols/receipt/index.ts'
import type { Ending, PeerName, Refusal, Signed } from '../../protocols/wire/index.ts'
import type { CarryEffect, CarryInput } from './carry.ts'
import type { JobErrand, JobEvent } from './job-events.ts'
import type { JobTerms } from './terms.ts'

/** A bid is gossiped again at this interval until there is an answer: "dialled" is not "ready". */
export const announceAgainMs = 1_000
/** How long after the first offer others may still come in. Longer finds cheaper, shorter starts sooner. */
export const offerWindowMs = 300
/** Offers considered for one job; the dearest are dropped beyond. */
export const offersMax = 64
/** How long a requester waits for the last receipt after the result. */
export const settleWithinMs = 30_000

export interface JobContext {
  readonly notary: Notary
  /** Best first. May leave out what should not be awarded at all. */
  rank(offers: readonly Signed<Offer>[], failed: readonly PeerName[]): readonly Signed<Offer>[]
}

export type JobPhase =
  | { readonly at: 'bidding'; readonly announceAgainMs: number; readonly decideAtMs: number | null }
  | { readonly at: 'awarding'; readonly gang: GangState }
  | {
      readonly at: 'leased'
      readonly award: AwardState
      readonly lease: Lease
      readonly leasedMs: number
      readonly watch: WatchState
      readonly pay: PayState
    }
  | {
      readonly at: 'collecting'
      readonly award: AwardState
      readonly lease: Lease
      readonly leasedMs: number
      readonly watch: WatchState
      readonly pay: PayState
      readonly collected: boolean
      /** The final receipt, when it came before the outputs were all here. */
      readonly held: Signed<Receipt> | null
      readonly settleByMs: number
    }
  | {
      readonly at: 'ended'
      readonly award: AwardState | null
      readonly leasedMs: number
      readonly watch: WatchState | null
      readonly pay: PayState | null
      readonly ending: Ending
    }

export interface JobState {
  readonly terms: JobTerms
  readonly offers: readonly Signed<Offer>[]
  readonly failed: readonly PeerName[]
  readonly attempts: number
  readonly epoch: number
  readonly order: StartOrder | null
  readonly phase: JobPhase
}

export type JobInput =
  | CarryInput
  | { readonly is: 'wake' }
  | { readonly is: 'restarted' }
  | { readonly is: 'cancel' }
  | { readonly is: 'staged'; readonly order: StartOrder }
  | { readonly is: 'staging-failed'; readonly because: Refusal }
  | { readonly is: 'collected'; readonly lease: string }
  | { readonly is: 'collecting-failed'; readonly lease: string; readonly because: Refusal }

export type JobEffect = CarryEffect<JobEvent> | ({ readonly do: 'errand' } & JobErrand)
export type JobStep = readonly [JobState, readonly JobEffect[]]
export function jobWakeAtMs(state: JobState): number | undefined {
  const { phase, terms, order } = state
  switch (phase.at) {
    case 'bidding':
      // Until the inputs are staged there is nothing to wait for but that.
      return order === null
        ? undefined
        : Math.min(phase.announceAgainMs, phase.decideAtMs ?? Infinity, terms.bidUntilMs)
    case 'awarding':
      return gangWakeAtMs(phase.gang)
    case 'leased':
      return watchWakeAtMs(phase.watch)
    case 'collecting':
      return phase.settleByMs
    case 'ended':
      return undefined
    default:
      return phase satisfies never
  }
}
