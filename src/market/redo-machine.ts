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
import { liveWork, waitUntilMs, type Finding, type Redo, type SlotAt, type Spare } from './slot-state.ts'

/** What comes of this lease is held against what we make of the job. */
export function beginRedo(context: JobContext, state: JobState, lease: Lease): JobStep {
  const { slot } = lease.award.body
  const by = context.notary.signer.peer
  const redo: Redo = { slot, lease: lease.id, untilMs: null }
  return [
    { ...state, redos: [...state.redos, redo] },
    [
      { do: 'tell', event: { stage: 'checking', slot, peer: lease.provider, by, lease: lease.id } },
      // One is enough: of the same job all places make the same.
      ...(state.madeHere === null && state.redos.length === 0 ? [redoing(lease)] : []),
    ],
  ]
}

/** After a restart. */
export function redoAgain({ redos, slots, madeHere }: JobState): JobEffect[] {
  if (madeHere !== null) return []
  for (const { slot, lease } of redos) {
    const work = liveWork(slots[slot]!)
    if (work?.lease.id === lease) return [redoing(work.lease)]
  }
  return []
}

/** `outcome`: null when it could not be made here. */
export function onRedone(context: JobContext, state: JobState, outcome: string | null, nowMs: number): JobStep {
  if (outcome !== null) return [{ ...state, madeHere: outcome }, [{ do: 'save' }]]
  const effects: JobEffect[] = []
  let at = state
  for (const redo of state.redos) {
    const [next, more] = close(context, at, redo, 'nothing', nowMs)
    at = next
    effects.push(...more)
  }
  return [at, [...effects, { do: 'save' }]]
}

export function stepRedos(context: JobContext, state: JobState, nowMs: number): JobStep {
  const effects: JobEffect[] = []
  let at = state
  for (const redo of state.redos) {
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
  const untilMs = redo.untilMs ?? waitUntilMs(place, state.terms.requirements.wallMsMax, nowMs)
  if (nowMs >= untilMs) return close(context, state, redo, 'nothing', nowMs)
  if (redo.untilMs !== null) return [state, []]
  return [{ ...state, redos: state.redos.map((one) => (one === redo ? { ...redo, untilMs } : one)) }, []]
}

function close(context: JobContext, state: JobState, redo: Redo, found: Finding, nowMs: number): JobStep {
  const { slot, lease } = redo
  const place = state.slots[slot]!
  const next = { ...state, redos: state.redos.filter((one) => one !== redo) }
  const isUseless = state.madeHere === null && next.redos.length === 0
  const over: JobEffect[] = isUseless ? [{ do: 'errand', errand: 'redo-end' }] : []
  const work = liveWork(place)
  if (work?.lease.id !== lease) return [next, over]
  const by = context.notary.signer.peer
  if (endingOf(state) === null)
    over.push({ do: 'tell', event: { stage: 'checked', slot, peer: work.lease.provider, by, found } })
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
    redos: state.redos.filter((one) => one !== redo),
    spares: [...state.spares, over],
    failed: [...state.failed.filter((name) => name !== peer), peer],
    slots: state.slots.with(slot, { slot, epoch, attempts, at: 'vacant' }),
  }
  const [paid, paying] = payUnread(context, vacated, over, first, [], nowMs)
  const because = refusal('OUTCOME_DIFFERS')
  const effects: JobEffect[] = [
    {
      do: 'tell',
      event: { stage: 'checked', slot, peer, by: context.notary.signer.peer, found: 'different' },
    },
    { do: 'tell', event: { stage: 'replacing', slot, peer, because } },
    ...paying,
  ]
  if (attempts > state.terms.retriesMax)
    return giveUp(context, paid, { outcome: 'expired', code: because.code }, effects, nowMs)
  const [hunting, more] = paid.hunt === null ? bidAgain(paid, nowMs) : [paid, []]
  return [hunting, [...effects, ...more]]
}

function redoing(lease: Lease): JobEffect {
  return { do: 'errand', errand: 'redo', lease }
}
