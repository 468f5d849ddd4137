/** Peers that are proven to have equivocated, each with the two statements that prove it. */
import { fromString } from 'uint8arrays'

import type { Store } from './store.ts'

export interface ProofEntry {
  readonly peer: string
  readonly first: Uint8Array
  readonly second: Uint8Array
  readonly atMs: number
}

export interface ForfeitEntry extends ProofEntry {
  readonly lease: string
  readonly unit: string
  readonly award: Uint8Array
}

/** Of the largest AWARDs 512 KiB each: 128 MiB at the most. Beyond, the oldest is forgotten. */
export const proofsMax = 256

export class Proofs {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** One of each peer is enough: the first stays. */
  async put({ peer, first, second, atMs }: ProofEntry): Promise<void> {
    await this.#store.write((db) => {
      db.prepare('INSERT OR IGNORE INTO proofs (peer, first, second, at_ms) VALUES (?, ?, ?, ?)').run(
        peer,
        first,
        second,
        atMs,
      )
      db.prepare(
        'DELETE FROM proofs WHERE peer IN (SELECT peer FROM proofs ORDER BY at_ms DESC LIMIT -1 OFFSET ?)',
      ).run(proofsMax)
    })
  }

  /** The AWARD of a lease of which we have one; undefined: it is none of ours. */
  awardOf(lease: string): Uint8Array | undefined {
    const row = this.#store.read((db) =>
      db.prepare(`SELECT envelope FROM statements WHERE hash = ? AND kind = 'award'`).get(fromString(lease, 'hex')),
    )
    return row?.['envelope'] as Uint8Array | undefined
  }

  /** What proves that the bond of a lease is forfeited: of each lease the first stays, until a statement has taken it in and after. */
  async putForfeit({ lease, peer, unit, award, first, second, atMs }: ForfeitEntry): Promise<void> {
    await this.#store.write((db) => {
      db.prepare(
        'INSERT OR IGNORE INTO forfeits (lease, peer, unit, award, first, second, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
      ).run(lease, peer, unit, award, first, second, atMs)
    })
  }

  has(peer: string): boolean {
    return this.provenMs(peer) !== undefined
  }

  /** When it was proven; undefined: it was not. */
  provenMs(peer: string): number | undefined {
    const row = this.#store.read((db) => db.prepare('SELECT at_ms FROM proofs WHERE peer = ?').get(peer))
    return row?.['at_ms'] as number | undefined
  }

  get(peer: string): ProofEntry | undefined {
    const row = this.#store.read((db) => db.prepare('SELECT * FROM proofs WHERE peer = ?').get(peer))
    if (row === undefined) return undefined
    return { peer, first: row.first as Uint8Array, second: row.second as Uint8Array, atMs: row.at_ms as number }
  }
}
