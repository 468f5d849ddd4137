/** Who measures a host is told of what it hears and asks. Called in the midst of it: a watch is quick, and throws nothing. */
import type { Verdict } from '../../protocols/wire/gossip.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'

/** The first copy of a message of gossip that came. */
export interface FirstCopy {
  readonly topic: string
  readonly author: PeerName
  /** The neighbour that sent it. */
  readonly from: PeerName
  readonly message: Uint8Array
  /** Only what is accepted is passed on. */
  readonly verdict: Verdict
}

export type QueryKind = 'put' | 'get' | 'advertise' | 'find'

/** Of one query of the DHT. */
export interface QueryWatch {
  /** A request was sent to some peer. */
  onRequest(): void
  /** One of them, or the dial before it, came to nothing. */
  onFailure(): void
  onEnd(): void
}

/** What a host sends. */
export interface TrafficWatch {
  /** On a stream of this protocol; as the protocol said it, before it was framed and encrypted. */
  onSent(protocol: string, bytes: number): void
  /** The host took a stream that another opened. */
  onTaken(protocol: string): void
  /** On a connection, everything included. */
  onWire(bytes: number): void
}

export interface HostWatch {
  /** Left out, nothing is counted; there must be one from the beginning, since connections and streams are watched one by one. */
  readonly traffic?: TrafficWatch | undefined
  /** We announce something ourselves. */
  onPublish(topic: string, message: Uint8Array): void
  /** A message came, for the first time or once more. `name` is the same for all copies of what was announced once. */
  onCopy(name: string): void
  onFirst(name: string, copy: FirstCopy): void
  onQuery(kind: QueryKind, key: Uint8Array): QueryWatch
}
