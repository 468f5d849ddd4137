/** The states of machines, and the statements that were made in their steps: written together or not at all. */
import type { DatabaseSync } from 'node:sqlite'

import { leaseIdOf, openAccept, openCommit, type Notary } from '../../protocols/negotiate/index.ts'
import { openCountersignature, openDispute, openReceipt } from '../../protocols/receipt/index.ts'
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
      if (entry.state === null) return
      prepared(
        db,
        `INSERT INTO machine_states (kind, id, state, final, updated_ms) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (kind, id) DO UPDATE SET state = excluded.state, final = excluded.final, updated_ms = excluded.updated_ms`,
      ).run(entry.kind, entry.id, entry.state, entry.final ? 1 : 0, nowMs)
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

  /** The state of one machine, over or not. */
  get(kind: MachineKind, id: string): Uint8Array | undefined {
    return this.#store.read((db) => {
      const sql = 'SELECT state FROM machine_states WHERE kind = ? AND id = ?'
      return (prepared(db, sql).get(kind, id) as { state: Uint8Array } | undefined)?.state
    })
  }

  #record(db: DatabaseSync, entry: MachineEntry, { kind, by, envelope }: Statement, nowMs: number): void {
    const hash = hashOfEnvelope(envelope)
    const machine = `${entry.kind}/${entry.id}`
    const { changes } = prepared(
      db,
      'INSERT OR IGNORE INTO statements (hash, kind, machine, signer, envelope, created_ms) VALUES (?, ?, ?, ?, ?, ?)',
    ).run(hash, kind, machine, by, envelope, nowMs)
    const role = this.#roleOf(entry.kind, kind, by)
    const lease = this.#leaseOf(kind, envelope)
    if (lease !== undefined)
      prepared(db, 'INSERT OR REPLACE INTO lease_statements (lease, kind, hash) VALUES (?, ?, ?)').run(
        lease,
        kind,
        hash,
      )
    if (kind === 'receipt') addReceipt(db, role, openReceipt(this.#reader(), envelope), nowMs)
    else if (kind === 'countersignature') countersign(db, role, openCountersignature(this.#reader(), envelope), nowMs)
    else if (changes > 0) appendToChain(db, kind, statementKeyOf(machine, by), hash, nowMs)
    if (kind === 'receipt-dispute') addDispute(db, role, openDispute(this.#reader(), envelope), nowMs)
    if (kind === 'settlement-agreement') addAgreement(db, this.#reader(), envelope, nowMs)
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
