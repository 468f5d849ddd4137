/** What is settled with whom: statements that both have signed, and, beside them, what both have signed of each lease. */
import type { DatabaseSync } from 'node:sqlite'

import type { Notary } from '../../protocols/negotiate/index.ts'
import {
  openAgreed,
  openAgreement,
  type AgreedEnvelopes,
  type EvidenceEnvelopes,
  type ForfeitEnvelopes,
  type LeaseBook,
} from '../../protocols/settle/index.ts'
import { sha256, type PeerName } from '../../protocols/wire/index.ts'
import type { Store } from './store.ts'

export interface AgreedEntry extends AgreedEnvelopes {
  readonly peer: PeerName
  readonly unit: string
  readonly number: number
  /** When it was written down here. */
  readonly atMs: number
}

/** The second signature makes the first binding: with it the statement counts, and its leases are settled so far. */
export function addAgreement(db: DatabaseSync, notary: Notary, envelope: Uint8Array, nowMs: number): void {
  const { statement: hash } = openAgreement(notary, envelope).body
  const row = db.prepare('SELECT envelope FROM statements WHERE hash = ?').get(hash)
  if (row === undefined) throw new Error('an agreement is written down after its statement')
  const { statement } = openAgreed(notary, { statement: row.envelope as Uint8Array, agreement: envelope })
  const { lower, higher, unit, number, entries, forfeits, debtor, netMicro } = statement.body
  const peer = lower === notary.signer.peer ? higher : lower
  db.prepare(
    `INSERT OR IGNORE INTO settlements (peer, unit, number, statement, agreement, debtor, net_micro, at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(peer, unit, number, statement.envelope, envelope, debtor, netMicro, nowMs)
  const settle = db.prepare(
    `INSERT INTO settled_leases (lease, amount_micro) VALUES (?, ?)
     ON CONFLICT (lease) DO UPDATE SET amount_micro = max(amount_micro, excluded.amount_micro)`,
  )
  const total = db.prepare('UPDATE lease_totals SET settled_micro = max(settled_micro, ?) WHERE lease = ?')
  for (const { lease, amountMicro } of entries) {
    settle.run(lease, amountMicro)
    total.run(amountMicro, lease)
  }
  const forfeit = db.prepare('INSERT OR IGNORE INTO forfeited_leases (lease, bond_micro) VALUES (?, ?)')
  for (const { lease, bondMicro } of forfeits) forfeit.run(lease, bondMicro)
}

/** More than a statement takes in, so that one that the disk has changed does not hold up the others. */
const forfeitsReadMax = 16

export class Settlements {
  readonly #store: Store
  readonly #self: PeerName
  readonly #isDamaged: (lease: string) => boolean

  /** Of a lease that is damaged here nothing is proposed, and nothing is agreed to that the other side does not prove. */
  constructor(store: Store, self: PeerName, isDamaged: (lease: string) => boolean = () => false) {
    this.#store = store
    this.#self = self
    this.#isDamaged = isDamaged
  }

  /** Everybody with whom there is a lease with a receipt, or who forfeits a bond to us, a unit at a time. */
  partners(): { readonly peer: PeerName; readonly unit: string }[] {
    const rows = this.#store.read((db) =>
      db.prepare('SELECT other, unit FROM lease_totals UNION SELECT peer, unit FROM forfeits ORDER BY 1, 2').all(),
    )
    return rows.map((row) => ({ peer: row.other as string, unit: row.unit as string }))
  }

  /** The leases of one account in both directions, those that began first first. */
  totalsWith(peer: PeerName, unit: string): LeaseBook[] {
    return this.#books(peer, unit, '')
  }

  /** Those of which more is signed by both than is settled. */
  unsettledWith(peer: PeerName, unit: string): LeaseBook[] {
    return this.#books(peer, unit, 'AND signed_micro > settled_micro')
  }

  /** What is said of a lease is read from its receipt itself; the totals only say which one it is. */
  #books(peer: PeerName, unit: string, which: string): LeaseBook[] {
    const rows = this.#store.read((db) =>
      db
        .prepare(
          `SELECT leases.lease, leases.role, settled_micro, sequence, hash, amount_micro
           FROM lease_totals AS leases
           LEFT JOIN receipts ON receipts.lease = leases.lease AND receipts.role = leases.role AND sequence = signed_sequence
           WHERE leases.other = ? AND leases.unit = ? ${which} ORDER BY began_ms, leases.lease`,
        )
        .all(peer, unit),
    )
    return rows.map((row) => {
      const lease = row.lease as string
      const isHeld = row.sequence !== null && !this.#isDamaged(lease)
      return {
        lease,
        provider: row.role === 'provider' ? this.#self : peer,
        held: isHeld
          ? {
              sequence: row.sequence as number,
              receipt: row.hash as Uint8Array,
              amountMicro: row.amount_micro as number,
            }
          : null,
        settledMicro: row.settled_micro as number,
      }
    })
  }

  evidence(lease: string, sequence: number): EvidenceEnvelopes | undefined {
    const row = this.#store.read((db) =>
      db
        .prepare(
          'SELECT envelope, countersignature FROM receipts_sound WHERE lease = ? AND sequence = ? AND countersignature IS NOT NULL',
        )
        .get(lease, sequence),
    )
    if (row === undefined) return undefined
    return { receipt: row.envelope as Uint8Array, countersignature: row.countersignature as Uint8Array }
  }

  /** Bonds that are proven to be forfeited to us, and that no statement has taken in; the oldest first. */
  forfeitsWith(peer: PeerName, unit: string): ForfeitEnvelopes[] {
    const rows = this.#store.read((db) =>
      db
        .prepare(
          `SELECT award, first, second FROM forfeits
           WHERE peer = ? AND unit = ? AND lease NOT IN (SELECT lease FROM forfeited_leases) ORDER BY at_ms, lease LIMIT ?`,
        )
        .all(peer, unit, forfeitsReadMax),
    )
    return rows.map((row) => ({
      award: row.award as Uint8Array,
      first: row.first as Uint8Array,
      second: row.second as Uint8Array,
    }))
  }

  isForfeited(lease: string): boolean {
    return (
      this.#store.read((db) => db.prepare('SELECT 1 FROM forfeited_leases WHERE lease = ?').get(lease)) !== undefined
    )
  }

  agreed(peer: PeerName, unit: string, number: number): AgreedEnvelopes | undefined {
    const row = this.#store.read((db) =>
      db
        .prepare('SELECT statement, agreement FROM settlements WHERE peer = ? AND unit = ? AND number = ?')
        .get(peer, unit, number),
    )
    if (row === undefined) return undefined
    return { statement: row.statement as Uint8Array, agreement: row.agreement as Uint8Array }
  }

  /**
   * What all agreed statements of an account come to, a direction at a time: the nets that the debtor owed, added up. They never fall.
   * `statement`: SHA-256 of the last one's envelope; null before the first.
   */
  owed(
    peer: PeerName,
    unit: string,
  ): { readonly byUs: bigint; readonly toUs: bigint; readonly statement: Uint8Array | null } {
    const [sums, last] = this.#store.read((db) => [
      db
        .prepare(
          `SELECT debtor, CAST(sum(net_micro) AS TEXT) AS micro FROM settlements WHERE peer = ? AND unit = ? GROUP BY debtor`,
        )
        .all(peer, unit),
      db
        .prepare('SELECT statement FROM settlements WHERE peer = ? AND unit = ? ORDER BY number DESC LIMIT 1')
        .get(peer, unit),
    ])
    const of = (debtor: PeerName): bigint => BigInt((sums.find((row) => row.debtor === debtor)?.micro as string) ?? 0)
    return {
      byUs: of(this.#self),
      toUs: of(peer),
      statement: last === undefined ? null : sha256(last.statement as Uint8Array),
    }
  }

  /** Newest first. */
  list(limit: number): AgreedEntry[] {
    const rows = this.#store.read((db) =>
      db.prepare('SELECT * FROM settlements ORDER BY at_ms DESC, peer, unit, number DESC LIMIT ?').all(limit),
    )
    return rows.map((row) => ({
      peer: row.peer as string,
      unit: row.unit as string,
      number: row.number as number,
      statement: row.statement as Uint8Array,
      agreement: row.agreement as Uint8Array,
      atMs: row.at_ms as number,
    }))
  }
}
