/**
 * What a protocol service needs of a stream: whole frames, both ways, with back-pressure and a way to give up.
 *
 * Implemented over libp2p in `src/host/channel.ts`, over the model network in `sim/`, and by a joined pair in tests.
 */
import type { PeerName } from './peer.ts'

export interface Channel {
  /** The authenticated other end. */
  readonly remote: PeerName
  /** The next frame, or undefined once the other side has closed cleanly. Rejects with a Fault, or when `signal` fires. */
  read(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Resolves once the frame may be followed by another (back-pressure), not once it has arrived. */
  write(frame: Uint8Array, signal: AbortSignal): Promise<void>
  /** Closes our side cleanly after what was written has been sent. */
  close(signal: AbortSignal): Promise<void>
  /** Ends both sides at once. Never throws. */
  abort(reason: Error): void
}

export interface ProtocolLimits {
  /** Longest frame either side may send, in bytes. */
  readonly frameBytesMax: number
  /** Streams of this protocol that one peer may have open towards us. */
  readonly streamsPerPeerMax: number
  /** What the other side may send before we have read it, in bytes, where bulk comes; left out: what streams have at first. */
  readonly windowBytes?: number
}

/** Opens and answers streams. A stream whose handler rejects with a Fault is aborted and costs the peer standing. */
export interface Streams {
  open(peer: PeerName, protocol: string, limits: ProtocolLimits, signal: AbortSignal): Promise<Channel>
  handle(protocol: string, limits: ProtocolLimits, handler: (channel: Channel) => Promise<void>): Promise<void>
}
