/**
 * The life of one job at its requester: bid, choose, award, start, watch, collect, pay. Composes the requester's halves of
 * negotiate, execute and receipt; what it decides itself is whom to award, when to try another, and when to stop.
 *
 * Pure: the caller brings the time and carries out the effects and errands.
 */
import { start, stepWatch, isWorkDone, isWorthRetrying, type StartOrder, type WatchEvent, type WatchState } from '../../protocols/execute/index.ts'
import { acceptWithinMs, award, stepAward, type AwardEvent, type Lease, type Offer } from '../../protocols/negotiate/index.ts'
import { openAccount, stepPay, type PayEvent } from '../../protocols/receipt/index.ts'
import { sha256, type Ending, type PeerName, type Refusal, type Signed } from '../../protocols/wire/index.ts'
import { inExecute, inNegotiate, inReceipt, lift, type CarryInput } from './carry.ts'
import { announceAgainMs, offerWindowMs, offersMax, settleWithinMs, type JobContext, type JobEffect, type JobInput, type JobPhase, type JobState, type JobStep } from './job-state.ts'
import { billedLease, watchedLease, type JobTerms } from './terms.ts'

type At<Where extends JobPhase['at']> = Extract<JobPhase, { at: Where }>

export function openJob(terms: JobTerms, nowMs: number): JobStep {
  const state: JobState = {
    terms,
    offers: [],
    failed: [],
    attempts: 0,
    epoch: 0,
    order: null,
    phase: { at: 'bidding', announceAgainMs: nowMs + announceAgainMs, decideAtMs: null },
  }
  return [
    state,
    [{ do: 'save' }, { do: 'tell', event: { stage: 'bidding' } }, { do: 'errand', errand: 'stage' }, { do: 'errand', errand: 'announce' }],
  ]
}

export function stepJob(context: JobContext, state: JobState, input: JobInput, nowMs: number): JobStep {
  if (input.is === 'staged') return onStaged(state, input.order, nowMs)
  if (input.is === 'message' && input.protocol === 'negotiate' && input.message.say === 'offer') {
    return onOffer(state, input.from, input.message.offer, nowMs)
  }
  const { phase } = state
  switch (phase.at) {
    case 'bidding':
      return fromBidding(context, state, phase, input, nowMs)
    case 'awarding':
      return fromAwarding(context, state, phase, input, nowMs)
    case 'leased':
      return fromLeased(context, state, phase, input, nowMs)
    case 'collecting':
      return fromCollecting(context, state, phase, input, nowMs)
    case 'ended':
      return fromEnded(context, state, phase, input, nowMs)
    default:
      return phase satisfies never
  }
}

function onStaged(state: JobState, order: StartOrder, nowMs: number): JobStep {
  const next: JobState = { ...state, order }
  const { phase } = next
  if (phase.at !== 'leased' || phase.watch !== null) return [next, [{ do: 'save' }]]
  return begin(next, phase, nowMs)
}

function onOffer(state: JobState, from: PeerName, offer: Signed<Offer>, nowMs: number): JobStep {
  const { phase, terms } = state
  if (offer.by !== from || offer.body.job !== terms.job) return [state, []]
  if (phase.at !== 'bidding' && phase.at !== 'awarding') {
    return [state, [{ do: 'send', to: from, message: inNegotiate({ say: 'release', job: terms.job }) }]]
  }
  const others = state.offers.filter((known) => known.by !== from)
  if (others.length >= offersMax || offer.body.unit !== terms.unit || offer.body.cpuHourMicro > terms.cpuHourMicroMax) return [state, []]
  const told: JobEffect = { do: 'tell', event: { stage: 'offered', peer: from, cpuHourMicro: offer.body.cpuHourMicro } }
  const offers = [...others, offer]
  if (phase.at === 'awarding') return [{ ...state, offers }, [told]]
  return [{ ...state, offers, phase: { ...phase, decideAtMs: phase.decideAtMs ?? nowMs + offerWindowMs } }, [told]]
}

function fromBidding(context: JobContext, state: JobState, phase: At<'bidding'>, input: JobInput, nowMs: number): JobStep {
  switch (input.is) {
    case 'cancel':
      return end(state, { outcome: 'refused', code: 'CANCELLED' }, releases(state))
    case 'staging-failed':
      return end(state, { outcome: 'refused', code: input.because.code }, releases(state))
    case 'restarted':
      return [
        { ...state, offers: [], phase: { at: 'bidding', announceAgainMs: nowMs + announceAgainMs, decideAtMs: null } },
        [{ do: 'errand', errand: 'stage' }, { do: 'errand', errand: 'announce' }],
      ]
    case 'wake':
      if (phase.decideAtMs !== null && nowMs >= phase.decideAtMs) return decide(context, state, nowMs)
      if (nowMs >= state.terms.bidUntilMs) return end(state, { outcome: 'expired', code: 'NO_MATCH' }, releases(state))
      if (nowMs < phase.announceAgainMs) return [state, []]
      return [{ ...state, phase: { ...phase, announceAgainMs: nowMs + announceAgainMs } }, [{ do: 'errand', errand: 'announce' }]]
    default:
      return [state, []]
  }
}

/** Chooses among the offers at hand; with none that is still good, goes on bidding. */
function decide(context: JobContext, state: JobState, nowMs: number): JobStep {
  const open = state.offers.filter((offer) => offer.body.holdUntilMs > nowMs)
  const best = context.rank(open, state.failed)[0]
  if (best === undefined) {
    return [{ ...state, offers: open, phase: { at: 'bidding', announceAgainMs: nowMs, decideAtMs: null } }, []]
  }
  const { terms } = state
  const epoch = state.epoch + 1
  const [awarded, effects] = award(
    context.notary,
    {
      job: terms.job,
      slot: 0,
      epoch,
      provider: best.by,
      offer: sha256(best.envelope),
      unit: best.body.unit,
      cpuHourMicro: best.body.cpuHourMicro,
      cpuMilli: best.body.cpuMilli,
      memoryBytes: best.body.memoryBytes,
      diskBytes: terms.diskBytes,
      wallMsMax: terms.wallMsMax,
      ceilingMicro: terms.ceilingMicro,
      paymentIntervalMs: terms.paymentIntervalMs,
      paymentIntervalMsMax: terms.paymentIntervalMsMax,
      reclaimMs: terms.reclaimMs,
      issuedMs: nowMs,
      acceptByMs: nowMs + acceptWithinMs,
      manifest: terms.manifest,
    },
    nowMs,
  )
  return [
    { ...state, epoch, attempts: state.attempts + 1, offers: open.filter((offer) => offer !== best), phase: { at: 'awarding', award: awarded } },
    lift(inNegotiate, effects).effects,
  ]
}

function fromAwarding(context: JobContext, state: JobState, phase: At<'awarding'>, input: JobInput, nowMs: number): JobStep {
  if (input.is === 'staging-failed') return end(state, { outcome: 'refused', code: input.because.code }, releases(state))
  const inner = negotiationInput(input)
  if (inner === undefined) return [state, []]
  const [next, raw] = stepAward(context.notary, phase.award, inner, nowMs)
  const { effects, events } = lift(inNegotiate, raw)
  const moved: JobState = { ...state, phase: { at: 'awarding', award: next } }
  return onAwardEvents(context, moved, events, effects, input.is === 'cancel', nowMs)
}

function onAwardEvents(context: JobContext, state: JobState, events: readonly AwardEvent[], effects: JobEffect[], cancelled: boolean, nowMs: number): JobStep {
  const event = events[0]
  if (event === undefined) return [state, effects]
  if (event.happened === 'leased') {
    const { lease } = event
    const told: JobEffect = {
      do: 'tell',
      event: {
        stage: 'matched',
        peer: lease.provider,
        lease: lease.id,
        epoch: lease.award.body.epoch,
        cpuHourMicro: lease.award.body.cpuHourMicro,
        offers: state.offers.length + 1,
      },
    }
    const phase: At<'leased'> = { at: 'leased', award: { at: 'leased', lease }, lease, leasedMs: nowMs, watch: null, pay: openAccount(billedLease(lease)) }
    // The others need not hold their capacity any longer.
    const next: JobState = { ...state, offers: [], phase }
    const done: JobEffect[] = [...effects, told, ...releases(state)]
    if (state.order === null) return [next, [...done, { do: 'save' }]]
    const [begun, more] = begin(next, phase, nowMs)
    return [begun, [...done, ...more]]
  }
  if (cancelled) return end(state, { outcome: 'refused', code: 'CANCELLED' }, [...effects, ...releases(state)])
  const failed = [...state.failed.filter((peer) => peer !== event.provider), event.provider]
  const [next, more] = decide(context, { ...state, failed }, nowMs)
  return [next, [...effects, { do: 'tell', event: { stage: 'replacing', peer: event.provider, because: event.because } }, ...more]]
}

function begin(state: JobState, phase: At<'leased'>, nowMs: number): JobStep {
  const [watch, raw] = start(watchedLease(phase.lease), state.order!, nowMs)
  return [
    { ...state, phase: { ...phase, watch } },
    [...lift(inExecute, raw).effects, { do: 'tell', event: { stage: 'starting', peer: phase.lease.provider } }],
  ]
}

function fromLeased(context: JobContext, state: JobState, phase: At<'leased'>, input: JobInput, nowMs: number): JobStep {
  if (input.is === 'message' && input.protocol === 'receipt') return onBilling(context, state, phase, input, null, nowMs)
  if (input.is === 'message' && input.protocol === 'negotiate') return onLateNegotiation(context, state, phase, input, nowMs)
  if (input.is === 'staging-failed') return end(state, { outcome: 'refused', code: input.because.code }, [])
  if (phase.watch === null) return whileStaging(state, phase, input, nowMs)
  const inner = executionInput(input)
  if (inner === undefined) return [state, []]
  const [watch, raw] = stepWatch(context.notary, phase.watch, inner, nowMs)
  const { effects, events } = lift(inExecute, raw)
  const again: JobEffect[] = input.is === 'restarted' && watch.at === 'running' ? [follow(phase.lease)] : []
  return onWatchEvents({ ...state, phase: { ...phase, watch } }, { ...phase, watch }, events, [...effects, ...again], nowMs)
}

/** There is a lease, but the inputs are still on their way to the keepers. */
function whileStaging(state: JobState, phase: At<'leased'>, input: JobInput, nowMs: number): JobStep {
  if (input.is === 'cancel') return end(state, { outcome: 'refused', code: 'CANCELLED' }, [])
  if (input.is === 'restarted') return [state, [{ do: 'errand', errand: 'stage' }]]
  if (input.is === 'wake' && nowMs >= phase.leasedMs + state.terms.reclaimMs) {
    return replace(state, phase.lease.provider, { code: 'STAGING_SLOW', facts: { waitedMs: state.terms.reclaimMs } }, [], nowMs)
  }
  return [state, []]
}

/** A provider that says COMMIT_LATE has no lease: the place is awarded again, unless it has already begun. */
function onLateNegotiation(context: JobContext, state: JobState, phase: At<'leased'>, input: Extract<CarryInput, { protocol: 'negotiate' }>, nowMs: number): JobStep {
  const { lease, watch } = phase
  const refused = input.message.say === 'refuse' && input.from === lease.provider && input.message.place.epoch === lease.award.body.epoch
  if (refused && (watch === null || watch.at === 'starting') && input.message.say === 'refuse') {
    return replace(state, lease.provider, input.message.refusal, [], nowMs)
  }
  const [award, raw] = stepAward(context.notary, phase.award, input, nowMs)
  return [{ ...state, phase: { ...phase, award } }, lift(inNegotiate, raw).effects]
}

function onWatchEvents(state: JobState, phase: At<'leased'> & { watch: WatchState }, events: readonly WatchEvent[], effects: JobEffect[], nowMs: number): JobStep {
  const event = events[0]
  const { lease } = phase
  if (event === undefined) return [state, effects]
  switch (event.happened) {
    case 'started':
      return [state, [...effects, { do: 'tell', event: { stage: 'running', peer: lease.provider } }, follow(lease)]]
    case 'progress':
      return [state, [...effects, { do: 'tell', event: { stage: 'progress', progress: event.progress } }]]
    case 'lost':
      return replace(state, lease.provider, event.because, effects, nowMs)
    case 'ended': {
      const { document, outputs, cid } = event
      const { reason, exitCode, detail } = document
      const told: JobEffect = { do: 'tell', event: { stage: 'result', peer: lease.provider, reason, exitCode, detail, result: cid } }
      if (isWorthRetrying(reason)) return replace(state, lease.provider, { code: codeOf(reason), facts: { detail } }, [...effects, told], nowMs)
      if (!isWorkDone(reason)) return end(state, { outcome: 'refused', code: codeOf(reason) }, [...effects, told])
      const next: JobPhase = { ...phase, at: 'collecting', collected: false, settleByMs: nowMs + state.terms.collectWithinMs }
      return [
        { ...state, phase: next },
        [...effects, told, { do: 'save' }, { do: 'errand', errand: 'collect', document, outputs, lease: lease.id, provider: lease.provider }],
      ]
    }
    default:
      return event satisfies never
  }
}

function fromCollecting(context: JobContext, state: JobState, phase: At<'collecting'>, input: JobInput, nowMs: number): JobStep {
  const result = resultOf(phase.watch)
  switch (input.is) {
    case 'message':
      if (input.protocol === 'receipt') return onBilling(context, state, phase, input, phase.collected ? result.cid : null, nowMs)
      return answer(context, state, phase, input, nowMs)
    case 'collected':
      return [{ ...state, phase: { ...phase, collected: true, settleByMs: nowMs + settleWithinMs } }, [{ do: 'save' }]]
    case 'collecting-failed':
      // Outputs that cannot be had are not paid for; another provider may do better.
      return replace(state, phase.lease.provider, input.because, [], nowMs)
    case 'restarted':
      return phase.collected
        ? [{ ...state, phase: { ...phase, settleByMs: nowMs + settleWithinMs } }, []]
        : [state, [{ do: 'errand', errand: 'collect', document: result.document, outputs: result.outputs, lease: phase.lease.id, provider: phase.lease.provider }]]
    case 'wake':
      if (nowMs < phase.settleByMs) return [state, []]
      if (phase.collected) return end(state, { outcome: 'expired', code: 'NO_FINAL_RECEIPT' }, [])
      return replace(state, phase.lease.provider, { code: 'OUTPUTS_SLOW', facts: { waitedMs: state.terms.collectWithinMs } }, [], nowMs)
    case 'cancel':
    case 'staged':
    case 'staging-failed':
      return [state, []]
    default:
      return input satisfies never
  }
}

function onBilling(
  context: JobContext,
  state: JobState,
  phase: At<'leased'> | At<'collecting'>,
  input: Extract<CarryInput, { protocol: 'receipt' }>,
  result: string | null,
  nowMs: number,
): JobStep {
  const [pay, raw] = stepPay(context.notary, phase.pay, { ...input, wallMs: nowMs - phase.leasedMs, result }, nowMs)
  const { effects, events } = lift(inReceipt, raw)
  const next: JobState = { ...state, phase: { ...phase, pay } }
  const event: PayEvent | undefined = events[0]
  if (event === undefined || event.happened === 'disputed') return [next, effects]
  const { sequence, final, amountMicro } = event
  const told: JobEffect = { do: 'tell', event: { stage: 'receipt', lease: phase.lease.id, sequence, final, amountMicro } }
  return final ? end(next, { outcome: 'paid', code: 'PAID' }, [...effects, told]) : [next, [...effects, told]]
}

/** Final. A provider that repeats itself gets the same answers as before, so that it can end as well. */
function fromEnded(context: JobContext, state: JobState, phase: At<'ended'>, input: JobInput, nowMs: number): JobStep {
  return input.is === 'message' ? answer(context, state, phase, input, nowMs) : [state, []]
}

function answer(context: JobContext, state: JobState, phase: At<'collecting'> | At<'ended'>, input: CarryInput, nowMs: number): JobStep {
  switch (input.protocol) {
    case 'negotiate': {
      if (phase.award === null) return [state, []]
      const [award, raw] = stepAward(context.notary, phase.award, input, nowMs)
      return [{ ...state, phase: { ...phase, award } }, lift(inNegotiate, raw).effects]
    }
    case 'execute': {
      if (phase.watch === null) return [state, []]
      const [watch, raw] = stepWatch(context.notary, phase.watch, input, nowMs)
      return [{ ...state, phase: { ...phase, watch } }, lift(inExecute, raw).effects]
    }
    case 'receipt': {
      if (phase.pay === null || phase.pay.at !== 'settled') return [state, []]
      const [pay, raw] = stepPay(context.notary, phase.pay, { ...input, wallMs: nowMs - phase.leasedMs, result: null }, nowMs)
      return [{ ...state, phase: { ...phase, pay } }, lift(inReceipt, raw).effects]
    }
    default:
      return input satisfies never
  }
}

/** Gives the provider up and bids again under a higher epoch, or ends when it was the last try. */
function replace(state: JobState, peer: PeerName, because: Refusal, effects: JobEffect[], nowMs: number): JobStep {
  const told: JobEffect = { do: 'tell', event: { stage: 'replacing', peer, because } }
  if (state.attempts > state.terms.retriesMax) return end(state, { outcome: 'expired', code: because.code }, effects)
  const failed = [...state.failed.filter((name) => name !== peer), peer]
  const terms = { ...state.terms, bidUntilMs: nowMs + (state.terms.bidUntilMs - state.terms.bidFromMs), bidFromMs: nowMs }
  const next: JobState = { ...state, terms, failed, offers: [], phase: { at: 'bidding', announceAgainMs: nowMs + announceAgainMs, decideAtMs: null } }
  return [next, [...effects, { do: 'save' }, told, { do: 'errand', errand: 'stage' }, { do: 'errand', errand: 'announce' }]]
}

function end(state: JobState, ending: Ending, effects: JobEffect[]): JobStep {
  const { phase } = state
  const award = 'award' in phase ? phase.award : null
  const watch = 'watch' in phase ? phase.watch : null
  const pay = 'pay' in phase ? phase.pay : null
  const leasedMs = 'leasedMs' in phase ? phase.leasedMs : 0
  const stop: JobEffect[] =
    watch !== null && (watch.at === 'starting' || watch.at === 'running')
      ? [{ do: 'send', to: watch.lease.provider, message: inExecute({ lease: watch.lease.id, say: 'cancel' }) }]
      : []
  const document = watch?.at === 'ended' ? watch.result.document : null
  return [
    { ...state, offers: [], phase: { at: 'ended', award, leasedMs, watch, pay, ending } },
    [...effects, ...stop, { do: 'save' }, { do: 'tell', event: { stage: 'ended', ending, document, amountMicro: pay?.amountMicro ?? 0 } }],
  ]
}

function releases(state: JobState): JobEffect[] {
  return state.offers.map((offer) => ({
    do: 'send',
    to: offer.by,
    message: inNegotiate({ say: 'release', job: state.terms.job }),
  }))
}

function follow(lease: Lease): JobEffect {
  return { do: 'errand', errand: 'follow', lease: lease.id, provider: lease.provider }
}

function resultOf(watch: WatchState) {
  if (watch.at !== 'ended') throw new Error('collecting without a result')
  return watch.result
}

function codeOf(reason: string): string {
  return reason.toUpperCase().replaceAll('-', '_')
}

function negotiationInput(input: JobInput) {
  if (input.is === 'message') return input.protocol === 'negotiate' ? input : undefined
  return input.is === 'wake' || input.is === 'restarted' || input.is === 'cancel' ? input : undefined
}

function executionInput(input: JobInput) {
  if (input.is === 'message') return input.protocol === 'execute' ? input : undefined
  return input.is === 'wake' || input.is === 'restarted' || input.is === 'cancel' ? input : undefined
}
