/**
 * Reads all that was ever signed, slowly, and checks it against the chain, its envelopes and their signatures: rot is found while
 * the other side still has its copy, and not when it is to be paid.
 */
import type { DatabaseSync } from 'node:sqlite'

import type { Notary } from '../../protocols/negotiate/index.ts'
import type { Clock } from '../environment.ts'
import { chainBegin, entryAt, type ChainLink } from './chain.ts'
import { ChainCheck, firstReceipt, type Checked, type Finding } from './chain-check.ts'
import type { Damages } from './damages.ts'
import type { Store } from './store.ts'

/** 100,000 receipts in an hour and a half: some 2 % of a processor, most of it signatures. */
export const scrubRowsPerSecond = 50
/** At a time: a few milliseconds. */
const rowsAtOnce = 8
/** How often it is written down how far it came: a peer that is never up for long comes round all the same. */
const rememberEvery = 512
const counter = 'ledger-scrub'

export interface ScrubDeps {
  readonly store: Store
  readonly notary: Notary
  readonly damages: Damages
  readonly clock: Clock
  readonly rowsPerSecond?: number
}

export class LedgerScrub {
  readonly #deps: ScrubDeps

  constructor(deps: ScrubDeps) {
    this.#deps = deps
  }

  /** Goes round once, from where the last round broke off. What is damaged is written down. Resolves with how much was read. */
  async round(signal: AbortSignal): Promise<{ readonly rows: number; readonly damaged: number }> {
    const { store, notary } = this.#deps
    const check = new ChainCheck(notary, 'signatures')
    const from = this.#begun()
    const sums = [
      await this.#pass(
        from,
        (db, at) => check.entries(db, at, rowsAtOnce),
        signal,
        ({ position }) => this.#remember(position),
      ),
      await this.#pass(0, (db, at) => check.receipts(db, at, rowsAtOnce), signal),
      await this.#pass(firstReceipt, (db, at) => check.index(db, at, rowsAtOnce), signal),
    ]
    store.writeNow((db) => db.prepare('DELETE FROM counters WHERE name = ?').run(counter))
    return {
      rows: sums.reduce((sum, { rows }) => sum + rows, 0),
      damaged: sums.reduce((sum, { damaged }) => sum + damaged, 0),
    }
  }

  async #pass<Place>(
    from: Place,
    look: (db: DatabaseSync, at: Place) => Checked<Place>,
    signal: AbortSignal,
    remember?: (at: Place) => void,
  ): Promise<{ rows: number; damaged: number }> {
    const { store, damages, clock, rowsPerSecond = scrubRowsPerSecond } = this.#deps
    let at = from
    let [rows, damaged] = [0, 0]
    for (;;) {
      signal.throwIfAborted()
      let checked: Checked<Place>
      try {
        checked = store.read((db) => look(db, at))
      } catch (error) {
        // The rows after this place cannot be read at all: so much is known of them.
        damages.note([unreadable(at, error)], clock.nowMs())
        return { rows, damaged: damaged + 1 }
      }
      damages.note(checked.findings, clock.nowMs())
      damaged += checked.findings.length
      if (checked.rows === 0) return { rows, damaged }
      at = checked.last
      if (Math.floor(rows / rememberEvery) !== Math.floor((rows + checked.rows) / rememberEvery)) remember?.(at)
      rows += checked.rows
      if (Number.isFinite(rowsPerSecond)) await clock.sleep((checked.rows / rowsPerSecond) * 1_000, signal)
    }
  }

  #begun(): ChainLink {
    return this.#deps.store.read((db) => {
      const row = db.prepare('SELECT value FROM counters WHERE name = ?').get(counter)
      return (row === undefined ? undefined : entryAt(db, row['value'] as number)) ?? chainBegin
    })
  }

  #remember(position: number): void {
    this.#deps.store.writeNow((db) =>
      db
        .prepare(
          'INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
        )
        .run(counter, position),
    )
  }
}

function unreadable(at: unknown, error: unknown): Finding {
  return {
    place: `rows after ${JSON.stringify(at, (_, value: unknown) => (value instanceof Uint8Array ? undefined : value))}`,
    lease: '',
    role: '',
    sequence: 0,
    what: `cannot be read: ${(error as Error).message}`,
  }
}
