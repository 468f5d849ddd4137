/** What a live world is measured by: how gossip spreads, whether records are found, and whether the numbers may be believed. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

import { sealBid, type Bid } from '../../protocols/bid/index.ts'
import { capabilityNamespace, openCapability } from '../../protocols/capability/index.ts'
import { cidOfDocument, publicKeyOf } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { SeededRandom } from '../random.ts'
import type { LivePeer } from './live-peer.ts'
import type { LiveWorld } from './world.ts'

/** More than any peer has: so that a bid is passed on by all and answered by none. */
const cpuMilliOfNobody = 10 ** 9
const bidTermMs = 60_000
/** Between two bids. At 300 peers two cores carry some six a second. */
const bidEveryMs = 500
/** After the last bid, for those that come by way of IHAVE: a heartbeat, a round trip, and again. */
const bidsWithinMs = 5_000
const lookUpWithinMs = 10_000
const lookUpsAtOnce = 4
const delayResolutionMs = 5

export interface Spread {
  /** Share of all peers but the author that heard of a bid, over all bids. */
  readonly coverage: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Finds {
  readonly hitRate: number
  readonly p50Ms: number
}

export interface Believable {
  /** How much later than asked for the event loop comes round. */
  readonly eventLoopDelayP99Ms: number
  /** How much later than its time a message of the simulated network is delivered; 0 where there is none. */
  readonly deliveryLateP99Ms: number
}

/** Publishes bids from peers that chance picks, and notes when each arrives at every other. */
export async function measureGossip(world: LiveWorld, bids: number, seed: number): Promise<Spread> {
  const random = SeededRandom.of(seed, 'live', 'bids')
  const publishedMs = new Map<string, number>()
  const tookMs: number[] = []
  for (const peer of world.peers) {
    peer.onHeard = (message) => {
      const atMs = publishedMs.get(keyOf(message))
      if (atMs !== undefined) tookMs.push(performance.now() - atMs)
    }
  }
  for (let index = 0; index < bids; index++) {
    const author = random.pick(world.peers)
    const bid = bidOf(author, world.network, random)
    publishedMs.set(keyOf(bid), performance.now())
    await author.host.gossip.publish(world.topic, bid)
    await pause(bidEveryMs)
  }
  const expected = bids * (world.peers.length - 1)
  const endMs = performance.now() + bidsWithinMs
  while (tookMs.length < expected && performance.now() < endMs) await pause(bidEveryMs / 10)
  for (const peer of world.peers) peer.onHeard = () => {}
  tookMs.sort((left, right) => left - right)
  return {
    coverage: expected === 0 ? 1 : tookMs.length / expected,
    p50Ms: percentile(tookMs, 0.5),
    p99Ms: percentile(tookMs, 0.99),
  }
}

/** Has peers that chance picks look up the records of others that lend. */
export async function measureFinds(world: LiveWorld, lookUps: number, seed: number): Promise<Finds> {
  const random = SeededRandom.of(seed, 'live', 'finds')
  const pairs = Array.from({ length: lookUps }, () => {
    const target = random.pick(world.lenders)
    return { target, asker: random.pick(world.peers.filter((peer) => peer !== target)) }
  })
  const tookMs: number[] = []
  const lookUpSome = async (): Promise<void> => {
    for (let pair; (pair = pairs.pop()) !== undefined;) {
      const startedMs = performance.now()
      if (await isFound(world.network, pair.asker, pair.target)) tookMs.push(performance.now() - startedMs)
    }
  }
  await Promise.all(Array.from({ length: lookUpsAtOnce }, lookUpSome))
  tookMs.sort((left, right) => left - right)
  return { hitRate: lookUps === 0 ? 1 : tookMs.length / lookUps, p50Ms: percentile(tookMs, 0.5) }
}

/** Runs `measure`, and says how far the machine kept up meanwhile. */
export async function watched<Result>(world: LiveWorld, measure: () => Promise<Result>): Promise<[Result, Believable]> {
  const delay = monitorEventLoopDelay({ resolution: delayResolutionMs })
  world.net?.wheel.takeLateness()
  delay.enable()
  const result = await measure()
  delay.disable()
  const p99Ms = delay.percentile(99) / 1e6
  return [
    result,
    {
      eventLoopDelayP99Ms: Math.max(0, p99Ms - delayResolutionMs),
      deliveryLateP99Ms: world.net?.wheel.takeLateness().p99Ms ?? 0,
    },
  ]
}

async function isFound(network: string, asker: LivePeer, target: LivePeer): Promise<boolean> {
  using deadline = realClock.deadline(lookUpWithinMs)
  const key = publicKeyOf(target.name)
  const record = await asker.host.bulletin.get(capabilityNamespace, key, deadline.signal).catch(() => undefined)
  if (record === undefined) return false
  return openCapability(asker.identity.signer, network, record, realClock.nowMs()).by === target.name
}

function bidOf(author: LivePeer, network: string, random: SeededRandom): Uint8Array {
  const nowMs = realClock.nowMs()
  const bid: Bid = {
    job: cidOfDocument(random.bytes(32)),
    class: 'compute',
    issuedMs: nowMs,
    expiresMs: nowMs + bidTermMs,
    requirements: {
      runtime: 'wasi-preview1',
      cpuMilli: cpuMilliOfNobody,
      memoryBytes: 1,
      diskBytes: 0,
      wallMsMax: 1_000,
    },
    unit: 'credit',
    ceilingMicro: 1,
    cpuHourMicroMax: 1,
  }
  return sealBid(author.identity.signer, network, bid)
}

function keyOf(message: Uint8Array): string {
  return Buffer.from(message).toString('latin1')
}

/** Of sorted numbers; 0 of none. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

async function pause(delayMs: number): Promise<void> {
  return realClock.sleep(delayMs, new AbortController().signal)
}
