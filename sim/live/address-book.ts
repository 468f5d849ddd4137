/**
 * The address books that hosts begin with: what libp2p would find in its datastore after a restart. Each entry is written
 * by libp2p itself, once, and then copied to all that are to have it.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

import type { PeerName } from '../../protocols/wire/index.ts'
import { KeyValueDatastore, memoryKeyValue, type KeyValue } from '../../src/host/datastore.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'

/** A peer in an address book, as bytes. */
export interface BookEntry {
  /** Of a peer that was only heard of: where it is. */
  heardOf(memory: KeyValue): void
  /** Of a peer that was met: what it speaks, too. A host dials such on its own account. */
  met(memory: KeyValue): void
}

export interface Known {
  readonly peer: PeerName
  readonly address: string
}

export async function bookEntries(
  peers: readonly Known[],
  protocols: readonly string[],
): Promise<ReadonlyMap<PeerName, BookEntry>> {
  let put: [key: string, value: Uint8Array] | undefined
  const store = memoryKeyValue()
  const recorder: KeyValue = {
    ...store,
    put(key, value) {
      put = [key, value]
      store.put(key, value)
    },
  }
  const { peerStore } = await createLibp2p({
    start: false,
    datastore: new KeyValueDatastore(recorder),
    logger: silentLogger,
  })
  const entries = new Map<PeerName, BookEntry>()
  for (const { peer, address } of peers) {
    const id = peerIdFromString(peer)
    const written = async (data: Parameters<typeof peerStore.merge>[1]): Promise<(memory: KeyValue) => void> => {
      await peerStore.merge(id, data)
      const [key, value] = put!
      return (memory) => memory.put(key, value)
    }
    const heardOf = await written({ addresses: [{ multiaddr: multiaddr(address), isCertified: true }] })
    entries.set(peer, { heardOf, met: await written({ protocols: [...protocols] }) })
  }
  return entries
}
