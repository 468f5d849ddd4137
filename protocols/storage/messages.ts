/** Receipts of storage and of carrying, as the rest of the program sees them. */
import { toString } from 'uint8arrays'

import {
  sha256,
  type PeerName,
  type ProtocolLimits,
  type Refusal,
  type Signed,
  type StatementType,
} from '../wire/index.ts'

export const storageProtocol = '/pleach/storage/1'
export const storageLimits: ProtocolLimits = { frameBytesMax: 4 * 1024, streamsPerPeerMax: 4 }

export const storageReceiptType: StatementType = { name: 'storage-receipt', version: 1 }
export const storageCountersignatureType: StatementType = { name: 'storage-countersignature', version: 1 }

/** One question and its answer. */
export const storageExchangeMs = 10_000
/** Exchanges that one keeper serves at once, for all owners together. */
export const storageServedMax = 16
/** Between two receipts of one account: an owner that asks without end fills no ledger. */
export const receiptGapMsMin = 60_000

/** What a keeper must have carried for an owner as its relay, by the count of each, before there is an account for that alone. */
export const relayBytesMin = 2 ** 20
/** Accounts that a keeper has open at once before it opens none for carrying alone. */
export const carriedAccountsMax = 4_096

/** What was kept and carried for an owner since the period began. Whole numbers that never fall. */
export interface StorageUsage {
  /** MiB of shards, times seconds. */
  readonly storeMibS: number
  readonly auditsPassed: number
  /** Of shards that the owner put. */
  readonly inBytes: number
  /** Of shards that the owner got. */
  readonly outBytes: number
  /** To and from the owner, through the keeper as its relay. */
  readonly relayBytes: number
}

export const storageUsageNames = ['storeMibS', 'auditsPassed', 'inBytes', 'outBytes', 'relayBytes'] as const
export const noStorage: StorageUsage = { storeMibS: 0, auditsPassed: 0, inBytes: 0, outBytes: 0, relayBytes: 0 }

/** One owner, one keeper, one month: what a lease is to receipts of work. */
export interface StorageAccount {
  /** Hex. */
  readonly id: string
  readonly owner: PeerName
  readonly keeper: PeerName
  readonly period: string
}

export interface StorageReceipt {
  /** Hex. */
  readonly account: string
  readonly owner: PeerName
  readonly period: string
  readonly sequence: number
  /** SHA-256 of the previous receipt's envelope; the account's id for the first. */
  readonly previous: Uint8Array
  readonly usage: StorageUsage
  readonly issuedMs: number
}

export interface StorageCountersignature {
  readonly account: string
  readonly sequence: number
  readonly receipt: Uint8Array
  readonly issuedMs: number
}

export interface Stated {
  readonly period: string
  /** Of the last receipt that the owner has countersigned; 0: none. */
  readonly sequence: number
  readonly usage: StorageUsage
}

export type StorageMessage =
  | ({ readonly say: 'stated' } & Stated)
  | { readonly say: 'receipt'; readonly receipt: Signed<StorageReceipt> }
  | { readonly say: 'countersignature'; readonly countersignature: Signed<StorageCountersignature> }
  | { readonly say: 'signed' }
  | { readonly say: 'refused'; readonly refusal: Refusal }

/** The same for both, and for nobody else: of another network it is another. */
export function storageAccount(owner: PeerName, keeper: PeerName, period: string, network: string): StorageAccount {
  const text = ['pleach/storage-account/1', owner, keeper, period, network].join('\n')
  return { id: toString(sha256(new TextEncoder().encode(text)), 'hex'), owner, keeper, period }
}

/** The month of UTC in which a time is: `2026-03`. */
export function periodOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 7)
}

/** From when to when a period is. */
export function spanOf(period: string): { readonly fromMs: number; readonly untilMs: number } {
  const [year, month] = period.split('-').map(Number)
  return { fromMs: Date.UTC(year!, month! - 1), untilMs: Date.UTC(year!, month) }
}

/** A stretch of time by the periods that it falls into. */
export function byPeriod(
  fromMs: number,
  untilMs: number,
): { readonly period: string; readonly fromMs: number; readonly untilMs: number }[] {
  const parts = []
  for (let atMs = fromMs; atMs < untilMs;) {
    const period = periodOf(atMs)
    const endMs = Math.min(untilMs, spanOf(period).untilMs)
    parts.push({ period, fromMs: atMs, untilMs: endMs })
    atMs = endMs
  }
  return parts
}
