/**
 * libp2p's datastore over a plain key-value store, so that what the host learns (peers, addresses, records, adverts)
 * outlives a restart. None of it is precious: it may be written lazily, and a loss costs a slower start.
 */
import { NotFoundError } from '@libp2p/interface'
import { BaseDatastore } from 'datastore-core'
import { Key, type KeyQuery, type Pair, type Query } from 'interface-datastore'

/** Implemented over a database elsewhere. Keys are printable ASCII. */
export interface KeyValue {
  get(key: string): Uint8Array | undefined
  put(key: string, value: Uint8Array): void
  delete(key: string): void
  list(prefix: string): Iterable<[key: string, value: Uint8Array]>
}

export function memoryKeyValue(): KeyValue {
  const entries = new Map<string, Uint8Array>()
  return {
    get: (key) => entries.get(key),
    put: (key, value) => void entries.set(key, value),
    delete: (key) => void entries.delete(key),
    list: (prefix) => [...entries].filter(([key]) => key.startsWith(prefix)),
  }
}

export class KeyValueDatastore extends BaseDatastore {
  protected readonly store: KeyValue

  constructor(store: KeyValue) {
    super()
    this.store = store
  }

  override put(key: Key, value: Uint8Array): Key {
    this.store.put(key.toString(), value)
    return key
  }

  override get(key: Key): Uint8Array {
    const value = this.store.get(key.toString())
    if (value === undefined) throw new NotFoundError(key.toString())
    return value
  }

  override has(key: Key): boolean {
    return this.store.get(key.toString()) !== undefined
  }

  override delete(key: Key): void {
    this.store.delete(key.toString())
  }

  override *_all(query: Query): Generator<Pair> {
    // Read to the end first: the reader deletes as it goes, and a database does not like that under an open cursor.
    for (const [key, value] of Array.from(this.store.list(query.prefix ?? '/')))
      yield { key: new Key(key, false), value }
  }

  override *_allKeys(query: KeyQuery): Generator<Key> {
    for (const { key } of this._all(query.prefix === undefined ? {} : { prefix: query.prefix })) yield key
  }
}
