/** A plain table of bytes in a database of its own, synced lazily: for what is convenient to keep and no harm to lose. */
import { DatabaseSync } from 'node:sqlite'

/** Entries kept; beyond, nothing new is taken in. */
const entriesMax = 200_000

export class KeyValueFile {
  readonly #db: DatabaseSync
  #isOpen = true
  #count: number

  constructor(path: string) {
    this.#db = new DatabaseSync(path)
    this.#db.exec(
      `PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=0;
       CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID`,
    )
    this.#count = (this.#db.prepare('SELECT count(*) AS count FROM entries').get() as { count: number }).count
  }

  get(key: string): Uint8Array | undefined {
    if (!this.#isOpen) return undefined
    return (this.#db.prepare('SELECT value FROM entries WHERE key = ?').get(key) as { value: Uint8Array } | undefined)
      ?.value
  }

  put(key: string, value: Uint8Array): void {
    // The host writes a little after it was told to stop: by then nothing of it matters.
    if (!this.#isOpen) return
    const isNew = this.get(key) === undefined
    if (isNew && this.#count >= entriesMax) return
    if (isNew) this.#count++
    this.#db
      .prepare('INSERT INTO entries (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
      .run(key, value)
  }

  delete(key: string): void {
    if (!this.#isOpen) return
    this.#count -= Number(this.#db.prepare('DELETE FROM entries WHERE key = ?').run(key).changes)
  }

  /** In the order of keys. A list, not a cursor: the caller may change entries while it reads. */
  list(prefix: string): [key: string, value: Uint8Array][] {
    if (!this.#isOpen) return []
    return this.#db
      .prepare('SELECT key, value FROM entries WHERE key >= ? AND substr(key, 1, ?) = ? ORDER BY key')
      .all(prefix, prefix.length, prefix)
      .map((row) => [row.key as string, row.value as Uint8Array])
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#db.close()
  }
}
