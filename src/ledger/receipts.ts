/** Receipts: one hash chain a lease, at each side. A database does not notice a flipped bit; the chain does. */
import type { DatabaseSync } from 'node:sqlite'

import { equals, fromString } from 'uint8arrays'

import type { Countersignature, Dispute, Receipt } from '../../protocols/receipt/index.ts'
import { sha256, type Signed } from '../../protocols/wire/index.ts'
import type { Store } from './store.ts'

export type Role = 'requester' | 'provider'

/** Two receipts with one number: one of the two sides is lying, or a bit has flipped. */
export class ForkError extends Error {
  override readonly name = 'ForkError'

  constructor(lease: string, sequence: number) {
    super(`another receipt ${sequence} of lease ${lease.slice(0, 12)} is in the ledger`)
  }
}

export interface LeaseTotal {
  readonly lease: string
  readonly role: Role
  readonly job: string
  readonly other: string
  readonly receipts: number
  readonly bothSigned: number
  readonly final: boolean
  /** Of the last receipt that both have signed. */
  readonly amountMicro: number
  readonly unit: string
  readonly updatedMs: number
}

export interface DisputeRow {
  readonly sequence: number
  readonly code: string
  readonly envelope: Uint8Array
  /** Both have signed that receipt, or a later one. */
  readonly resolved: boolean
}

export interface ReceiptRow {
  readonly sequence: number
  readonly envelope: Uint8Array
  readonly countersignature: Uint8Array | null
}

export function addReceipt(db: DatabaseSync, role: Role, receipt: Signed<Receipt>, nowMs: number): void {
  const { lease, sequence, previous, final, amountMicro, unit, job, requester } = receipt.body
  const hash = sha256(receipt.envelope)
  const known = db
    .prepare('SELECT hash FROM receipts WHERE lease = ? AND role = ? AND sequence = ?')
    .get(lease, role, sequence) as { hash: Uint8Array } | undefined
  if (known !== undefined) {
    if (equals(known.hash, hash)) return
    throw new ForkError(lease, sequence)
  }
  const other = role === 'provider' ? requester : receipt.by
  db.prepare(
    `INSERT INTO receipts (lease, role, sequence, hash, previous, envelope, final, amount_micro, unit, job, other, created_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(lease, role, sequence, hash, previous, receipt.envelope, final ? 1 : 0, amountMicro, unit, job, other, nowMs)
}

export function countersign(db: DatabaseSync, role: Role, signed: Signed<Countersignature>): void {
  const { lease, sequence, receipt } = signed.body
  db.prepare('UPDATE receipts SET countersignature = ? WHERE lease = ? AND role = ? AND sequence = ? AND hash = ?').run(
    signed.envelope,
    lease,
    role,
    sequence,
    receipt,
  )
}

/** The first of a receipt stays: it is said again when the receipt comes again. */
export function addDispute(db: DatabaseSync, role: Role, { body, envelope }: Signed<Dispute>, nowMs: number): void {
  const { lease, sequence, receipt, refusal } = body
  db.prepare(
    'INSERT OR IGNORE INTO receipt_disputes (lease, role, sequence, receipt, code, envelope, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ).run(lease, role, sequence, receipt, refusal.code, envelope, nowMs)
}

export class Receipts {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Newest first. */
  totals(): LeaseTotal[] {
    const rows = this.#store.read((db) =>
      db
        .prepare(
          `SELECT lease, role, job, other, unit, count(*) AS receipts, count(countersignature) AS both_signed, max(final) AS final,
             coalesce(max(CASE WHEN countersignature IS NOT NULL THEN amount_micro END), 0) AS amount_micro, max(created_ms) AS updated_ms
           FROM receipts GROUP BY lease, role ORDER BY updated_ms DESC, lease`,
        )
        .all(),
    )
    return rows.map((row) => ({
      lease: row.lease as string,
      role: row.role as Role,
      job: row.job as string,
      other: row.other as string,
      receipts: row.receipts as number,
      bothSigned: row.both_signed as number,
      final: row.final === 1,
      amountMicro: row.amount_micro as number,
      unit: row.unit as string,
      updatedMs: row.updated_ms as number,
    }))
  }

  chain(lease: string, role: Role): ReceiptRow[] {
    return this.#store.read((db) =>
      db
        .prepare(
          'SELECT sequence, envelope, countersignature FROM receipts WHERE lease = ? AND role = ? ORDER BY sequence',
        )
        .all(lease, role)
        .map((row) => ({
          sequence: row.sequence as number,
          envelope: row.envelope as Uint8Array,
          countersignature: row.countersignature as Uint8Array | null,
        })),
    )
  }

  /** The signed proofs of why a receipt was not countersigned at once. */
  disputes(lease: string, role: Role): DisputeRow[] {
    return this.#store.read((db) =>
      db
        .prepare(
          `SELECT sequence, code, envelope, EXISTS (
             SELECT 1 FROM receipts WHERE receipts.lease = receipt_disputes.lease AND receipts.role = receipt_disputes.role
               AND receipts.sequence >= receipt_disputes.sequence AND countersignature IS NOT NULL
           ) AS resolved
           FROM receipt_disputes WHERE lease = ? AND role = ? ORDER BY sequence`,
        )
        .all(lease, role)
        .map((row) => ({
          sequence: row.sequence as number,
          code: row.code as string,
          envelope: row.envelope as Uint8Array,
          resolved: row.resolved === 1,
        })),
    )
  }

  /** By lease, why its last receipt is not signed by both, where the requester has signed why. */
  disputedLeases(): Map<string, string> {
    const rows = this.#store.read((db) =>
      db
        .prepare(
          `SELECT lease, code FROM receipt_disputes AS disputes WHERE NOT EXISTS (
             SELECT 1 FROM receipts WHERE receipts.lease = disputes.lease AND receipts.role = disputes.role
               AND receipts.sequence >= disputes.sequence AND countersignature IS NOT NULL
           )`,
        )
        .all(),
    )
    return new Map(rows.map(({ lease, code }) => [lease as string, code as string]))
  }

  /** Leases with a receipt whose hash begins so, in hex; at most two, which is as many as make it ambiguous. */
  leasesByReceipt(hashPrefix: string): string[] {
    const [first, last] = ['0', 'f'].map((digit) => fromString(hashPrefix.padEnd(64, digit), 'hex'))
    return this.#store.read((db) =>
      db
        .prepare('SELECT DISTINCT lease FROM receipts WHERE hash BETWEEN ? AND ? LIMIT 2')
        .all(first!, last!)
        .map(({ lease }) => lease as string),
    )
  }

  /** An envelope of a lease: `award`, `accept`, `commit` or `result`. */
  statement(lease: string, kind: string): Uint8Array | undefined {
    return this.#store.read(
      (db) =>
        (
          db
            .prepare(
              'SELECT envelope FROM lease_statements JOIN statements USING (hash) WHERE lease = ? AND lease_statements.kind = ?',
            )
            .get(lease, kind) as { envelope: Uint8Array } | undefined
        )?.envelope,
    )
  }
}
