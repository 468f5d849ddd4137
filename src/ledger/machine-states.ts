/** The states of machines, and the statements that were made in their steps: written together or not at all. */
import type { DatabaseSync } from 'node:sqlite'

import { leaseIdOf, openAccept, openCommit, type Notary } from '../../protocols/negotiate/index.ts'
import { countersignatureIn, openDispute, receiptIn } from '../../protocols/receipt/index.ts'
import { openResult } from '../../protocols/execute/index.ts'
import { hashOfEnvelope, type Statement } from '../../protocols/wire/index.ts'
import { toString } from 'uint8arrays'

import { appendToChain, statementKeyOf } from './chain.ts'
import { prepared } from './prepared.ts'
import { addDispute, addReceipt, countersign, uncheckedBy, type Role } from './receipts.ts'
import { addAgreement } from './settlements.ts'
import type { Store } from './store.ts'

export type MachineKind = 'job' | 'lease' | 'settle' | 'voucher' | 'storage-owner' | 'storage-keeper'

export interface MachineEntry {
  readonly kind: MachineKind
  readonly id: string
  readonly state: Uint8Array | null
  readonly final: boolean
  readonly statements: readonly Statement[]
}

export interface StorageStatement {
  readonly kind: 'storage-receipt' | 'storage-countersignature'
  readonly envelope: Uint8Array
}

/** The list of kinds is that of the index: SQLite compares the words. */
export const storageStatementsSql = `SELECT kind, envelope FROM statements
  WHERE machine = ? AND kind IN ('storage-receipt', 'storage-countersignature') ORDER BY rowid`

export class MachineStates {
  readonly #store: Store
  readonly #notary: Notary
  #unchecking: Notary | undefined

  constructor(store: Store, notary: Notary) {
    this.#store = store
    this.#notary = notary
  }

  /** Resolves once all of it is durable. Rejects with ForkError when a receipt contradicts one that is there. */
  async commit(entry: MachineEntry, nowMs: number): Promise<void> {
    await this.#store.write((db) => {
      for (const statement of entry.statements) this.#record(db, entry, statement, nowMs)
      if (entry.state !== null) saveState(db, entry.kind, entry.id, entry.state, entry.final ? 1 : 0, nowMs)
    })
  }

  /** States of machines that are not over. */
  open(kind: MachineKind): { readonly id: string; readonly state: Uint8Array }[] {
    return this.#store.read((db) =>
      (
        db
          .prepare('SELECT id, state FROM machine_states WHERE kind = ? AND final = 0 ORDER BY updated_ms')
          .all(kind) as { id: string; state: Uint8Array }[]
      ).map(({ id, state }) => ({ id, state })),
    )
  }

  /** States of all machines, the one that changed last at the end. */
  all(kind: MachineKind): Uint8Array[] {
    return this.#store.read((db) =>
      db
        .prepare('SELECT state FROM machine_states WHERE kind = ? ORDER BY updated_ms, id')
        .all(kind)
        .map((row) => row['state'] as Uint8Array),
    )
  }

  /** Receipts of storage and their countersignatures of one account, in the order in which they were written down. */
  storageStatements(kind: 'storage-owner' | 'storage-keeper', id: string): StorageStatement[] {
    return this.#store.read(
      (db) => prepared(db, storageStatementsSql).all(machineOf({ kind, id })) as unknown as StorageStatement[],
    )
  }

  /** The state of one machine, over or not. */
  get(kind: MachineKind, id: string): Uint8Array | undefined {
    return this.#store.read((db) => {
      const sql = 'SELECT state FROM machine_states WHERE kind = ? AND id = ?'
      return (prepared(db, sql).get(kind, id) as { state: Uint8Array } | undefined)?.state
    })
  }

  /** A receipt and its countersignature lie in the row of the receipt, every other statement in `statements`; all are in the chain. */
  #record(db: DatabaseSync, entry: MachineEntry, statement: Statement, nowMs: number): void {
    const { kind, by, envelope } = statement
    const role = this.#roleOf(entry.kind, kind, by)
    if (kind === 'receipt') return addReceipt(db, role, receiptIn(this.#reader(), envelope), nowMs)
    if (kind === 'countersignature') {
      const isKept = countersign(db, role, countersignatureIn(this.#reader(), envelope), nowMs)
      // Of a receipt that is not here, or another one than we have: it is kept as what somebody said, and counts for nothing.
      if (!isKept) this.#keep(db, entry, statement, nowMs)
      return
    }
    const hash = hashOfEnvelope(envelope)
    const isNew = this.#keep(db, entry, statement, nowMs)
    const lease = this.#leaseOf(kind, envelope)
    if (lease !== undefined)
      prepared(db, 'INSERT OR REPLACE INTO lease_statements (lease, kind, hash) VALUES (?, ?, ?)').run(
        lease,
        kind,
        hash,
      )
    if (isNew) appendToChain(db, kind, statementKeyOf(machineOf(entry), by), hash, nowMs)
    if (kind === 'receipt-dispute') addDispute(db, role, openDispute(this.#reader(), envelope), nowMs)
    if (kind === 'settlement-agreement') addAgreement(db, this.#reader(), envelope, nowMs)
  }

  /** False: it was there. */
  #keep(db: DatabaseSync, entry: MachineEntry, { kind, by, envelope }: Statement, nowMs: number): boolean {
    const { changes } = prepared(
      db,
      'INSERT OR IGNORE INTO statements (hash, kind, machine, signer, envelope, created_ms) VALUES (?, ?, ?, ?, ?, ?)',
    ).run(hashOfEnvelope(envelope), kind, machineOf(entry), by, envelope, nowMs)
    return changes > 0
  }

  /** Whoever hands us a statement has opened it, or made it: checking its signature again would cost more than writing it down. */
  #reader(): Notary {
    return (this.#unchecking ??= uncheckedBy(this.#notary))
  }

  /** In an account with another peer leases run both ways: the provider signs receipts, the requester countersigns them. */
  #roleOf(machine: MachineKind, kind: string, by: string): Role {
    if (machine !== 'settle') return machine === 'job' ? 'requester' : 'provider'
    return (by === this.#notary.signer.peer) === (kind === 'receipt') ? 'provider' : 'requester'
  }

  #leaseOf(kind: string, envelope: Uint8Array): string | undefined {
    switch (kind) {
      case 'award':
        return leaseIdOf(envelope)
      case 'accept':
        return toString(openAccept(this.#notary, envelope).body.lease, 'hex')
      case 'commit':
        return toString(openCommit(this.#notary, envelope).body.lease, 'hex')
      case 'result':
        return openResult(this.#notary, envelope).body.lease
      default:
        return undefined
    }
  }
}

/** Most steps leave `final` as it is, and then its index is not touched. */
const updateSql = 'UPDATE machine_states SET state = ?, updated_ms = ? WHERE kind = ? AND id = ? AND final = ?'
const insertSql = `INSERT INTO machine_states (kind, id, state, final, updated_ms) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (kind, id) DO UPDATE SET state = excluded.state, final = excluded.final, updated_ms = excluded.updated_ms`

function saveState(
  db: DatabaseSync,
  kind: MachineKind,
  id: string,
  state: Uint8Array,
  final: 0 | 1,
  nowMs: number,
): void {
  const { changes } = prepared(db, updateSql).run(state, nowMs, kind, id, final)
  if (changes === 0) prepared(db, insertSql).run(kind, id, state, final, nowMs)
}

function machineOf({ kind, id }: Pick<MachineEntry, 'kind' | 'id'>): string {
  return `${kind}/${id}`
}
