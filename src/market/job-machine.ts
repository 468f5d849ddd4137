/**
 * The life of one job at its requester: bid, choose, award, start, watch, collect, pay. Composes the requester's halves of
 * negotiate, execute and receipt; what it decides itself is whom to award, when to try another, and when to stop.
 *
 * Pure: the caller brings the time and carries out the effects and errands.
 */
import { start, type StartOrder } from '../../protocols/execute/index.ts'
import { acceptWindowMs, openGang, stepGang, type GangEvent, type Offer } from '../../protocols/negotiate/index.ts'
import { openAccount } from '../../protocols/receipt/index.ts'
import { sha256, type PeerName, type Signed } from '../../protocols/wire/index.ts'
import { inExecute, inNegotiate, lift } from './carry.ts'
import {
  announceAgainMs,
  offerWindowMs,
  offersMax,
  type JobContext,
  type JobEffect,
  type JobInput,
  type JobPhase,
  type JobState,
  type JobStep,
} from './job-state.ts'
import { bidFrom, end, releases } from './job-turns-machine.ts'
import { fromCollecting, fromEnded, fromLeased } from './job-work-machine.ts'
import { outputKeyOf } from './output-key.ts'
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
    [
      { do: 'save' },
      { do: 'tell', event: { stage: 'bidding' } },
      { do: 'errand', errand: 'stage' },
      { do: 'errand', errand: 'announce' },
    ],
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

/**
 * Nobody is awarded before the inputs are with their keepers: a lease would bind a provider that has nothing to do. The wait for
 * a provider is counted from here.
 */
function onStaged(state: JobState, order: StartOrder, nowMs: number): JobStep {
  const { phase } = state
  if (phase.at !== 'bidding' || state.order !== null) return [state, []]
  const announceNextMs = state.offers.length > 0 ? nowMs + announceAgainMs : nowMs
  const next: JobPhase = { ...phase, announceAgainMs: announceNextMs }
  return [{ ...state, order, terms: bidFrom(state.terms, nowMs), phase: next }, [{ do: 'save' }]]
}

function onOffer(state: JobState, from: PeerName, offer: Signed<Offer>, nowMs: number): JobStep {
  const { phase, terms } = state
  if (offer.by !== from || offer.body.job !== terms.job) return [state, []]
  if (phase.at !== 'bidding' && phase.at !== 'awarding') {
    return [state, [{ do: 'send', to: from, message: inNegotiate({ say: 'release', job: terms.job }) }]]
  }
  const others = state.offers.filter((known) => known.by !== from)
  if (others.length >= offersMax || offer.body.unit !== terms.unit || offer.body.cpuHourMicro > terms.cpuHourMicroMax)
    return [state, []]
  const told: JobEffect = { do: 'tell', event: { stage: 'offered', peer: from, cpuHourMicro: offer.body.cpuHourMicro } }
  const offers = [...others, offer]
  if (phase.at === 'awarding') return [{ ...state, offers }, [told]]
  return [{ ...state, offers, phase: { ...phase, decideAtMs: phase.decideAtMs ?? nowMs + offerWindowMs } }, [told]]
}

function fromBidding(
  context: JobContext,
  state: JobState,
  phase: At<'bidding'>,
  input: JobInput,
  nowMs: number,
): JobStep {
  switch (input.is) {
    case 'cancel':
      return end(state, { outcome: 'refused', code: 'CANCELLED' }, releases(state))
    case 'staging-failed':
      return end(state, { outcome: 'refused', code: input.because.code }, releases(state))
    case 'restarted':
      return [
        { ...state, offers: [], phase: { at: 'bidding', announceAgainMs: nowMs + announceAgainMs, decideAtMs: null } },
        [
          { do: 'errand', errand: 'stage' },
          { do: 'errand', errand: 'announce' },
        ],
      ]
    case 'wake':
      if (state.order === null) return [state, []]
      if (phase.decideAtMs !== null && nowMs >= phase.decideAtMs) return decide(context, state, nowMs)
      if (nowMs >= state.terms.bidUntilMs) return end(state, { outcome: 'expired', code: 'NO_MATCH' }, releases(state))
      if (nowMs < phase.announceAgainMs) return [state, []]
      return [
        { ...state, phase: { ...phase, announceAgainMs: nowMs + announceAgainMs } },
        [{ do: 'errand', errand: 'announce' }],
      ]
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
  const [gang, effects] = openGang(
    context.notary,
    [
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
        diskBytes: terms.requirements.diskBytes,
        wallMsMax: terms.requirements.wallMsMax,
        ceilingMicro: terms.ceilingMicro,
        paymentIntervalMs: terms.paymentIntervalMs,
        paymentIntervalMsMax: terms.paymentIntervalMsMax,
        reclaimMs: terms.reclaimMs,
        issuedMs: nowMs,
        acceptByMs: nowMs + acceptWindowMs(1),
        manifest: terms.manifest,
      },
    ],
    nowMs,
  )
  return [
    {
      ...state,
      epoch,
      attempts: state.attempts + 1,
      offers: open.filter((offer) => offer !== best),
      phase: { at: 'awarding', gang },
    },
    lift(inNegotiate, effects).effects,
  ]
}

function fromAwarding(
  context: JobContext,
  state: JobState,
  phase: At<'awarding'>,
  input: JobInput,
  nowMs: number,
): JobStep {
  if (input.is === 'staging-failed')
    return end(state, { outcome: 'refused', code: input.because.code }, releases(state))
  const inner = negotiationInput(input)
  if (inner === undefined) return [state, []]
  const [gang, raw] = stepGang(context.notary, phase.gang, inner, nowMs)
  const { effects, events } = lift(inNegotiate, raw)
  const moved: JobState = { ...state, phase: { at: 'awarding', gang } }
  return onAwardEvents(context, moved, events, effects, input.is === 'cancel', nowMs)
}

function onAwardEvents(
  context: JobContext,
  state: JobState,
  events: readonly GangEvent[],
  effects: JobEffect[],
  cancelled: boolean,
  nowMs: number,
): JobStep {
  const event = events[0]
  if (event === undefined) return [state, effects]
  if (event.happened === 'leased') {
    const lease = event.leases[0]!
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
    const order: StartOrder = { ...state.order!, outputKey: outputKeyOf(state.order!.outputKey, lease.id) }
    const [watch, raw] = start(watchedLease(lease), order, nowMs)
    const began: JobEffect[] = [
      ...lift(inExecute, raw).effects,
      { do: 'tell', event: { stage: 'starting', peer: lease.provider } },
    ]
    const phase: At<'leased'> = {
      at: 'leased',
      award: { at: 'leased', lease },
      lease,
      leasedMs: nowMs,
      watch,
      pay: openAccount(billedLease(lease)),
    }
    // The others need not hold their capacity any longer.
    const next: JobState = { ...state, offers: [], phase }
    const done: JobEffect[] = [...effects, told, ...releases(state)]
    return [next, [...done, ...began]]
  }
  if (cancelled) return end(state, { outcome: 'refused', code: 'CANCELLED' }, [...effects, ...releases(state)])
  const { provider, because } = event.failed[0]!
  const failed = [...state.failed.filter((peer) => peer !== provider), provider]
  const [next, more] = decide(context, { ...state, failed }, nowMs)
  return [next, [...effects, { do: 'tell', event: { stage: 'replacing', peer: provider, because } }, ...more]]
}

function negotiationInput(input: JobInput) {
  if (input.is === 'message') return input.protocol === 'negotiate' ? input : undefined
  return input.is === 'wake' || input.is === 'restarted' || input.is === 'cancel' ? input : undefined
}
