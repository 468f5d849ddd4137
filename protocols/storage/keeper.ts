/**
 * The keeper's half of storage receipts: sign what the owner says, but no more time than it kept the shards itself and no more bytes
 * than it carried as a relay, durably on our side before the owner hears of it.
 *
 * Pure: the caller brings the time and what was kept, and carries out the effects. It has no timers: the owner asks.
 */
import { equals, fromString } from 'uint8arrays'

import type { Notary } from '../negotiate/index.ts'
import { Fault, hashOfEnvelope, refusal, type PeerName, type Refusal, type Signed, type Step } from '../wire/index.ts'
import { sealStorageReceipt } from './codec.ts'
import {
  noStorage,
  receiptGapMsMin,
  spanOf,
  storageUsageNames,
  type Stated,
  type StorageAccount,
  type StorageCountersignature,
  type StorageMessage,
  type StorageReceipt,
  type StorageUsage,
} from './messages.ts'

export interface KeepState {
  readonly account: StorageAccount
  /** What was kept by our own count, up to `countedMs`. */
  readonly keptMibS: number
  readonly countedMs: number
  /** What was carried by our own count. */
  readonly carriedBytes: number
  /** Of the last receipt that both have signed; 0: none. */
  readonly sequence: number
  /** SHA-256 of its envelope; the account's id before the first. */
  readonly previous: Uint8Array
  readonly usage: StorageUsage
  /** The next one, which the owner has not countersigned. */
  readonly asked: Signed<StorageReceipt> | null
  /** When the last one was made; 0: none was. */
  readonly issuedMs: number
}

export type KeepInput =
  | {
      readonly is: 'message'
      readonly from: PeerName
      readonly message: StorageMessage
      /** MiB of this owner's shards, times seconds, from `countedMs` until now. */
      readonly keptMibS: number
    }
  /** More than before, as its relay. */
  | { readonly is: 'carried'; readonly bytes: number }

export type KeepEvent = {
  readonly happened: 'countersigned'
  readonly sequence: number
  readonly usage: StorageUsage
}

type KeepStep = Step<KeepState, StorageMessage, KeepEvent>

export function openKeep(account: StorageAccount): KeepState {
  return {
    account,
    keptMibS: 0,
    countedMs: spanOf(account.period).fromMs,
    carriedBytes: 0,
    sequence: 0,
    previous: fromString(account.id, 'hex'),
    usage: noStorage,
    asked: null,
    issuedMs: 0,
  }
}

/** Until when time of this account is counted. */
export function countedUntilMs({ account }: KeepState, nowMs: number): number {
  return Math.min(nowMs, spanOf(account.period).untilMs)
}

export function stepKeep(notary: Notary, state: KeepState, input: KeepInput, nowMs: number): KeepStep {
  const { account } = state
  if (input.is === 'carried') {
    const carriedBytes = Math.min(state.carriedBytes + input.bytes, Number.MAX_SAFE_INTEGER)
    return [{ ...state, carriedBytes }, [{ do: 'save' }]]
  }
  const { from, message, keptMibS } = input
  if (from !== account.owner) return [state, []]
  switch (message.say) {
    case 'stated':
      return message.period === account.period ? onStated(notary, state, message, keptMibS, nowMs) : [state, []]
    case 'countersignature':
      return onCountersignature(state, message.countersignature)
    default:
      return blame(state, new Fault('OUT_OF_TURN', 'STATED or COUNTERSIGNATURE was due', { said: message.say }))
  }
}

function onStated(notary: Notary, state: KeepState, stated: Stated, more: number, nowMs: number): KeepStep {
  const { account, asked, sequence, previous } = state
  const isLevel = stated.sequence === sequence || (asked !== null && stated.sequence === asked.body.sequence)
  // One of the two has lost what it signed: whatever follows might contradict it.
  if (!isLevel) return refuse(state, refusal('ACCOUNT_BEHIND', { owner: stated.sequence, keeper: sequence }))
  if (asked !== null) return [state, [send(state, { say: 'receipt', receipt: asked })]]
  const agoMs = nowMs - state.issuedMs
  const counted: KeepState = {
    ...state,
    keptMibS: Math.min(state.keptMibS + more, Number.MAX_SAFE_INTEGER),
    countedMs: Math.max(state.countedMs, countedUntilMs(state, nowMs)),
  }
  const usage = usageOf(counted, stated.usage)
  const isMore = storageUsageNames.some((name) => usage[name] > state.usage[name])
  if (!isMore || (agoMs >= 0 && agoMs < receiptGapMsMin)) return refuse(state, refusal('NOTHING_NEW', { sequence }))
  const receipt = sealStorageReceipt(notary, {
    account: account.id,
    owner: account.owner,
    period: account.period,
    sequence: sequence + 1,
    previous,
    usage,
    issuedMs: nowMs,
  })
  return [
    { ...counted, asked: receipt, issuedMs: nowMs },
    [
      { do: 'record', statement: { kind: 'storage-receipt', by: receipt.by, envelope: receipt.envelope } },
      { do: 'save' },
      send(state, { say: 'receipt', receipt }),
    ],
  ]
}

/** Time, and what was carried: the less of two counts. The rest is the owner's word: it is against itself. Nothing falls. */
function usageOf({ usage, keptMibS, carriedBytes }: KeepState, stated: StorageUsage): StorageUsage {
  return {
    storeMibS: Math.max(usage.storeMibS, Math.min(stated.storeMibS, keptMibS)),
    auditsPassed: Math.max(usage.auditsPassed, stated.auditsPassed),
    inBytes: Math.max(usage.inBytes, stated.inBytes),
    outBytes: Math.max(usage.outBytes, stated.outBytes),
    relayBytes: Math.max(usage.relayBytes, Math.min(stated.relayBytes, carriedBytes)),
  }
}

function onCountersignature(state: KeepState, signed: Signed<StorageCountersignature>): KeepStep {
  const { account, asked } = state
  const { by, body, envelope } = signed
  if (by !== account.owner)
    return blame(state, new Fault('SIGNER_UNEXPECTED', 'the countersignature is by another peer', { by }))
  const isOf = (sequence: number, hash: Uint8Array): boolean =>
    body.account === account.id && body.sequence === sequence && equals(body.receipt, hash)
  // SIGNED was lost.
  if (state.sequence > 0 && isOf(state.sequence, state.previous)) return [state, [send(state, { say: 'signed' })]]
  if (asked === null || !isOf(asked.body.sequence, hashOfEnvelope(asked.envelope)))
    return blame(
      state,
      new Fault('CHAIN_BROKEN', 'a receipt is signed that was never given', { sequence: body.sequence }),
    )
  const { sequence, usage } = asked.body
  return [
    { ...state, sequence, previous: hashOfEnvelope(asked.envelope), usage, asked: null },
    [
      { do: 'record', statement: { kind: 'storage-countersignature', by, envelope } },
      { do: 'save' },
      send(state, { say: 'signed' }),
      { do: 'tell', event: { happened: 'countersigned', sequence, usage } },
    ],
  ]
}

function send({ account }: KeepState, message: StorageMessage) {
  return { do: 'send', to: account.owner, message } as const
}

function refuse(state: KeepState, because: Refusal): KeepStep {
  return [state, [send(state, { say: 'refused', refusal: because })]]
}

function blame(state: KeepState, fault: Fault): KeepStep {
  return [state, [{ do: 'blame', peer: state.account.owner, fault }]]
}
