/** The highest sequence number seen of each key: it never falls, over restarts either. */
import { equals } from 'uint8arrays'

import type { Store } from './store.ts'

/**
 * Keys remembered. Beyond, the one whose floor was raised longest ago is forgotten. Its record has expired by then, and an
 * expired record is refused without a floor; unless somebody makes us take as many newer records, of as many keys of their own,
 * while it is valid: then it can be played back until it expires. What must never go back has an epoch of its own, as leases do.
 */
export const floorsMax = 16_384

export class SequenceFloors {
  readonly #store: Store
  #uses = 0

  constructor(store: Store) {
    this.#store = store
    this.#uses = store.read(
      (db) => (db.prepare('SELECT coalesce(max(used), 0) AS used FROM sequence_floors').get() as { used: number }).used,
    )
  }

  /** Whether a record may stand: above the floor, which is then raised durably, or the very one that made it. */
  accepts(key: string, sequence: number, hash: Uint8Array): boolean {
    const floor = this.#store.read((db) =>
      db.prepare('SELECT floor, hash FROM sequence_floors WHERE key = ?').get(key),
    ) as { floor: number; hash: Uint8Array } | undefined
    if (floor !== undefined && sequence < floor.floor) return false
    if (floor !== undefined && sequence === floor.floor) return equals(floor.hash, hash)
    this.#store.writeNow((db) => {
      db.prepare(
        `INSERT INTO sequence_floors (key, floor, hash, used) VALUES (?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET floor = excluded.floor, hash = excluded.hash, used = excluded.used`,
      ).run(key, sequence, hash, ++this.#uses)
      // Walks all that are kept, so only where there is one more of them.
      if (floor !== undefined) return
      db.prepare(
        'DELETE FROM sequence_floors WHERE key IN (SELECT key FROM sequence_floors ORDER BY used DESC LIMIT -1 OFFSET ?)',
      ).run(floorsMax)
    })
    return true
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
