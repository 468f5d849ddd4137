/** What audits found: the last one of each shard at each keeper. */
import type { SQLOutputValue } from 'node:sqlite'

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
  /** Since when every one was passed; 0: the last was not. */
  readonly steadyMs: number
}

/** What one audit found. */
export type AuditFound = Omit<AuditEntry, 'passedMs' | 'steadyMs'>

/** What is known when one more was found. */
export function withAudit(known: AuditEntry | undefined, found: AuditFound): AuditEntry {
  const { passedMs = 0, steadyMs = 0 } = known ?? {}
  if (found.verdict !== 'passed') return { ...found, passedMs, steadyMs: 0 }
  return { ...found, passedMs: Math.max(passedMs, found.atMs), steadyMs: steadyMs === 0 ? found.atMs : steadyMs }
}

/** Beyond, the oldest are forgotten. */
const auditsMax = 65_536

export class Audits {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async put(found: readonly AuditFound[]): Promise<void> {
    await this.#store.write((db) => {
      const put = db.prepare(
        `INSERT OR REPLACE INTO audits (object, shard, keeper, verdict, reason, at_ms, passed_ms, steady_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      const get = db.prepare('SELECT * FROM audits WHERE object = ? AND shard = ? AND keeper = ?')
      for (const one of found) {
        const row = get.get(one.object, one.shard, one.keeper)
        const entry = withAudit(row === undefined ? undefined : entryOf(row), one)
        const { object, shard, keeper, verdict, reason, atMs, passedMs, steadyMs } = entry
        put.run(object, shard, keeper, verdict, reason, atMs, passedMs, steadyMs)
      }
      db.prepare(
        'DELETE FROM audits WHERE rowid IN (SELECT rowid FROM audits ORDER BY at_ms DESC LIMIT -1 OFFSET ?)',
      ).run(auditsMax)
    })
  }

  of(object: string): AuditEntry[] {
    return this.#store
      .read((db) => db.prepare('SELECT * FROM audits WHERE object = ? ORDER BY shard').all(object))
      .map(entryOf)
  }

  async forget(object: string): Promise<void> {
    await this.#store.write((db) => db.prepare('DELETE FROM audits WHERE object = ?').run(object))
  }

  /** Of one shard at one keeper, which is not to have it any more. */
  async forgetOne(object: string, shard: number, keeper: string): Promise<void> {
    await this.#store.write((db) =>
      db.prepare('DELETE FROM audits WHERE object = ? AND shard = ? AND keeper = ?').run(object, shard, keeper),
    )
  }
}

function entryOf(row: Record<string, SQLOutputValue>): AuditEntry {
  return {
    object: row.object as string,
    shard: row.shard as number,
    keeper: row.keeper as string,
    verdict: row.verdict as string,
    reason: row.reason as string,
    atMs: row.at_ms as number,
    passedMs: row.passed_ms as number,
    steadyMs: row.steady_ms as number,
  }
}
