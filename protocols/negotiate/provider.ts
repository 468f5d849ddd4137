/**
 * The provider's half of one negotiation: one offer to one requester for one job, until there is a lease or there is none.
 * Whether to offer, and at what price, is policy and happens elsewhere.
 *
 * Capacity is held in every state but `closed`: whoever adds up what is free counts the states, so a hold cannot leak.
 * Pure: the caller brings the time and carries out the effects.
 */

import { equals } from 'uint8arrays'

import {
  Fault,
  hashOfEnvelope,
  isSameTariff,
  type Effect,
  type FaultCode,
  type PeerName,
  type Refusal,
  type Signed,
  type Step,
} from '../wire/index.ts'
import { leaseIdOf, sealAccept, sealOffer, type Notary } from './codec.ts'
import {
  EquivocationFault,
  commitWithinMs,
  isPlaceOf,
  retransmitMs,
  type Accept,
  type Award,
  type Commit,
  type Lease,
  type Negotiation,
  type Offer,
} from './messages.ts'

interface Toward {
  readonly requester: PeerName
  readonly offer: Signed<Offer>
}

export type HoldState =
  | (Toward & { readonly at: 'offered' })
  | (Toward & {
      readonly at: 'accepted'
      readonly award: Signed<Award>
      readonly accept: Signed<Accept>
      readonly sendAgainMs: number
    })
  | (Toward & { readonly at: 'leased'; readonly lease: Lease })
  | (Toward & { readonly at: 'closed'; readonly because: Refusal })

export type HoldInput =
  | { readonly is: 'message'; readonly from: PeerName; readonly message: Negotiation }
  | { readonly is: 'wake' }
  | { readonly is: 'restarted' }
  /** The owner wants the capacity back before there is a lease. */
  | { readonly is: 'withdraw'; readonly because: Refusal }

export type HoldEvent =
  | { readonly happened: 'leased'; readonly lease: Lease }
  | { readonly happened: 'released'; readonly because: Refusal }

type HoldEffect = Effect<Negotiation, HoldEvent>
type HoldStep = Step<HoldState, Negotiation, HoldEvent>

/** Opens the negotiation. An offer binds for seconds and is not written down: a restart forgets it, as a lost one. */
export function offer(notary: Notary, requester: PeerName, terms: Offer): HoldStep {
  const signed = sealOffer(notary, terms)
  return [
    { at: 'offered', requester, offer: signed },
    [{ do: 'send', to: requester, message: { say: 'offer', offer: signed } }],
  ]
}

export function holdWakeAtMs(state: HoldState): number | undefined {
  switch (state.at) {
    case 'offered':
      return state.offer.body.holdUntilMs
    case 'accepted':
      return Math.min(state.sendAgainMs, state.accept.body.commitByMs)
    case 'leased':
    case 'closed':
      return undefined
    default:
      return state satisfies never
  }
}

export function stepHold(notary: Notary, state: HoldState, input: HoldInput, nowMs: number): HoldStep {
  if (input.is === 'message' && input.from !== state.requester) return unchanged(state)
  switch (state.at) {
    case 'offered':
      return fromOffered(notary, state, input, nowMs)
    case 'accepted':
      return fromAccepted(state, input, nowMs)
    case 'leased':
      return fromLeased(state, input)
    case 'closed':
      return fromClosed(state, input)
    default:
      return state satisfies never
  }
}

type At<Where extends HoldState['at']> = Extract<HoldState, { at: Where }>

function fromOffered(notary: Notary, state: At<'offered'>, input: HoldInput, nowMs: number): HoldStep {
  switch (input.is) {
    case 'message':
      if (input.message.say === 'award') return onAward(notary, state, input.message.award, nowMs)
      if (input.message.say === 'release' && input.message.job === state.offer.body.job) {
        return release(state, input.message.because)
      }
      return unchanged(state)
    case 'wake':
      return nowMs >= state.offer.body.holdUntilMs
        ? release(state, { code: 'HOLD_EXPIRED', facts: {} })
        : unchanged(state)
    case 'restarted':
      return release(state, { code: 'RESTARTED', facts: {} })
    case 'withdraw':
      return release(state, input.because)
    default:
      return input satisfies never
  }
}

function onAward(notary: Notary, state: At<'offered'>, award: Signed<Award>, nowMs: number): HoldStep {
  if (isOfAnEarlierOffer(state, award, notary.signer.peer)) {
    return [state, [refuseEffect(state.requester, award, { code: 'NO_SUCH_OFFER', facts: {} })]]
  }
  const wrong = whatIsWrong(state, award, notary.signer.peer)
  if (wrong !== undefined) return blame(state, wrong.code, wrong.message)
  // Until when it is to be accepted is for the requester to judge, by its own clock: a late ACCEPT is refused.
  if (nowMs >= state.offer.body.holdUntilMs)
    return refuse(state, award, { code: 'OFFER_EXPIRED', facts: { lateMs: nowMs - state.offer.body.holdUntilMs } })
  const accept = sealAccept(notary, {
    lease: hashOfEnvelope(award.envelope),
    issuedMs: nowMs,
    commitByMs: nowMs + commitWithinMs,
  })
  return [
    {
      at: 'accepted',
      requester: state.requester,
      offer: state.offer,
      award,
      accept,
      sendAgainMs: nowMs + retransmitMs,
    },
    [
      { do: 'record', statement: { kind: 'award', by: award.by, envelope: award.envelope } },
      { do: 'record', statement: { kind: 'accept', by: accept.by, envelope: accept.envelope } },
      { do: 'save' },
      { do: 'send', to: state.requester, message: { say: 'accept', accept } },
    ],
  ]
}

/** An offer of ours that ran out, or that a restart forgot, may be awarded late: lawful, and nothing to the one that stands. */
function isOfAnEarlierOffer(state: At<'offered'>, award: Signed<Award>, me: PeerName): boolean {
  const { provider, job, offer } = award.body
  const isToUs = award.by === state.requester && provider === me && job === state.offer.body.job
  return isToUs && !equals(offer, hashOfEnvelope(state.offer.envelope))
}

/** An award must be what was offered: no honest requester can send another. */
function whatIsWrong(
  state: At<'offered'>,
  award: Signed<Award>,
  me: PeerName,
): { code: FaultCode; message: string } | undefined {
  const { body } = award
  const offered = state.offer.body
  if (award.by !== state.requester) return { code: 'SIGNER_UNEXPECTED', message: 'the AWARD is signed by another peer' }
  if (body.provider !== me) return { code: 'FIELD_INVALID', message: 'the AWARD names another provider' }
  if (body.job !== offered.job) return { code: 'FIELD_INVALID', message: 'the AWARD names another job' }
  const same =
    body.unit === offered.unit &&
    isSameTariff(body, offered) &&
    body.cpuMilli === offered.cpuMilli &&
    body.memoryBytes === offered.memoryBytes &&
    body.diskBytes === offered.diskBytes &&
    body.gpus === offered.gpus &&
    body.bondMicro === offered.bondMicro
  return same ? undefined : { code: 'FIELD_INVALID', message: 'the terms of the AWARD are not those of the offer' }
}

function fromAccepted(state: At<'accepted'>, input: HoldInput, nowMs: number): HoldStep {
  switch (input.is) {
    case 'message': {
      const { message } = input
      if (message.say === 'commit') return onCommit(state, message.commit, nowMs)
      if (message.say === 'award') return onSecondAward(state, message.award, nowMs)
      if (message.say === 'refuse' && isPlaceOf(state.award.body, message.place)) return release(state, message.refusal)
      return unchanged(state)
    }
    case 'wake':
      if (nowMs >= state.accept.body.commitByMs) return release(state, { code: 'NO_COMMIT', facts: {} })
      return nowMs >= state.sendAgainMs ? sendAgain(state, nowMs) : unchanged(state)
    case 'restarted':
      return sendAgain(state, nowMs)
    case 'withdraw':
      // Our word is given until commitByMs: the owner waits for that, or for the lease.
      return unchanged(state)
    default:
      return input satisfies never
  }
}

function onCommit(state: At<'accepted'>, commit: Signed<Commit>, nowMs: number): HoldStep {
  const { award, accept, requester } = state
  if (commit.by !== requester) return blame(state, 'SIGNER_UNEXPECTED', 'the COMMIT is signed by another peer')
  if (!equals(commit.body.lease, accept.body.lease)) return unchanged(state)
  if (!equals(commit.body.accept, hashOfEnvelope(accept.envelope)))
    return blame(state, 'FIELD_INVALID', 'the COMMIT names another ACCEPT')
  if (nowMs >= accept.body.commitByMs)
    return refuse(state, award, { code: 'COMMIT_LATE', facts: { lateMs: nowMs - accept.body.commitByMs } })
  const lease: Lease = {
    id: leaseIdOf(award.envelope),
    requester,
    provider: award.body.provider,
    award,
    accept,
    commit,
  }
  return [
    { at: 'leased', requester, offer: state.offer, lease },
    [
      { do: 'record', statement: { kind: 'commit', by: commit.by, envelope: commit.envelope } },
      { do: 'save' },
      { do: 'tell', event: { happened: 'leased', lease } },
    ],
  ]
}

function onSecondAward(state: At<'accepted'>, award: Signed<Award>, nowMs: number): HoldStep {
  if (equals(award.envelope, state.award.envelope)) return sendAgain(state, nowMs)
  return onOtherAward(state, state.award, award)
}

/** Two AWARDs of one place under one epoch prove themselves, whoever they name; one that another peer signed proves nothing. */
function onOtherAward(state: HoldState, ours: Signed<Award>, award: Signed<Award>): HoldStep {
  if (!isPlaceOf(ours.body, award.body)) return unchanged(state)
  if (award.by !== state.requester) return blame(state, 'SIGNER_UNEXPECTED', 'the AWARD is signed by another peer')
  const fault = new EquivocationFault('two different AWARDs of one epoch', ours, award)
  return [state, [{ do: 'blame', peer: state.requester, fault }]]
}

/** The requester may not know that we have its COMMIT: nothing to say, START will be answered by the execution protocol. */
function fromLeased(state: At<'leased'>, input: HoldInput): HoldStep {
  if (input.is !== 'message' || input.message.say !== 'award') return unchanged(state)
  const { award, accept } = state.lease
  if (!equals(input.message.award.envelope, award.envelope)) return onOtherAward(state, award, input.message.award)
  return [state, [{ do: 'send', to: state.requester, message: { say: 'accept', accept } }]]
}

/** Final: late messages are lawful. An award of what is gone is refused, so that the requester need not wait. */
function fromClosed(state: At<'closed'>, input: HoldInput): HoldStep {
  if (input.is !== 'message') return unchanged(state)
  const { message } = input
  if (message.say === 'award' && equals(message.award.body.offer, hashOfEnvelope(state.offer.envelope))) {
    return [state, [refuseEffect(state.requester, message.award, { code: 'OFFER_EXPIRED', facts: {} })]]
  }
  return unchanged(state)
}

function release(state: At<'offered'> | At<'accepted'>, because: Refusal): HoldStep {
  const effects: HoldEffect[] = [{ do: 'tell', event: { happened: 'released', because } }]
  if (state.at === 'accepted') effects.unshift({ do: 'save' })
  return [{ at: 'closed', requester: state.requester, offer: state.offer, because }, effects]
}

function refuse(state: At<'offered'> | At<'accepted'>, award: Signed<Award>, because: Refusal): HoldStep {
  const [next, effects] = release(state, because)
  return [next, [...effects, refuseEffect(state.requester, award, because)]]
}

function refuseEffect(to: PeerName, award: Signed<Award>, refusal: Refusal): HoldEffect {
  const { job, slot, epoch } = award.body
  return { do: 'send', to, message: { say: 'refuse', place: { job, slot, epoch }, refusal } }
}

function sendAgain(state: At<'accepted'>, nowMs: number): HoldStep {
  return [
    { ...state, sendAgainMs: nowMs + retransmitMs },
    [{ do: 'send', to: state.requester, message: { say: 'accept', accept: state.accept } }],
  ]
}

function unchanged(state: HoldState): HoldStep {
  return [state, []]
}

function blame(state: HoldState, code: FaultCode, message: string): HoldStep {
  return [state, [{ do: 'blame', peer: state.requester, fault: new Fault(code, message) }]]
}
