/** What only this peer knows, each made by chance when it is needed first. */
import type { Random } from '../environment.ts'
import type { Store } from './store.ts'

const secretBytes = 32

export class Secrets {
  readonly #store: Store
  readonly #random: Pick<Random, 'bytes'>

  constructor(store: Store, random: Pick<Random, 'bytes'>) {
    this.#store = store
    this.#random = random
  }

  /** 32 bytes, the same each time for the same name. Durable when it resolves. */
  async of(name: string): Promise<Uint8Array> {
    const fresh = this.#random.bytes(secretBytes)
    return this.#store.write((db) => {
      db.prepare('INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING').run(name, fresh)
      return db.prepare('SELECT value FROM secrets WHERE name = ?').get(name)!.value as Uint8Array
    })
  }
}
