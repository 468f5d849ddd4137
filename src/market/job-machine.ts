/**
 * The life of one job at its requester: a hunt for providers of its places, and each place's own life from lease to payment.
 * Composes the requester's halves of negotiate, execute and receipt; what it decides itself is whom to award, when to try
 * another, and when to stop.
 *
 * Pure: the caller brings the time and carries out the effects and errands.
 */
import { stepGang } from '../../protocols/negotiate/index.ts'
import { inNegotiate, lift } from './carry.ts'
import { isShown, payMeanwhile, stepChecks } from './check-machine.ts'
import { onOffer, onStaged, stepHunt } from './hunt-machine.ts'
import {
  announceAgainMs,
  endingOf,
  isHeld,
  type JobContext,
  type JobEffect,
  type JobInput,
  type JobState,
  type JobStep,
} from './job-state.ts'
import { giveUp, takeTurn, windUp, withSlot } from './job-turns.ts'
import { onRedone, redoAgain, stepRedos } from './redo-machine.ts'
import { stepRaces, wasFirst } from './race-machine.ts'
import { stepSlot } from './slot-machine.ts'
import type { SlotState } from './slot-state.ts'
import type { JobTerms } from './terms.ts'

export function openJob(terms: JobTerms, nowMs: number): JobStep {
  const slots = Array.from({ length: terms.slots }, (_, slot): SlotState => ({
    slot,
    epoch: 0,
    attempts: 0,
    at: 'vacant',
  }))
  const state: JobState = {
    terms,
    call: { fromMs: nowMs, enough: false },
    offers: [],
    failed: [],
    order: null,
    hunt: { at: 'bidding', announceAgainMs: nowMs + announceAgainMs, decideAtMs: null },
    spent: null,
    slots,
    spares: [],
    redos: [],
    madeHere: null,
    cancelled: false,
    verdict: null,
  }
  return [
    state,
    [
      { do: 'save' },
      { do: 'tell', event: { stage: 'bidding' } },
      { do: 'errand', errand: 'stage' },
      { do: 'errand', errand: 'announce' },
    ],
  ]
}

export function stepJob(context: JobContext, state: JobState, input: JobInput, nowMs: number): JobStep {
  const [next, effects] = stepOnce(context, state, input, nowMs)
  const [checked, compared] = stepChecks(context, next, nowMs)
  const [redone, more] = stepRedos(context, checked, nowMs)
  const [paid, paying] = payMeanwhile(context, redone, nowMs)
  return [paid, [...effects, ...compared, ...more, ...paying]]
}

function stepOnce(context: JobContext, state: JobState, input: JobInput, nowMs: number): JobStep {
  switch (input.is) {
    case 'staged':
      return onStaged(state, input.order, nowMs)
    case 'staging-failed':
      if (state.hunt === null) return [state, []]
      return giveUp(context, state, { outcome: 'refused', code: input.because.code }, [], nowMs)
    case 'cancel':
      return state.cancelled || endingOf(state) !== null
        ? [state, []]
        : windUp(context, { ...state, cancelled: true }, [], nowMs)
    case 'message':
      if (input.protocol === 'negotiate' && input.message.say === 'offer')
        return onOffer(context, state, input.from, input.message.offer, nowMs)
      return stepParts(context, state, input, nowMs)
    case 'redone':
      return onRedone(context, state, input.outcome, nowMs)
    case 'wake':
    case 'restarted':
    case 'collected':
    case 'collecting-failed':
      return stepParts(context, state, input, nowMs)
    default:
      return input satisfies never
  }
}

/** The hunt and every place look whether they are meant. */
function stepParts(context: JobContext, state: JobState, input: JobInput, nowMs: number): JobStep {
  const effects: JobEffect[] = lateAnswers(context, state, input, nowMs)
  if (input.is === 'restarted') effects.push(...redoAgain(state))
  let at = state
  if (state.hunt !== null) {
    const [hunted, more] = stepHunt(context, state, state.hunt, input, nowMs)
    at = hunted
    effects.push(...more)
  }
  for (const slot of state.slots) {
    // What another part has just moved on has had its turn.
    if (at.slots[slot.slot] !== slot) continue
    const [next, more, turn] = stepSlot(context, at.terms, slot, input, nowMs)
    if (next !== slot) at = withSlot(at, next)
    const isCompared = turn === null && isHeld(at, slot.slot)
    effects.push(...(isCompared ? more.filter((effect) => !isShown(effect)) : more))
    if (slot.at === 'leased' && next.at === 'collecting' && !isCompared) {
      const [alone, quitting] = wasFirst(context, at, slot.slot, nowMs)
      at = alone
      effects.push(...quitting)
    }
    if (turn === null || next.at === 'vacant' || next.at === 'ended') continue
    const [turned, consequences] = takeTurn(context, at, next, turn, [], nowMs)
    at = turned
    effects.push(...consequences)
  }
  const [raced, more] = stepRaces(context, at, state.spares, input, nowMs)
  return [raced, [...effects, ...more]]
}

/** Whoever accepts what was closed is told so once more: the first word of it may have been lost. */
function lateAnswers({ notary }: JobContext, { spent }: JobState, input: JobInput, nowMs: number): JobEffect[] {
  if (spent === null || input.is !== 'message' || input.protocol !== 'negotiate') return []
  return lift(inNegotiate, stepGang(notary, spent, input, nowMs)[1]).effects
}
