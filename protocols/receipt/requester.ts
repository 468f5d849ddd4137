/**
 * The requester's half of paying as one goes: check each receipt against the chain, the lease and our own clock, and
 * countersign it, durably on our side before the provider hears of it.
 *
 * Pure: the caller brings the time and what it measured, and carries out the effects.
 */
import { equals, fromString } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import { EquivocationFault } from '../negotiate/messages.ts'
import {
  Fault,
  hashOfEnvelope,
  refusal,
  type Effect,
  type PeerName,
  type Refusal,
  type Signed,
  type Step,
} from '../wire/index.ts'
import { disputeOf, sealCountersignature } from './codec.ts'
import { whatIsDisputed, whatIsWrong, type Before, type Measured } from './judge.ts'
import {
  noUsage,
  type BilledLease,
  type Billing,
  type Countersignature,
  type Dispute,
  type Receipt,
} from './messages.ts'

/** `previous`: SHA-256 of the last receipt that we countersigned; the lease's id before the first. */
export interface PayState extends Before {
  readonly at: 'paying' | 'settled'
  readonly lease: BilledLease
  /** Our answer to the last receipt, for when it comes again. */
  readonly last: Signed<Countersignature> | null
  /** That receipt's envelope: beside another of its number it proves a fork. */
  readonly receipt: Uint8Array | null
  /** The next receipt, which we did not countersign, and why not. */
  readonly disputed: { readonly receipt: Uint8Array; readonly dispute: Signed<Dispute> } | null
}

export type PayInput = {
  readonly is: 'message'
  readonly from: PeerName
  readonly message: Billing
  readonly measured: Measured
}

export type PayEvent =
  | {
      readonly happened: 'countersigned'
      readonly sequence: number
      readonly final: boolean
      readonly amountMicro: number
    }
  | { readonly happened: 'disputed'; readonly because: Refusal }
  /** An old receipt came again: `REPLAYED`. */
  | { readonly happened: 'ignored'; readonly because: Refusal }

type PayStep = Step<PayState, Billing, PayEvent>

export function openAccount(lease: BilledLease): PayState {
  return {
    at: 'paying',
    lease,
    sequence: 0,
    previous: fromString(lease.id, 'hex'),
    usage: noUsage,
    amountMicro: 0,
    last: null,
    receipt: null,
    disputed: null,
  }
}

export function stepPay(notary: Notary, state: PayState, input: PayInput, nowMs: number): PayStep {
  const { lease } = state
  if (input.from !== lease.provider || input.message.say !== 'receipt') return [state, []]
  const { receipt } = input.message
  if (receipt.by !== lease.provider)
    return blame(state, new Fault('SIGNER_UNEXPECTED', 'the receipt is signed by another peer', { by: receipt.by }))
  if (receipt.body.lease !== lease.id) return [state, []]
  if (receipt.body.sequence <= state.sequence) return onOld(state, receipt)
  const { disputed } = state
  if (
    disputed !== null &&
    disputed.dispute.body.sequence === receipt.body.sequence &&
    !equals(disputed.receipt, receipt.envelope)
  )
    return blame(state, forked(receipt, disputed.receipt))
  if (state.at === 'settled')
    return blame(state, new Fault('OUT_OF_TURN', 'a receipt after the final one', { sequence: receipt.body.sequence }))
  const wrong = whatIsWrong(lease, state, receipt.body)
  if (wrong !== undefined) return blame(state, wrong)
  // Without a verified result the last receipt has to wait: the provider repeats it.
  if (receipt.body.final && input.measured.result === null) return [state, []]
  const because = whatIsDisputed(lease, state, receipt.body, input.measured, nowMs)
  return because === undefined
    ? countersign(notary, state, receipt, nowMs)
    : dispute(notary, state, receipt, because, nowMs)
}

/** The one before comes again when our answer was lost. Anything else with a used number is a fork of the chain. */
function onOld(state: PayState, receipt: Signed<Receipt>): PayStep {
  const { sequence } = receipt.body
  if (sequence < state.sequence) {
    const because = refusal('REPLAYED', { sequence, last: state.sequence })
    return [state, [{ do: 'tell', event: { happened: 'ignored', because } }]]
  }
  if (!equals(hashOfEnvelope(receipt.envelope), state.previous)) return blame(state, forked(receipt, state.receipt!))
  return state.last === null
    ? [state, []]
    : [
        state,
        [{ do: 'send', to: state.lease.provider, message: { say: 'countersignature', countersignature: state.last } }],
      ]
}

function forked(receipt: Signed<Receipt>, known: Uint8Array): EquivocationFault {
  return new EquivocationFault('two different receipts with one number', { ...receipt, envelope: known }, receipt)
}

/** Signed once: a receipt that comes again, and is as wrong as before, is answered with the same. */
function dispute(notary: Notary, state: PayState, receipt: Signed<Receipt>, because: Refusal, nowMs: number): PayStep {
  const { lease, disputed } = state
  const send = (signed: Signed<Dispute>): Effect<Billing, PayEvent> => ({
    do: 'send',
    to: lease.provider,
    message: { say: 'dispute', dispute: signed },
  })
  if (disputed !== null) return [state, [send(disputed.dispute)]]
  const signed = disputeOf(notary, receipt, because, nowMs)
  return [
    { ...state, disputed: { receipt: receipt.envelope, dispute: signed } },
    [
      { do: 'record', statement: { kind: 'receipt', by: receipt.by, envelope: receipt.envelope } },
      { do: 'record', statement: { kind: 'receipt-dispute', by: signed.by, envelope: signed.envelope } },
      { do: 'save' },
      send(signed),
      { do: 'tell', event: { happened: 'disputed', because } },
    ],
  ]
}

function countersign(notary: Notary, state: PayState, receipt: Signed<Receipt>, nowMs: number): PayStep {
  const { lease } = state
  const { sequence, usage, amountMicro, final } = receipt.body
  const hash = hashOfEnvelope(receipt.envelope)
  const last = sealCountersignature(notary, { lease: lease.id, sequence, receipt: hash, issuedMs: nowMs })
  const effects: Effect<Billing, PayEvent>[] = [
    { do: 'record', statement: { kind: 'receipt', by: receipt.by, envelope: receipt.envelope } },
    { do: 'record', statement: { kind: 'countersignature', by: last.by, envelope: last.envelope } },
    { do: 'save' },
    { do: 'send', to: lease.provider, message: { say: 'countersignature', countersignature: last } },
    { do: 'tell', event: { happened: 'countersigned', sequence, final, amountMicro } },
  ]
  const next: PayState = {
    at: final ? 'settled' : 'paying',
    lease,
    sequence,
    previous: hash,
    usage,
    amountMicro,
    last,
    receipt: receipt.envelope,
    disputed: null,
  }
  return [next, effects]
}

function blame(state: PayState, fault: Fault): PayStep {
  return [state, [{ do: 'blame', peer: state.lease.provider, fault }]]
}
