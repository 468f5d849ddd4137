/** The highest sequence number seen of each key: it never falls, over restarts either. */
import type { DatabaseSync } from 'node:sqlite'

import { equals } from 'uint8arrays'

import type { Store } from './store.ts'

/**
 * Keys remembered. Beyond, the one whose floor was raised longest ago is forgotten. Its record has expired by then, and an
 * expired record is refused without a floor; unless somebody makes us take as many newer records, of as many keys of their own,
 * while it is valid: then it can be played back until it expires. What must never go back has an epoch of its own, as leases do.
 */
export const floorsMax = 16_384

interface Floor {
  readonly floor: number
  readonly hash: Uint8Array
}

export class SequenceFloors {
  readonly #store: Store
  /** Those that are not on the disk yet. */
  readonly #raised = new Map<string, Floor>()
  #uses = 0

  constructor(store: Store) {
    this.#store = store
    this.#uses = store.read(
      (db) => (db.prepare('SELECT coalesce(max(used), 0) AS used FROM sequence_floors').get() as { used: number }).used,
    )
  }

  /** Whether a record may stand: above the floor, which is then raised durably, or the very one that made it. */
  accepts(key: string, sequence: number, hash: Uint8Array): boolean {
    const verdict = this.#judge(key, sequence, hash)
    if (verdict === 'above') {
      this.#store.writeNow((db) => {
        if (this.#put(db, key, sequence, hash)) trim(db)
      })
      this.#raised.delete(key)
    }
    return verdict !== 'below'
  }

  /**
   * The same for records that come by the hundred, and expire within minutes: the floor stands at once, and is on the disk once
   * `settle` has been committed. What a crash takes back is at most what could be played back within those minutes.
   */
  acceptsForNow(key: string, sequence: number, hash: Uint8Array): boolean {
    const verdict = this.#judge(key, sequence, hash)
    if (verdict === 'above') this.#raised.set(key, { floor: sequence, hash })
    return verdict !== 'below'
  }

  /** Writes down what was raised for now, as part of a change; what it returns is to be called once that is committed. */
  settle(db: DatabaseSync): () => void {
    const raised = [...this.#raised]
    let added = 0
    for (const [key, { floor, hash }] of raised) added += Number(this.#put(db, key, floor, hash))
    if (added > 0) trim(db)
    return () => {
      for (const [key, floor] of raised) if (this.#raised.get(key) === floor) this.#raised.delete(key)
    }
  }

  /** The highest sequence that was accepted; -1 when none was. */
  of(key: string): number {
    return this.#floorOf(key)?.floor ?? -1
  }

  #floorOf(key: string): Floor | undefined {
    const row = (): unknown =>
      this.#store.read((db) => db.prepare('SELECT floor, hash FROM sequence_floors WHERE key = ?').get(key))
    return this.#raised.get(key) ?? (row() as Floor | undefined)
  }

  #judge(key: string, sequence: number, hash: Uint8Array): 'below' | 'same' | 'above' {
    const floor = this.#floorOf(key)
    if (floor === undefined || sequence > floor.floor) return 'above'
    return sequence === floor.floor && equals(floor.hash, hash) ? 'same' : 'below'
  }

  /** Whether there is one more of them now. */
  #put(db: DatabaseSync, key: string, sequence: number, hash: Uint8Array): boolean {
    const { changes } = db
      .prepare('UPDATE sequence_floors SET floor = ?, hash = ?, used = ? WHERE key = ?')
      .run(sequence, hash, ++this.#uses, key)
    if (changes > 0) return false
    db.prepare('INSERT INTO sequence_floors (key, floor, hash, used) VALUES (?, ?, ?, ?)').run(
      key,
      sequence,
      hash,
      this.#uses,
    )
    return true
  }

  /** The last number that a counter of our own gave; 0 before the first. */
  last(name: string): number {
    return this.#store.read(
      (db) => (db.prepare('SELECT value FROM counters WHERE name = ?').get(name)?.['value'] as number | undefined) ?? 0,
    )
  }

  /** The next number of a counter of our own, durable before it is used. */
  next(name: string, atLeast: number): number {
    return this.#store.writeNow((db) => {
      const row = db.prepare('SELECT value FROM counters WHERE name = ?').get(name) as { value: number } | undefined
      const value = Math.max(atLeast, (row?.value ?? 0) + 1)
      db.prepare(
        'INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
      ).run(name, value)
      return value
    })
  }
}

/** Walks all that are kept, so only where there are more of them. */
function trim(db: DatabaseSync): void {
  db.prepare(
    'DELETE FROM sequence_floors WHERE key IN (SELECT key FROM sequence_floors ORDER BY used DESC LIMIT -1 OFFSET ?)',
  ).run(floorsMax)
}
