/**
 * Gossip over gossipsub: the only file that knows it. The port and its promises are in protocols/wire/gossip.ts.
 *
 * Every message is signed by its author (StrictSign), judged before it is passed on, and known copies are dropped before
 * their signature is looked at. Our own messages are not delivered to ourselves.
 */
import {
  StrictSign,
  TopicValidatorResult,
  gossipsub,
  type GossipSub,
  type GossipSubComponents,
  type Message,
} from '@libp2p/gossipsub'
import type { Connection } from '@libp2p/interface'

import { Fault } from '../../protocols/wire/fault.ts'
import type { Gossip, TopicHandler, Verdict } from '../../protocols/wire/gossip.ts'
import { isPeerName, type PeerName } from '../../protocols/wire/peer.ts'
import type { Log } from '../environment.ts'
import { peerScoreOf, topicScore } from './gossip-score.ts'
import type { HostLimits, Reach } from './limits.ts'
import type { HostWatch } from './watch.ts'

export type { GossipSub }

type SignedMessage = Extract<Message, { readonly type: 'signed' }>

/** Longest name of a topic, in characters. */
const topicCharsMax = 128
/** Streams of gossip on one connection, each way: one, and one while it is replaced. */
const gossipStreamsMax = 2
const gossipProtocolPrefix = '/meshsub/'

/** What gossipsub does not show in its interface, and we need: verified against 17.1 by the tests. */
interface Internals {
  allowedTopics: { has(topic: string): boolean } | null
  readonly score: { readonly params: { topics: Record<string, typeof topicScore> } }
  getMeshPeers(topic: string): string[]
}

/** The service for libp2p's `services`. */
export function gossipService(
  network: string,
  reach: Reach,
  limits: HostLimits,
  watch?: HostWatch,
): (components: GossipSubComponents) => GossipSub {
  const create = gossipsub({
    globalSignaturePolicy: StrictSign,
    floodPublish: false,
    fallbackToFloodsub: false,
    emitSelf: false,
    doPX: false,
    allowPublishToZeroTopicPeers: true,
    maxInboundStreams: gossipStreamsMax,
    maxOutboundStreams: gossipStreamsMax,
    maxInboundDataLength: limits.gossipRpcBytesMax,
    maxOutboundBufferSize: limits.gossipWriteBufferBytesMax,
    scoreParams: peerScoreOf(reach, limits),
    // An author's sequence numbers name its messages. Copies are most of what arrives, and a signature costs 0.15 ms.
    fastMsgIdFn: ({ from, seqno }) => {
      const name = `${Buffer.from(from ?? []).toString('latin1')}/${Buffer.from(seqno ?? []).toString('latin1')}`
      watch?.onCopy(name)
      return name
    },
  })
  return (components) => {
    const service = create(components)
    const internals = service as unknown as Internals
    // gossipsub keeps statistics of topics in plain objects: a message on the topic `__proto__` writes into the prototype
    // of every object of the process. So only topics of our own network exist, for messages and subscriptions alike.
    const prefix = `/pleach/${network}/`
    internals.allowedTopics = { has: (topic) => topic.startsWith(prefix) && topic.length <= topicCharsMax }
    return service
  }
}

/**
 * Whether a connection carries gossip from us to the peer. A stream that either side has closed for writing does not: that
 * is what is left of one when gossipsub, here or there, has forgotten the peer.
 */
export function hasGossipStream(connection: Connection): boolean {
  return connection.streams.some(
    ({ protocol, direction, writeStatus, remoteWriteStatus }) =>
      direction === 'outbound' &&
      protocol.startsWith(gossipProtocolPrefix) &&
      writeStatus === 'writable' &&
      remoteWriteStatus === 'writable',
  )
}

/** Whether a peer that says it speaks these protocols speaks gossip. */
export function speaksGossip(protocols: readonly string[]): boolean {
  return protocols.some((protocol) => protocol.startsWith(gossipProtocolPrefix))
}

export interface StartedGossip extends Gossip {
  /** Joins the topics that were subscribed to before libp2p was started. */
  start(): void
  readonly topics: readonly string[]
  /** Who is in our mesh of this topic. */
  meshPeers(topic: string): PeerName[]
}

export function createGossip(service: GossipSub, log: Log, watch?: HostWatch): StartedGossip {
  const internals = service as unknown as Internals
  const handlers = new Map<string, TopicHandler>()
  let started = false

  const join = (topic: string): void => {
    internals.score.params.topics[topic] = topicScore
    service.subscribe(topic)
  }

  service.addEventListener('message', ({ detail }) => {
    const handler = handlers.get(detail.topic)
    if (handler === undefined || detail.type !== 'signed') return
    try {
      handler.deliver(detail.from.toString(), detail.data)
    } catch (error) {
      log('error', 'a handler of gossip failed', { topic: detail.topic, error })
    }
  })

  return {
    get topics() {
      return [...handlers.keys()]
    },

    start() {
      started = true
      for (const topic of handlers.keys()) join(topic)
    },

    subscribe(topic, handler) {
      if (internals.allowedTopics?.has(topic) === false) throw new RangeError(`${topic} is not a topic of this network`)
      if (handlers.has(topic)) throw new Error(`the topic ${topic} has a handler already`)
      handlers.set(topic, handler)
      // Called once for each message, whatever the number of its copies.
      service.topicValidators.set(topic, (from, message) => {
        const verdict = verdictOn(message, handler, log)
        if (watch !== undefined && message.type === 'signed') {
          const author = message.from.toString()
          watch.onFirst(nameOf(message), { topic, author, from: from.toString(), message: message.data, verdict })
        }
        if (verdict !== 'excess') return acceptances[verdict]
        return acceptances[message.type === 'signed' && message.from.equals(from) ? 'reject' : 'ignore']
      })
      if (started) join(topic)
      return () => {
        if (handlers.get(topic) !== handler) return
        handlers.delete(topic)
        service.topicValidators.delete(topic)
        if (started) service.unsubscribe(topic)
      }
    },

    async publish(topic, message) {
      const bytesMax = handlers.get(topic)?.messageBytesMax ?? Infinity
      if (message.byteLength > bytesMax)
        throw new RangeError(`a message of ${message.byteLength} B is over the cap of ${topic}`)
      if (!started) return 0
      watch?.onPublish(topic, message)
      const { recipients } = await service.publish(topic, message)
      return recipients.length
    },

    meshDegree: (topic) => internals.getMeshPeers(topic).length,
    meshPeers: (topic) => internals.getMeshPeers(topic),
  }
}

/** Bytes of the sequence numbers of gossipsub. */
const sequenceBytes = 8

/** What its copies are called before they are looked at. */
function nameOf({ from, sequenceNumber }: SignedMessage): string {
  const sequence = Buffer.alloc(sequenceBytes)
  sequence.writeBigUInt64BE(sequenceNumber)
  return `${Buffer.from(from.toMultihash().bytes).toString('latin1')}/${sequence.toString('latin1')}`
}

const acceptances: Record<Exclude<Verdict, 'excess'>, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
}

function verdictOn(message: Message, handler: TopicHandler, log: Log): Verdict {
  if (message.type !== 'signed' || message.data.byteLength > handler.messageBytesMax) return 'reject'
  const author = message.from.toString()
  if (!isPeerName(author)) return 'reject'
  try {
    return handler.judge(author, message.data)
  } catch (error) {
    if (error instanceof Fault) return 'reject'
    // Our own mistake is nobody's fault, and not worth passing on.
    log('error', 'a judge of gossip failed', { topic: message.topic, error })
    return 'ignore'
  }
}
