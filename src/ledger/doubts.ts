/**
 * Why this peer may not be the only one with its key, or may have signed what it does not know. While there is a doubt it lends
 * nothing and signs no receipt; only its owner knows better, and says so at a start.
 */
import type { Log } from '../environment.ts'
import type { Store } from './store.ts'

/**
 * - `LEDGER_BEHIND`: the checkpoint beside the ledger knows more than the ledger: an older copy was put in its place.
 * - `LEDGER_RESTORED`: it comes from a backup.
 * - `PEER_TWICE`: another process signs with this key.
 */
export type DoubtCode = 'LEDGER_BEHIND' | 'LEDGER_RESTORED' | 'PEER_TWICE'

export interface Doubt {
  readonly code: DoubtCode
  readonly facts: Readonly<Record<string, number | string>>
  readonly sinceMs: number
}

export class Doubts {
  readonly #store: Store
  readonly #log: Log
  #all: Doubt[]
  #onRaised: () => void = () => {}

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
    const rows = store.read((db) => db.prepare('SELECT code, facts, since_ms FROM doubts ORDER BY since_ms').all())
    this.#all = rows.map((row) => ({
      code: row['code'] as DoubtCode,
      facts: JSON.parse(row['facts'] as string) as Doubt['facts'],
      sinceMs: row['since_ms'] as number,
    }))
  }

  /** Oldest first. */
  list(): readonly Doubt[] {
    return this.#all
  }

  /** Calls `run` when there is the first doubt, at once when there is one already. */
  onRaised(run: () => void): void {
    this.#onRaised = run
    if (this.#all.length > 0) run()
  }

  /** Durable when it returns. The first of a code stays. */
  raise(code: DoubtCode, facts: Doubt['facts'], nowMs: number): void {
    if (this.#all.some((doubt) => doubt.code === code)) return
    this.#store.writeNow((db) =>
      db
        .prepare('INSERT OR IGNORE INTO doubts (code, facts, since_ms) VALUES (?, ?, ?)')
        .run(code, JSON.stringify(facts), nowMs),
    )
    const isFirst = this.#all.length === 0
    this.#all = [...this.#all, { code, facts, sinceMs: nowMs }]
    this.#log('error', `nothing is lent or signed, and no job begun, until the owner decides: pleach explain ${code}`, {
      code,
      ...facts,
    })
    if (isFirst) this.#onRaised()
  }

  /** The owner has decided. */
  settle(): void {
    if (this.#all.length === 0) return
    this.#store.writeNow((db) => db.exec('DELETE FROM doubts'))
    this.#log('warn', 'the owner says that this is the only peer with its key', {
      codes: this.#all.map(({ code }) => code).join(', '),
    })
    this.#all = []
  }
}
