/**
 * A job of ours in search of providers: bid, choose, award, until its vacant places are leased. While no place of it is held,
 * all are awarded together, as a gang; later, a place that was lost is awarded alone, one after the other. Pure.
 */
import { equals } from 'uint8arrays'

import { bidTermMsMax, rateOf } from '../../protocols/bid/index.ts'
import type { StartOrder } from '../../protocols/execute/index.ts'
import {
  acceptWindowMs,
  openGang,
  stepGang,
  type Award,
  type GangEvent,
  type GangInput,
  type Lease,
  type Offer,
} from '../../protocols/negotiate/index.ts'
import { hashOfEnvelope, refusal, tariffOf, type PeerName, type Signed } from '../../protocols/wire/index.ts'
import { inNegotiate, lift } from './carry.ts'
import {
  announceAgainMs,
  checkUnderWay,
  offerWindowMs,
  offerWindowShortMs,
  offersEnough,
  offersMax,
  placesOf,
  vacantOf,
  withPlace,
  type Hunt,
  type JobContext,
  type JobEffect,
  type JobInput,
  type JobState,
  type JobStep,
} from './job-state.ts'
import { seekChecks } from './check-machine.ts'
import { bidFrom, callAnew, conclude, endHunt, giveUp, matched, openOffers, quitSpares, releases } from './job-turns.ts'
import { begin } from './slot-machine.ts'
import { holdersOf, workOf, type SlotState } from './slot-state.ts'
import { spreadMsOf, type JobTerms } from './terms.ts'

type At<Where extends Hunt['at']> = Extract<Hunt, { at: Where }>

export function stepHunt(context: JobContext, state: JobState, hunt: Hunt, input: JobInput, nowMs: number): JobStep {
  return hunt.at === 'bidding'
    ? fromBidding(context, state, hunt, input, nowMs)
    : fromAwarding(context, state, hunt, input, nowMs)
}

/**
 * Nobody is awarded before the inputs are with their keepers: a lease would bind a provider that has nothing to do. The wait for
 * a provider is counted from here.
 */
export function onStaged(state: JobState, order: StartOrder, nowMs: number): JobStep {
  const { hunt } = state
  if (hunt?.at !== 'bidding' || state.order !== null) return [state, []]
  // Called when the job was opened: again when that is a while ago and nobody has answered.
  const next: Hunt = state.offers.length > 0 ? { ...hunt, announceAgainMs: nowMs + announceAgainMs } : hunt
  return [{ ...state, order, terms: bidFrom(state.terms, nowMs), hunt: next }, [{ do: 'save' }]]
}

export function onOffer(
  context: JobContext,
  state: JobState,
  from: PeerName,
  offer: Signed<Offer>,
  nowMs: number,
): JobStep {
  const { hunt, terms, slots } = state
  if (offer.by !== from || offer.body.job !== terms.job) return [state, []]
  if (hunt === null || holdersOf(placesOf(state)).includes(from)) {
    return [
      state,
      [{ do: 'send', to: from, message: inNegotiate({ say: 'release', job: terms.job, because: refusal('CLOSED') }) }],
    ]
  }
  // A copy of what is at hand: it does not hold for longer because it came twice.
  if (state.offers.some(({ envelope }) => equals(envelope, offer.envelope))) return [state, []]
  const others = state.offers.filter((known) => known.by !== from)
  const isFull = others.length >= offersMax * slots.length
  const cpuHourMicro = rateOf(offer.body, terms.requirements)
  const isTooLittle = offer.body.bondMicro < terms.requirements.bondMicroMin
  if (isFull || isTooLittle || offer.body.unit !== terms.unit || cpuHourMicro > terms.cpuHourMicroMax)
    return [state, []]
  if (isAwarded(state, offer)) return [state, []]
  const told: JobEffect = { do: 'tell', event: { stage: 'offered', peer: from, cpuHourMicro } }
  const offers = [...others, { ...offer, untilMs: nowMs + offer.body.holdUntilMs - offer.body.issuedMs }]
  if (hunt.at === 'awarding') return [{ ...state, offers }, [told]]
  const decideAtMs = Math.min(hunt.decideAtMs ?? nowMs + offerWindowMs, decideBy(context, state, offers, nowMs))
  return [{ ...state, offers, hunt: { ...hunt, decideAtMs } }, [told]]
}

/**
 * For how long others are waited for, with so many offers at hand that are a choice: whoever has many names could otherwise fill the
 * window before anybody else has answered.
 */
function decideBy(context: JobContext, state: JobState, offers: readonly Signed<Offer>[], nowMs: number): number {
  const wanted = wantedOf(state).length
  const isChoice = ({ by }: Signed<Offer>): boolean => context.isChoice(by)
  const enough = wanted * offersEnough
  if (offers.length >= enough && offers.filter(isChoice).length >= enough) return nowMs
  const { fitting } = state.terms
  const areAll = fitting > 0 && offers.length >= Math.max(wanted, fitting)
  return areAll && offers.some(isChoice) ? nowMs + offerWindowShortMs : Infinity
}

/** A copy of an offer that was awarded already, late on its way: it can be awarded once only. */
function isAwarded({ hunt, spent }: JobState, { envelope }: Signed<Offer>): boolean {
  const gangs = [hunt?.at === 'awarding' ? hunt.gang : null, spent]
  if (gangs.every((gang) => gang === null)) return false
  const hash = hashOfEnvelope(envelope)
  return gangs.some((gang) => gang?.slots.some((slot) => slot.at !== 'leased' && equals(slot.award.body.offer, hash)))
}

function fromBidding(
  context: JobContext,
  state: JobState,
  hunt: At<'bidding'>,
  input: JobInput,
  nowMs: number,
): JobStep {
  if (input.is === 'restarted') {
    return [
      { ...state, offers: [], hunt: { at: 'bidding', announceAgainMs: nowMs + announceAgainMs, decideAtMs: null } },
      [
        { do: 'errand', errand: 'stage' },
        { do: 'errand', errand: 'announce' },
      ],
    ]
  }
  if (input.is !== 'wake' || state.order === null) return [state, []]
  if (hunt.decideAtMs !== null && nowMs >= hunt.decideAtMs) {
    const friendsByMs = waitsForFriends(context, state, nowMs)
    if (friendsByMs === undefined) return decide(context, state, nowMs)
    return [{ ...state, hunt: { ...hunt, decideAtMs: friendsByMs } }, []]
  }
  if (nowMs >= state.terms.bidUntilMs) return noMatch(context, state, nowMs)
  if (nowMs < hunt.announceAgainMs) return [state, []]
  // A bid is open for so long and no longer: who waits for longer calls anew.
  const call = nowMs >= state.call.fromMs + bidTermMsMax ? callAnew(state.call, nowMs) : state.call
  return [
    { ...state, call, hunt: { ...hunt, announceAgainMs: nowMs + announceAgainMs } },
    [{ do: 'errand', errand: 'announce' }],
  ]
}

/**
 * Until when others are waited for while none of those that answered is a choice: as long as answers are spread, and for the way.
 * Undefined: no longer.
 */
function waitsForFriends(context: JobContext, { offers, call, terms }: JobState, nowMs: number): number | undefined {
  const untilMs = Math.min(call.fromMs + spreadMsOf(terms) + offerWindowMs, terms.bidUntilMs - 1)
  return nowMs >= untilMs || offers.some(({ by }) => context.isChoice(by)) ? undefined : untilMs
}

function noMatch(context: JobContext, state: JobState, nowMs: number): JobStep {
  // Nobody for a second try: the first goes on.
  if (state.slots.every(({ at }) => at !== 'vacant')) return firstGoesOn(context, state, nowMs)
  const wanted = wantedOf(state).length
  const short: JobEffect[] =
    wanted > 1 ? [{ do: 'tell', event: { stage: 'short', wanted, offered: state.offers.length } }] : []
  return giveUp(context, state, { outcome: 'expired', code: 'NO_MATCH' }, short, nowMs)
}

function firstGoesOn(context: JobContext, state: JobState, nowMs: number): JobStep {
  const [huntless, said] = endHunt(context, state, refusal('CLOSED'), nowMs)
  const vacant = huntless.spares.find(({ place }) => place.at === 'vacant')
  const [alone, quitting] = quitSpares(context, huntless, vacant?.place.slot ?? null, nowMs)
  return conclude(alone, [...said, ...quitting])
}

/** The time to wait for a provider is longer by what an award took that came to nothing. */
function prolonged(terms: JobTerms, sinceMs: number, nowMs: number): JobTerms {
  const tookMs = Math.max(0, nowMs - sinceMs)
  return { ...terms, bidFromMs: terms.bidFromMs + tookMs, bidUntilMs: terms.bidUntilMs + tookMs }
}

/** The places to be awarded together now. */
function wantedOf(state: JobState): readonly SlotState[] {
  const vacant = state.slots.filter(({ at }) => at === 'vacant')
  if (vacant.length === state.slots.length) return vacant
  return placesOf(state)
    .filter(({ at }) => at === 'vacant')
    .slice(0, 1)
}

/** Chooses among the offers at hand; with too few that are still good, goes on bidding. */
function decide(context: JobContext, state: JobState, nowMs: number): JobStep {
  const holders = holdersOf(placesOf(state))
  const wanted = wantedOf(state)
  const compared = comparedWith(state, wanted)
  const open = openOffers(context, state, compared, nowMs)
  const { failed, terms } = state
  const { requirements, wishes } = terms
  const choice = { offers: open, count: wanted.length, failed, holders, requirements, wishes }
  // As heard, with until when they are good.
  const chosen = context.choose(choice)
  if (chosen.length < wanted.length) {
    // Nobody is waited for to check.
    if (compared !== null) return uncheckedGoesOn(context, state, wanted[0]!.slot, nowMs)
    const { hunt } = state
    // With some offers at hand there is no haste: each second the others are called again.
    const nextMs = chosen.length > 0 && hunt?.at === 'bidding' ? hunt.announceAgainMs : nowMs
    // Those that were told that there are enough are called back.
    const call = state.call.enough ? callAnew(state.call, nowMs) : state.call
    return [{ ...state, call, offers: open, hunt: { at: 'bidding', announceAgainMs: nextMs, decideAtMs: null } }, []]
  }
  const places = wanted.map((slot) => ({ ...slot, epoch: slot.epoch + 1 }))
  const awards = places.map((place, index) => awardOf(state.terms, place, chosen[index]!, places.length, nowMs))
  const [gang, effects] = openGang(context.notary, awards, nowMs)
  const next = places.reduce((at, place) => withPlace(at, place), state)
  const isWorthSaying = expectsMore(state, nowMs)
  const call = isWorthSaying ? { ...state.call, enough: true } : state.call
  const hush: JobEffect[] = isWorthSaying ? [{ do: 'errand', errand: 'announce' }] : []
  const chose: JobEffect = {
    do: 'tell',
    event: { stage: 'choosing', offers: state.offers.length, withinMs: nowMs - state.call.fromMs },
  }
  return [
    {
      ...next,
      call,
      offers: open.filter((offer) => !chosen.includes(offer)),
      hunt: { at: 'awarding', gang, sinceMs: nowMs },
    },
    [...lift(inNegotiate, effects).effects, ...hush, chose],
  ]
}

/** The award of which the work is compared with what is to be awarded now; null: it is no check. */
function comparedWith(state: JobState, [wanted]: readonly SlotState[]): Award | null {
  if (wanted === undefined || checkUnderWay(state, wanted.slot)?.place !== wanted) return null
  return workOf(state.slots[wanted.slot]!)?.lease.award.body ?? null
}

/** Other places may still be looked for. */
function uncheckedGoesOn(context: JobContext, state: JobState, slot: number, nowMs: number): JobStep {
  const [alone, quitting] = quitSpares(context, { ...state, hunt: null }, slot, nowMs)
  const isLast = placesOf(alone).every(({ at }) => at !== 'vacant')
  if (isLast) return conclude({ ...alone, offers: [] }, [...quitting, ...releases(state, () => refusal('NOT_CHOSEN'))])
  const [decided, more] = decide(context, alone, nowMs)
  return [decided, [...quitting, ...more]]
}

/** Whether others are about to answer, who need not: everybody that passes bids on hears of it, so it is not said for nothing. */
function expectsMore({ call, terms, offers }: JobState, nowMs: number): boolean {
  const isOpen = !call.enough && nowMs < call.fromMs + spreadMsOf(terms)
  return isOpen && (terms.fitting === 0 || terms.fitting > offers.length)
}

function awardOf(
  terms: JobTerms,
  place: SlotState,
  { by, body, envelope }: Signed<Offer>,
  size: number,
  nowMs: number,
): Award {
  return {
    job: terms.job,
    slot: place.slot,
    epoch: place.epoch,
    provider: by,
    offer: hashOfEnvelope(envelope),
    unit: body.unit,
    ...tariffOf(body),
    cpuMilli: body.cpuMilli,
    memoryBytes: body.memoryBytes,
    diskBytes: body.diskBytes,
    gpus: body.gpus,
    wallMsMax: terms.requirements.wallMsMax,
    ceilingMicro: terms.ceilingMicro,
    paymentIntervalMs: terms.paymentIntervalMs,
    paymentIntervalMsMax: terms.paymentIntervalMsMax,
    reclaimMs: terms.reclaimMs,
    bondMicro: body.bondMicro,
    issuedMs: nowMs,
    acceptByMs: nowMs + acceptWindowMs(size),
    manifest: terms.manifest,
  }
}

function fromAwarding(
  context: JobContext,
  state: JobState,
  hunt: At<'awarding'>,
  input: JobInput,
  nowMs: number,
): JobStep {
  const inner = negotiationInput(input)
  if (inner === undefined) return [state, []]
  const [gang, raw] = stepGang(context.notary, hunt.gang, inner, nowMs)
  const { effects, events } = lift(inNegotiate, raw)
  const event = events[0]
  const moved: JobState = gang === hunt.gang ? state : { ...state, hunt: { ...hunt, gang } }
  if (event === undefined) return [moved, effects]
  if (event.happened === 'leased') return onLeased(context, moved, event.leases, effects, nowMs)
  return onNotLeased(context, { ...moved, spent: gang }, hunt, event.failed, effects, nowMs)
}

function onLeased(
  context: JobContext,
  state: JobState,
  leases: readonly Lease[],
  effects: JobEffect[],
  nowMs: number,
): JobStep {
  const told: JobEffect[] = []
  const began: JobEffect[] = []
  let next = state
  for (const lease of leases) {
    const { slot } = lease.award.body
    const compared = comparedWith(state, [vacantOf(state, slot)!])
    const [leased, more] = begin(vacantOf(state, slot)!, lease, state.order!, nowMs)
    next = withPlace(next, leased)
    if (compared === null) {
      told.push(matched(state, leased, state.offers.length + leases.length))
      began.push(...more)
    } else {
      const of = { slot, peer: compared.provider, by: lease.provider }
      told.push({ do: 'tell', event: { stage: 'checking', ...of, lease: lease.id } })
      began.push(...more.filter((effect) => effect.do !== 'tell'))
    }
  }
  const [checked, more] = seekChecks(context, next, leases, nowMs)
  next = checked
  told.push(...more)
  // The others need not hold their capacity any longer, unless another place is vacant.
  if (placesOf(next).every(({ at }) => at !== 'vacant')) {
    return [{ ...next, offers: [], hunt: null }, [...effects, ...told, ...outbid(state, leases), ...began]]
  }
  const again = { ...next, terms: bidFrom(next.terms, nowMs) }
  const [hunting, hunted] = decide(context, again, nowMs)
  return [hunting, [...effects, ...told, ...began, ...hunted]]
}

/** Whoever asked for more than the dearest that was taken is told for how little it went. */
function outbid(state: JobState, leases: readonly Lease[]): JobEffect[] {
  const { requirements } = state.terms
  const cpuHourMicro = Math.max(...leases.map(({ award }) => rateOf(award.body, requirements)))
  return releases(state, (offer) =>
    rateOf(offer.body, requirements) > cpuHourMicro ? refusal('OUTBID', { cpuHourMicro }) : refusal('NOT_CHOSEN'),
  )
}

function onNotLeased(
  context: JobContext,
  state: JobState,
  hunt: At<'awarding'>,
  failures: Extract<GangEvent, { happened: 'not-leased' }>['failed'],
  effects: JobEffect[],
  nowMs: number,
): JobStep {
  // What those take up that have not failed before is no wait for a provider.
  const areNew = failures.some(({ provider }) => !state.failed.includes(provider))
  let next = areNew ? { ...state, terms: prolonged(state.terms, hunt.sinceMs, nowMs) } : state
  const told: JobEffect[] = []
  for (const { slot, provider: peer, because } of failures) {
    next = { ...next, failed: [...next.failed.filter((name) => name !== peer), peer] }
    told.push({ do: 'tell', event: { stage: 'replacing', slot, peer, because } })
  }
  const [decided, more] = decide(context, next, nowMs)
  return [decided, [...effects, ...told, ...more]]
}

function negotiationInput(input: JobInput): GangInput | undefined {
  if (input.is === 'message') return input.protocol === 'negotiate' ? input : undefined
  return input.is === 'wake' || input.is === 'restarted' ? input : undefined
}
