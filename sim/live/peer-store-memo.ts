/**
 * What libp2p's peer store holds already is neither decoded nor written again. A host in production asks and tells its peer
 * store some ten times a connection and as often for each answer of the DHT, mostly what is there already; each time it
 * takes a lock and decodes an entry, or writes one. With hundreds of hosts on a processor that was a third of the boot.
 *
 * An entry that was decoded is remembered by the very bytes that it was decoded from, so that a write forgets it.
 */
import type { Peer, PeerData, PeerId } from '@libp2p/interface'
import { Key } from 'interface-datastore'
import { createLibp2p } from 'libp2p'

import { silentLogger } from '../../src/host/silent-logger.ts'

type Write = (this: Entries, peer: PeerId, data: PeerData, options?: unknown) => Promise<{ readonly peer: Peer }>

/** What is below the locks. */
interface Entries {
  readonly datastore: { get(key: Key): Uint8Array }
  readonly locks: { has(peer: PeerId): boolean }
  merge: Write
  patch: Write
}

/** libp2p's peer store, as far as we touch it: verified against libp2p 3.3 by the tests. */
interface PeerStore {
  readonly store: Entries
  get: (this: PeerStore, peer: PeerId, options?: unknown) => Promise<Peer>
  merge: (this: PeerStore, peer: PeerId, data: PeerData, options?: unknown) => Promise<Peer>
}

export class PeerStoreMemo {
  readonly #decoded = new WeakMap<Uint8Array, Peer>()
  readonly #keys = new Map<string, Key>()
  /** Reads and writes that went to the store, and that were spared. */
  readonly counts = { made: 0, spared: 0 }

  /** Serves every peer store of this process, until the returned function is called. */
  async install(): Promise<() => void> {
    const { peerStore } = await createLibp2p({ start: false, logger: silentLogger })
    const prototype = Object.getPrototypeOf(peerStore) as PeerStore
    const { get, merge } = prototype
    const counts = this.counts
    const known = async (store: PeerStore, peer: PeerId, options: unknown): Promise<Peer | undefined> => {
      const bytes = this.#bytes(store, peer)
      if (bytes === undefined) return undefined
      const before = this.#decoded.get(bytes)
      if (before !== undefined) {
        counts.spared += 1
        return before
      }
      counts.made += 1
      const found = await get.call(store, peer, options)
      if (this.#bytes(store, peer) === bytes) this.#decoded.set(bytes, found)
      return found
    }
    prototype.get = async function (peer, options) {
      const found = await known(this, peer, options)
      if (found !== undefined) return copyOf(found)
      counts.made += 1
      return get.call(this, peer, options)
    }
    prototype.merge = async function (peer, data, options) {
      if (isOfAddressesOrProtocols(data)) {
        const found = await known(this, peer, options)
        if (found !== undefined && saysAlready(found, data)) return copyOf(found)
      }
      counts.made += 1
      return merge.call(this, peer, data, options)
    }
    const entries = Object.getPrototypeOf((peerStore as unknown as PeerStore).store) as Entries
    const { merge: mergeEntry, patch: patchEntry } = entries
    entries.merge = this.#remembering(mergeEntry)
    entries.patch = this.#remembering(patchEntry)
    return () => {
      Object.assign(prototype, { get, merge })
      Object.assign(entries, { merge: mergeEntry, patch: patchEntry })
    }
  }

  /** Whoever writes an entry has it decoded in the hand. */
  #remembering(write: Write): Write {
    const remember = (entries: Entries, id: PeerId, peer: Peer): void => {
      const bytes = this.#stored(entries, id)
      if (bytes !== undefined) this.#decoded.set(bytes, peer)
    }
    return async function (id, data, options) {
      const result = await write.call(this, id, data, options)
      remember(this, id, result.peer)
      return result
    }
  }

  /** What is stored of a peer, unless something is about to change it. */
  #bytes({ store }: PeerStore, peer: PeerId): Uint8Array | undefined {
    return store.locks.has(peer) ? undefined : this.#stored(store, peer)
  }

  #stored({ datastore }: Entries, peer: PeerId): Uint8Array | undefined {
    try {
      return datastore.get(this.#key(peer))
    } catch {
      return undefined
    }
  }

  #key(peer: PeerId): Key {
    const name = peer.toString()
    let key = this.#keys.get(name)
    if (key === undefined) {
      key = new Key(`/peers/${peer.toCID().toString()}`, false)
      this.#keys.set(name, key)
    }
    return key
  }
}

/** Whoever asked may change what was answered. */
function copyOf(peer: Peer): Peer {
  return {
    ...peer,
    addresses: [...peer.addresses],
    protocols: [...peer.protocols],
    metadata: new Map(peer.metadata),
    tags: new Map(peer.tags),
  }
}

const sparedFields: readonly string[] = ['multiaddrs', 'protocols']

function isOfAddressesOrProtocols(data: PeerData): boolean {
  return Object.keys(data).every((field) => sparedFields.includes(field))
}

function saysAlready({ addresses, protocols }: Peer, data: PeerData): boolean {
  return (
    (data.protocols ?? []).every((protocol) => protocols.includes(protocol)) &&
    (data.multiaddrs ?? []).every((address) => addresses.some(({ multiaddr }) => multiaddr.equals(address)))
  )
}
