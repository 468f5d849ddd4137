/** What hearings come to: how far gossip reached, how fast, over how many hops, and how often each peer got the same once more. */
import type { PeerName } from '../../../protocols/wire/index.ts'
import { Histogram, quantile, type Bins } from '../../report/samples.ts'
import type { GossipFindings, Hearing, MessageFindings } from './findings.ts'

export interface Spread {
  /** Messages whose authors are known. */
  readonly messages: number
  /** Share of the peers that should have heard of a message and did, over all messages; null: nothing was announced. */
  readonly coverage: number | null
  /** From the announcement to the first copy. */
  readonly latencyMs: readonly number[]
  /** Between the author and a peer, along the way that the first copies took. */
  readonly hops: Bins
  /** Copies beyond the first, for each message and peer that heard of it. */
  readonly duplicates: Bins
  /** First copies of which the way is not known: somebody between is not one of the peers that are measured. */
  readonly lostWays: number
}

export function spreadOf({ messages }: GossipFindings, onlyProbes = false): Spread {
  const known = messages.filter(({ published, isProbe }) => published !== null && (isProbe || !onlyProbes))
  const latencyMs: number[] = []
  const hops = new Histogram()
  const duplicates = new Histogram()
  let [heardCount, expectedCount, lostWays] = [0, 0, 0]
  for (const message of known) {
    const [author, publishedMs] = message.published!
    expectedCount += message.expected
    const ways = waysOf(message)
    for (const [peer, , atMs, copies] of message.heard) {
      if (peer === author) {
        duplicates.add(copies)
        continue
      }
      heardCount += 1
      latencyMs.push(atMs - publishedMs)
      duplicates.add(copies - 1)
      const way = ways(peer)
      if (way === undefined) lostWays += 1
      else hops.add(way)
    }
  }
  return {
    messages: known.length,
    coverage: expectedCount === 0 ? null : Math.min(1, heardCount / expectedCount),
    latencyMs: latencyMs.toSorted((left, right) => left - right),
    hops: hops.bins(),
    duplicates: duplicates.bins(),
    lostWays,
  }
}

/** Mean of counted values; null of none. */
export function meanOf(bins: Bins): number | null {
  const [sum, count] = bins.reduce(([total, all], [value, times]) => [total + value * times, all + times], [0, 0])
  return count === 0 ? null : sum / count
}

/** A quantile of counted values; null of none. */
export function quantileOf(bins: Bins, share: number): number | null {
  const histogram = Histogram.of(bins)
  return quantile(histogram.samples(histogram.count), share) ?? null
}

/** Hops to each peer: one more than to whom it heard it from, as that one first heard it. */
function waysOf({ published, heard }: MessageFindings): (peer: number) => number | undefined {
  const from = new Map<number, Hearing>(heard.map((hearing) => [hearing[0], hearing]))
  const ways = new Map<number, number | undefined>([[published![0], 0]])
  return (peer) => {
    const chain: number[] = []
    let at = peer
    // Clocks of two processes are not quite the same: a way that leads back to itself leads nowhere.
    for (let next; !ways.has(at); at = next[1]) {
      next = from.get(at)
      ways.set(at, undefined)
      chain.push(at)
      if (next === undefined) return undefined
    }
    let way = ways.get(at)
    for (const passed of chain.toReversed()) ways.set(passed, way === undefined ? undefined : (way += 1))
    return way
  }
}

/** Sorted latencies of first copies by a group of who heard; null is in none. */
export function latenciesBy(
  { names, messages }: GossipFindings,
  groupOf: (peer: PeerName) => string | null,
): Map<string, number[]> {
  const groups = new Map<string, number[]>()
  for (const { published, heard } of messages)
    for (const [peer, , atMs] of heard) {
      const group = groupOf(names[peer]!)
      if (published === null || peer === published[0] || group === null) continue
      const latencies = groups.get(group) ?? []
      groups.set(group, latencies)
      latencies.push(atMs - published[1])
    }
  for (const latencies of groups.values()) latencies.sort((left, right) => left - right)
  return groups
}
