/**
 * Every limit of a host, with its unit in its name and its reason beside it. "Measured" means on a machine of two cores.
 */

/** How far a host's network reaches: which addresses it dials on the word of others, and what it announces. */
export type Reach = 'public' | 'lan' | 'loopback'

export interface HostLimits {
  /** Below this many connections the host keeps dialling addresses it knows. A gossip mesh wants 6, and some will leave. */
  readonly connectionsMin: number
  /** Above this, inbound connections are refused and the least useful ones closed. About 0.4 MiB each. */
  readonly connectionsMax: number

  /**
   * Inbound connections of one IP address in a second. libp2p's 5 refuses the twelfth of twelve peers behind one address;
   * on loopback every peer of a devnet is one address.
   */
  readonly inboundPerIpPerSecondMax: number
  /** Inbound connections that have not finished their handshake. With libp2p's 10, four idle sockets a second shut everyone out. */
  readonly inboundPendingMax: number
  /** The same of one IP address: with 8, honest dials got through against 200 connections a second of one host (measured). */
  readonly inboundPendingPerIpMax: number
  /** Time an inbound handshake may take. An honest one takes two round trips; the less, the fewer a hoarder can hold. */
  readonly inboundHandshakeMs: number

  /** A dial, with every address of the peer and the handshake. */
  readonly dialMs: number
  /** A dial of one address, so that a dead one leaves time for the others. */
  readonly addressDialMs: number
  /** Addresses of one peer that are tried: each costs a socket, and whoever announces them chooses how many. */
  readonly addressesPerPeerMax: number
  /** Dials at once by libp2p for DHT look-ups and streams. */
  readonly dialsMax: number
  /**
   * Dials at once by this host on its own account; the next waits until the last one's identify is through. Without this,
   * identify runs out of time under load, and the peer is connected but never joins gossip.
   */
  readonly pacedDialsMax: number
  /** How long identify may take. libp2p's 5 s fails without a word on a busy machine. */
  readonly identifyMs: number
  /** Negotiating the protocol of a stream: two round trips. */
  readonly streamNegotiationMs: number
  /** Between pings of a connection, for its round trip and to notice that it is dead. */
  readonly pingEveryMs: number
  /** A ping may take this long before the connection is given up; more than a garbage collection or a busy second. */
  readonly pingMs: number

  /** Streams open on one connection, each way, over all protocols. yamux allows 1,000. */
  readonly streamsPerConnectionMax: number
  /** What a peer may send on a stream before we say more: yamux's smallest. It grows while the reader keeps up… */
  readonly streamWindowBytes: number
  /** …up to this: 10 MB/s over 100 ms on each stream. */
  readonly streamWindowBytesMax: number
  /** Bytes libp2p holds of a paused stream. Must be at least the largest window, or back-pressure aborts the stream. */
  readonly streamReadBufferBytesMax: number
  /** Bytes libp2p holds that we sent and the peer does not take, before it aborts the stream. */
  readonly streamWriteBufferBytesMax: number
  /** Bytes a channel holds before it pauses its stream. Beside it there may be one window that was already granted. */
  readonly channelQueueBytesMax: number
  /** After a handler is done, how long the other side may take to close before the stream is aborted. */
  readonly streamLingerMs: number

  /** One gossip RPC: several messages of at most a few KiB, and control. */
  readonly gossipRpcBytesMax: number
  /** Gossip bytes waiting for a slow peer before its stream is aborted. */
  readonly gossipWriteBufferBytesMax: number
  /** Peers of one IP address before gossip marks them down. Only where the network is public: see gossip.ts. */
  readonly gossipPeersPerIpMax: number
  /** How long a peer may be connected without a gossip stream before it is redialled; doubles each time. */
  readonly gossipStreamMissingMs: number

  /** Longest value of a record in the DHT, whatever its namespace allows. */
  readonly recordBytesMax: number
  /** Records of others that we keep, and their bytes. When full, those nearest to us in the DHT's own measure stay. */
  readonly recordsMax: number
  readonly recordsBytesMax: number
  /** Of these, by one author: without it one peer stored 229 records of 1 MB in 8 s (measured). */
  readonly recordsPerAuthorMax: number
  /** How long a record is kept; kad-dht serves none that is older. */
  readonly recordAgeMsMax: number
  /** Adverts (provider records) of others that we keep, and of these by one peer. */
  readonly advertsMax: number
  readonly advertsPerPeerMax: number
  /** Peers in the peer store: any answer of the DHT may name twenty that do not exist. */
  readonly peersKnownMax: number
  /** How long an address is believed. libp2p's hour is shorter than the 48 h of an advert, whose provider then drops out of answers. */
  readonly addressAgeMsMax: number

  /** First pause before a failed address is dialled again; doubles, with jitter of a half… */
  readonly redialAfterMs: number
  /** …up to this. */
  readonly redialAfterMsMax: number
  /** A connection that lasts this long has its failures forgiven. */
  readonly redialForgiveMs: number
  /** Asking the DHT for peers that were not met yet: some round trips, and dials. */
  readonly exploreMs: number
  /** Between two looks at what could be dialled or has lost its gossip stream. */
  readonly lookEveryMs: number

  /** Relays that a host uses that cannot be dialled: when one goes away it is still reached by the other. */
  readonly relaysMax: number
  /** Asking a relay to carry for us: a dial, and one question. */
  readonly reserveMs: number
  /** First pause before a relay is asked again that declined or went away; doubles… */
  readonly reserveAgainAfterMs: number
  /** …up to this. */
  readonly reserveAgainAfterMsMax: number

  /** Peers that a relay carries for at once. Each costs it a connection that is kept. */
  readonly reservationsMax: number
  /** Of these, at one address. Only where the network is public: elsewhere all may have one. */
  readonly reservationsPerHouseMax: number
  /** For how long one holds; it is renewed five minutes before. */
  readonly reservationMs: number
  /** Connections that go through a relay at once: each way it may hold a window of each (1 MiB), and mostly a few KiB. */
  readonly circuitsMax: number
  /** Of these, to one that it carries for, and by one that dials. */
  readonly circuitsPerHolderMax: number
  readonly circuitsPerCallerMax: number
  /** What one of them may carry, and for how long, before both ends have to dial again. */
  readonly circuitBytesMax: number
  readonly circuitMsMax: number
  /** All that a relay carries in a second; half of it for one that it carries for. */
  readonly relayedBytesPerSecondMax: number

  /** Time a stop may take before what is left is cut off. */
  readonly stopMs: number
}

const kib = 1024
const mib = 1024 * kib
const second = 1000
const hour = 3600 * second

const publicLimits: HostLimits = {
  connectionsMin: 8,
  connectionsMax: 256,
  inboundPerIpPerSecondMax: 32,
  inboundPendingMax: 256,
  inboundPendingPerIpMax: 8,
  inboundHandshakeMs: 3 * second,
  dialMs: 10 * second,
  addressDialMs: 5 * second,
  addressesPerPeerMax: 8,
  dialsMax: 32,
  pacedDialsMax: 4,
  identifyMs: 15 * second,
  streamNegotiationMs: 10 * second,
  pingEveryMs: 30 * second,
  pingMs: 15 * second,
  streamsPerConnectionMax: 64,
  streamWindowBytes: 256 * kib,
  streamWindowBytesMax: mib,
  streamReadBufferBytesMax: mib + 64 * kib,
  streamWriteBufferBytesMax: 4 * mib,
  channelQueueBytesMax: 256 * kib,
  streamLingerMs: 5 * second,
  gossipRpcBytesMax: 256 * kib,
  gossipWriteBufferBytesMax: mib,
  gossipPeersPerIpMax: 32,
  gossipStreamMissingMs: 20 * second,
  recordBytesMax: 4 * kib,
  recordsMax: 4096,
  recordsBytesMax: 8 * mib,
  recordsPerAuthorMax: 64,
  recordAgeMsMax: 48 * hour,
  advertsMax: 16_384,
  advertsPerPeerMax: 64,
  peersKnownMax: 4096,
  addressAgeMsMax: 48 * hour,
  redialAfterMs: second / 2,
  redialAfterMsMax: 60 * second,
  redialForgiveMs: 30 * second,
  exploreMs: 15 * second,
  lookEveryMs: 5 * second,
  relaysMax: 2,
  reserveMs: 10 * second,
  reserveAgainAfterMs: 5 * second,
  reserveAgainAfterMsMax: 300 * second,
  reservationsMax: 32,
  reservationsPerHouseMax: 8,
  reservationMs: hour,
  circuitsMax: 128,
  circuitsPerHolderMax: 32,
  circuitsPerCallerMax: 16,
  circuitBytesMax: 4 * 1024 * mib,
  circuitMsMax: 24 * hour,
  relayedBytesPerSecondMax: 4 * mib,
  stopMs: 5 * second,
}

/** What differs where all peers, or many, have one address: a limit per address would be a limit for everyone. */
const sharedAddress: Partial<HostLimits> = { inboundPerIpPerSecondMax: 1024, inboundPendingPerIpMax: 256 }

/** The limits of a host of this reach, with what its owner changed. */
export function limitsFor(reach: Reach, changed: Partial<HostLimits> = {}): HostLimits {
  const limits = { ...publicLimits, ...(reach === 'loopback' ? sharedAddress : {}), ...changed }
  if (limits.streamReadBufferBytesMax < limits.streamWindowBytesMax) {
    throw new RangeError('streamReadBufferBytesMax is below streamWindowBytesMax: paused streams would be aborted')
  }
  return limits
}
