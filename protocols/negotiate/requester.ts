/**
 * The requester's half of one negotiation: one AWARD of one (job, slot, epoch) to one provider, until there is a lease or
 * there is none. When to commit is not decided here but by the gang that the place belongs to (gang.ts), be it of one;
 * choosing whom to award is policy and happens elsewhere.
 *
 * Pure: the caller brings the time and carries out the effects.
 */
import { equals } from 'uint8arrays'

import {
  Fault,
  hashOfEnvelope,
  type Effect,
  type PeerName,
  type Refusal,
  type Signed,
  type Step,
} from '../wire/index.ts'
import { leaseIdOf, sealAward, sealCommit, type Notary } from './codec.ts'
import {
  EquivocationFault,
  isPlaceOf,
  retransmitMs,
  type Accept,
  type Award,
  type Lease,
  type Negotiation,
} from './messages.ts'

export type AwardState =
  | { readonly at: 'awarded'; readonly award: Signed<Award>; readonly sendAgainMs: number }
  /** The provider's word is here; ours, the COMMIT, is withheld until every place of the gang is accepted. */
  | { readonly at: 'accepted'; readonly award: Signed<Award>; readonly accept: Signed<Accept> }
  | { readonly at: 'leased'; readonly lease: Lease }
  | { readonly at: 'closed'; readonly award: Signed<Award>; readonly because: Refusal }

export type AwardInput =
  | { readonly is: 'message'; readonly from: PeerName; readonly message: Negotiation }
  | { readonly is: 'wake' }
  | { readonly is: 'restarted' }
  | { readonly is: 'cancel' }
  | { readonly is: 'commit' }

export type AwardEvent =
  | { readonly happened: 'leased'; readonly lease: Lease }
  | { readonly happened: 'not-leased'; readonly provider: PeerName; readonly because: Refusal }

type AwardEffect = Effect<Negotiation, AwardEvent>
type AwardStep = Step<AwardState, Negotiation, AwardEvent>

/** Opens the negotiation: the award is durable before it is sent, so that a restart cannot award the place twice. */
export function award(notary: Notary, terms: Award, nowMs: number): AwardStep {
  const signed = sealAward(notary, terms)
  return [
    { at: 'awarded', award: signed, sendAgainMs: nowMs + retransmitMs },
    [
      { do: 'record', statement: { kind: 'award', by: signed.by, envelope: signed.envelope } },
      { do: 'save' },
      { do: 'send', to: terms.provider, message: { say: 'award', award: signed } },
    ],
  ]
}

export function awardWakeAtMs(state: AwardState): number | undefined {
  return state.at === 'awarded' ? Math.min(state.sendAgainMs, state.award.body.acceptByMs) : undefined
}

export function stepAward(notary: Notary, state: AwardState, input: AwardInput, nowMs: number): AwardStep {
  switch (state.at) {
    case 'awarded':
      return fromAwarded(state, input, nowMs)
    case 'accepted':
      return fromAccepted(notary, state, input, nowMs)
    case 'leased':
      return fromLeased(state, input)
    case 'closed':
      return fromClosed(state, input)
    default:
      return state satisfies never
  }
}

type At<Where extends AwardState['at']> = Extract<AwardState, { at: Where }>

function fromAwarded(state: At<'awarded'>, input: AwardInput, nowMs: number): AwardStep {
  const { provider, acceptByMs, issuedMs } = state.award.body
  switch (input.is) {
    case 'message':
      if (input.from !== provider) return unchanged(state)
      if (input.message.say === 'accept') return onAccept(state, input.message.accept, nowMs)
      if (input.message.say === 'refuse' && isPlaceOf(state.award.body, input.message.place))
        return close(state, input.message.refusal)
      return unchanged(state)
    case 'wake':
    case 'restarted':
      if (nowMs >= acceptByMs) return close(state, { code: 'NO_ANSWER', facts: { waitedMs: nowMs - issuedMs } })
      return input.is === 'restarted' || nowMs >= state.sendAgainMs ? sendAgain(state, nowMs) : unchanged(state)
    case 'cancel':
      return close(state, { code: 'WITHDRAWN', facts: {} })
    case 'commit':
      return unchanged(state)
    default:
      return input satisfies never
  }
}

function onAccept(state: At<'awarded'>, accept: Signed<Accept>, nowMs: number): AwardStep {
  const { award } = state
  if (accept.by !== award.body.provider)
    return blame(state, award.body.provider, 'the ACCEPT is signed by another peer')
  if (!equals(accept.body.lease, hashOfEnvelope(award.envelope))) {
    // An ACCEPT of an award of an older epoch, late on its way: lawful, and nothing to this one.
    return unchanged(state)
  }
  if (nowMs >= award.body.acceptByMs)
    return close(state, { code: 'ACCEPT_LATE', facts: { lateMs: nowMs - award.body.acceptByMs } })
  return [
    { at: 'accepted', award, accept },
    [{ do: 'record', statement: { kind: 'accept', by: accept.by, envelope: accept.envelope } }, { do: 'save' }],
  ]
}

/** Nothing is waited for here: the gang has the deadline. */
function fromAccepted(notary: Notary, state: At<'accepted'>, input: AwardInput, nowMs: number): AwardStep {
  const { provider } = state.award.body
  switch (input.is) {
    case 'message':
      if (input.from !== provider) return unchanged(state)
      if (input.message.say === 'accept') return onSecondAccept(state, state, input.message.accept)
      // Its word has run out, or it has lost it: there is nothing left to commit to.
      if (input.message.say === 'refuse' && isPlaceOf(state.award.body, input.message.place))
        return close(state, input.message.refusal)
      return unchanged(state)
    case 'cancel':
      return close(state, { code: 'WITHDRAWN', facts: {} })
    case 'commit':
      return commit(notary, state, nowMs)
    case 'wake':
    case 'restarted':
      return unchanged(state)
    default:
      return input satisfies never
  }
}

function commit(notary: Notary, { award, accept }: At<'accepted'>, nowMs: number): AwardStep {
  const said = sealCommit(notary, {
    lease: accept.body.lease,
    accept: hashOfEnvelope(accept.envelope),
    issuedMs: nowMs,
  })
  const lease: Lease = {
    id: leaseIdOf(award.envelope),
    requester: award.by,
    provider: award.body.provider,
    award,
    accept,
    commit: said,
  }
  return [
    { at: 'leased', lease },
    [
      { do: 'record', statement: { kind: 'commit', by: said.by, envelope: said.envelope } },
      { do: 'save' },
      { do: 'send', to: lease.provider, message: { say: 'commit', commit: said } },
      { do: 'tell', event: { happened: 'leased', lease } },
    ],
  ]
}

/** The provider repeats its ACCEPT until it has the COMMIT; so the COMMIT needs no timer of ours. */
function fromLeased(state: At<'leased'>, input: AwardInput): AwardStep {
  const { lease } = state
  if (input.is === 'restarted')
    return [state, [{ do: 'send', to: lease.provider, message: { say: 'commit', commit: lease.commit } }]]
  if (input.is !== 'message' || input.from !== lease.provider || input.message.say !== 'accept') return unchanged(state)
  if (equals(input.message.accept.envelope, lease.accept.envelope)) {
    return [state, [{ do: 'send', to: lease.provider, message: { say: 'commit', commit: lease.commit } }]]
  }
  return onSecondAccept(state, lease, input.message.accept)
}

/** Two ACCEPTs of one award prove themselves; one that another peer signed proves nothing. */
function onSecondAccept(
  state: AwardState,
  ours: { readonly award: Signed<Award>; readonly accept: Signed<Accept> },
  accept: Signed<Accept>,
): AwardStep {
  const { provider } = ours.award.body
  if (equals(accept.envelope, ours.accept.envelope)) return unchanged(state)
  if (!equals(accept.body.lease, ours.accept.body.lease)) return unchanged(state)
  if (accept.by !== provider) return blame(state, provider, 'the ACCEPT is signed by another peer')
  const fault = new EquivocationFault('two different ACCEPTs of one award', ours.accept, accept)
  return [state, [{ do: 'blame', peer: provider, fault }]]
}

/** Final. A provider that still accepts is told that the place is gone, so that it frees the capacity at once. */
function fromClosed(state: At<'closed'>, input: AwardInput): AwardStep {
  const { provider, job, slot, epoch } = state.award.body
  if (input.is !== 'message' || input.from !== provider || input.message.say !== 'accept') return unchanged(state)
  if (!equals(input.message.accept.body.lease, hashOfEnvelope(state.award.envelope))) return unchanged(state)
  const refusal: Refusal = { code: 'CLOSED', facts: {} }
  return [state, [{ do: 'send', to: provider, message: { say: 'refuse', place: { job, slot, epoch }, refusal } }]]
}

function close(state: At<'awarded'> | At<'accepted'>, because: Refusal): AwardStep {
  const { provider, job, slot, epoch } = state.award.body
  const effects: AwardEffect[] = [
    { do: 'save' },
    // Whatever the reason, the provider may hold capacity for us: say that we will not come back.
    {
      do: 'send',
      to: provider,
      message: { say: 'refuse', place: { job, slot, epoch }, refusal: { code: 'CLOSED', facts: {} } },
    },
    { do: 'tell', event: { happened: 'not-leased', provider, because } },
  ]
  return [{ at: 'closed', award: state.award, because }, effects]
}

function sendAgain(state: At<'awarded'>, nowMs: number): AwardStep {
  return [
    { ...state, sendAgainMs: nowMs + retransmitMs },
    [{ do: 'send', to: state.award.body.provider, message: { say: 'award', award: state.award } }],
  ]
}

function unchanged(state: AwardState): AwardStep {
  return [state, []]
}

function blame(state: AwardState, peer: PeerName, message: string): AwardStep {
  return [state, [{ do: 'blame', peer, fault: new Fault('SIGNER_UNEXPECTED', message) }]]
}
