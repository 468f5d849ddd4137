/** One peer of a live world: production's own, on our network, and what is heard and stored there is noted down. */
import type { Gossip, PeerName, Bulletin } from '../../protocols/wire/index.ts'
import type { OfferOptions } from '../../src/config/options.ts'
import { createHost, limitsFor, type Contact, type Host, type HostLimits, type Identity } from '../../src/host/index.ts'
import type { Peer } from '../../src/node.ts'
import type { Carrier, PeerPlace } from './carrier.ts'

/**
 * Peers of a bucket, and so also those that store a record. Each costs whoever publishes a connection, and that is what a
 * host costs most; kad-dht's 20 are for networks in which most of them are gone by the time one asks.
 */
const bucketPeersMax = 6
/** Fewer connections, rarer looks for more, and rarer pings than production's: all peers share a processor. Not in a cold boot. */
const changedLimits: Partial<HostLimits> = { connectionsMin: 4, lookEveryMs: 15_000, pingEveryMs: 120_000 }
const hour = 3_600_000

export interface LivePeerInit {
  readonly index: number
  readonly place: PeerPlace
  readonly lends: boolean
  readonly identity: Identity
}

export class LivePeer {
  readonly index: number
  readonly place: PeerPlace
  readonly lends: boolean
  readonly identity: Identity
  /** Called with every message of gossip that this peer accepts. */
  onHeard: (message: Uint8Array) => void = () => {}
  /** Whether others acknowledged this peer's record. */
  recordIsOut = false
  #host: Host | undefined
  #peer: Peer | undefined

  constructor({ index, place, lends, identity }: LivePeerInit) {
    this.index = index
    this.place = place
    this.lends = lends
    this.identity = identity
  }

  get name(): PeerName {
    return this.identity.peer
  }

  /** The host as the network made it, below what notes down. */
  get host(): Host {
    if (this.#host === undefined) throw new Error('the peer has no host yet')
    return this.#host
  }

  get offer(): OfferOptions | null {
    if (!this.lends) return null
    return {
      cpuMilli: 2_000,
      memoryBytes: 2 ** 32,
      keepBytes: 10 ** 9,
      cpuHourMicro: 1_000_000,
      unit: 'credit',
      wallMsMax: hour,
    }
  }

  /** For the composition root: its host, on what carries this world. Without a table it is to find its own, by production's limits. */
  hostOn(carrier: Carrier, table?: readonly Contact[]): typeof createHost {
    const limits = table === undefined ? {} : changedLimits
    const transport = carrier.transport(this.place, limitsFor(carrier.reach, limits))
    return async (options, environment) => {
      const host = await createHost(
        { ...options, limits, dht: { bucketPeersMax, ...(table === undefined ? {} : { table }) } },
        { ...environment, ...(transport === undefined ? {} : { transport }) },
      )
      this.#host = host
      return { ...host, gossip: this.#listening(host.gossip), bulletin: this.#noting(host.bulletin) }
    }
  }

  runs(peer: Peer): void {
    this.#peer = peer
  }

  async stop(): Promise<void> {
    await this.#peer?.stop()
  }

  #listening(gossip: Gossip): Gossip {
    return {
      publish: async (topic, message) => gossip.publish(topic, message),
      meshDegree: (topic) => gossip.meshDegree(topic),
      subscribe: (topic, handler) =>
        gossip.subscribe(topic, {
          messageBytesMax: handler.messageBytesMax,
          judge: (author, message) => handler.judge(author, message),
          deliver: (author, message) => {
            this.onHeard(message)
            handler.deliver(author, message)
          },
        }),
    }
  }

  #noting(bulletin: Bulletin): Bulletin {
    return {
      ...bulletin,
      put: async (...record) => {
        const acknowledged = await bulletin.put(...record)
        if (acknowledged > 0) this.recordIsOut = true
        return acknowledged
      },
    }
  }
}
