/** Everything that libp2p is told, in one place. Why each setting is what it is: limits.ts and README.md. */
import { identify, identifyPush, type Identify, type IdentifyPush } from '@libp2p/identify'
import {
  kadDHT,
  passthroughMapper,
  type PeerInfoMapper,
  type KadDHTComponents,
  type SingleKadDHT,
} from '@libp2p/kad-dht'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'

import type { Clock } from '../environment.ts'
import { isCircuit, isWithin, withoutPeer } from './address.ts'
import type { Carrier } from './carrier.ts'
import type { Answerer } from './dht-answers.ts'
import { encryptersInOrder, encryptersOf } from './encrypters.ts'
import type { Gater } from './gater.ts'
import { gossipService, type GossipSub } from './gossip.ts'
import type { Identity } from './identity.ts'
import type { HostLimits, Reach } from './limits.ts'
import { dhtProtocolOf } from './networks.ts'
import { announceOwnAddresses } from './own-addresses.ts'
import type { QuotaDatastore } from './quota-datastore.ts'
import type { RecordJudge } from './record-judge.ts'
import type { RelayTransport } from './relay-transport.ts'
import type { Contact } from './routing-table.ts'
import { silentLogger } from './silent-logger.ts'
import { trafficMetrics } from './traffic-metrics.ts'
import type { HostWatch } from './watch.ts'

/** What libp2p takes in its list of transports. */
export type TransportFactory = NonNullable<Libp2pOptions['transports']>[number]

/** What a host has that is given no other transport. */
export function tcpTransport({ connectionsMax, inboundPendingMax }: HostLimits): TransportFactory {
  return tcp({ maxConnections: connectionsMax + inboundPendingMax })
}

/** How the DHT works. What is left out is as kad-dht has it. */
export interface DhtOptions {
  /** Peers in a bucket of the routing table, and so also those that store a record. kad-dht has 20. */
  readonly bucketPeersMax?: number
  /** The routing table, given instead of found: see routing-table.ts. */
  readonly table?: readonly Contact[]
  /** What is answered in the place of kad-dht's answer: see dht-answers.ts. */
  readonly answerer?: Answerer
}

/** A type and not an interface: libp2p wants an index signature, which only types have. */
export type Services = {
  readonly gossip: GossipSub
  readonly dht: SingleKadDHT
  readonly ping: Ping
  readonly identify: Identify
  readonly identifyPush: IdentifyPush
  readonly ownAddresses: object
  readonly carrier?: object
}

export interface NodeSettings {
  readonly network: string
  readonly reach: Reach
  readonly listen: readonly Multiaddr[]
  readonly announce: readonly Multiaddr[]
  readonly identity: Identity
  readonly datastore: QuotaDatastore
  readonly judge: RecordJudge
  readonly gater: Gater
  readonly limits: HostLimits
  readonly dht: DhtOptions
  readonly tls: boolean
  /** TCP when left out. */
  readonly transport: TransportFactory | undefined
  /** Dials through relays, and listens on them. */
  readonly relays: RelayTransport | undefined
  /** Serves as a relay. */
  readonly carrier: Carrier | undefined
  readonly watch: HostWatch | undefined
  readonly clock: Clock
}

/** Longer than any run, and what a timer takes at most. */
const neverMs = 2 ** 31 - 1

/** kad-dht's own goes through forty ranges in JavaScript for each address; and what the gater would not dial is not public. */
const onlyPublicAddresses: PeerInfoMapper = (peer) => ({
  ...peer,
  multiaddrs: peer.multiaddrs.filter((address) => isWithin('public', address)),
})

export function configurationOf(settings: NodeSettings): Libp2pOptions<Services> {
  const { network, reach, listen, announce, identity, datastore, judge, gater, limits, tls, watch } = settings
  const { transport, relays, carrier, clock } = settings
  const { bucketPeersMax, table } = settings.dht
  const traffic = watch?.traffic
  const announced = new Set(announce.map(withoutPeer))
  return {
    start: false,
    privateKey: identity.privateKey,
    // Peers need not know which Node runs here.
    nodeInfo: { name: 'pleach', userAgent: 'pleach' },
    logger: silentLogger,
    ...(traffic === undefined ? {} : { metrics: trafficMetrics(traffic) }),
    datastore,
    addresses: {
      listen: listen.map(String),
      appendAnnounce: [...announced],
      announceFilter: (addresses) => {
        const known = addresses.filter((address) => announced.has(withoutPeer(address)) || isWithin(reach, address))
        // A relay says how many addresses it has, and whoever dials us tries no more than so many.
        const through = known.filter(isCircuit).slice(0, limits.addressesPerPeerMax)
        return [...known.filter((address) => !isCircuit(address)), ...through]
      },
    },
    transports: [transport ?? tcpTransport(limits), ...(relays === undefined ? [] : [relays.factory])],
    connectionEncrypters: encryptersOf(tls ? encryptersInOrder : ['noise'], {
      clock,
      onWire: traffic === undefined ? undefined : (bytes) => traffic.onWire(bytes),
    }),
    streamMuxers: [
      yamux({
        maxInboundStreams: limits.streamsPerConnectionMax,
        maxOutboundStreams: limits.streamsPerConnectionMax,
        streamOptions: {
          initialStreamWindowSize: limits.streamWindowBytes,
          maxStreamWindowSize: limits.streamWindowBytesMax,
          maxReadBufferLength: limits.streamReadBufferBytesMax,
          maxWriteBufferLength: limits.streamWriteBufferBytesMax,
        },
      }),
    ],
    connectionGater: { ...gater, ...carrier?.gates },
    connectionManager: {
      maxConnections: limits.connectionsMax,
      maxParallelDials: limits.dialsMax,
      maxPeerAddrsToDial: limits.addressesPerPeerMax,
      dialTimeout: limits.dialMs,
      addressDialTimeout: limits.addressDialMs,
      inboundUpgradeTimeout: limits.inboundHandshakeMs,
      inboundStreamProtocolNegotiationTimeout: limits.streamNegotiationMs,
      outboundStreamProtocolNegotiationTimeout: limits.streamNegotiationMs,
      inboundConnectionThreshold: limits.inboundPerIpPerSecondMax,
      maxIncomingPendingConnections: limits.inboundPendingMax,
      // A /dnsaddr in an answer of the DHT would make us ask the name server of whoever put it there.
      resolvers: {},
    },
    connectionMonitor: { pingInterval: limits.pingEveryMs, pingTimeout: { minTimeout: limits.pingMs } },
    peerStore: { maxAddressAge: limits.addressAgeMsMax, maxPeerAge: limits.addressAgeMsMax },
    services: {
      ownAddresses: announceOwnAddresses(reach),
      identify: identify({ timeout: limits.identifyMs }),
      identifyPush: identifyPush({ timeout: limits.identifyMs }),
      ping: ping(),
      dht: kadDHT({
        protocol: dhtProtocolOf(network),
        // Otherwise it waits to see a public address of ours before it answers anybody.
        clientMode: false,
        // Otherwise look-ups hang until a first peer is in the table.
        allowQueryWithZeroPeers: true,
        ...(bucketPeersMax === undefined ? {} : { kBucketSize: bucketPeersMax }),
        // Looks for our own neighbourhood, to fill the table.
        ...(table === undefined ? {} : { initialQuerySelfInterval: neverMs }),
        peerInfoMapper: reach === 'public' ? onlyPublicAddresses : passthroughMapper,
        validators: judge.validators,
        selectors: judge.selectors,
      }) as (components: KadDHTComponents) => SingleKadDHT,
      gossip: gossipService(network, reach, limits, watch),
      ...(carrier === undefined ? {} : { carrier: carrier.service }),
    },
  }
}
