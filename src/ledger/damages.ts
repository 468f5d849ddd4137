/** Rows of the ledger that are not what was written. A lease of which one is damaged is neither paid nor settled any more. */
import type { Log } from '../environment.ts'
import type { Finding } from './chain-check.ts'
import type { Store } from './store.ts'

export interface Damage extends Finding {
  readonly foundMs: number
}

/** Who finds more has another ledger to look for. */
export const damagesMax = 4_096

export class Damages {
  readonly #store: Store
  readonly #log: Log
  readonly #leases: Set<string>

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
    this.#leases = new Set(this.list().map(({ lease }) => lease))
  }

  /** Written down once each, and durable when it returns; what is known already is not told again. */
  note(findings: readonly Finding[], nowMs: number): void {
    if (findings.length === 0) return
    const fresh = this.#store.writeNow((db) => {
      const insert = db.prepare(
        `INSERT INTO damages (place, lease, role, sequence, what, found_ms) SELECT ?, ?, ?, ?, ?, ?
         WHERE (SELECT count(*) FROM damages) < ${damagesMax} ON CONFLICT (place) DO NOTHING`,
      )
      return findings.filter(
        ({ place, lease, role, sequence, what }) =>
          insert.run(place, lease, role, Number.isSafeInteger(sequence) ? sequence : 0, what, nowMs).changes > 0,
      )
    })
    for (const finding of findings) this.#leases.add(finding.lease)
    for (const { place, what, lease } of fresh)
      this.#log('error', `the ledger is damaged: ${place}: ${what}`, { code: 'RECEIPTS_DAMAGED', lease })
  }

  has(lease: string): boolean {
    return lease !== '' && this.#leases.has(lease)
  }

  list(): Damage[] {
    return this.#store.read((db) =>
      db
        .prepare('SELECT place, lease, role, sequence, what, found_ms AS foundMs FROM damages ORDER BY found_ms, place')
        .all(),
    ) as unknown as Damage[]
  }
}
