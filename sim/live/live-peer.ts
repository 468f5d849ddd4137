/** One peer of a live world: production's own, on our network, and what is heard and stored there is noted down. */
import type { Gossip, PeerName, Bulletin } from '../../protocols/wire/index.ts'
import type { OfferOptions } from '../../src/config/options.ts'
import type { PeerControl } from '../../src/control/api.ts'
import { createHost, limitsFor, type Contact, type Host, type HostLimits, type Identity } from '../../src/host/index.ts'
import type { Peer } from '../../src/node.ts'
import type { PeerPorts } from '../../src/node/ports.ts'
import type { Carrier, PeerPlace } from './carrier.ts'
import { act, offerOf, withVice, type LiveVice, type ViceContext } from './vices/index.ts'

/**
 * Peers of a bucket, and so also those that store a record. Each costs whoever publishes a connection, and that is what a
 * host costs most; kad-dht's 20 are for networks in which most of them are gone by the time one asks.
 */
const bucketPeersMax = 6
/** Fewer connections, rarer looks for more, and rarer pings than production's: all peers share a processor. */
const changedLimits: Partial<HostLimits> = { connectionsMin: 4, lookEveryMs: 15_000, pingEveryMs: 120_000 }
const hour = 3_600_000

export interface LivePeerInit {
  readonly index: number
  readonly place: PeerPlace
  readonly lends: boolean
  readonly identity: Identity
  /** Null when it is honest. */
  readonly vice: LiveVice | null
}

export class LivePeer {
  readonly index: number
  readonly place: PeerPlace
  readonly lends: boolean
  readonly identity: Identity
  readonly vice: LiveVice | null
  /** Called with every message of gossip that this peer accepts. */
  onHeard: (message: Uint8Array) => void = () => {}
  /** Whether others acknowledged this peer's record. */
  recordIsOut = false
  #host: Host | undefined
  #peer: Peer | undefined
  readonly #stopping = new AbortController()
  #acting: Promise<void> | undefined

  constructor({ index, place, lends, identity, vice }: LivePeerInit) {
    this.index = index
    this.place = place
    this.lends = lends
    this.identity = identity
    this.vice = vice
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
    const honest: OfferOptions = {
      cpuMilli: 2_000,
      memoryBytes: 2 ** 32,
      keepBytes: 10 ** 9,
      cpuHourMicro: 1_000_000,
      unit: 'credit',
      wallMsMax: hour,
    }
    return this.vice === null ? honest : offerOf(this.vice, honest)
  }

  get control(): PeerControl {
    if (this.#peer === undefined) throw new Error('the peer does not run yet')
    return this.#peer.control
  }

  /** The ports of this peer, bent when it has a vice. */
  ports(honest: PeerPorts, context: ViceContext): PeerPorts {
    return this.vice === null ? honest : withVice(this.vice, honest, context)
  }

  /** For the composition root: its host, on what carries this world. Without a table, it is left to find its own. */
  hostOn(carrier: Carrier, table?: readonly Contact[]): typeof createHost {
    const transport = carrier.transport(this.place, limitsFor(carrier.reach, changedLimits))
    return async (options, environment) => {
      const host = await createHost(
        {
          ...options,
          limits: changedLimits,
          dht: { bucketPeersMax, ...(table === undefined ? {} : { table }), ...options.dht },
        },
        { ...environment, ...(transport === undefined ? {} : { transport }) },
      )
      this.#host = host
      return { ...host, gossip: this.#listening(host.gossip), bulletin: this.#noting(host.bulletin) }
    }
  }

  runs(peer: Peer): void {
    this.#peer = peer
  }

  /** Lets its vice do what it does on its own account, until it stops. */
  acts(context: ViceContext): void {
    if (this.vice !== null) this.#acting = act(this.vice, this.host, context, this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the peer stops'))
    await this.#acting
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
