/** Receipts: one hash chain a lease, at each side. A database does not notice a flipped bit; the chain does. */
import type { DatabaseSync } from 'node:sqlite'

import { equals, fromString } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import type { Countersignature, Dispute, Receipt } from '../../protocols/receipt/index.ts'
import { hashOfEnvelope, type Signed } from '../../protocols/wire/index.ts'
import { appendToChain, endOfChain, entryKeyOf } from './chain.ts'
import { prepared } from './prepared.ts'
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

/** Reads statements without checking their signatures: of those that were opened when they came. */
export function uncheckedBy({ signer, network }: Notary): Notary {
  return {
    network,
    signer: {
      peer: signer.peer,
      publicKey: signer.publicKey,
      sign: (message) => signer.sign(message),
      verify: () => true,
    },
  }
}

/** What a row repeats of its receipt, by column, so that it can be asked for. The scrub holds these against the envelope. */
export function columnsOf(role: Role, { by, body, envelope }: Signed<Receipt>) {
  const { lease, sequence, previous, final, amountMicro, unit, job, requester } = body
  return {
    lease,
    role,
    sequence,
    hash: hashOfEnvelope(envelope),
    previous,
    final: final ? 1 : 0,
    amount_micro: amountMicro,
    unit,
    job,
    other: role === 'provider' ? requester : by,
  }
}

const insertSql = `INSERT INTO receipts (lease, role, sequence, hash, previous, final, amount_micro, unit, job, other, envelope, created_ms, position)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (lease, role, sequence) DO NOTHING`
const knownSql = 'SELECT hash, countersignature FROM receipts WHERE lease = ? AND role = ? AND sequence = ?'
const countersignSql =
  'UPDATE receipts SET countersignature = ? WHERE lease = ? AND role = ? AND sequence = ? AND hash = ? AND countersignature IS NULL'

type Known = { readonly hash: Uint8Array; readonly countersignature: Uint8Array | null } | undefined

export function addReceipt(db: DatabaseSync, role: Role, receipt: Signed<Receipt>, nowMs: number): void {
  const { lease, sequence, hash, previous, final, amount_micro, unit, job, other } = columnsOf(role, receipt)
  const end = endOfChain(db)
  const row = [lease, role, sequence, hash, previous, final, amount_micro, unit, job, other]
  const { changes } = prepared(db, insertSql).run(...row, receipt.envelope, nowMs, end.position + 1)
  if (changes > 0) {
    appendToChain(db, 'receipt', entryKeyOf(lease, role, sequence), hash, nowMs, end)
    return
  }
  const known = prepared(db, knownSql).get(lease, role, sequence) as Known
  if (known === undefined || !equals(known.hash, hash)) throw new ForkError(lease, sequence)
}

/** The first one stays: another of the same receipt says the same. False: it is not in the row of its receipt. */
export function countersign(db: DatabaseSync, role: Role, signed: Signed<Countersignature>, nowMs: number): boolean {
  const { envelope } = signed
  const { lease, sequence, receipt } = signed.body
  const { changes } = prepared(db, countersignSql).run(envelope, lease, role, sequence, receipt)
  if (changes > 0) {
    appendToChain(db, 'countersignature', entryKeyOf(lease, role, sequence), hashOfEnvelope(envelope), nowMs)
    return true
  }
  const { countersignature = null } = (prepared(db, knownSql).get(lease, role, sequence) as Known) ?? {}
  return countersignature !== null && equals(countersignature, envelope)
}

/** The first of a receipt stays: it is said again when the receipt comes again. */
export function addDispute(db: DatabaseSync, role: Role, { body, envelope }: Signed<Dispute>, nowMs: number): void {
  const { lease, sequence, receipt, refusal } = body
  prepared(
    db,
    'INSERT OR IGNORE INTO receipt_disputes (lease, role, sequence, receipt, code, envelope, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ).run(lease, role, sequence, receipt, refusal.code, envelope, nowMs)
}

export class Receipts {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Newest first. Leases of which a row is damaged are left out: nothing is paid on what may not be what was signed. */
  totals(): LeaseTotal[] {
    const rows = this.#store.read((db) =>
      db
        .prepare(
          `SELECT lease, role, job, other, unit, count(*) AS receipts, count(countersignature) AS both_signed, max(final) AS final,
             coalesce(max(CASE WHEN countersignature IS NOT NULL THEN amount_micro END), 0) AS amount_micro, max(created_ms) AS updated_ms
           FROM receipts_sound GROUP BY lease, role ORDER BY updated_ms DESC, lease`,
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

  /** What proves best for whom we worked: final receipts that both signed, the dearest of each requester first, then its next. */
  references(most: number): { readonly receipt: Uint8Array; readonly countersignature: Uint8Array }[] {
    return this.#store.read((db) =>
      db
        .prepare(
          `SELECT envelope, countersignature FROM (
             SELECT envelope, countersignature, amount_micro,
               row_number() OVER (PARTITION BY other ORDER BY amount_micro DESC, lease) AS place
             FROM receipts_sound WHERE role = 'provider' AND final = 1 AND countersignature IS NOT NULL AND amount_micro > 0)
           ORDER BY place, amount_micro DESC LIMIT ?`,
        )
        .all(most)
        .map((row) => ({
          receipt: row['envelope'] as Uint8Array,
          countersignature: row['countersignature'] as Uint8Array,
        })),
    )
  }

  chain(lease: string, role: Role): ReceiptRow[] {
    return this.#store.read((db) =>
      db
        .prepare(
          'SELECT sequence, envelope, countersignature FROM receipts_sound WHERE lease = ? AND role = ? ORDER BY sequence',
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
