/**
 * Gossip as the model has it, behind the port that gossipsub is behind in production: a mesh of a few neighbours a topic, and a
 * message that goes from neighbour to neighbour as long as it is accepted. It announces and no more: a message may reach nobody.
 *
 * Of the copies on their way to one peer only the first to arrive is an event of its own; the rest would be dropped as seen.
 */
import type { Gossip, PeerName, TopicHandler } from '../../protocols/wire/index.ts'
import type { VirtualClock } from '../clock.ts'
import type { SeededRandom } from '../random.ts'
import type { ModelNetwork } from './network.ts'

/** Neighbours of one peer in the mesh of one topic: gossipsub's D. */
const degree = 6
/** Whoever has so many takes no more: gossipsub's Dhi, above which it cuts some off. */
const degreeMax = 12
/** Of members that may have been chosen before, or have no room. */
const drawsMax = 12

interface Topic {
  /** Who ever was in it, in the order of coming. */
  readonly order: number[]
  /** By peer. A peer that dies stays somebody's neighbour, and passes nothing on. */
  readonly neighbours: Map<number, number[]>
  readonly members: Map<number, Member>
}

interface Member {
  readonly handler: TopicHandler
  /** Runs what arrives: later when the peer hangs, and not at all when it is dead. */
  readonly live: (run: () => void) => void
}

/** One message on its way through a topic. */
interface Spread {
  readonly topic: Topic
  readonly author: PeerName
  readonly message: Uint8Array
  /** By peer: the earliest copy that is under way. */
  readonly soonestMs: Map<number, number>
  readonly seen: Set<number>
}

export class GossipNet {
  readonly #clock: VirtualClock
  readonly #random: SeededRandom
  readonly #network: ModelNetwork
  readonly #topics = new Map<string, Topic>()
  readonly counts = { published: 0, copies: 0, hops: 0, delivered: 0, refused: 0 }
  /** Told of every first copy that arrives, before it is judged. */
  onFirst: (from: number, to: number) => void = () => {}

  constructor(clock: VirtualClock, random: SeededRandom, network: ModelNetwork) {
    this.#clock = clock
    this.#random = random
    this.#network = network
  }

  /** The port of one life of a peer. */
  portOf(peer: number, name: PeerName, live: Member['live']): Gossip {
    return {
      subscribe: (topic, handler) => {
        this.#join(topic, peer, { handler, live })
        return () => void this.#topics.get(topic)?.members.delete(peer)
      },
      publish: async (topic, message) => this.publish(peer, name, topic, message),
      meshDegree: (topic) => this.#topics.get(topic)?.neighbours.get(peer)?.length ?? 0,
    }
  }

  publish(from: number, author: PeerName, name: string, message: Uint8Array): number {
    const topic = this.#topics.get(name)
    if (topic === undefined) return 0
    this.counts.published++
    const spread: Spread = { topic, author, message, soonestMs: new Map([[from, 0]]), seen: new Set([from]) }
    // Who only asks is no member of the mesh: gossipsub hands its messages to a few members (fan-out).
    const first = topic.neighbours.get(from) ?? this.#someOf(topic, from)
    for (const to of first) this.#hop(spread, from, to)
    return first.length
  }

  #hop(spread: Spread, from: number, to: number): void {
    this.counts.copies++
    if (spread.seen.has(to)) return
    this.counts.hops++
    const tripMs = this.#network.hopMs(from, to)
    if (tripMs === undefined) return
    const atMs = this.#clock.nowMs() + tripMs
    const soonestMs = spread.soonestMs.get(to)
    if (soonestMs !== undefined && soonestMs <= atMs) return
    spread.soonestMs.set(to, atMs)
    this.#clock.post(tripMs, () => spread.topic.members.get(to)?.live(() => this.#arrive(spread, from, to)))
  }

  #arrive(spread: Spread, from: number, to: number): void {
    const { topic, author, message, seen } = spread
    const member = topic.members.get(to)
    if (member === undefined || seen.has(to)) return
    seen.add(to)
    this.onFirst(from, to)
    const { handler } = member
    const verdict = message.byteLength > handler.messageBytesMax ? 'reject' : handler.judge(author, message)
    if (verdict !== 'accept') {
      this.counts.refused++
      return
    }
    this.counts.delivered++
    handler.deliver(author, message)
    for (const next of topic.neighbours.get(to) ?? []) if (next !== from) this.#hop(spread, to, next)
  }

  #join(name: string, peer: number, member: Member): void {
    let topic = this.#topics.get(name)
    if (topic === undefined) this.#topics.set(name, (topic = { order: [], neighbours: new Map(), members: new Map() }))
    topic.members.set(peer, member)
    if (topic.neighbours.has(peer)) return
    const chosen = this.#someOf(topic, peer, degreeMax)
    topic.neighbours.set(peer, chosen)
    topic.order.push(peer)
    for (const other of chosen) topic.neighbours.get(other)!.push(peer)
  }

  /** Up to half a mesh of members that have room: who comes later chooses them, and is chosen by those who come after. */
  #someOf({ order: members, neighbours }: Topic, except: number, below = Infinity): number[] {
    const chosen = new Set<number>()
    for (let draw = 0; draw < drawsMax && chosen.size < Math.min(degree / 2, members.length); draw++) {
      const other = this.#random.pick(members)
      if (other !== except && neighbours.get(other)!.length < below) chosen.add(other)
    }
    return [...chosen]
  }
}
