/**
 * What a dishonest live peer is made of. It is put together as in production, with ports that misbehave: what it says goes out as
 * frames of the protocols, and it is production's code, at the other peers, that judges them.
 */
import type { Notary } from '../../../protocols/negotiate/index.ts'
import type { PeerName } from '../../../protocols/wire/index.ts'
import type { OfferOptions } from '../../../src/config/options.ts'
import type { Clock } from '../../../src/environment.ts'
import { createHost, type Answerer, type DhtPeer, type Host, type Identity } from '../../../src/host/index.ts'
import type { PeerPorts } from '../../../src/node/ports.ts'
import type { SeededRandom } from '../../random.ts'

export interface KnownPeer {
  readonly peer: PeerName
  readonly address: string
}

export interface ViceContext {
  readonly identity: Identity
  readonly network: string
  readonly random: SeededRandom
  readonly clock: Clock
  /** The other peers of the network, as they are now. */
  others(): readonly KnownPeer[]
  /** Those among them that the same operator runs. */
  accomplices(): readonly KnownPeer[]
  /** For whom alone it works, so that others do not come in the way of what it does to these. Null: for everybody. */
  readonly victims: (() => readonly PeerName[]) | null
}

export interface Vice {
  /** The ports of a peer that has it, from those of an honest one. Called once for each peer. */
  bend(ports: PeerPorts, context: ViceContext): PeerPorts
  /** What it says that it lends, if it lends. As an honest one when left out; but always cheaper, so that it gets work. */
  lends?(offer: OfferOptions): OfferOptions
  /** What it does on its own account once it runs, until the signal fires. Never rejects, and leaves no timer behind. */
  act?(host: Host, context: ViceContext, signal: AbortSignal): Promise<void>
}

export function notaryOf({ identity, network }: ViceContext): Notary {
  return { signer: identity.signer, network }
}

export function bendHost(ports: PeerPorts, bend: (host: Host) => Host): PeerPorts {
  const make = ports.createHost ?? createHost
  return { ...ports, createHost: async (options, environment) => bend(await make(options, environment)) }
}

export function bendDht(ports: PeerPorts, answerer: Answerer): PeerPorts {
  const make = ports.createHost ?? createHost
  return {
    ...ports,
    createHost: async (options, environment) => make({ ...options, dht: { ...options.dht, answerer } }, environment),
  }
}

export function dhtPeerOf({ peer, address }: KnownPeer): DhtPeer {
  return { peer, addresses: [address] }
}
