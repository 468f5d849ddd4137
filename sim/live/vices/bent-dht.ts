/** A host that answers for the DHT otherwise. */
import { multiaddr } from '@multiformats/multiaddr'

import { contactOf, type DhtAnswer, type DhtPeer } from '../../../src/host/index.ts'
import { createHost } from '../../../src/host/index.ts'
import type { PeerPorts } from '../../../src/node/ports.ts'
import type { KnownPeer } from './vice.ts'

export function bendDht(ports: PeerPorts, answer: DhtAnswer): PeerPorts {
  const make = ports.createHost ?? createHost
  return {
    ...ports,
    createHost: async (options, environment) => make({ ...options, dht: { ...options.dht, answer } }, environment),
  }
}

export function dhtPeer({ peer, address }: KnownPeer): DhtPeer {
  return { id: contactOf(peer).peerId.toMultihash().bytes, multiaddrs: [multiaddr(address).bytes] }
}
