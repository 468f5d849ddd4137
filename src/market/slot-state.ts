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
  /** Awards that came to a lease. */
  readonly attempts: number
}

/** The requester's halves of one lease. */
export interface Work {
  readonly award: AwardState
  readonly lease: Lease
  readonly leasedMs: number
  /** When its result came; null before. */
  readonly doneMs: number | null
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

/**
 * A second lease of a place under a higher epoch, beside the first: because the first takes too long, or to compare what they make of it.
 * Or the first, once the second has the place.
 */
export interface Spare {
  readonly place: SlotState
  /** It was told to stop, because the other has the result: until then it is paid for what it did. */
  readonly endByMs: number | null
  /** Null: the first takes too long. */
  readonly check: Check | null
}

/** What two make of the same place, one of them on probation. */
export interface Check {
  /** Null: not known yet. `nothing`: they could not be compared. */
  readonly found: Finding | null
  /** For how long the one that has its result waits for the other; null while neither has. */
  readonly untilMs: number | null
}

/** A place that this machine does as well, to compare. */
export interface Redo {
  readonly slot: number
  readonly lease: string
  /** Null: not known yet. When the wait is over it is `nothing`, and may still become known. */
  readonly found: Finding | null
  /** For how long its result waits for ours; null while there is none. */
  readonly untilMs: number | null
}

export type Finding = 'same' | 'different' | 'nothing'

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

/**
 * For how long a result waits to be compared: as long again as it took, but so long at least, and never beyond the time that the job has.
 * Whoever makes something up needs no time for it.
 */
export function waitUntilMs({ work }: SlotAt<'collecting'>, leastMs: number, wallMsMax: number, nowMs: number): number {
  const tookMs = (work.doneMs ?? nowMs) - work.leasedMs
  return Math.min(nowMs + Math.max(leastMs, tookMs), Math.max(nowMs, work.leasedMs + wallMsMax))
}

/** A provider asks for its last signature for 15 s (protocols/receipt); longer than this it does not wait for it while its work is compared. */
const signWithinMs = 8_000

/** When the last receipt of a result that waits is signed all the same; undefined while there is none, or when it is. */
export function signAtMs({ work, held }: SlotAt<'collecting'>): number | undefined {
  return held === null || work.pay.at === 'settled' || work.doneMs === null ? undefined : work.doneMs + signWithinMs
}

/** Nobody is called slow before this. */
const straggleMsMin = 1_000
/** One that takes so many times as long as nearly all of the others is not waited for alone. */
const straggleFactor = 2

/** When a place that runs has taken too long beside the others; undefined while fewer than half of the others are done. */
export function stragglesAtMs(slot: SlotState, slots: readonly SlotState[]): number | undefined {
  if (slot.at !== 'leased') return undefined
  const others = slots.filter((other) => other !== slot)
  const tookMs = others.flatMap((other) => {
    const work = workOf(other)
    return work === null || work.doneMs === null ? [] : [work.doneMs - work.leasedMs]
  })
  if (tookMs.length === 0 || tookMs.length * 2 < others.length) return undefined
  tookMs.sort((left, right) => left - right)
  const usualMs = tookMs[Math.ceil(tookMs.length * 0.95) - 1]!
  return slot.work.leasedMs + Math.max(straggleMsMin, straggleFactor * usualMs)
}

export function spareWakeAtMs({ place, endByMs, check }: Spare): number | undefined {
  const wakes = [
    slotWakeAtMs(place),
    place.at === 'ended' ? undefined : (endByMs ?? undefined),
    check?.found === null ? (check.untilMs ?? undefined) : undefined,
  ].filter((atMs) => atMs !== undefined)
  return wakes.length === 0 ? undefined : Math.min(...wakes)
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
