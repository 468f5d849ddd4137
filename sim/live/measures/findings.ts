/**
 * What was found out about a live world, or about those of its peers that one process has: plain data, so that it can be sent,
 * and such that the findings of several processes are those of all their peers. Null: not measured; `missing` says why.
 */
import type { PeerName } from '../../../protocols/wire/index.ts'
import { Histogram, type Bins } from '../../report/samples.ts'
import type { PhaseFindings } from './phases.ts'
import type { Carried } from './traffic.ts'

export interface LiveFindings {
  readonly v: 1
  /** Milliseconds for which it was measured. */
  readonly forMs: number
  readonly peers: readonly PeerFindings[]
  /** Sent by these peers, by protocol. */
  readonly traffic: Readonly<Record<string, Carried>> | null
  readonly gossip: GossipFindings | null
  readonly finds: FindFindings | null
  readonly market: MarketFindings | null
  readonly storage: StorageFindings | null
  readonly processes: readonly ProcessFindings[]
  /** In the order in which they were. */
  readonly phases: readonly PhaseFindings[]
  /** What was not measured, and why. */
  readonly missing: Readonly<Record<string, string>>
}

export interface PeerFindings {
  readonly name: PeerName
  readonly lends: boolean
  /** Null: honest. */
  readonly vice: string | null
  readonly region: string | null
  /** When it was last looked at. */
  readonly isUp: boolean
  /** Requests of the DHT that it answered. */
  readonly served: number
  /** Faults that it holds against others. */
  readonly holds: Readonly<Record<PeerName, number>>
}

/** That one peer heard of a message: when first, from whom, and in how many copies. Peers by their place in `names`. */
export type Hearing = readonly [peer: number, from: number, atMs: number, copies: number]

/** What was announced, once or again in the same bytes. */
export interface MessageFindings {
  /** Made of its bytes: the same in every process. */
  readonly id: string
  /** Author, by its place in `names`, and when it first announced it, in milliseconds since the epoch; null: not one of these peers. */
  readonly published: readonly [author: number, atMs: number] | null
  /** How many of these peers should hear of it. */
  readonly expected: number
  /** Announced only in order to measure it. */
  readonly isProbe: boolean
  readonly heard: readonly Hearing[]
}

export interface GossipFindings {
  readonly names: readonly PeerName[]
  readonly messages: readonly MessageFindings[]
  /** Peers that would hear of a message of others. */
  readonly listening: number
  /** All copies that came, also of what is not told above because there was too much of it. */
  readonly copies: number
  /** First copies that were not passed on. */
  readonly refused: number
}

export interface QueryFindings {
  readonly requests: Bins
  readonly tookMs: Bins
  readonly failures: number
}

export interface FindFindings {
  /** Look-ups that were made in order to measure them. */
  readonly asked: number
  readonly found: number
  readonly tookMs: Bins
  /** Requests that each of them sent. */
  readonly requests: Bins
  /** All queries that peers made, by kind, these look-ups included. */
  readonly queries: Readonly<Record<string, QueryFindings>>
}

/** Stages of a job that are timed from its first bid on, in the order in which they come. */
export const stages = ['offer', 'commit', 'running', 'result', 'done'] as const
export type Stage = (typeof stages)[number]
export type Took = Readonly<Record<Stage, Bins>>

export interface Earned {
  readonly jobs: number
  readonly micro: number
}

export interface MarketFindings {
  readonly jobs: number
  /** Asked for by an honest peer, and of these paid. */
  readonly honest: number
  readonly honestPaid: number
  /** `paid`, `not over`, or the outcome and its code. */
  readonly endings: Readonly<Record<string, number>>
  /** Times that a provider was replaced. */
  readonly reawards: number
  readonly took: Took
  /** By the region of who asked. */
  readonly byRegion: Readonly<Record<string, Took>>
  readonly earned: Readonly<Record<PeerName, Earned>>
}

export interface TransferFindings {
  readonly done: number
  readonly failed: number
  readonly bytes: number
  readonly tookMs: Bins
  /** KiB a second, of each. */
  readonly kibPerSecond: Bins
}

export interface StorageFindings {
  readonly put: TransferFindings
  readonly get: TransferFindings
  /** Bytes that were sent to replace lost shards. */
  readonly repairBytes: number | null
}

/** A second of a process. Times are of the processor, or waits of the event loop; `gcMs` is by the clock. */
export interface ProcessSample {
  /** Since the process began to be watched. */
  readonly atMs: number
  readonly forMs: number
  readonly cpuUserMs: number
  readonly cpuSystemMs: number
  readonly rssBytes: number
  readonly heapBytes: number
  readonly gcMs: number
  readonly loopDelayP50Ms: number
  readonly loopDelayP99Ms: number
  readonly loopDelayMaxMs: number
  /** How late the simulated network delivered. Null: there is none. */
  readonly lateP99Ms: number | null
  readonly lateMaxMs: number | null
  /** Counters of what goes on, so far. */
  readonly counts: Readonly<Record<string, number>>
}

/** Over the time in which its delays count. */
export interface Believable {
  /** How much later than asked for the event loop comes round. */
  readonly eventLoopDelayP99Ms: number
  readonly eventLoopDelayMaxMs: number
  /** How much later than its time a message of the simulated network is delivered; 0 where there is none. */
  readonly deliveryLateP99Ms: number
}

export interface ProcessFindings {
  readonly name: string
  readonly samples: readonly ProcessSample[]
  readonly rssPeakBytes: number
  readonly cpuMs: number
  readonly gcMs: number
  readonly believable: Believable
}

/** The findings of processes that have no peer in common. */
export function merge(parts: readonly LiveFindings[]): LiveFindings {
  const missing = Object.assign({}, ...parts.map((part) => part.missing)) as Record<string, string>
  return {
    v: 1,
    forMs: Math.max(0, ...parts.map(({ forMs }) => forMs)),
    peers: parts.flatMap(({ peers }) => peers),
    traffic: mergeAll(parts, 'traffic', (all) => byName(all, addCarried)),
    gossip: mergeAll(parts, 'gossip', mergeGossip),
    finds: mergeAll(parts, 'finds', (all) => ({
      asked: sum(all, ({ asked }) => asked),
      found: sum(all, ({ found }) => found),
      tookMs: bins(all, ({ tookMs }) => tookMs),
      requests: bins(all, ({ requests }) => requests),
      queries: byName(
        all.map(({ queries }) => queries),
        addQueries,
      ),
    })),
    market: mergeAll(parts, 'market', mergeMarket),
    storage: mergeAll(parts, 'storage', (all) => ({
      put: addTransfers(all.map(({ put }) => put)),
      get: addTransfers(all.map(({ get }) => get)),
      repairBytes: all.some(({ repairBytes }) => repairBytes !== null) ? sum(all, (one) => one.repairBytes ?? 0) : null,
    })),
    processes: parts.flatMap(({ processes }) => processes),
    phases: mergePhases(parts),
    missing,
  }
}

/** Null when nobody measured it. */
function mergeAll<Key extends 'traffic' | 'gossip' | 'finds' | 'market' | 'storage'>(
  parts: readonly LiveFindings[],
  key: Key,
  join: (all: NonNullable<LiveFindings[Key]>[]) => LiveFindings[Key],
): LiveFindings[Key] {
  const all = parts.map((part) => part[key]).filter((part) => part !== null)
  return all.length === 0 ? null : join(all)
}

/** Messages are the same where their bytes are; a process that heard nothing of one should have heard of it all the same. */
function mergeGossip(all: readonly GossipFindings[]): GossipFindings {
  const names = [...new Set(all.flatMap((part) => part.names))]
  const places = new Map(names.map((name, place) => [name, place]))
  const ids = new Set(all.flatMap(({ messages }) => messages.map(({ id }) => id)))
  const known = all.map((part) => new Map(part.messages.map((message) => [message.id, message])))
  const place = (part: GossipFindings, index: number): number => places.get(part.names[index]!)!
  const messages = [...ids].map((id): MessageFindings => {
    let published: MessageFindings['published'] = null
    const heard: Hearing[] = []
    let expected = 0
    let isProbe = false
    for (const [index, part] of all.entries()) {
      const message = known[index]!.get(id)
      expected += message?.expected ?? part.listening
      if (message === undefined) continue
      isProbe ||= message.isProbe
      if (message.published !== null) published = [place(part, message.published[0]), message.published[1]]
      for (const [peer, from, atMs, copies] of message.heard)
        heard.push([place(part, peer), place(part, from), atMs, copies])
    }
    return { id, published, expected, isProbe, heard }
  })
  return {
    names,
    messages,
    listening: sum(all, ({ listening }) => listening),
    copies: sum(all, ({ copies }) => copies),
    refused: sum(all, ({ refused }) => refused),
  }
}

function mergeMarket(all: readonly MarketFindings[]): MarketFindings {
  return {
    jobs: sum(all, ({ jobs }) => jobs),
    honest: sum(all, ({ honest }) => honest),
    honestPaid: sum(all, ({ honestPaid }) => honestPaid),
    endings: byName(
      all.map(({ endings }) => endings),
      (counts) => sum(counts, (count) => count),
    ),
    reawards: sum(all, ({ reawards }) => reawards),
    took: addTook(all.map(({ took }) => took)),
    byRegion: byName(
      all.map(({ byRegion }) => byRegion),
      addTook,
    ),
    earned: byName(
      all.map(({ earned }) => earned),
      (parts) => ({
        jobs: sum(parts, ({ jobs }) => jobs),
        micro: sum(parts, ({ micro }) => micro),
      }),
    ),
  }
}

/** All parts go through the same phases. */
function mergePhases(parts: readonly LiveFindings[]): PhaseFindings[] {
  const longest = parts.map(({ phases }) => phases).toSorted((left, right) => right.length - left.length)[0] ?? []
  return longest.map(({ name }, place) => {
    const all = parts.flatMap(({ phases }) => phases[place] ?? [])
    return {
      name,
      count: sum(all, ({ count }) => count),
      forMs: Math.max(...all.map(({ forMs }) => forMs)),
      cpuMs: sum(all, ({ cpuMs }) => cpuMs),
      cpuBeforeMs: sum(all, ({ cpuBeforeMs }) => cpuBeforeMs),
      rssBytes: sum(all, ({ rssBytes }) => rssBytes),
      heapBytes: sum(all, ({ heapBytes }) => heapBytes),
      traffic: byName(
        all.map(({ traffic }) => traffic),
        addCarried,
      ),
    }
  })
}

/** What several have under one name is joined; the names in their order. */
function byName<Value>(
  all: readonly Readonly<Record<string, Value>>[],
  join: (values: Value[]) => Value,
): Record<string, Value> {
  const groups = Map.groupBy(
    all.flatMap((part) => Object.entries(part)),
    ([name]) => name,
  )
  return Object.fromEntries(
    [...groups]
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, entries]) => [name, join(entries.map(([, value]) => value))]),
  )
}

function addCarried(all: readonly Carried[]): Carried {
  return {
    bytes: sum(all, ({ bytes }) => bytes),
    frames: sum(all, ({ frames }) => frames),
    streams: sum(all, ({ streams }) => streams),
  }
}

function addQueries(all: readonly QueryFindings[]): QueryFindings {
  return {
    requests: bins(all, ({ requests }) => requests),
    tookMs: bins(all, ({ tookMs }) => tookMs),
    failures: sum(all, ({ failures }) => failures),
  }
}

function addTook(all: readonly Took[]): Took {
  return Object.fromEntries(stages.map((stage) => [stage, bins(all, (took) => took[stage])])) as unknown as Took
}

function addTransfers(all: readonly TransferFindings[]): TransferFindings {
  return {
    done: sum(all, ({ done }) => done),
    failed: sum(all, ({ failed }) => failed),
    bytes: sum(all, ({ bytes }) => bytes),
    tookMs: bins(all, ({ tookMs }) => tookMs),
    kibPerSecond: bins(all, ({ kibPerSecond }) => kibPerSecond),
  }
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}

function bins<Item>(items: readonly Item[], of: (item: Item) => Bins): Bins {
  return Histogram.of(...items.map(of)).bins()
}
