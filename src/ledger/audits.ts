/** What audits found: the last one of each shard at each keeper. */
import type { Store } from './store.ts'

export interface AuditEntry {
  readonly object: string
  readonly shard: number
  readonly keeper: string
  readonly verdict: string
  readonly reason: string
  readonly atMs: number
  /** When it was last passed; 0: never. */
  readonly passedMs: number
}

/** Beyond, the oldest are forgotten. */
const auditsMax = 65_536

export class Audits {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async put(entries: readonly Omit<AuditEntry, 'passedMs'>[]): Promise<void> {
    await this.#store.write((db) => {
      const put = db.prepare(
        `INSERT INTO audits (object, shard, keeper, verdict, reason, at_ms, passed_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (object, shard, keeper) DO UPDATE SET verdict = excluded.verdict, reason = excluded.reason,
           at_ms = excluded.at_ms, passed_ms = max(passed_ms, excluded.passed_ms)`,
      )
      for (const { object, shard, keeper, verdict, reason, atMs } of entries)
        put.run(object, shard, keeper, verdict, reason, atMs, verdict === 'passed' ? atMs : 0)
      db.prepare(
        'DELETE FROM audits WHERE rowid IN (SELECT rowid FROM audits ORDER BY at_ms DESC LIMIT -1 OFFSET ?)',
      ).run(auditsMax)
    })
  }

  of(object: string): AuditEntry[] {
    return this.#store
      .read((db) => db.prepare('SELECT * FROM audits WHERE object = ? ORDER BY shard').all(object))
      .map((row) => ({
        object,
        shard: row.shard as number,
        keeper: row.keeper as string,
        verdict: row.verdict as string,
        reason: row.reason as string,
        atMs: row.at_ms as number,
        passedMs: row.passed_ms as number,
      }))
  }

  async forget(object: string): Promise<void> {
    await this.#store.write((db) => db.prepare('DELETE FROM audits WHERE object = ?').run(object))
  }
}
