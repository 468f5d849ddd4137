/**
 * Probation where nobody is known who could check: this machine does the work as well. It is the one that is believed without having
 * been seen to do well, so that there is somebody to begin with. Pure.
 */
import { isComparable, outcomeOf } from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import { refusal } from '../../protocols/wire/index.ts'
import { endingOf, type JobContext, type JobEffect, type JobState, type JobStep } from './job-state.ts'
import { bidAgain, giveUp, show, withSlot } from './job-turns.ts'
import { payUnread } from './race-machine.ts'
import { resultOf } from './slot-machine.ts'
import { liveWork, waitUntilMs, workOf, type Finding, type Redo, type SlotAt, type Spare } from './slot-state.ts'

/** Whose result is there first waits for so long at least: whoever makes something up has it at once. */
export const waitMsMin = 10_000

/** What comes of this lease is held against what we make of the job. */
export function beginRedo(context: JobContext, state: JobState, lease: Lease): JobStep {
  const { slot } = lease.award.body
  const by = context.notary.signer.peer
  const redo: Redo = { slot, lease: lease.id, found: null, untilMs: null }
  return [
    { ...state, redos: [...state.redos, redo] },
    [
      { do: 'tell', event: { stage: 'checking', slot, peer: lease.provider, by, lease: lease.id } },
      // One is enough: of the same job all places make the same.
      ...(state.madeHere === null && state.redos.every(({ found }) => found !== null) ? [redoing(lease)] : []),
    ],
  ]
}

/** After a restart. */
export function redoAgain({ redos, slots, madeHere }: JobState): JobEffect[] {
  if (madeHere !== null) return []
  for (const { slot, lease, found } of redos) {
    const work = liveWork(slots[slot]!)
    if (found === null && work?.lease.id === lease) return [redoing(work.lease)]
  }
  return []
}

/** `outcome`: null when it could not be made here. */
export function onRedone(context: JobContext, state: JobState, outcome: string | null, nowMs: number): JobStep {
  const effects: JobEffect[] = [{ do: 'save' }]
  let at: JobState = outcome === null ? state : { ...state, madeHere: outcome }
  for (const redo of state.redos) {
    const [next, more] =
      redo.found === 'nothing' && outcome !== null
        ? findLate(context, at, redo, outcome)
        : redo.found === null && outcome === null
          ? close(context, at, redo, 'nothing', nowMs)
          : [at, []]
    at = next
    effects.push(...more)
  }
  return [at, effects]
}

/** What it made was taken meanwhile; that it lied is worth knowing all the same. */
function findLate(context: JobContext, state: JobState, redo: Redo, outcome: string): JobStep {
  const { slot, lease } = redo
  const work = workOf(state.slots[slot]!)
  if (work?.lease.id !== lease || work.watch.at !== 'ended') return [state, []]
  const { document } = work.watch.result
  if (!isComparable(document.reason)) return [state, []]
  const found = outcomeOf(document) === outcome ? 'same' : 'different'
  return [withRedo(state, redo, { ...redo, found }), [toldOf(context, slot, work.lease, found)]]
}

export function stepRedos(context: JobContext, state: JobState, nowMs: number): JobStep {
  const effects: JobEffect[] = []
  let at = state
  for (const redo of state.redos) {
    if (redo.found !== null) continue
    const [next, more] = stepRedo(context, at, redo, nowMs)
    at = next
    effects.push(...more)
  }
  return at === state ? [state, []] : [at, [...effects, { do: 'save' }]]
}

function stepRedo(context: JobContext, state: JobState, redo: Redo, nowMs: number): JobStep {
  const place = state.slots[redo.slot]!
  const isWanted = liveWork(place)?.lease.id === redo.lease && state.verdict === null && !state.cancelled
  if (!isWanted) return close(context, state, redo, 'nothing', nowMs)
  if (place.at !== 'collecting') return [state, []]
  const { document } = resultOf(place.work)
  if (!isComparable(document.reason)) return close(context, state, redo, 'nothing', nowMs)
  if (state.madeHere !== null)
    return outcomeOf(document) === state.madeHere
      ? close(context, state, redo, 'same', nowMs)
      : reject(context, state, redo, place, nowMs)
  const untilMs = redo.untilMs ?? waitUntilMs(place, waitMsMin, state.terms.requirements.wallMsMax, nowMs)
  if (nowMs >= untilMs) return close(context, state, redo, 'nothing', nowMs)
  if (redo.untilMs !== null) return [state, []]
  return [withRedo(state, redo, { ...redo, untilMs }), []]
}

function close(context: JobContext, state: JobState, redo: Redo, found: Finding, nowMs: number): JobStep {
  const { slot, lease } = redo
  const place = state.slots[slot]!
  const next = withRedo(state, redo, { ...redo, found })
  // Whose result is taken unseen is still of interest; nobody else.
  const isOfUse = next.redos.some((one) => one.found === null || resultIsOf(next, one))
  const over: JobEffect[] = state.madeHere === null && !isOfUse ? [{ do: 'errand', errand: 'redo-end' }] : []
  const work = liveWork(place)
  if (work?.lease.id !== lease) return [next, over]
  if (endingOf(state) === null) over.push(toldOf(context, slot, work.lease, found))
  const [shown, more] = show(state.terms, place, nowMs)
  return [shown === place ? next : withSlot(next, shown), [...over, ...more]]
}

/** It made something else: it is paid for what it did, and another is looked for, of whom the same is expected. */
function reject(context: JobContext, state: JobState, redo: Redo, first: SlotAt<'collecting'>, nowMs: number): JobStep {
  const { slot, epoch, attempts, work } = first
  const { provider: peer } = work.lease
  const over: Spare = { place: first, endByMs: null, check: { found: 'different', untilMs: null } }
  const vacated: JobState = {
    ...state,
    redos: withRedo(state, redo, { ...redo, found: 'different' }).redos,
    spares: [...state.spares, over],
    failed: [...state.failed.filter((name) => name !== peer), peer],
    slots: state.slots.with(slot, { slot, epoch, attempts, at: 'vacant' }),
  }
  const [paid, paying] = payUnread(context, vacated, over, first, [], nowMs)
  const because = refusal('OUTCOME_DIFFERS')
  const effects: JobEffect[] = [
    toldOf(context, slot, work.lease, 'different'),
    { do: 'tell', event: { stage: 'replacing', slot, peer, because } },
    ...paying,
  ]
  if (attempts > state.terms.retriesMax)
    return giveUp(context, paid, { outcome: 'expired', code: because.code }, effects, nowMs)
  const [hunting, more] = paid.hunt === null ? bidAgain(paid, nowMs) : [paid, []]
  return [hunting, [...effects, ...more]]
}

function withRedo(state: JobState, redo: Redo, next: Redo): JobState {
  return { ...state, redos: state.redos.map((one) => (one === redo ? next : one)) }
}

function resultIsOf({ slots, cancelled, verdict }: JobState, { slot, lease }: Redo): boolean {
  const work = workOf(slots[slot]!)
  return !cancelled && verdict === null && work?.lease.id === lease && work.watch.at === 'ended'
}

function toldOf({ notary }: JobContext, slot: number, { provider: peer }: Lease, found: Finding): JobEffect {
  return { do: 'tell', event: { stage: 'checked', slot, peer, by: notary.signer.peer, found } }
}

function redoing(lease: Lease): JobEffect {
  return { do: 'errand', errand: 'redo', lease }
}
