/** What becomes of a job when one of its places is lost, fails or is paid, and when it is wound up. Pure. */
import { rateOf } from '../../protocols/bid/index.ts'
import { stepGang, type Award, type Offer } from '../../protocols/negotiate/index.ts'
import { refusal, type Ending, type Refusal, type Signed } from '../../protocols/wire/index.ts'
import { inExecute, inNegotiate, lift } from './carry.ts'
import {
  announceAgainMs,
  endingOf,
  placesOf,
  type JobContext,
  type JobEffect,
  type JobState,
  type JobStep,
} from './job-state.ts'
import { follow, stepSlot, take } from './slot-machine.ts'
import {
  holdersOf,
  liveWork,
  workOf,
  type Check,
  type SlotAt,
  type SlotState,
  type SlotTurn,
  type Spare,
  type Work,
} from './slot-state.ts'
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
      const second = state.spares.find(({ place }) => place.slot === slot.slot)
      if (state.verdict === null && second !== undefined && mayTakeOver(second))
        return takeOver(state, slot, second, turn.because, effects, nowMs)
      const isLast = state.cancelled || state.verdict !== null || slot.attempts > state.terms.retriesMax
      return isLast
        ? close(context, state, slot, { outcome: 'expired', code: turn.because.code }, effects, nowMs)
        : replace(state, slot, turn.because, effects, nowMs)
    }
    default:
      return turn satisfies never
  }
}

/** It is at work, or has a result that waits for the other's. */
function mayTakeOver({ place, endByMs, check }: Spare): boolean {
  if (endByMs !== null) return false
  return check === null ? place.at === 'leased' : check.found === null && liveWork(place) !== null
}

/** Gives the provider up and bids again for the place, to be awarded under a higher epoch. The other places go on. */
function replace(state: JobState, slot: Live, because: Refusal, effects: JobEffect[], nowMs: number): JobStep {
  const { provider } = slot.work.lease
  const { attempts } = slot
  const second = state.spares.find(({ place }) => place.slot === slot.slot)?.place
  const epoch = Math.max(slot.epoch, second?.epoch ?? 0)
  // Whoever is awarded now is no second try any more.
  const spares = state.spares.map((spare) =>
    spare.place === second && second.at === 'vacant' ? { ...spare, ...unfilled(second) } : spare,
  )
  const told: JobEffect = { do: 'tell', event: { stage: 'replacing', slot: slot.slot, peer: provider, because } }
  const failed = [...state.failed.filter((name) => name !== provider), provider]
  const next = withSlot({ ...state, failed, spares }, { slot: slot.slot, epoch, attempts, at: 'vacant' })
  const [hunted, more] = next.hunt === null ? bidAgain(next, nowMs) : [next, []]
  return [hunted, [...effects, { do: 'save' }, told, ...more]]
}

/** The second is under way already: it is the place now. */
function takeOver(
  state: JobState,
  { slot, epoch, attempts, work }: Live,
  second: Spare,
  because: Refusal,
  effects: JobEffect[],
  nowMs: number,
): JobStep {
  const { provider: peer } = work.lease
  const ending: Ending = { outcome: 'expired', code: because.code }
  const { place } = second
  const check: Check | null = second.check === null ? null : { ...second.check, found: 'nothing' }
  const lost: Spare = { place: { slot, epoch, attempts, at: 'ended', work, ending }, endByMs: null, check }
  const spares = state.spares.map((spare) => (spare === second ? lost : spare))
  const failed = [...state.failed.filter((name) => name !== peer), peer]
  const told: JobEffect = { do: 'tell', event: { stage: 'replacing', slot, peer, because } }
  const all: JobEffect[] = [...effects, { do: 'save' }, told]
  if (check !== null) {
    const by = workOf(place)!.lease.provider
    all.push({ do: 'tell', event: { stage: 'checked', slot, peer, by, found: 'nothing' } }, matched(state, place))
  }
  const [shown, more] = show(state.terms, place, nowMs)
  return [withSlot({ ...state, spares, failed }, shown), [...all, ...more]]
}

/** What was kept back of a place that may be shown now: its log, or its result. */
export function show(terms: JobTerms, place: SlotState, nowMs: number): [SlotState, JobEffect[]] {
  if (place.at === 'collecting' && !place.collected) return take(terms, place, nowMs)
  const isRunning = place.at === 'leased' && place.work.watch.at === 'running'
  return [place, isRunning ? [follow(place.slot, place.work.lease)] : []]
}

/** One more lease, told: whoever has it has the place. `offers`: how many there were. */
export function matched({ terms, offers }: JobState, place: SlotState, among = offers.length): JobEffect {
  const { id, provider: peer, award } = workOf(place)!.lease
  const { slot, epoch } = award.body
  const cpuHourMicro = rateOf(award.body, terms.requirements)
  return { do: 'tell', event: { stage: 'matched', slot, peer, lease: id, epoch, cpuHourMicro, offers: among } }
}

/** How long one that was told to stop has to say what it did. */
const quitWithinMs = 5_000

/** The other has the result: this one is told to stop, and is paid for what it did. */
export function quit(
  context: JobContext,
  terms: JobTerms,
  place: SlotState,
  nowMs: number,
): [Omit<Spare, 'check'>, JobEffect[]] {
  if (place.at === 'vacant') return [unfilled(place), []]
  const [stopped, effects] = stepSlot(context, terms, place, { is: 'cancel' }, nowMs)
  return [{ place: stopped, endByMs: nowMs + quitWithinMs }, [...effects]]
}

function unfilled(place: SlotAt<'vacant'>): Omit<Spare, 'check'> {
  return {
    place: { ...place, at: 'ended', work: null, ending: { outcome: 'refused', code: 'CANCELLED' } },
    endByMs: null,
  }
}

/** Second tries of a place that needs none any more; of all places when none is named. */
export function quitSpares(context: JobContext, state: JobState, slot: number | null, nowMs: number): JobStep {
  const effects: JobEffect[] = []
  const spares = state.spares.map((spare) => {
    const isMeant = slot === null || spare.place.slot === slot
    if (!isMeant || spare.endByMs !== null || spare.place.at === 'ended') return spare
    const [quitted, more] = quit(context, state.terms, spare.place, nowMs)
    effects.push(...more)
    return { ...spare, ...quitted }
  })
  return effects.length === 0 && spares.every((spare, index) => spare === state.spares[index])
    ? [state, []]
    : [{ ...state, spares }, [...effects, { do: 'save' }]]
}

/** Nobody is looked for any more: whoever was awarded or has offered is told so. */
export function endHunt(context: JobContext, state: JobState, because: Refusal, nowMs: number): JobStep {
  const [at, effects] = dropGang(context, state, nowMs)
  return [{ ...at, hunt: null, offers: [] }, [...effects, ...releases(at, () => because)]]
}

/** Nobody is looked for any more for this place: what was awarded of it is taken back, and the offers at hand are for the others. */
export function huntOthers(context: JobContext, state: JobState, slot: number, nowMs: number): JobStep {
  const { hunt } = state
  const isMeant =
    hunt?.at === 'awarding' && hunt.gang.slots.some((of) => of.at !== 'leased' && of.award.body.slot === slot)
  if (!isMeant) return [state, []]
  const [at, effects] = dropGang(context, state, nowMs)
  return [{ ...at, hunt: { at: 'bidding', announceAgainMs: nowMs, decideAtMs: nowMs } }, [...effects, { do: 'save' }]]
}

function dropGang(context: JobContext, state: JobState, nowMs: number): JobStep {
  if (state.hunt?.at !== 'awarding') return [state, []]
  const [spent, raw] = stepGang(context.notary, state.hunt.gang, { is: 'cancel' }, nowMs)
  return [{ ...state, spent }, lift(inNegotiate, raw).effects]
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
  const ending: Ending = state.verdict ?? { outcome: 'refused', code: 'CANCELLED' }
  const because = refusal(ending.code === 'CANCELLED' ? 'WITHDRAWN' : 'CLOSED')
  const [huntless, said] = endHunt(context, state, because, nowMs)
  const [single, quitting] = quitSpares(context, huntless, null, nowMs)
  let at = single
  const all = [...effects, ...said, ...quitting]
  if (at.slots.some((slot) => slot.at === 'vacant')) at = { ...at, verdict: ending }
  const slots = at.slots.map((slot): SlotState => {
    if (slot.at === 'vacant') return { ...slot, at: 'ended', work: null, ending }
    const [stopped, more] = stepSlot(context, at.terms, slot, { is: 'cancel' }, nowMs)
    all.push(...more)
    return stopped
  })
  return conclude({ ...at, slots }, all)
}

/** Ends the job when all of it is over. */
export function conclude(state: JobState, effects: JobEffect[]): JobStep {
  const ending = endingOf(state)
  if (ending === null) return [state, [...effects, { do: 'save' }]]
  const works = placesOf(state).flatMap((slot) => workOf(slot) ?? [])
  const amountMicro = works.reduce((sum, { pay }) => sum + pay.amountMicro, 0)
  const watch = works[0]?.watch
  const document = watch?.at === 'ended' ? watch.result.document : null
  return [state, [...effects, { do: 'save' }, { do: 'tell', event: { stage: 'ended', ending, document, amountMicro } }]]
}

/** Offers that an award may take up now. `compared`: the award beside which it would be made, to compare; null: it is no check. */
export function openOffers(
  context: JobContext,
  state: JobState,
  compared: Award | null,
  nowMs: number,
): JobState['offers'] {
  const holders = holdersOf(placesOf(state))
  return state.offers.filter(
    (offer) =>
      offer.untilMs > nowMs &&
      !holders.includes(offer.by) &&
      (compared === null || (!state.failed.includes(offer.by) && context.mayCheck(offer, compared))),
  )
}
