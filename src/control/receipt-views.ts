/** What the control interface says of receipts. */
import type { BillLine } from '../../protocols/receipt/bill.ts'
import type { Account } from '../../protocols/receipt/file.ts'
import type { Holds } from '../../protocols/receipt/verify.ts'
import type { HoldsOfStorage } from '../../protocols/storage/verify.ts'
import type { PeerView } from './api.ts'

/** What a receipt file says, once it is verified. */
export type LeaseAccountView = Account
/** The same with who exported it, when it is in the verifiable form. */
export type HoldsView = Holds
/** What a file of receipts of storage says, once it is verified. */
export type StorageHoldsView = HoldsOfStorage
export type BillLineView = BillLine

export interface ReceiptView {
  readonly v: 1
  readonly lease: string
  readonly job: string
  readonly role: 'requester' | 'provider'
  readonly other: PeerView
  readonly receipts: number
  readonly bothSigned: number
  readonly final: boolean
  /** Of the last receipt that both have signed. */
  readonly amount: string
  readonly unit: string
  /** Why the last receipt is not countersigned, as the requester signed it; empty when nothing is in dispute. */
  readonly disputed: string
  readonly updatedMs: number
}

/** What one keeper kept and carried for one owner in a month, by what both have signed. */
export interface StorageReceiptView {
  readonly v: 1
  readonly account: string
  readonly role: 'owner' | 'keeper'
  readonly other: PeerView
  /** UTC: `2026-03`. */
  readonly period: string
  readonly receipts: number
  readonly storeMibS: number
  readonly auditsPassed: number
  readonly inBytes: number
  readonly outBytes: number
  /** To and from the owner, through the keeper as its relay. */
  readonly relayBytes: number
}

/** What is left out is not asked for. */
export interface ReceiptFilter {
  readonly lease?: string
  /** The beginning of a job's id, or its end. */
  readonly job?: string
  /** A petname, or the beginning or the end of a peer id. */
  readonly peer?: string
  readonly sinceMs?: number
}
