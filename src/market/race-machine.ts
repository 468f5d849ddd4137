/**
 * Places that take too long beside the others are awarded a second time while the first provider goes on. The result that comes first
 * is taken; the other is told to stop, and paid for what it did. Pure.
 */
import { refusal } from '../../protocols/wire/index.ts'
import {
  placesOf,
  straggler,
  type JobContext,
  type JobEffect,
  type JobInput,
  type JobState,
  type JobStep,
} from './job-state.ts'
import { bidAgain, conclude, endHunt, huntOthers, quit, quitSpares, withSlot } from './job-turns.ts'
import { stepSlot } from './slot-machine.ts'
import { workOf, type SlotAt, type SlotState, type Spare } from './slot-state.ts'

/** One step of all second tries there were; then whoever is too slow gets one. */
export function stepRaces(
  context: JobContext,
  state: JobState,
  spares: readonly Spare[],
  input: JobInput,
  nowMs: number,
): JobStep {
  const effects: JobEffect[] = []
  let at = state
  for (const spare of spares) {
    // What another part has just moved on has had its turn.
    if (spare.place.at === 'vacant' || !at.spares.includes(spare)) continue
    const [next, more] = stepSpare(context, at, spare, input, nowMs)
    at = next
    effects.push(...more)
  }
  const [seeking, more] = seekSecond(at, nowMs)
  return [seeking, [...effects, ...more]]
}

/** The first provider of a place has its result: its second try is over, wherever it is. Other places may still be looked for. */
export function wasFirst(context: JobContext, state: JobState, slot: number, nowMs: number): JobStep {
  const second = state.spares.find(({ place }) => place.slot === slot)?.place
  const [alone, quitting] = quitSpares(context, state, slot, nowMs)
  if (second?.at !== 'vacant') return [alone, quitting]
  const isLast = placesOf(alone).every(({ at }) => at !== 'vacant')
  const [hunted, said] = isLast
    ? endHunt(context, alone, refusal('CLOSED'), nowMs)
    : huntOthers(context, alone, slot, nowMs)
  return [hunted, [...said, ...quitting]]
}

function seekSecond(state: JobState, nowMs: number): JobStep {
  const slow = straggler(state)
  if (slow === undefined || nowMs < slow.atMs) return [state, []]
  const { slot, epoch, attempts } = slow.slot
  const { lease, leasedMs } = workOf(slow.slot)!
  const spare: Spare = { place: { slot, epoch, attempts, at: 'vacant' }, endByMs: null, check: null }
  const [hunting, effects] = bidAgain({ ...state, spares: [...state.spares, spare] }, nowMs)
  const ranMs = nowMs - leasedMs
  return [
    hunting,
    [{ do: 'save' }, { do: 'tell', event: { stage: 'straggling', slot, peer: lease.provider, ranMs } }, ...effects],
  ]
}

function stepSpare(context: JobContext, state: JobState, spare: Spare, input: JobInput, nowMs: number): JobStep {
  const { place, endByMs, check } = spare
  const isLate = endByMs !== null && input.is === 'wake' && nowMs >= endByMs && place.at !== 'ended'
  if (isLate) return over(state, spare, place, [])
  const [next, said, turn] = stepSlot(context, state.terms, place, input, nowMs)
  if (check === null && endByMs === null && next.at === 'collecting' && turn === null)
    return won(context, state, spare, next, said, nowMs)
  const effects = said.filter((effect) => !isOfPlace(effect, check !== null))
  if (turn !== null) return over(state, spare, next, effects)
  const waits = check?.found === null && endByMs === null
  if (next.at !== 'collecting' || next.collected || waits)
    return [next === place ? state : withSpare(state, spare, { ...spare, place: next }), effects]
  return payUnread(context, state, spare, next, effects, nowMs)
}

/** Nobody reads what it made: it is paid as soon as it says how much it was. */
export function payUnread(
  context: JobContext,
  state: JobState,
  spare: Spare,
  next: SlotAt<'collecting'>,
  effects: readonly JobEffect[],
  nowMs: number,
): JobStep {
  const lease = next.work.lease.id
  const [paid, more, last] = stepSlot(context, state.terms, next, { is: 'collected', lease }, nowMs)
  const all = [...effects, ...more]
  return last === null ? [withSpare(state, spare, { ...spare, place: paid }), all] : over(state, spare, paid, all)
}

/** The second was sooner: it is the place now, and the first is what is over. */
function won(
  context: JobContext,
  state: JobState,
  spare: Spare,
  next: SlotState,
  said: readonly JobEffect[],
  nowMs: number,
): JobStep {
  const slow = state.slots[next.slot]!
  const [quitted, quitting] = quit(context, state.terms, slow, nowMs)
  const peer = workOf(slow)!.lease.provider
  const because = refusal('STRAGGLED')
  return [
    withSlot(withSpare(state, spare, { ...quitted, check: null }), next),
    [{ do: 'tell', event: { stage: 'replacing', slot: next.slot, peer, because } }, ...said, ...quitting],
  ]
}

/** Whatever its end was, that of the place is another's. */
function over(
  state: JobState,
  spare: Spare,
  { slot, epoch, attempts, ...rest }: SlotState,
  effects: JobEffect[],
): JobStep {
  const work = rest.at === 'vacant' ? null : rest.work
  const isPaid = work?.pay.at === 'settled'
  const place: SlotState = {
    slot,
    epoch,
    attempts,
    at: 'ended',
    work,
    ending: isPaid ? { outcome: 'paid', code: 'PAID' } : { outcome: 'expired', code: 'STRAGGLED' },
  }
  return conclude(withSpare(state, spare, { ...spare, place, endByMs: null }), effects)
}

export function withSpare(state: JobState, spare: Spare, next: Spare): JobState {
  return { ...state, spares: state.spares.map((one) => (one === spare ? next : one)) }
}

/** The log and the outputs of a place are read from the provider that has the place; of one that only checks, nothing is told but money. */
function isOfPlace(effect: JobEffect, onlyChecks: boolean): boolean {
  return isReading(effect) || (onlyChecks && effect.do === 'tell' && effect.event.stage !== 'receipt')
}

export function isReading(effect: JobEffect): boolean {
  return effect.do === 'errand' && (effect.errand === 'follow' || effect.errand === 'collect')
}
