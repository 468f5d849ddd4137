/**
 * The payer's half: promises what the agreed statements say that it owes, when it is asked, and never less than before.
 *
 * Pure: the caller brings the time, the purse and what is owed, and carries out the effects.
 */
import type { Notary } from '../negotiate/codec.ts'
import {
  Fault,
  refusal,
  type Effect,
  type Facts,
  type FaultCode,
  type Micro,
  type PeerName,
  type Signed,
  type Step,
} from '../wire/index.ts'
import { sealKey } from './codec.ts'
import { isSameRedeemer, voucherTermMs, type Terms, type Voucher, type VoucherKey, type Vouching } from './messages.ts'
import { signVoucher, type Purse } from './sign.ts'

export type GiveState =
  | { readonly at: 'owing'; readonly other: PeerName; readonly unit: string }
  | {
      readonly at: 'given'
      readonly other: PeerName
      readonly unit: string
      readonly key: Signed<VoucherKey>
      readonly voucher: Voucher
      /** The last that the payee says it has; 0: none yet. */
      readonly takenSequence: number
    }

export type GiveInput = { readonly is: 'message'; readonly from: PeerName; readonly message: Vouching }

export type GiveEvent =
  | { readonly happened: 'given'; readonly voucher: Voucher }
  | { readonly happened: 'acknowledged'; readonly sequence: number }

export type GiveEffect = Effect<Vouching, GiveEvent>
export type GiveStep = Step<GiveState, Vouching, GiveEvent>

/** What the payer's books say. */
export interface Giver {
  readonly notary: Notary
  readonly purse: Purse
  /** All that it has come to owe this payee by agreed statements since the first, in one direction: it never falls. */
  readonly owedMicro: Micro
  /** SHA-256 of the envelope of the last agreed statement; null before the first. */
  readonly statement: Uint8Array | null
}

export function openGiving(other: PeerName, unit: string): GiveState {
  return { at: 'owing', other, unit }
}

export function stepGive(giver: Giver, state: GiveState, input: GiveInput, nowMs: number): GiveStep {
  if (input.from !== state.other) return [state, []]
  const { message } = input
  switch (message.say) {
    case 'ask':
      return onAsk(giver, state, message.terms, nowMs)
    case 'taken':
      return onTaken(state, message.sequence)
    // What a payee may answer, and what a payer says, changes nothing of what was promised.
    case 'refuse':
    case 'voucher':
      return [state, []]
    default:
      return message satisfies never
  }
}

function onAsk(giver: Giver, state: GiveState, terms: Signed<Terms>, nowMs: number): GiveStep {
  const { notary, owedMicro, statement } = giver
  if (terms.by !== state.other)
    return blame(state, 'SIGNER_UNEXPECTED', 'the terms are of another peer', { by: terms.by })
  if (terms.body.payer !== notary.signer.peer || terms.body.unit !== state.unit)
    return blame(state, 'FIELD_INVALID', 'the terms are for another payer or unit')
  // Redeemed at two places the same promise would count twice.
  if (state.at === 'given' && !isSameRedeemer(state.voucher, terms.body))
    return [state, [refuse(state, 'VOUCHER_TERMS_CHANGED', { payee: state.voucher.payee, asked: terms.body.payee })]]
  if (owedMicro === 0 || statement === null) return [state, [refuse(state, 'NOTHING_OWED')]]
  if (state.at === 'given' && isStillGood(state.voucher, owedMicro, nowMs)) return [state, [give(state)]]
  const last = state.at === 'given' ? state.voucher : null
  const voucher = signVoucher(giver.purse, {
    payer: giver.purse.address,
    payee: terms.body.payee,
    chainId: terms.body.chainId,
    contract: terms.body.contract,
    network: notary.network,
    unit: state.unit,
    // A ledger that was set back owes no less than what was promised before.
    cumulativeMicro: Math.max(owedMicro, last?.cumulativeMicro ?? 0),
    sequence: (last?.sequence ?? 0) + 1,
    expiresAtS: Math.floor((nowMs + voucherTermMs) / 1_000),
    statement,
  })
  const next = {
    at: 'given' as const,
    other: state.other,
    unit: state.unit,
    key: state.at === 'given' ? state.key : sealKey(notary, { address: giver.purse.address, issuedMs: nowMs }),
    voucher,
    takenSequence: state.at === 'given' ? state.takenSequence : 0,
  }
  return [next, [{ do: 'save' }, give(next), { do: 'tell', event: { happened: 'given', voucher } }]]
}

function onTaken(state: GiveState, sequence: number): GiveStep {
  if (state.at !== 'given' || sequence > state.voucher.sequence)
    return blame(state, 'OUT_OF_TURN', 'a voucher was taken that was never given', { sequence })
  if (sequence <= state.takenSequence) return [state, []]
  return [
    { ...state, takenSequence: sequence },
    [{ do: 'save' }, { do: 'tell', event: { happened: 'acknowledged', sequence } }],
  ]
}

function isStillGood({ cumulativeMicro, expiresAtS }: Voucher, owedMicro: Micro, nowMs: number): boolean {
  return cumulativeMicro >= owedMicro && expiresAtS * 1_000 - nowMs > voucherTermMs / 2
}

function give({ other, key, voucher }: Extract<GiveState, { at: 'given' }>): GiveEffect {
  return { do: 'send', to: other, message: { say: 'voucher', key, voucher } }
}

function refuse({ other, unit }: GiveState, code: string, facts: Facts = {}): GiveEffect {
  return { do: 'send', to: other, message: { say: 'refuse', unit, refusal: refusal(code, facts) } }
}

function blame(state: GiveState, code: FaultCode, message: string, facts: Facts = {}): GiveStep {
  return [state, [{ do: 'blame', peer: state.other, fault: new Fault(code, message, facts) }]]
}
