/**
 * The provider's half of paying as one goes: one receipt at a time, each waiting for its countersignature before the next.
 * So neither side is ever exposed to more than one interval.
 *
 * Pure: the caller brings the time and the meter, and carries out the effects.
 */
import { equals, fromString } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import { EquivocationFault } from '../negotiate/messages.ts'
import {
  Fault,
  hashOfEnvelope,
  type Effect,
  type PeerName,
  type Refusal,
  type Signed,
  type Step,
} from '../wire/index.ts'
import { sealReceipt } from './codec.ts'
import { heals } from './judge.ts'
import {
  amountOwed,
  countersignWithinMs,
  noUsage,
  receiptRetransmitMs,
  usageNames,
  type BilledLease,
  type Billing,
  type Countersignature,
  type Dispute,
  type Receipt,
  type Usage,
} from './messages.ts'

interface Chain {
  readonly lease: BilledLease
  /** Of the last receipt that was countersigned; 0 before the first. */
  readonly sequence: number
  readonly previous: Uint8Array
  readonly usage: Usage
  readonly intervalMs: number
  /** The countersignature of that receipt; null before the first. */
  readonly last: Signed<Countersignature> | null
}

export type BillState =
  | (Chain & { readonly at: 'counting'; readonly nextAtMs: number })
  | (Chain & {
      readonly at: 'asking'
      readonly receipt: Signed<Receipt>
      readonly sendAgainMs: number
      readonly giveUpMs: number
      /** Why the requester does not countersign it now. */
      readonly disputed: Refusal | null
      readonly thenFinal: { readonly result: string; readonly usage: Usage } | null
    })
  | (Chain & { readonly at: 'settled' })
  | (Chain & { readonly at: 'unpaid'; readonly because: Refusal })

export type BillInput =
  | { readonly is: 'message'; readonly from: PeerName; readonly message: Billing }
  | { readonly is: 'wake'; readonly usage: Usage }
  | { readonly is: 'restarted' }
  /** The work is over: the last receipt names the result. */
  | { readonly is: 'close'; readonly usage: Usage; readonly result: string }

export type BillEvent =
  | {
      readonly happened: 'countersigned'
      readonly sequence: number
      readonly final: boolean
      readonly amountMicro: number
    }
  | { readonly happened: 'unpaid'; readonly because: Refusal }

type BillEffect = Effect<Billing, BillEvent>
type BillStep = Step<BillState, Billing, BillEvent>
type At<Where extends BillState['at']> = Extract<BillState, { at: Where }>

export function openBill(lease: BilledLease, nowMs: number): BillState {
  return {
    at: 'counting',
    lease,
    sequence: 0,
    previous: fromString(lease.id, 'hex'),
    usage: noUsage,
    intervalMs: lease.paymentIntervalMs,
    last: null,
    nextAtMs: nowMs + lease.paymentIntervalMs,
  }
}

export function billWakeAtMs(state: BillState): number | undefined {
  switch (state.at) {
    case 'counting':
      return state.nextAtMs
    case 'asking':
      return Math.min(state.sendAgainMs, state.giveUpMs)
    case 'settled':
    case 'unpaid':
      return undefined
    default:
      return state satisfies never
  }
}

export function stepBill(notary: Notary, state: BillState, input: BillInput, nowMs: number): BillStep {
  if (input.is === 'message') {
    if (input.from !== state.lease.requester) return [state, []]
    const second = secondOf(state, input.message)
    if (second !== undefined) return blame(state, second)
  }
  switch (state.at) {
    case 'counting':
      return fromCounting(notary, state, input, nowMs)
    case 'asking':
      return fromAsking(notary, state, input, nowMs)
    case 'settled':
    case 'unpaid':
      return [state, []]
    default:
      return state satisfies never
  }
}

/** Two different countersignatures of the last receipt that was signed by both: the requester keeps its first. */
function secondOf({ lease, sequence, last }: BillState, message: Billing): EquivocationFault | undefined {
  if (message.say !== 'countersignature' || last === null) return undefined
  const { by, body, envelope } = message.countersignature
  if (by !== lease.requester || body.lease !== lease.id || body.sequence !== sequence) return undefined
  if (equals(envelope, last.envelope)) return undefined
  return new EquivocationFault('two different countersignatures of one number', last, message.countersignature)
}

function fromCounting(notary: Notary, state: At<'counting'>, input: BillInput, nowMs: number): BillStep {
  switch (input.is) {
    case 'wake':
      return nowMs < state.nextAtMs ? [state, []] : issue(notary, state, input.usage, null, nowMs)
    case 'close':
      return issue(notary, state, input.usage, input.result, nowMs)
    case 'restarted':
    case 'message':
      return [state, []]
    default:
      return input satisfies never
  }
}

/** Durable before it is sent: a receipt that the requester holds and we have forgotten would break our own chain. */
function issue(
  notary: Notary,
  state: At<'counting'> | At<'asking'>,
  usage: Usage,
  result: string | null,
  nowMs: number,
): BillStep {
  const { lease, sequence, previous, intervalMs, last } = state
  const grown = atLeast(usage, state.usage)
  const receipt = sealReceipt(notary, {
    lease: lease.id,
    job: lease.job,
    slot: lease.slot,
    epoch: lease.epoch,
    requester: lease.requester,
    sequence: sequence + 1,
    previous,
    usage: grown,
    unit: lease.unit,
    amountMicro: amountOwed(lease, grown),
    final: result !== null,
    result: result ?? '',
    issuedMs: nowMs,
  })
  return [
    {
      at: 'asking',
      lease,
      sequence,
      previous,
      usage: state.usage,
      intervalMs,
      last,
      receipt,
      disputed: null,
      thenFinal: null,
      sendAgainMs: nowMs + receiptRetransmitMs,
      giveUpMs: nowMs + countersignWithinMs,
    },
    [
      { do: 'record', statement: { kind: 'receipt', by: receipt.by, envelope: receipt.envelope } },
      { do: 'save' },
      { do: 'send', to: lease.requester, message: { say: 'receipt', receipt } },
    ],
  ]
}

function fromAsking(notary: Notary, state: At<'asking'>, input: BillInput, nowMs: number): BillStep {
  switch (input.is) {
    case 'message':
      if (input.message.say === 'countersignature')
        return onCountersignature(notary, state, input.message.countersignature, nowMs)
      if (input.message.say === 'dispute') return onDispute(state, input.message.dispute)
      return [state, []]
    case 'wake':
      if (nowMs >= state.giveUpMs)
        return giveUp(state, state.disputed ?? { code: 'NOT_COUNTERSIGNED', facts: { waitedMs: countersignWithinMs } })
      return nowMs >= state.sendAgainMs ? sendAgain(state, nowMs) : [state, []]
    case 'restarted':
      return sendAgain({ ...state, giveUpMs: nowMs + countersignWithinMs }, nowMs)
    case 'close':
      // The last receipt waits for the one that is under way: a chain has one end.
      return [{ ...state, thenFinal: { result: input.result, usage: input.usage } }, [{ do: 'save' }]]
    default:
      return input satisfies never
  }
}

function onCountersignature(
  notary: Notary,
  state: At<'asking'>,
  signed: Signed<Countersignature>,
  nowMs: number,
): BillStep {
  const { lease, receipt } = state
  if (signed.by !== lease.requester)
    return blame(state, new Fault('SIGNER_UNEXPECTED', 'the countersignature is by another peer', { by: signed.by }))
  // A countersignature of an earlier receipt, sent twice: lawful, and nothing to this one.
  if (signed.body.lease !== lease.id || signed.body.sequence < receipt.body.sequence) return [state, []]
  const hash = hashOfEnvelope(receipt.envelope)
  if (signed.body.sequence > receipt.body.sequence || !equals(signed.body.receipt, hash)) {
    return blame(
      state,
      new Fault('CHAIN_BROKEN', 'the countersignature names a receipt that was never given', {
        sequence: signed.body.sequence,
      }),
    )
  }
  const { sequence, usage, final, amountMicro } = receipt.body
  const intervalMs = Math.min(state.intervalMs * 2, lease.paymentIntervalMsMax)
  const chain: Chain = { lease, sequence, previous: hash, usage, intervalMs, last: signed }
  const effects: BillEffect[] = [
    { do: 'record', statement: { kind: 'countersignature', by: signed.by, envelope: signed.envelope } },
    { do: 'save' },
    { do: 'tell', event: { happened: 'countersigned', sequence, final, amountMicro } },
  ]
  if (final) return [{ ...chain, at: 'settled' }, effects]
  const next: BillState = { ...chain, at: 'counting', nextAtMs: nowMs + intervalMs }
  if (state.thenFinal === null) return [next, effects]
  const [last, more] = issue(notary, next, state.thenFinal.usage, state.thenFinal.result, nowMs)
  return [last, [...effects, ...more]]
}

/** It is kept, as a signed proof of why not. What time may heal is asked for again, until we give up as for no answer. */
function onDispute(state: At<'asking'>, signed: Signed<Dispute>): BillStep {
  const { lease, receipt } = state
  if (signed.by !== lease.requester)
    return blame(state, new Fault('SIGNER_UNEXPECTED', 'the dispute is by another peer', { by: signed.by }))
  const { sequence, refusal } = signed.body
  if (signed.body.lease !== lease.id || sequence < receipt.body.sequence) return [state, []]
  if (sequence > receipt.body.sequence || !equals(signed.body.receipt, hashOfEnvelope(receipt.envelope)))
    return blame(state, new Fault('CHAIN_BROKEN', 'the dispute names a receipt that was never given', { sequence }))
  // It comes again with every answer to a receipt that is repeated.
  if (state.disputed?.code === refusal.code) return [state, []]
  const record: BillEffect = {
    do: 'record',
    statement: { kind: 'receipt-dispute', by: signed.by, envelope: signed.envelope },
  }
  if (heals(refusal)) return [{ ...state, disputed: refusal }, [record, { do: 'save' }]]
  const [unpaid, effects] = giveUp(state, refusal)
  return [unpaid, [record, ...effects]]
}

function giveUp(state: At<'asking'>, because: Refusal): BillStep {
  const { lease, sequence, previous, usage, intervalMs, last } = state
  return [
    { at: 'unpaid', lease, sequence, previous, usage, intervalMs, last, because },
    [{ do: 'save' }, { do: 'tell', event: { happened: 'unpaid', because } }],
  ]
}

function sendAgain(state: At<'asking'>, nowMs: number): BillStep {
  return [
    { ...state, sendAgainMs: nowMs + receiptRetransmitMs },
    [{ do: 'send', to: state.lease.requester, message: { say: 'receipt', receipt: state.receipt } }],
  ]
}

/** A meter that restarted must not make the chain go down. */
function atLeast(usage: Usage, floor: Usage): Usage {
  const grown = { ...usage }
  for (const name of usageNames) grown[name] = Math.max(usage[name], floor[name])
  return grown
}

function blame(state: BillState, fault: Fault): BillStep {
  return [state, [{ do: 'blame', peer: state.lease.requester, fault }]]
}
