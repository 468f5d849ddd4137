/**
 * A routing table of the DHT that is given instead of found. In production kad-dht fills its table by asking: it dials and
 * pings every peer that it hears of, which for hundreds of hosts in one process is most of what they would do.
 */
import type { PeerId } from '@libp2p/interface'
import type { SingleKadDHT } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'

import type { PeerName } from '../../protocols/wire/peer.ts'
import { placeOfPeer } from './quota-datastore.ts'

/** A peer and its place in the DHT. Made once, it may be in the tables of many hosts. */
export interface Contact {
  readonly peerId: PeerId
  readonly kadId: Uint8Array
}

export function contactOf(peer: PeerName): Contact {
  return { peerId: peerIdFromString(peer), kadId: placeOfPeer(peer) }
}

type Bucket =
  | { prefix: string; depth: number; peers: (Contact & { lastPing: number })[] }
  | { prefix: string; depth: number; left: Bucket; right: Bucket }

/** What kad-dht does not show in its interface: verified against 16.4 by the tests of the live simulator. */
interface Internals {
  readonly routingTable: { readonly kb: { root: Bucket; readonly kBucketSize: number; readonly prefixLength: number } }
  readonly routingTableRefresh: { afterStart(): Promise<void> }
}

/**
 * Lays the table, before the host starts, as though these peers had just answered, and keeps kad-dht from looking for what
 * should be in it. A bucket takes the first that fit; so who is left out of a full one is for the order to say.
 */
export function layRoutingTable(dht: SingleKadDHT, self: PeerName, contacts: readonly Contact[], nowMs: number): void {
  const { routingTable, routingTableRefresh } = dht as unknown as Internals
  const { kBucketSize, prefixLength } = routingTable.kb
  const bucketOf = (peers: readonly Contact[], prefix: string, depth: number): Bucket => {
    if (peers.length <= kBucketSize || depth === prefixLength)
      return { prefix, depth, peers: peers.slice(0, kBucketSize).map((peer) => ({ ...peer, lastPing: nowMs })) }
    const half = (side: number): Bucket =>
      bucketOf(
        peers.filter(({ kadId }) => bitAt(kadId, depth) === side),
        String(side),
        depth + 1,
      )
    return { prefix, depth, left: half(0), right: half(1) }
  }
  routingTable.kb.root = bucketOf(
    contacts.filter(({ peerId }) => peerId.toString() !== self),
    '',
    0,
  )
  routingTableRefresh.afterStart = async () => {}
}

function bitAt(bytes: Uint8Array, index: number): number {
  return (bytes[index >> 3]! >> (7 - (index & 7))) & 1
}
