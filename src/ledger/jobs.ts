/** What is shown of jobs, as JSON text: for people, not for machines. */
import type { Store } from './store.ts'

/** Jobs shown at most; older ones are in the ledger still. */
const listMax = 1_000

export class Jobs {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async put(id: string, createdMs: number, view: string): Promise<void> {
    await this.#store.write((db) =>
      db
        .prepare(
          'INSERT INTO jobs (id, created_ms, view) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET view = excluded.view',
        )
        .run(id, createdMs, view),
    )
  }

  /** Newest first. */
  list(): string[] {
    return this.#store
      .read((db) => db.prepare('SELECT view FROM jobs ORDER BY created_ms DESC, id LIMIT ?').all(listMax))
      .map((row) => row.view as string)
  }
}
