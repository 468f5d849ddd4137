/** What was earned or spent, by what both have signed: sums over receipts, of one unit each. */
import type { Role } from './receipts.ts'
import type { Store } from './store.ts'

export type IncomeBy = 'job' | 'day' | 'peer'

export interface IncomeRow {
  /** A job, a day (UTC, `2026-11-26`) or a peer. */
  readonly key: string
  readonly unit: string
  readonly micro: bigint
  readonly leases: number
  readonly firstMs: number
  readonly lastMs: number
}

const keys: Readonly<Record<IncomeBy, string>> = {
  job: 'job',
  day: "date(created_ms / 1000, 'unixepoch')",
  peer: 'other',
}

export class Incomes {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * Newest first. Receipts are cumulative, so each counts for what it adds to the one before: a lease that is worked over midnight is in
   * both days, and what came before `sinceMs` is in none.
   */
  by(by: IncomeBy, role: Role, sinceMs: number): IncomeRow[] {
    const rows = this.#store.read((db) =>
      db
        .prepare(
          `WITH steps AS (
             SELECT lease, job, other, unit, created_ms,
               amount_micro - coalesce(lag(amount_micro) OVER (PARTITION BY lease ORDER BY sequence), 0) AS added_micro
             FROM receipts_sound WHERE role = ? AND countersignature IS NOT NULL
           )
           SELECT ${keys[by]} AS key, unit, CAST(sum(added_micro) AS TEXT) AS micro, count(DISTINCT lease) AS leases,
             min(created_ms) AS first_ms, max(created_ms) AS last_ms
           FROM steps WHERE created_ms >= ? GROUP BY key, unit ORDER BY last_ms DESC, key, unit`,
        )
        .all(role, sinceMs),
    )
    return rows.map((row) => ({
      key: row.key as string,
      unit: row.unit as string,
      micro: BigInt(row.micro as string),
      leases: row.leases as number,
      firstMs: row.first_ms as number,
      lastMs: row.last_ms as number,
    }))
  }
}
