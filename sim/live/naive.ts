/**
 * What one has without this project: libp2p put together of its own parts as they come, so many times in one process. For
 * comparison, and measured as live peers are.
 *
 * Other than as it comes is only what loopback would break: a DHT that answers and keeps private addresses, gossip that does
 * not count peers of one IP address, and no bound on connections a second from there. Whoever dials the first, or provides, has
 * some tries, for the sake of busy machines.
 */
import { gossipsub, type GossipSub } from '@libp2p/gossipsub'
import { identify, type Identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper, type KadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'

import { sha256 } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import type { SeededRandom } from '../random.ts'
import { inTurn, pause, until } from './waits.ts'

type Services = {
  readonly identify: Identify
  readonly ping: Ping
  readonly dht: KadDHT
  readonly gossip: GossipSub
}

export type NaiveNode = Libp2p<Services>

const topic = 'naive'
const startingMax = 8
const dialsMax = 5
const dialWithinMs = 30_000
const providesMax = 3
const provideWithinMs = 20_000
const lookUpWithinMs = 10_000
const lookUpsAtOnce = 4
const messageBytes = 200
const messageEveryMs = 500
const messagesWithinMs = 5_000
const stopWithinMs = 10_000

export class NaiveWorld {
  readonly nodes: NaiveNode[] = []
  /** Numbers of the nodes whose provider record somebody took. */
  readonly providers: number[] = []

  /** Resolves when all have started and have dialled the first. One in `providesOneIn` has said what it provides. */
  static async boot(count: number, providesOneIn: number): Promise<NaiveWorld> {
    const world = new NaiveWorld()
    try {
      const first = await world.#start(undefined)
      await inTurn(Array(count - 1).keys(), startingMax, async () => void (await world.#start(first)))
      await inTurn(
        world.nodes.keys().filter((index) => index % providesOneIn === 0),
        startingMax,
        async (index) => world.#provide(index),
      )
      return world
    } catch (error) {
      await world.stop()
      throw error
    }
  }

  get meshDegreeMin(): number {
    return Math.min(...this.nodes.map(({ services }) => meshPeersOf(services.gossip).length))
  }

  /** Whether every node came to have so many mesh neighbours in time. */
  async waitForMesh(degree: number, withinMs: number): Promise<boolean> {
    return until(() => this.meshDegreeMin >= degree, withinMs)
  }

  /** Share of the nodes that heard of a message, its author aside, over so many messages of nodes that chance picks. */
  async coverage(messages: number, random: SeededRandom): Promise<number> {
    const published = new Set<string>()
    const heard = new Set<string>()
    const listeners = this.nodes.map(({ services }, index) => {
      const listener = ({ detail }: CustomEvent<{ data: Uint8Array }>): void => {
        const message = Buffer.from(detail.data).toString('latin1')
        if (published.has(message)) heard.add(`${index} ${message}`)
      }
      services.gossip.addEventListener('message', listener)
      return () => services.gossip.removeEventListener('message', listener)
    })
    const authors = new Set<string>()
    for (let index = 0; index < messages; index++) {
      const author = random.between(0, this.nodes.length - 1)
      const bytes = random.bytes(messageBytes)
      const message = Buffer.from(bytes).toString('latin1')
      published.add(message)
      authors.add(`${author} ${message}`)
      // Without neighbours there is nobody to publish to, and that is an error of gossipsub's.
      await this.nodes[author]!.services.gossip.publish(topic, bytes).catch(() => {})
      await pause(messageEveryMs)
    }
    const expected = messages * (this.nodes.length - 1)
    const byOthers = (): number => [...heard].reduce((sum, key) => sum + Number(!authors.has(key)), 0)
    await until(() => byOthers() >= expected, messagesWithinMs)
    for (const remove of listeners) remove()
    return expected === 0 ? 1 : byOthers() / expected
  }

  /** Share of so many look-ups, by nodes that chance picks, that found whoever provides. */
  async hitRate(lookUps: number, providesOneIn: number, random: SeededRandom): Promise<number> {
    const wanted = this.nodes.keys().filter((index) => index % providesOneIn === 0)
    const targets = [...wanted]
    let found = 0
    await inTurn(Array(lookUps).keys(), lookUpsAtOnce, async () => {
      const target = random.pick(targets)
      const asker = random.pick(this.nodes.filter((node) => node !== this.nodes[target]))
      if (await this.#isFound(asker, target)) found += 1
    })
    return lookUps === 0 ? 1 : found / lookUps
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.nodes.map(async (node) => {
        using deadline = realClock.deadline(stopWithinMs)
        const { promise, resolve } = Promise.withResolvers<void>()
        deadline.signal.addEventListener('abort', () => resolve())
        await Promise.race([Promise.resolve(node.stop()).catch(() => {}), promise])
      }),
    )
  }

  async #start(first: NaiveNode | undefined): Promise<NaiveNode> {
    const node = await createLibp2p<Services>({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionManager: { inboundConnectionThreshold: Infinity },
      services: {
        identify: identify(),
        ping: ping(),
        dht: kadDHT({ clientMode: false, peerInfoMapper: passthroughMapper }),
        gossip: gossipsub({ scoreParams: { IPColocationFactorWeight: 0 } }),
      },
    })
    this.nodes.push(node)
    node.services.gossip.subscribe(topic)
    if (first !== undefined) await dial(node, first)
    return node
  }

  async #provide(index: number): Promise<void> {
    const { dht } = this.nodes[index]!.services
    for (let tries = 0; tries < providesMax; tries++) {
      using deadline = realClock.deadline(provideWithinMs)
      let taken = 0
      try {
        for await (const { name } of dht.provide(keyOf(index), { signal: deadline.signal }))
          if (name === 'PEER_RESPONSE') taken += 1
      } catch {
        // Tried again.
      }
      if (taken === 0) continue
      this.providers.push(index)
      return
    }
  }

  async #isFound(asker: NaiveNode, target: number): Promise<boolean> {
    const { peerId } = this.nodes[target]!
    using deadline = realClock.deadline(lookUpWithinMs)
    try {
      for await (const event of asker.services.dht.findProviders(keyOf(target), { signal: deadline.signal })) {
        if (event.name === 'PROVIDER' && event.providers.some(({ id }) => id.equals(peerId))) return true
      }
    } catch {
      // Not found in time.
    }
    return false
  }
}

/** Rejects with the last reason when none of its tries was of use. */
async function dial(node: NaiveNode, first: NaiveNode): Promise<void> {
  for (let tries = 1; ; tries++) {
    using deadline = realClock.deadline(dialWithinMs)
    try {
      await node.dial(first.getMultiaddrs(), { signal: deadline.signal })
      return
    } catch (error) {
      if (tries === dialsMax) throw error
    }
  }
}

/** Not in its interface. */
function meshPeersOf(gossip: GossipSub): string[] {
  return (gossip as unknown as { getMeshPeers(topic: string): string[] }).getMeshPeers(topic)
}

const sha256Code = 0x12
const rawCode = 0x55

function keyOf(index: number): CID {
  return CID.createV1(rawCode, Digest.create(sha256Code, sha256(new TextEncoder().encode(`naive-${index}`))))
}
