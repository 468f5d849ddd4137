/** What a requester knows of one of its jobs, and what may happen to it. The machine itself is job-machine.ts. */
import type { StartOrder } from '../../protocols/execute/index.ts'
import { gangWakeAtMs, type Award, type GangState, type Notary, type Offer } from '../../protocols/negotiate/index.ts'
import type { Ending, PeerName, Refusal, Signed } from '../../protocols/wire/index.ts'
import type { CarryEffect, CarryInput } from './carry.ts'
import type { JobErrand, JobEvent } from './job-events.ts'
import type { Choice } from './rank.ts'
import {
  signAtMs,
  slotWakeAtMs,
  spareWakeAtMs,
  stragglesAtMs,
  workOf,
  type Finding,
  type Redo,
  type SlotAt,
  type SlotState,
  type Spare,
} from './slot-state.ts'
import type { Call, JobTerms } from './terms.ts'

/** A bid is gossiped again at this interval until there is an answer: "dialled" is not "ready". */
export const announceAgainMs = 1_000
/** How long after the first offer others may still come in. Longer finds cheaper, shorter starts sooner. */
export const offerWindowMs = 300
/** The same, once all have answered that are known to fit: others may be near. */
export const offerWindowShortMs = 100
/** With so many offers for one place there is choice enough: nobody else is waited for. */
export const offersEnough = 6
/** Offers considered for one place of a job; the last to come are dropped beyond. */
export const offersMax = 64
/** How long a requester waits for the last receipt after the result. */
export const settleWithinMs = 30_000

export interface JobContext {
  readonly notary: Notary
  /** Whom to award. May leave out what should not be awarded at all. */
  choose(choice: Choice): readonly Signed<Offer>[]
  /** Whether what comes of this lease is to be compared with what somebody else makes of the place. */
  isToCheck(award: Award): boolean
  /** Whether whoever offers this may do the work of that award as well, to compare. */
  mayCheck(offer: Signed<Offer>, award: Award): boolean
  /** Whether this machine does that work as well, where nobody else may: only now and then, so each yes counts. */
  mayRedo(award: Award): boolean
  /** Whether an offer of this peer is one that others need not be waited for. */
  isChoice(peer: PeerName): boolean
}

/** The search for providers of vacant places. */
export type Hunt =
  | { readonly at: 'bidding'; readonly announceAgainMs: number; readonly decideAtMs: number | null }
  | { readonly at: 'awarding'; readonly gang: GangState; readonly sinceMs: number }

/** An offer, and until when it is good: its hold, counted from when it came, because its dates are by another's clock. */
export interface HeardOffer extends Signed<Offer> {
  readonly untilMs: number
}

export interface JobState {
  readonly terms: JobTerms
  readonly call: Call
  readonly offers: readonly HeardOffer[]
  readonly failed: readonly PeerName[]
  readonly order: StartOrder | null
  /** Null while no place is vacant, and when the job is over. */
  readonly hunt: Hunt | null
  /** The last gang that was closed: an ACCEPT that still comes is answered, so that nobody holds capacity for it. */
  readonly spent: GangState | null
  /** By number. */
  readonly slots: readonly SlotState[]
  /** At most one of each place that is under way; and those that are paid only. */
  readonly spares: readonly Spare[]
  /** Places whose work this machine does as well. */
  readonly redos: readonly Redo[]
  /** The outcome that this machine came to; null: none yet. */
  readonly madeHere: string | null
  readonly cancelled: boolean
  /** How the first place that failed for good did so: the others are wound up, and the job ends like it. */
  readonly verdict: Ending | null
}

export type JobInput =
  | CarryInput
  | { readonly is: 'wake' }
  | { readonly is: 'restarted' }
  | { readonly is: 'cancel' }
  | { readonly is: 'staged'; readonly order: StartOrder }
  | { readonly is: 'staging-failed'; readonly because: Refusal }
  | { readonly is: 'collected'; readonly lease: string }
  | { readonly is: 'redone'; readonly outcome: string | null }
  | { readonly is: 'collecting-failed'; readonly lease: string; readonly because: Refusal }

export type JobEffect = CarryEffect<JobEvent> | ({ readonly do: 'errand' } & JobErrand)
export type JobStep = readonly [JobState, readonly JobEffect[]]

/** Null while the job is not over. It is paid when all of its places are. */
export function endingOf({ slots, spares, verdict }: JobState): Ending | null {
  if (!slots.every(({ at }) => at === 'ended') || !spares.every(({ place }) => place.at === 'ended')) return null
  return verdict ?? { outcome: 'paid', code: 'PAID' }
}

export function jobWakeAtMs(state: JobState): number | undefined {
  let soonestMs = huntWakeAtMs(state)
  const wake = (atMs: number | undefined): void => {
    if (atMs !== undefined && (soonestMs === undefined || atMs < soonestMs)) soonestMs = atMs
  }
  for (const slot of state.slots) wake(slotWakeAtMs(slot))
  for (const spare of state.spares) wake(spareWakeAtMs(spare))
  for (const { untilMs, found } of state.redos) wake(found === null ? (untilMs ?? undefined) : undefined)
  for (const place of heldPlaces(state)) wake(signAtMs(place))
  wake(straggler(state)?.atMs)
  return soonestMs
}

/** The place that takes too long first, or will, and has not been tried a second time. Only while nobody else is looked for. */
export function straggler(state: JobState): { readonly slot: SlotState; readonly atMs: number } | undefined {
  const { slots, spares, hunt, cancelled, verdict } = state
  if (slots.length === 1 || hunt !== null || cancelled || verdict !== null) return undefined
  let first: { slot: SlotState; atMs: number } | undefined
  for (const slot of slots) {
    const atMs = stragglesAtMs(slot, slots)
    if (atMs === undefined || spares.some(({ place }) => place.slot === slot.slot)) continue
    if (first === undefined || atMs < first.atMs) first = { slot, atMs }
  }
  return first
}

/** All places with their second tries. */
export function placesOf({ slots, spares }: JobState): readonly SlotState[] {
  return spares.length === 0 ? slots : [...slots, ...spares.map(({ place }) => place)]
}

/** What two make of this place is compared, and not known yet. */
export function checkUnderWay({ spares }: JobState, slot: number): Spare | undefined {
  return spares.find(({ place, check }) => place.slot === slot && check?.found === null)
}

/** Nothing is shown of this place yet: it is compared. */
export function isHeld(state: JobState, slot: number): boolean {
  return (
    checkUnderWay(state, slot) !== undefined || state.redos.some((redo) => redo.slot === slot && redo.found === null)
  )
}

/** What came of the comparison of this lease's work; null while it is not known, undefined when it is not compared. */
export function findingOf({ slots, spares, redos }: JobState, lease: string): Finding | null | undefined {
  const isIts = (place: SlotState): boolean => workOf(place)?.lease.id === lease
  const redo = redos.find((one) => one.lease === lease)
  const spare = spares.find(({ place, check }) => check !== null && isIts(place))
  if (spare !== undefined || redo !== undefined) return (spare?.check ?? redo)!.found
  const slot = slots.find(isIts)
  const beside = spares.find(
    ({ place, check }) => check !== null && place.slot === slot?.slot && workOf(place) !== null,
  )
  // Whoever is known has the place, and the other was compared with it.
  return slot === undefined || beside === undefined || beside.place.epoch < slot.epoch ? undefined : beside.check!.found
}

/** Those that have a result which waits to be compared. */
export function heldPlaces(state: JobState): SlotAt<'collecting'>[] {
  return placesOf(state).filter(
    (place) => place.at === 'collecting' && !place.collected && isHeld(state, place.slot),
  ) as SlotAt<'collecting'>[]
}

/** What is to be awarded under this number: the place, or its second try. */
export function vacantOf({ slots, spares }: JobState, slot: number): SlotState | undefined {
  return [slots[slot]!, ...spares.map(({ place }) => place)].find((one) => one.slot === slot && one.at === 'vacant')
}

/** With the place that was vacant in this form. */
export function withPlace(state: JobState, place: SlotState): JobState {
  if (state.slots[place.slot]!.at === 'vacant') return { ...state, slots: state.slots.with(place.slot, place) }
  const spares = state.spares.map((spare) =>
    spare.place.slot === place.slot && spare.place.at === 'vacant' ? { ...spare, place } : spare,
  )
  return { ...state, spares }
}

function huntWakeAtMs({ hunt, order, terms }: JobState): number | undefined {
  if (hunt === null) return undefined
  if (hunt.at === 'awarding') return gangWakeAtMs(hunt.gang)
  // Until the inputs are staged there is nothing to wait for but that.
  return order === null ? undefined : Math.min(hunt.announceAgainMs, hunt.decideAtMs ?? Infinity, terms.bidUntilMs)
}
