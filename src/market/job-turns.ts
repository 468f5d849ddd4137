/** What becomes of a job when one of its places is lost, fails or is paid, and when it is wound up. Pure. */
import { stepGang, type Offer } from '../../protocols/negotiate/index.ts'
import { refusal, type Ending, type Refusal, type Signed } from '../../protocols/wire/index.ts'
import { inExecute, inNegotiate, lift } from './carry.ts'
import { announceAgainMs, endingOf, type JobContext, type JobEffect, type JobState, type JobStep } from './job-state.ts'
import { stepSlot } from './slot-machine.ts'
import { workOf, type SlotAt, type SlotState, type SlotTurn, type Work } from './slot-state.ts'
import type { Call, JobTerms } from './terms.ts'

type Live = SlotAt<'leased'> | SlotAt<'collecting'>

export function withSlot(state: JobState, slot: SlotState): JobState {
  return { ...state, slots: state.slots.with(slot.slot, slot) }
}

/** The same call, made anew at this moment, with as long to wait. */
export function bidFrom(terms: JobTerms, nowMs: number): JobTerms {
  return { ...terms, bidFromMs: nowMs, bidUntilMs: nowMs + (terms.bidUntilMs - terms.bidFromMs) }
}

/** A call that those answer who were told that there are enough. Never as old as the one before, whatever the clock says. */
export function callAnew({ fromMs }: Call, nowMs: number): Call {
  return { fromMs: Math.max(nowMs, fromMs + 1), enough: false }
}

export function releases(state: JobState, because: (offer: Signed<Offer>) => Refusal): JobEffect[] {
  return state.offers.map((offer) => ({
    do: 'send',
    to: offer.by,
    message: inNegotiate({ say: 'release', job: state.terms.job, because: because(offer) }),
  }))
}

export function takeTurn(
  context: JobContext,
  state: JobState,
  slot: Live,
  turn: SlotTurn,
  effects: JobEffect[],
  nowMs: number,
): JobStep {
  switch (turn.turn) {
    case 'paid':
      return close(context, state, slot, { outcome: 'paid', code: 'PAID' }, effects, nowMs)
    case 'failed':
      return close(context, state, slot, turn.ending, effects, nowMs)
    case 'lost': {
      const isLast = state.cancelled || state.verdict !== null || slot.attempts > state.terms.retriesMax
      return isLast
        ? close(context, state, slot, { outcome: 'expired', code: turn.because.code }, effects, nowMs)
        : replace(state, slot, turn.because, effects, nowMs)
    }
    default:
      return turn satisfies never
  }
}

/** Gives the provider up and bids again for the place, to be awarded under a higher epoch. The other places go on. */
function replace(state: JobState, slot: Live, because: Refusal, effects: JobEffect[], nowMs: number): JobStep {
  const { provider } = slot.work.lease
  const { epoch, attempts } = slot
  const told: JobEffect = { do: 'tell', event: { stage: 'replacing', slot: slot.slot, peer: provider, because } }
  const failed = [...state.failed.filter((name) => name !== provider), provider]
  const next = withSlot({ ...state, failed }, { slot: slot.slot, epoch, attempts, at: 'vacant' })
  const [hunted, more] = next.hunt === null ? bidAgain(next, nowMs) : [next, []]
  return [hunted, [...effects, { do: 'save' }, told, ...more]]
}

/** Whatever offers there were are not counted upon. */
export function bidAgain(state: JobState, nowMs: number): JobStep {
  return [
    {
      ...state,
      terms: bidFrom(state.terms, nowMs),
      call: callAnew(state.call, nowMs),
      offers: [],
      hunt: { at: 'bidding', announceAgainMs: nowMs + announceAgainMs, decideAtMs: null },
    },
    [
      { do: 'errand', errand: 'stage' },
      { do: 'errand', errand: 'announce' },
    ],
  ]
}

/** The place is done with, one way or the other. */
function close(
  context: JobContext,
  state: JobState,
  slot: Live,
  ending: Ending,
  effects: JobEffect[],
  nowMs: number,
): JobStep {
  const { epoch, attempts, work } = slot
  const verdict = ending.outcome === 'paid' ? state.verdict : (state.verdict ?? ending)
  const ended = withSlot({ ...state, verdict }, { slot: slot.slot, epoch, attempts, at: 'ended', work, ending })
  const all = [...effects, ...stop(work)]
  return verdict === null ? conclude(ended, all) : windUp(context, ended, all, nowMs)
}

function stop({ watch }: Work): JobEffect[] {
  return watch.at === 'starting' || watch.at === 'running'
    ? [{ do: 'send', to: watch.lease.provider, message: inExecute({ lease: watch.lease.id, say: 'cancel' }) }]
    : []
}

/** No vacant place can be filled any more: the job ends like this, unless it was ending otherwise already. */
export function giveUp(
  context: JobContext,
  state: JobState,
  ending: Ending,
  effects: JobEffect[],
  nowMs: number,
): JobStep {
  return windUp(context, { ...state, verdict: state.verdict ?? ending }, effects, nowMs)
}

/** Nobody is awarded any more, and who works is told to stop; what was worked is still collected and paid. */
export function windUp(context: JobContext, state: JobState, effects: JobEffect[], nowMs: number): JobStep {
  const all = [...effects]
  let at = state
  if (at.hunt?.at === 'awarding') {
    const [spent, raw] = stepGang(context.notary, at.hunt.gang, { is: 'cancel' }, nowMs)
    all.push(...lift(inNegotiate, raw).effects)
    at = { ...at, spent }
  }
  const ending: Ending = at.verdict ?? { outcome: 'refused', code: 'CANCELLED' }
  const because = refusal(ending.code === 'CANCELLED' ? 'WITHDRAWN' : 'CLOSED')
  all.push(...releases(at, () => because))
  if (at.slots.some((slot) => slot.at === 'vacant')) at = { ...at, verdict: ending }
  const slots = at.slots.map((slot): SlotState => {
    if (slot.at === 'vacant') return { ...slot, at: 'ended', work: null, ending }
    const [stopped, more] = stepSlot(context, at.terms, slot, { is: 'cancel' }, nowMs)
    all.push(...more)
    return stopped
  })
  return conclude({ ...at, hunt: null, offers: [], slots }, all)
}

function conclude(state: JobState, effects: JobEffect[]): JobStep {
  const ending = endingOf(state)
  if (ending === null) return [state, [...effects, { do: 'save' }]]
  const works = state.slots.flatMap((slot) => workOf(slot) ?? [])
  const amountMicro = works.reduce((sum, { pay }) => sum + pay.amountMicro, 0)
  const watch = works[0]?.watch
  const document = watch?.at === 'ended' ? watch.result.document : null
  return [state, [...effects, { do: 'save' }, { do: 'tell', event: { stage: 'ended', ending, document, amountMicro } }]]
}
