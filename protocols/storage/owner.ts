/**
 * The owner's half of storage receipts: sum up what audits have shown, say so to the keeper, and countersign what it signs of that, durably
 * on our side before it hears of it.
 *
 * Pure: the caller brings the time and what audits have shown, and carries out the effects. It has no timers: whoever asks repeats.
 */
import { equals, fromString } from 'uint8arrays'

import { EquivocationFault, type Notary } from '../negotiate/index.ts'
import { Fault, hashOfEnvelope, type PeerName, type Refusal, type Signed, type Step } from '../wire/index.ts'
import { sealStorageCountersignature } from './codec.ts'
import {
  noStorage,
  storageUsageNames,
  type StorageAccount,
  type StorageCountersignature,
  type StorageMessage,
  type StorageReceipt,
  type StorageUsage,
} from './messages.ts'

export interface OwnState {
  readonly account: StorageAccount
  /** What audits have shown, and what was carried. */
  readonly shown: StorageUsage
  /** Of the last receipt that both have signed; 0: none. */
  readonly sequence: number
  /** SHA-256 of its envelope; the account's id before the first. */
  readonly previous: Uint8Array
  readonly usage: StorageUsage
  /** Our answer to it, until the keeper says that it has it. */
  readonly last: Signed<StorageCountersignature> | null
  readonly isHeard: boolean
  /** That receipt's envelope: beside another of its number it proves a fork. */
  readonly receipt: Uint8Array | null
}

export type OwnInput =
  /** More than before: of one more round of audits, or carried since the last time. */
  | { readonly is: 'shown'; readonly more: StorageUsage }
  | { readonly is: 'ask' }
  | { readonly is: 'message'; readonly from: PeerName; readonly message: StorageMessage }

export type OwnEvent =
  | { readonly happened: 'countersigned'; readonly sequence: number; readonly usage: StorageUsage }
  | { readonly happened: 'refused'; readonly because: Refusal }

type OwnStep = Step<OwnState, StorageMessage, OwnEvent>

export function openOwn(account: StorageAccount): OwnState {
  return {
    account,
    shown: noStorage,
    sequence: 0,
    previous: fromString(account.id, 'hex'),
    usage: noStorage,
    last: null,
    isHeard: true,
    receipt: null,
  }
}

/** Whether there is anything to ask for: more than both have signed, or the keeper may not have our last word. */
export function isOwnDue({ shown, usage, isHeard }: OwnState): boolean {
  return !isHeard || storageUsageNames.some((name) => shown[name] > usage[name])
}

export function stepOwn(notary: Notary, state: OwnState, input: OwnInput, nowMs: number): OwnStep {
  const { account, shown, sequence } = state
  switch (input.is) {
    case 'shown':
      return [{ ...state, shown: withMore(shown, input.more) }, [{ do: 'save' }]]
    case 'ask': {
      if (!isOwnDue(state)) return [state, []]
      const message = { say: 'stated', period: account.period, sequence, usage: shown } as const
      return [state, [{ do: 'send', to: account.keeper, message }]]
    }
    case 'message': {
      if (input.from !== account.keeper) return [state, []]
      const { message } = input
      if (message.say === 'receipt') return onReceipt(notary, state, message.receipt, nowMs)
      if (message.say === 'signed') return state.isHeard ? [state, []] : [{ ...state, isHeard: true }, [{ do: 'save' }]]
      if (message.say === 'refused')
        return [state, [{ do: 'tell', event: { happened: 'refused', because: message.refusal } }]]
      return blame(state, new Fault('OUT_OF_TURN', 'a receipt was due', { said: message.say }))
    }
    default:
      return input satisfies never
  }
}

function onReceipt(notary: Notary, state: OwnState, receipt: Signed<StorageReceipt>, nowMs: number): OwnStep {
  const { account } = state
  const send = (countersignature: Signed<StorageCountersignature>) =>
    ({ do: 'send', to: account.keeper, message: { say: 'countersignature', countersignature } }) as const
  // Our answer was lost.
  if (state.last !== null && equals(hashOfEnvelope(receipt.envelope), state.previous))
    return [state, [send(state.last)]]
  const wrong = whatIsWrong(state, receipt)
  if (wrong !== undefined) return blame(state, wrong)
  const { sequence, usage } = receipt.body
  const previous = hashOfEnvelope(receipt.envelope)
  const last = sealStorageCountersignature(notary, {
    account: account.id,
    sequence,
    receipt: previous,
    issuedMs: nowMs,
  })
  return [
    { ...state, sequence, previous, usage, last, isHeard: false, receipt: receipt.envelope },
    [
      { do: 'record', statement: { kind: 'storage-receipt', by: receipt.by, envelope: receipt.envelope } },
      { do: 'record', statement: { kind: 'storage-countersignature', by: last.by, envelope: last.envelope } },
      { do: 'save' },
      send(last),
      { do: 'tell', event: { happened: 'countersigned', sequence, usage } },
    ],
  ]
}

/** What no honest keeper signs. */
function whatIsWrong(state: OwnState, receipt: Signed<StorageReceipt>): Fault | undefined {
  const { by, body } = receipt
  const { account, shown } = state
  const { sequence, usage } = body
  if (by !== account.keeper) return new Fault('SIGNER_UNEXPECTED', 'the receipt is signed by another peer', { by })
  if (body.account !== account.id || body.owner !== account.owner || body.period !== account.period)
    return new Fault('FIELD_INVALID', 'the receipt is of another account', { period: body.period })
  if (sequence === state.sequence && state.receipt !== null)
    return new EquivocationFault(
      'two different receipts with one number',
      { ...receipt, envelope: state.receipt },
      receipt,
    )
  if (sequence < state.sequence)
    return new Fault('OUT_OF_TURN', 'a receipt before the last one', { sequence, last: state.sequence })
  if (sequence > state.sequence + 1)
    return new Fault('SEQUENCE_GAP', 'a receipt before this one is missing', { sequence, last: state.sequence })
  if (!equals(body.previous, state.previous))
    return new Fault('CHAIN_BROKEN', 'the receipt does not name the one before it', { sequence })
  const fell = storageUsageNames.find((name) => usage[name] < state.usage[name])
  if (fell !== undefined) return new Fault('USAGE_FELL', 'a cumulative receipt never falls', { sequence, what: fell })
  const over = storageUsageNames.find((name) => usage[name] > shown[name])
  if (over === undefined) return undefined
  const facts = { what: over, claimed: usage[over], shown: shown[over] }
  return new Fault('OVERCHARGED', 'the receipt states more than the owner said', facts)
}

/** No more than can be written. */
function withMore(shown: StorageUsage, more: StorageUsage): StorageUsage {
  const sum = (name: keyof StorageUsage): number => Math.min(shown[name] + more[name], Number.MAX_SAFE_INTEGER)
  return {
    storeMibS: sum('storeMibS'),
    auditsPassed: sum('auditsPassed'),
    inBytes: sum('inBytes'),
    outBytes: sum('outBytes'),
    relayBytes: sum('relayBytes'),
  }
}

function blame(state: OwnState, fault: Fault): OwnStep {
  return [state, [{ do: 'blame', peer: state.account.keeper, fault }]]
}
