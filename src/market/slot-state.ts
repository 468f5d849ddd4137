/** What a requester knows of one place of a job. The machine itself is slot-machine.ts. */
import { watchWakeAtMs, type WatchState } from '../../protocols/execute/index.ts'
import type { AwardState, Lease } from '../../protocols/negotiate/index.ts'
import type { PayState, Receipt } from '../../protocols/receipt/index.ts'
import type { Ending, PeerName, Refusal, Signed } from '../../protocols/wire/index.ts'
import type { JobEffect } from './job-state.ts'

interface Place {
  readonly slot: number
  /** Of its last award; 0 before the first. */
  readonly epoch: number
  /** Awards that came to a lease, or to nothing through its own provider: a gang that closed for another's sake counts not. */
  readonly attempts: number
}

/** The requester's halves of one lease. */
export interface Work {
  readonly award: AwardState
  readonly lease: Lease
  readonly leasedMs: number
  readonly watch: WatchState
  readonly pay: PayState
}

export type SlotState = Place &
  (
    | { readonly at: 'vacant' }
    | { readonly at: 'leased'; readonly work: Work }
    | {
        readonly at: 'collecting'
        readonly work: Work
        readonly collected: boolean
        /** The final receipt, when it came before the outputs were all here. */
        readonly held: Signed<Receipt> | null
        readonly settleByMs: number
      }
    | { readonly at: 'ended'; readonly work: Work | null; readonly ending: Ending }
  )

export type SlotAt<Where extends SlotState['at']> = Extract<SlotState, { at: Where }>

/** What a step of a place means to its job. */
export type SlotTurn =
  /** Another provider may do better. */
  | { readonly turn: 'lost'; readonly because: Refusal }
  /** Nobody else would. */
  | { readonly turn: 'failed'; readonly ending: Ending }
  | { readonly turn: 'paid' }

export type SlotStep = readonly [SlotState, readonly JobEffect[], SlotTurn | null]

/** Its lease, while there is work to do for it. */
export function liveWork(slot: SlotState): Work | null {
  return slot.at === 'leased' || slot.at === 'collecting' ? slot.work : null
}

export function workOf(slot: SlotState): Work | null {
  return slot.at === 'vacant' ? null : slot.work
}

/** Whoever holds a place of a job is not awarded another one of it. */
export function holdersOf(slots: readonly SlotState[]): PeerName[] {
  return slots.flatMap((slot) => liveWork(slot)?.lease.provider ?? [])
}

export function slotWakeAtMs(slot: SlotState): number | undefined {
  switch (slot.at) {
    case 'leased':
      return watchWakeAtMs(slot.work.watch)
    case 'collecting':
      return slot.settleByMs
    case 'vacant':
    case 'ended':
      return undefined
    default:
      return slot satisfies never
  }
}
