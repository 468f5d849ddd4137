/**
 * The requester's half of paying as one goes: check each receipt against the chain, the lease and our own clock, and
 * countersign it, durably on our side before the provider hears of it.
 *
 * Pure: the caller brings the time and what it measured, and carries out the effects.
 */
import { equals, fromString } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import {
  Fault,
  hashOfEnvelope,
  type Effect,
  type PeerName,
  type Refusal,
  type Signed,
  type Step,
} from '../wire/index.ts'
import { sealCountersignature } from './codec.ts'
import {
  amountOwed,
  noUsage,
  wallToleranceMs,
  wallTolerancePermille,
  type BilledLease,
  type Billing,
  type Countersignature,
  type Receipt,
  type Usage,
} from './messages.ts'

export interface PayState {
  readonly at: 'paying' | 'settled'
  readonly lease: BilledLease
  readonly sequence: number
  /** SHA-256 of the last receipt that we countersigned; the lease's id before the first. */
  readonly previous: Uint8Array
  readonly usage: Usage
  readonly amountMicro: number
  /** Our answer to the last receipt, for when it comes again. */
  readonly last: Signed<Countersignature> | null
}

export type PayInput = {
  readonly is: 'message'
  readonly from: PeerName
  readonly message: Billing
  /** How long the lease has run by our own clock. */
  readonly wallMs: number
  /** CID of the result that we hold and have verified, or null: a final receipt is not countersigned without it. */
  readonly result: string | null
}

export type PayEvent =
  | {
      readonly happened: 'countersigned'
      readonly sequence: number
      readonly final: boolean
      readonly amountMicro: number
    }
  | { readonly happened: 'disputed'; readonly because: Refusal }

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
  const wrong = whatIsWrong(state, receipt.body)
  if (wrong !== undefined) return blame(state, wrong)
  // Without a verified result the last receipt has to wait: the provider repeats it.
  if (receipt.body.final && input.result === null) return [state, []]
  const dispute = whatIsDisputed(receipt.body, input)
  if (dispute !== undefined) {
    return [
      state,
      [
        {
          do: 'send',
          to: lease.provider,
          message: { say: 'dispute', lease: lease.id, sequence: receipt.body.sequence, refusal: dispute },
        },
        { do: 'tell', event: { happened: 'disputed', because: dispute } },
      ],
    ]
  }
  return countersign(notary, state, receipt, nowMs)
}

/** The one before comes again when our answer was lost. Anything else with a used number is a fork of the chain. */
function onOld(state: PayState, receipt: Signed<Receipt>): PayStep {
  if (receipt.body.sequence < state.sequence) return [state, []]
  if (!equals(hashOfEnvelope(receipt.envelope), state.previous)) {
    return blame(
      state,
      new Fault('EQUIVOCATION', 'two different receipts with one number', { sequence: receipt.body.sequence }),
    )
  }
  return state.last === null
    ? [state, []]
    : [
        state,
        [{ do: 'send', to: state.lease.provider, message: { say: 'countersignature', countersignature: state.last } }],
      ]
}

/** What no honest provider can have signed. */
function whatIsWrong(state: PayState, receipt: Receipt): Fault | undefined {
  const { lease } = state
  if (state.at === 'settled')
    return new Fault('OUT_OF_TURN', 'a receipt after the final one', { sequence: receipt.sequence })
  if (receipt.sequence !== state.sequence + 1 || !equals(receipt.previous, state.previous)) {
    return new Fault('CHAIN_BROKEN', 'the receipt does not follow the last one', {
      sequence: receipt.sequence,
      last: state.sequence,
    })
  }
  const same =
    receipt.job === lease.job &&
    receipt.slot === lease.slot &&
    receipt.epoch === lease.epoch &&
    receipt.requester === lease.requester &&
    receipt.unit === lease.unit
  if (!same) return new Fault('FIELD_INVALID', 'the receipt is of another lease', { epoch: receipt.epoch })
  const { usage } = receipt
  const falls =
    usage.wallMs < state.usage.wallMs ||
    usage.cpuMs < state.usage.cpuMs ||
    usage.inBytes < state.usage.inBytes ||
    usage.outBytes < state.usage.outBytes ||
    receipt.amountMicro < state.amountMicro
  if (falls) return new Fault('FIELD_INVALID', 'a cumulative receipt never falls', { sequence: receipt.sequence })
  const owed = amountOwed(lease, usage)
  if (receipt.amountMicro !== owed)
    return new Fault('OVERCHARGED', 'the amount is not what the lease says', { amountMicro: receipt.amountMicro, owed })
  return undefined
}

/** What may be an honest difference of opinion. */
function whatIsDisputed(receipt: Receipt, input: PayInput): Refusal | undefined {
  const allowedMs = Math.ceil((input.wallMs * (1000 + wallTolerancePermille)) / 1000) + wallToleranceMs
  if (receipt.usage.wallMs > allowedMs)
    return { code: 'WALL_TIME', facts: { claimedMs: receipt.usage.wallMs, allowedMs } }
  if (receipt.final && receipt.result !== input.result)
    return { code: 'RESULT_DIFFERS', facts: { claimed: receipt.result } }
  return undefined
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
  return [{ at: final ? 'settled' : 'paying', lease, sequence, previous: hash, usage, amountMicro, last }, effects]
}

function blame(state: PayState, fault: Fault): PayStep {
  return [state, [{ do: 'blame', peer: state.lease.provider, fault }]]
}
