/** A plain table of bytes in a database of its own, synced lazily: for what is convenient to keep and no harm to lose. */
import type { DatabaseSync } from 'node:sqlite'

import { closeDatabase, openDatabase } from './database.ts'

/** Entries kept; beyond, nothing new is taken in. */
export const entriesMax = 200_000
export const keyCharsMax = 1_024
export const valueBytesMax = 1_024 * 1_024
/** Of the file; beyond, `put` throws LedgerError LEDGER_FULL. */
export const keyValueBytesMax = 256 * 1_024 * 1_024

const steps = ['CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID']

export class KeyValueFile {
  readonly #db: DatabaseSync
  readonly #path: string
  #isOpen = true
  #count: number

  /** Throws LedgerError as a ledger does: in use, damaged, too new, full. */
  constructor(path: string) {
    this.#path = path
    this.#db = openDatabase(path, { steps, synchronous: 'NORMAL', bytesMax: keyValueBytesMax })
    this.#count = (this.#db.prepare('SELECT count(*) AS count FROM entries').get() as { count: number }).count
  }

  get(key: string): Uint8Array | undefined {
    if (!this.#isOpen) return undefined
    return (this.#db.prepare('SELECT value FROM entries WHERE key = ?').get(key) as { value: Uint8Array } | undefined)
      ?.value
  }

  /** Whether it was taken in: not when it is too long, or there are too many. */
  put(key: string, value: Uint8Array): boolean {
    // The host writes a little after it was told to stop: by then nothing of it matters.
    if (!this.#isOpen || key.length > keyCharsMax || value.byteLength > valueBytesMax) return false
    const isNew = this.get(key) === undefined
    if (isNew && this.#count >= entriesMax) return false
    this.#db
      .prepare('INSERT INTO entries (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
      .run(key, value)
    if (isNew) this.#count++
    return true
  }

  delete(key: string): void {
    if (!this.#isOpen) return
    this.#count -= Number(this.#db.prepare('DELETE FROM entries WHERE key = ?').run(key).changes)
  }

  /** In the order of keys. A list, not a cursor: the caller may change entries while it reads. */
  list(prefix: string): [key: string, value: Uint8Array][] {
    if (!this.#isOpen) return []
    return this.#db
      .prepare('SELECT key, value FROM entries WHERE key >= ? AND substr(key, 1, length(?)) = ? ORDER BY key')
      .all(prefix, prefix, prefix)
      .map((row) => [row.key as string, row.value as Uint8Array])
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeDatabase(this.#db, this.#path)
  }
}
