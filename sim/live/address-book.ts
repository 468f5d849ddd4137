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

/** Writes a peer that was heard of, and where it is, into the memory of a host. */
export type BookEntry = (memory: KeyValue) => void

export interface Known {
  readonly peer: PeerName
  readonly address: string
}

export async function bookEntries(peers: readonly Known[]): Promise<ReadonlyMap<PeerName, BookEntry>> {
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
    await peerStore.merge(peerIdFromString(peer), {
      addresses: [{ multiaddr: multiaddr(address), isCertified: true }],
    })
    const [key, value] = put!
    entries.set(peer, (memory) => memory.put(key, value))
  }
  return entries
}
