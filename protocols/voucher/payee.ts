/**
 * The payee's half: asks for what is owed and not promised, checks the promise, and keeps the last: it says all that the ones before do.
 *
 * Pure: the caller brings the time and what is owed, and carries out the effects.
 */
import { equals } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import {
  Fault,
  refusal,
  type Effect,
  type Facts,
  type FaultCode,
  type Micro,
  type PeerName,
  type Refusal,
  type Signed,
  type Step,
} from '../wire/index.ts'
import { sealTerms } from './codec.ts'
import {
  isSameRedeemer,
  voucherAnswerWithinMs,
  voucherRetransmitMs,
  voucherTermMs,
  type Redeemer,
  type Terms,
  type Voucher,
  type VoucherKey,
  type Vouching,
} from './messages.ts'
import { digestOfVoucher } from './sign.ts'

interface Taking {
  readonly other: PeerName
  readonly unit: string
  /** The payer's word for its address, once it gave one. */
  readonly key: Signed<VoucherKey> | null
  readonly last: Voucher | null
}

export type TakeState =
  | (Taking & { readonly at: 'resting' })
  | (Taking & {
      readonly at: 'asking'
      readonly terms: Signed<Terms>
      readonly sendAgainMs: number
      readonly giveUpMs: number
    })

export type TakeInput =
  | { readonly is: 'message'; readonly from: PeerName; readonly message: Vouching }
  | { readonly is: 'wake' }
  /** Something may be owed that is not promised. */
  | { readonly is: 'ask' }

export type TakeEvent =
  | { readonly happened: 'taken'; readonly voucher: Voucher }
  | { readonly happened: 'refused'; readonly because: Refusal }
  | { readonly happened: 'unanswered' }

export type TakeEffect = Effect<Vouching, TakeEvent>
export type TakeStep = Step<TakeState, Vouching, TakeEvent>

/** What the payee's books say, and where it redeems. */
export interface Taker {
  readonly notary: Notary
  readonly redeemer: Redeemer
  /** All that the payer has come to owe by agreed statements since the first, in one direction: it never falls. */
  readonly owedMicro: Micro
}

export function openTaking(other: PeerName, unit: string): TakeState {
  return { at: 'resting', other, unit, key: null, last: null }
}

export function takeWakeAtMs(state: TakeState): number | undefined {
  return state.at === 'asking' ? Math.min(state.sendAgainMs, state.giveUpMs) : undefined
}

export function stepTake(taker: Taker, state: TakeState, input: TakeInput, nowMs: number): TakeStep {
  switch (input.is) {
    case 'ask':
      return state.at === 'resting' ? onWish(taker, state, nowMs) : [state, []]
    case 'wake':
      return state.at === 'asking' ? onWake(state, nowMs) : [state, []]
    case 'message':
      return input.from === state.other ? onMessage(taker, state, input.message, nowMs) : [state, []]
    default:
      return input satisfies never
  }
}

function onWish({ notary, redeemer, owedMicro }: Taker, state: TakeState, nowMs: number): TakeStep {
  const { last, other, unit } = state
  const isCovered = last === null ? owedMicro === 0 : last.cumulativeMicro >= owedMicro && lastsLong(last, nowMs)
  if (isCovered) return [state, []]
  const { payee, chainId, contract } = redeemer
  const terms = sealTerms(notary, { payer: other, unit, payee, chainId, contract, issuedMs: nowMs })
  return sendAsk(
    { ...takingOf(state), at: 'asking', terms, sendAgainMs: 0, giveUpMs: nowMs + voucherAnswerWithinMs },
    nowMs,
  )
}

function onWake(state: Extract<TakeState, { at: 'asking' }>, nowMs: number): TakeStep {
  if (nowMs >= state.giveUpMs) return [resting(state), [{ do: 'tell', event: { happened: 'unanswered' } }]]
  return nowMs >= state.sendAgainMs ? sendAsk(state, nowMs) : [state, []]
}

function onMessage(taker: Taker, state: TakeState, message: Vouching, nowMs: number): TakeStep {
  switch (message.say) {
    case 'voucher':
      return onVoucher(taker, state, message.key, message.voucher, nowMs)
    case 'refuse':
      // Its books may be one statement behind ours: it is asked again, until it has had time to catch up.
      if (state.at !== 'asking' || message.refusal.code === 'NOTHING_OWED') return [state, []]
      return [resting(state), [{ do: 'tell', event: { happened: 'refused', because: message.refusal } }]]
    case 'ask':
    case 'taken':
      return [state, []]
    default:
      return message satisfies never
  }
}

/** Asked for or not: a promise is taken whenever it is more than the last. */
function onVoucher(
  { redeemer, owedMicro }: Taker,
  state: TakeState,
  key: Signed<VoucherKey>,
  voucher: Voucher,
  nowMs: number,
): TakeStep {
  const { last, unit } = state
  const { cumulativeMicro, sequence, payee } = voucher
  if (key.by !== state.other) return blame(state, 'SIGNER_UNEXPECTED', 'the key is of another peer', { by: key.by })
  if (voucher.unit !== unit || !isSameRedeemer(voucher, redeemer))
    return blame(state, 'FIELD_INVALID', 'the voucher is made out to somebody else', { payee, unit: voucher.unit })
  if (last !== null && sequence < last.sequence) return [state, []]
  if (last !== null && sequence === last.sequence) {
    if (equals(digestOfVoucher(voucher), digestOfVoucher(last)))
      return [restingIf(cumulativeMicro >= owedMicro, state), [taken(state, sequence)]]
    return blame(state, 'EQUIVOCATION', 'two different vouchers with one number', { sequence })
  }
  if (last !== null && cumulativeMicro < last.cumulativeMicro)
    return blame(state, 'CHAIN_BROKEN', 'a cumulative promise never falls', {
      cumulativeMicro,
      lastMicro: last.cumulativeMicro,
    })
  if (state.key !== null && state.key.body.address !== key.body.address)
    return decline(state, refusal('VOUCHER_KEY_CHANGED', { key: state.key.body.address, given: key.body.address }))
  if (voucher.expiresAtS * 1_000 <= nowMs)
    return decline(state, refusal('VOUCHER_EXPIRED', { expiresAt: voucher.expiresAtS }))
  // Its books may be one statement ahead of ours: then it is asked again when ours have it.
  if (cumulativeMicro > owedMicro) return decline(state, refusal('VOUCHER_ABOVE_OWED', { cumulativeMicro, owedMicro }))
  const next = restingIf(cumulativeMicro >= owedMicro, { ...state, key: state.key ?? key, last: voucher })
  return [next, [{ do: 'save' }, taken(next, sequence), { do: 'tell', event: { happened: 'taken', voucher } }]]
}

function lastsLong({ expiresAtS }: Voucher, nowMs: number): boolean {
  return expiresAtS * 1_000 - nowMs > voucherTermMs / 2
}

function sendAsk(state: Extract<TakeState, { at: 'asking' }>, nowMs: number): TakeStep {
  return [
    { ...state, sendAgainMs: nowMs + voucherRetransmitMs },
    [{ do: 'send', to: state.other, message: { say: 'ask', terms: state.terms } }],
  ]
}

function decline(state: TakeState, because: Refusal): TakeStep {
  return [
    resting(state),
    [
      { do: 'send', to: state.other, message: { say: 'refuse', unit: state.unit, refusal: because } },
      { do: 'tell', event: { happened: 'refused', because } },
    ],
  ]
}

function taken({ other, unit }: Taking, sequence: number): TakeEffect {
  return { do: 'send', to: other, message: { say: 'taken', unit, sequence } }
}

function resting(state: Taking): TakeState {
  return { ...takingOf(state), at: 'resting' }
}

/** With less than is owed it goes on asking: the payer may not have heard of the last statement yet. */
function restingIf(isCovered: boolean, state: TakeState): TakeState {
  return isCovered ? resting(state) : state
}

function takingOf({ other, unit, key, last }: Taking): Taking {
  return { other, unit, key, last }
}

function blame(state: TakeState, code: FaultCode, message: string, facts: Facts = {}): TakeStep {
  return [state, [{ do: 'blame', peer: state.other, fault: new Fault(code, message, facts) }]]
}
