/**
 * The capability records of others, over restarts: what they said last, and the floors of their sequences. They come by the hundred
 * and are no harm to lose, so they are written in groups, seconds later.
 */
import type { Clock, Log } from '../environment.ts'
import type { SequenceFloors } from './sequence-floors.ts'
import type { Store } from './store.ts'

/** How long what is new waits for more. */
const writeWithinMs = 30_000
/** Changes that wait; with so many it is written at once. */
const waitingMax = 1_024

export class KnownRecords {
  readonly #store: Store
  readonly #floors: SequenceFloors
  readonly #clock: Pick<Clock, 'after'>
  readonly #log: Log
  /** By peer; null: forgotten. */
  readonly #waiting = new Map<string, Uint8Array | null>()
  #cancel: (() => void) | undefined
  #isClosed = false

  constructor(store: Store, floors: SequenceFloors, clock: Pick<Clock, 'after'>, log: Log) {
    this.#store = store
    this.#floors = floors
    this.#clock = clock
    this.#log = log
  }

  /** Of all peers that were kept, in no order. */
  load(): Uint8Array[] {
    const rows = this.#store.read((db) => db.prepare('SELECT envelope FROM records_known').all())
    return rows.map(({ envelope }) => envelope as Uint8Array)
  }

  /** In the place of what was kept of this peer. */
  keep(peer: string, envelope: Uint8Array): void {
    this.#wait(peer, envelope)
  }

  forget(peer: string): void {
    this.#wait(peer, null)
  }

  /** Writes what waits. Resolves when it is durable, or could not be written. */
  async flush(): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    const changes = [...this.#waiting]
    this.#waiting.clear()
    try {
      const settled = await this.#store.write((db) => {
        const written = this.#floors.settle(db)
        const put = db.prepare(
          'INSERT INTO records_known (peer, envelope) VALUES (?, ?) ON CONFLICT (peer) DO UPDATE SET envelope = excluded.envelope',
        )
        const drop = db.prepare('DELETE FROM records_known WHERE peer = ?')
        for (const [peer, envelope] of changes) {
          if (envelope === null) drop.run(peer)
          else put.run(peer, envelope)
        }
        return written
      })
      settled()
    } catch (error) {
      this.#log('warn', 'records of others were not written down', { records: changes.length, error })
    }
  }

  /** The last of them are written; nothing is after it. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
  }

  #wait(peer: string, envelope: Uint8Array | null): void {
    if (this.#isClosed) return
    this.#waiting.set(peer, envelope)
    if (this.#waiting.size >= waitingMax) void this.flush()
    else this.#cancel ??= this.#clock.after(writeWithinMs, () => void this.flush())
  }
}
