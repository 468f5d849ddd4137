/**
 * The address book that hosts begin with: what libp2p would find in its datastore after a restart. Each entry is written
 * by libp2p itself, once, and all hosts read the same: a copy for each would grow with the square of their number.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

import type { PeerName } from '../../protocols/wire/index.ts'
import { KeyValueDatastore, memoryKeyValue, type KeyValue } from '../../src/host/datastore.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'

export interface Known {
  readonly peer: PeerName
  readonly address: string
}

export class AddressBook {
  readonly #entries: ReadonlyMap<string, Uint8Array>
  readonly #keys: ReadonlyMap<PeerName, string>

  private constructor(entries: ReadonlyMap<string, Uint8Array>, keys: ReadonlyMap<PeerName, string>) {
    this.#entries = entries
    this.#keys = keys
  }

  static async of(peers: readonly Known[]): Promise<AddressBook> {
    const entries = new Map<string, Uint8Array>()
    const keys = new Map<PeerName, string>()
    let put: string | undefined
    const store = memoryKeyValue()
    const recorder: KeyValue = {
      ...store,
      put(key, value) {
        put = key
        entries.set(key, value)
        store.put(key, value)
      },
    }
    const { peerStore } = await createLibp2p({
      start: false,
      datastore: new KeyValueDatastore(recorder),
      logger: silentLogger,
    })
    for (const { peer, address } of peers) {
      await peerStore.merge(peerIdFromString(peer), {
        addresses: [{ multiaddr: multiaddr(address), isCertified: true }],
      })
      keys.set(peer, put!)
    }
    return new AddressBook(entries, keys)
  }

  /**
   * The memory of a host that has this book. Asked for a peer it finds it there; but it lists only what it wrote itself: a
   * host reads through the list for peers that it has met, and in the book there are none.
   */
  memoryOf(peer: PeerName): KeyValue {
    const own = memoryKeyValue()
    const struckOut = new Set([this.#keys.get(peer)])
    return {
      get: (key) => own.get(key) ?? (struckOut.has(key) ? undefined : this.#entries.get(key)),
      put: (key, value) => own.put(key, value),
      delete: (key) => {
        own.delete(key)
        if (this.#entries.has(key)) struckOut.add(key)
      },
      list: (prefix) => own.list(prefix),
    }
  }
}
