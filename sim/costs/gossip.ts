/** The gossip of the model by itself: nothing but a mesh of neighbours, a network with delays, and messages. */
import { VirtualClock } from '../clock.ts'
import { GossipNet } from '../model/gossip.ts'
import { ModelNetwork } from '../model/network.ts'
import { SeededRandom } from '../random.ts'
import { meanOf, quantileOf } from '../live/measures/spread.ts'
import { Histogram } from '../report/samples.ts'
import { mean } from './fit.ts'

export interface GossipPoint {
  readonly peers: number
  readonly messages: number
  readonly coverage: number
  readonly hopsMean: number
  readonly hopsP50: number
  readonly hopsP99: number
  readonly hopsMax: number
  /** Copies after the first, for a message at one peer. */
  readonly duplicates: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Until the last has heard; the mean of the messages. */
  readonly lastMs: number
}

export interface GossipOptions {
  readonly peers: number
  readonly messages: number
  readonly seed: number
  /** One way, from the shortest to the longest. */
  readonly delayMs: readonly [number, number]
}

const topic = 'bids'
const messageBytes = 400

/** One message after the other, each from a peer that chance picks, until nothing of it is under way any more. */
export function modelGossip({ peers, messages, seed, delayMs }: GossipOptions): GossipPoint {
  const clock = new VirtualClock(0)
  const random = (name: string): SeededRandom => SeededRandom.of(seed, 'costs', 'gossip', peers, name)
  const calm = {
    delayMs,
    lossProbability: 0,
    doubleProbability: 0,
    stragglerProbability: 0,
    stragglerMs: 0,
    uplinkBytesPerMs: 0,
  }
  const net = new GossipNet(clock, random('mesh'), new ModelNetwork(clock, random('network'), calm, () => false))
  const handler = { messageBytesMax: messageBytes, judge: () => 'accept' as const, deliver: () => {} }
  for (let peer = 0; peer < peers; peer++) net.portOf(peer, '', (run) => run()).subscribe(topic, handler)
  const [hops, latencyMs, lastMs] = [new Histogram(), new Histogram(), [] as number[]]
  const away = new Uint8Array(peers)
  const message = new Uint8Array(messageBytes)
  const author = random('authors')
  for (let count = 0; count < messages; count++) {
    const from = author.between(0, peers - 1)
    const beganMs = clock.nowMs()
    let last = 0
    away[from] = 0
    net.onFirst = (by, to) => {
      away[to] = away[by]! + 1
      last = clock.nowMs() - beganMs
      hops.add(away[to])
      latencyMs.add(last)
    }
    net.publish(from, '', topic, message)
    while (clock.jump());
    lastMs.push(last)
  }
  const heard = net.counts.delivered
  return {
    peers,
    messages,
    coverage: heard / (messages * (peers - 1)),
    hopsMean: meanOf(hops.bins())!,
    hopsP50: quantileOf(hops.bins(), 0.5)!,
    hopsP99: quantileOf(hops.bins(), 0.99)!,
    hopsMax: hops.bins().at(-1)![0],
    duplicates: (net.counts.copies - heard) / (messages * peers),
    p50Ms: quantileOf(latencyMs.bins(), 0.5)!,
    p99Ms: quantileOf(latencyMs.bins(), 0.99)!,
    lastMs: mean(lastMs),
  }
}
