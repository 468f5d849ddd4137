/**
 * One libp2p host: what a peer needs of the network, behind ports that know nothing of libp2p.
 *
 * `createHost` builds and does not touch the network; register protocols, topics and handlers, then `start()`. A host that
 * was stopped is not started again.
 */
import { createLibp2p } from 'libp2p'
import type { Connection, IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'

import type { Bulletin, RecordRules } from '../../protocols/wire/bulletin.ts'
import type { Streams } from '../../protocols/wire/channel.ts'
import type { Gossip } from '../../protocols/wire/gossip.ts'
import { networkPattern } from '../../protocols/wire/network.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Clock, Log, Random } from '../environment.ts'
import { houseAt, networkAt, parseAddress } from './address.ts'
import { createBulletin } from './bulletin.ts'
import { configurationOf, type DhtOptions, type TransportFactory } from './configuration.ts'
import { memoryKeyValue, type KeyValue } from './datastore.ts'
import { answerOtherwise } from './dht-answers.ts'
import { createDialler } from './dialler.ts'
import { encrypterNamed, type EncrypterName } from './encrypters.ts'
import { HostError, asError } from './errors.ts'
import { createExplore } from './explore.ts'
import { createGater } from './gater.ts'
import { createGossip } from './gossip.ts'
import type { Identity } from './identity.ts'
import { limitsFor, type HostLimits, type Reach } from './limits.ts'
import { listenError } from './listen-error.ts'
import { watchNetworks } from './networks.ts'
import { ownNode, type MakeLibp2p } from './own-node.ts'
import { QuotaDatastore } from './quota-datastore.ts'
import { createRecordJudge } from './record-judge.ts'
import { createRedial } from './redial.ts'
import { createRelaying, type RelayCount, type RelayOptions, type RelayView } from './relaying.ts'
import { layRoutingTable } from './routing-table.ts'
import { memorySequenceFloors, type SequenceFloors } from './sequence-floors.ts'
import { stopWithin } from './stop-within.ts'
import { createStreams, type OnFault } from './streams.ts'
import type { HostWatch } from './watch.ts'
import { createWatchdog } from './watchdog.ts'

export interface HostOptions {
  /** Peers of different networks do not hear each other: part of the DHT's protocol and of every topic. */
  readonly network: string
  readonly reach: Reach
  /** Addresses to listen on, such as `/ip4/0.0.0.0/tcp/4117`; port 0 takes any that is free. None: only dials. */
  readonly listen: readonly string[]
  /** Addresses to announce beside those of our interfaces: where a router forwards to us. */
  readonly announce?: readonly string[]
  /** Addresses of peers to begin from. Dialled whatever the reach. */
  readonly bootstrap?: readonly string[]
  /** The namespaces of the bulletin. Records of any other are refused. */
  readonly records?: readonly RecordRules[]
  readonly limits?: Partial<HostLimits>
  readonly dht?: DhtOptions
  /** False: connections are encrypted with Noise alone. */
  readonly tls?: boolean
  /** Left out: no relay for others, and relays used when nothing of our own can be announced. */
  readonly relay?: RelayOptions | undefined
}

export interface HostEnvironment {
  readonly identity: Identity
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where what the host learns is kept. In memory when left out. */
  readonly store?: KeyValue
  /** The durable floors of sequence numbers. In memory when left out. */
  readonly floors?: SequenceFloors
  /** Called when a peer breaks a protocol on a stream that we answer. */
  readonly onFault?: OnFault
  /** What carries connections. TCP when left out. */
  readonly transport?: TransportFactory
  /** Makes the libp2p node in the place of `createLibp2p`, of the same options and more. */
  readonly libp2p?: MakeLibp2p
  /** Who measures this host. */
  readonly watch?: HostWatch
  /** Who counts what goes through relays. */
  readonly relayed?: RelayCount
}

export interface ConnectionView {
  readonly peer: PeerName
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
  readonly encrypter: EncrypterName | 'none'
  /** Milliseconds since the epoch. */
  readonly openedMs: number
  readonly roundTripMs: number | undefined
  /** As the other end says; undefined until it has. */
  readonly network: string | undefined
}

export interface PeerEvent {
  /** identified: its protocols are known, so that gossip and the DHT reach it. gone: the last connection to it closed. */
  readonly kind: 'connected' | 'identified' | 'gone'
  readonly peer: PeerName
}

/** "Connected" is not "ready": a message published without a mesh reaches nobody. What is ready is for others to say. */
export interface Readiness {
  readonly connections: number
  readonly meshDegrees: Readonly<Record<string, number>>
  readonly dhtTableSize: number
}

export interface Host {
  readonly peer: PeerName
  readonly streams: Streams
  readonly gossip: Gossip
  readonly bulletin: Bulletin
  /** Listens and begins to dial. Throws HostError PORT_IN_USE or LISTEN_FAILED; then nothing is left running. */
  start(): Promise<void>
  /** Resolves within `stopMs`, and a moment: what does not end by itself is cut off. Never rejects. */
  stop(): Promise<void>
  /** What we announce, each ending in `/p2p/<peer>`. */
  addresses(): string[]
  connections(): ConnectionView[]
  /** Where a connected peer is, or its relay when there is no direct connection: what one subscriber has of the Internet, an IPv4 address or a /64 of IPv6. */
  houseOf(peer: PeerName): string | undefined
  /** The network of a connected peer: a /24 of IPv4, or a /64 of IPv6. Undefined when it is not connected, or by name. */
  networkOf(peer: PeerName): string | undefined
  /** Dials what a person typed, whatever the reach. Resolves with who is there. Throws HostError ADDRESS_INVALID. */
  dial(address: string, signal: AbortSignal): Promise<PeerName>
  /** The returned function ends it. */
  onPeer(listener: (event: PeerEvent) => void): () => void
  readiness(): Readiness
  /** By which relays it is reached, and for whom it is one. */
  relaying(): RelayView
  /** With whom we exchange the messages of a topic in full. */
  meshPeers(topic: string): PeerName[]
}

export async function createHost(options: HostOptions, environment: HostEnvironment): Promise<Host> {
  const { network, reach } = options
  const { identity, clock, random, log } = environment
  if (!networkPattern.test(network)) {
    throw new HostError(
      'NETWORK_INVALID',
      `${network} cannot be the name of a network`,
      'use small letters, digits and -',
      { network },
    )
  }
  const limits = limitsFor(reach, options.limits)
  const bootstrap = (options.bootstrap ?? []).map((text) => parseAddress(text, 'bootstrap'))
  const listen = options.listen.map((text) => parseAddress(text, 'listen'))
  const announce = (options.announce ?? []).map((text) => parseAddress(text, 'announce'))

  const gater = createGater(reach, limits)
  for (const address of bootstrap) gater.trust(address)
  const judge = createRecordJudge(options.records ?? [], limits.recordBytesMax, clock)
  const floors = environment.floors ?? memorySequenceFloors()
  const store = environment.store ?? memoryKeyValue()
  const datastore = new QuotaDatastore({ store, self: identity.peer, judge, floors, limits, clock })
  const { dht = {}, tls = true } = options
  const { transport, watch } = environment
  const relaying = createRelaying(options.relay, transport === undefined, {
    reach,
    gater,
    limits,
    clock,
    random,
    log,
    count: environment.relayed,
  })
  const { relays, carrier } = relaying
  const parts = { datastore, judge, gater, transport, relays, carrier, watch }
  const settings = { network, reach, listen, announce, identity, limits, dht, tls, clock, ...parts }
  const node = await ownNode(environment.libp2p ?? createLibp2p, configurationOf(settings), identity)
  if (dht.answerer !== undefined) answerOtherwise(node.services.dht, dht.answerer, clock)
  if (dht.table !== undefined) layRoutingTable(node.services.dht, identity.peer, dht.table, clock.nowMs())

  const dialler = createDialler(node, limits, clock)
  const isUnmet = (peer: PeerId): boolean => !peer.equals(node.peerId) && node.getConnections(peer).length === 0
  const explore = createExplore(node.services.dht, random, isUnmet)
  const redial = createRedial({ node, bootstrap, dialler, explore, limits, clock, random, log })
  const networks = watchNetworks(node, network, log)
  const watchdog = createWatchdog({ node, dialler, limits, clock, log })
  // Who is behind a relay counts as where that is: it cannot be told from others there, and shares its fate.
  const placesOf = (peer: PeerName): Multiaddr[] =>
    node
      .getConnections(peerIdFromString(peer))
      .toSorted((one, other) => Number(other.direct) - Number(one.direct))
      .map(({ remoteAddr }) => remoteAddr)
  const ofRelays = relaying.begin(node, dialler)
  const gossip = createGossip(node.services.gossip, log, watch)
  const streams = createStreams({ node, limits, onFault: environment.onFault ?? (() => {}), clock, log })
  const isConnected = (peer: PeerName): boolean => node.getConnections(peerIdFromString(peer)).length > 0
  const bulletin = createBulletin({
    dht: node.services.dht,
    self: identity.peer,
    judge,
    floors,
    datastore,
    isConnected,
    watch,
  })

  return {
    peer: identity.peer,
    streams,
    gossip,
    bulletin,

    async start() {
      try {
        await node.start()
      } catch (error) {
        dialler.stop()
        networks.stop()
        throw await listenError(asError(error))
      }
      await ofRelays.start()
      gossip.start()
      redial.start()
      watchdog.start()
    },

    async stop() {
      redial.stop()
      ofRelays.stop()
      watchdog.stop()
      dialler.stop()
      networks.stop()
      streams.stop()
      await stopWithin(node, limits.stopMs, clock, log)
    },

    addresses: () => node.getMultiaddrs().map(String),
    connections: () =>
      node.getConnections().map((connection) => ({ ...viewOf(connection), network: networks.of(connection) })),
    houseOf: (peer) => placesOf(peer).map(houseAt)[0],
    networkOf: (peer) => placesOf(peer).map(networkAt)[0],

    async dial(text, signal) {
      const address = parseAddress(text, 'dial')
      gater.trust(address)
      const connection = await dialler.dial(address, signal)
      return connection.remotePeer.toString()
    },

    onPeer: (listener) => listenToPeers(node, listener),

    relaying: () => ofRelays.view(),

    meshPeers: (topic) => gossip.meshPeers(topic),

    readiness: () => ({
      connections: node.getConnections().length,
      meshDegrees: Object.fromEntries(gossip.topics.map((topic) => [topic, gossip.meshDegree(topic)])),
      dhtTableSize: node.services.dht.routingTable.size,
    }),
  }
}

function viewOf({
  remotePeer,
  remoteAddr,
  direction,
  encryption,
  timeline,
  rtt,
}: Connection): Omit<ConnectionView, 'network'> {
  return {
    peer: remotePeer.toString(),
    address: remoteAddr.toString(),
    direction,
    encrypter: encrypterNamed(encryption),
    openedMs: timeline.open,
    roundTripMs: rtt,
  }
}

function listenToPeers(
  node: Pick<Libp2p, 'addEventListener' | 'removeEventListener'>,
  listener: (event: PeerEvent) => void,
) {
  const connected = ({ detail }: CustomEvent<PeerId>): void => listener({ kind: 'connected', peer: detail.toString() })
  const identified = ({ detail }: CustomEvent<IdentifyResult>): void =>
    listener({ kind: 'identified', peer: detail.peerId.toString() })
  const gone = ({ detail }: CustomEvent<PeerId>): void => listener({ kind: 'gone', peer: detail.toString() })
  node.addEventListener('peer:connect', connected)
  node.addEventListener('peer:identify', identified)
  node.addEventListener('peer:disconnect', gone)
  return () => {
    node.removeEventListener('peer:connect', connected)
    node.removeEventListener('peer:identify', identified)
    node.removeEventListener('peer:disconnect', gone)
  }
}
