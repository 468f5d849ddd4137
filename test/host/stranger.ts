// Another peer, made of the same libraries, that checks nothing and may say anything.

import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper, type KadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'

import type { EncrypterName } from '../../src/host/encrypters.ts'
import { gossipService, type GossipSub } from '../../src/host/gossip.ts'
import { limitsFor } from '../../src/host/limits.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'
import { network } from './network.ts'

const anyNamespace = ['numbered', 'constructor', 'toString', '__proto__', 'free']

/** Without what our hosts put around them, or in their place. */
const bare = { noise, tls } as const

/** libp2p as it comes, which checks nothing of ours. */
export type Stranger = Libp2p<{ dht: KadDHT; gossip: GossipSub; identify: ReturnType<ReturnType<typeof identify>> }>
export const stranger = async (
  encrypters: readonly EncrypterName[] = ['noise'],
  of: string = network,
): Promise<Stranger> =>
  (await createLibp2p({
    logger: silentLogger,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: encrypters.map((name) => bare[name]()),
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        protocol: `/pleach/${of}/kad/1`,
        clientMode: false,
        allowQueryWithZeroPeers: true,
        peerInfoMapper: passthroughMapper,
        validators: Object.fromEntries(anyNamespace.map((name) => [name, () => {}])),
        selectors: Object.fromEntries(anyNamespace.map((name) => [name, () => 0])),
      }),
      // It takes and gives any topic.
      gossip: (components) =>
        Object.assign(gossipService(of, 'loopback', limitsFor('loopback'))(components), { allowedTopics: null }),
    },
  })) as unknown as Stranger
