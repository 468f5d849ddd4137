/**
 * What carries the connections of live peers: a network of our own inside the process, with weather, or TCP of the machine,
 * as in production. Everything else of a peer is the same over either.
 */
import type { LiveSettings } from '../scenarios/schema.ts'
import type { HostLimits, Reach, TransportFactory } from '../../src/host/index.ts'
import type { Wire } from './measures/traffic.ts'
import type { LiveNet } from './transport.ts'

/** Where one peer is. */
export interface PeerPlace {
  /** No two peers have the same. */
  readonly ip: string
  /** What it listens at and is known by: a multiaddr without the peer at its end. */
  readonly address: string
}

export type CarrierName = LiveSettings['carrier']

export interface Carrier {
  readonly wire: Wire
  readonly name: CarrierName
  /** What the addresses of this carrier are to a peer. */
  readonly reach: Reach
  /** Where there is weather to be made; undefined where the machine's own network carries. */
  readonly net: LiveNet | undefined
  /** So many places, each kept free until a host begins there. A peer that is started again comes back to its own. */
  places(count: number): Promise<readonly PeerPlace[]>
  /** Places at which no host began are kept no longer. */
  close(): void
  /** What the host that begins at this place has in the place of its transport. */
  transport(place: PeerPlace, limits: HostLimits): TransportFactory
  /**
   * The host at this place ends at once, as a process that is killed: its connections break, nobody listens where it did, and whatever
   * is still in its hands dials in vain. Another host may take its place.
   */
  pull(place: PeerPlace): void
}
