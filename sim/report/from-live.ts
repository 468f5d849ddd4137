/** The record of a live run: what was measured of real peers, whether that may be believed, and what they were asked to do. */
import { namedNumber, rounded } from './numbers.ts'
import { conductOf } from '../live/measures/conduct.ts'
import { giniOf, hottestOf, jainOf } from '../live/measures/fairness.ts'
import type { Earned, LiveFindings, ProcessFindings, ProcessSample, Stage } from '../live/measures/findings.ts'
import { meanOf, quantileOf, spreadOf, type Spread } from '../live/measures/spread.ts'
import { liveFigures } from './live-figures.ts'
import { phaseNumbers } from './live-phases.ts'
import type { Metric } from './metrics.ts'
import { machine, versions } from './provenance.ts'
import type { Assertion, Graph, RunRecord, Timeline } from './record.ts'
import { quantile } from './samples.ts'

export interface LiveRun {
  readonly scenario: { readonly name: string; readonly about: string; readonly config: unknown }
  readonly seed: number
  readonly boot: 'fast' | 'cold'
  /** Until everybody was there and in company; null: it was not waited for. */
  readonly bootMs: number | null
  readonly command: string
  readonly wallMs: number
  /** What was not real, a sentence each. */
  readonly stubs: readonly string[]
  readonly findings: LiveFindings
  readonly assertions: readonly Assertion[]
  /** What else is known of the run. */
  readonly numbers?: RunRecord['numbers']
  /** Faults and phases, on the axis of time of the process that was watched (`ProcessTap.elapsedMs`). */
  readonly events: Timeline['events']
  /** One way, on the nearest links that are typical. A machine that is later than that measures itself. */
  readonly latencyMs: number
  /** Why the run says nothing, beside what its delays say. */
  readonly invalidBecause?: string
  /** Who is tied to whom, of the mesh of the bids. Null before: only the end is known. */
  readonly before: Graph | null
  readonly after: Graph | null
}

/** Ties of one graph that are kept: a page draws fewer. */
const edgesMax = 20_000

export function recordOfLive(run: LiveRun): RunRecord {
  const { scenario, seed, boot, command, wallMs, stubs, findings, assertions } = run
  const spread = findings.gossip === null ? null : spreadOf(findings.gossip)
  const invalidBecause = run.invalidBecause ?? lateBecause(findings.processes, run.latencyMs, findings.peers.length)
  return {
    v: 1,
    scenario: { ...scenario, config: JSON.parse(JSON.stringify(scenario.config)) as RunRecord['scenario']['config'] },
    seed,
    lives: 1,
    tier: 'live',
    boot,
    command,
    versions: versions(true),
    machine: machine(),
    wallMs,
    stubs: [...stubs, ...Object.entries(findings.missing).map(([what, why]) => `Not measured: ${what}, since ${why}.`)],
    valid: invalidBecause === null,
    invalidBecause,
    assertions: [...assertions],
    numbers: [...numbersOf(run, spread), ...phaseNumbers(findings), ...(run.numbers ?? [])],
    figures: liveFigures(findings, spread, run.events, cut(run.before), cut(run.after)),
  }
}

/** Why a machine that was so late measured itself and not the network; null when it kept up. */
export function lateBecause(processes: readonly ProcessFindings[], latencyMs: number, peers: number): string | null {
  const loopMs = Math.max(0, ...processes.map(({ believable }) => believable.eventLoopDelayP99Ms))
  const lateMs = Math.max(0, ...processes.map(({ believable }) => believable.deliveryLateP99Ms))
  if (Math.max(loopMs, lateMs) <= latencyMs) return null
  const what =
    loopMs >= lateMs
      ? `the event loop came round ${Math.round(loopMs)} ms late`
      : `what was sent arrived ${Math.round(lateMs)} ms after its time`
  return `in one of a hundred cases ${what}, and the links take ${latencyMs} ms, so that the machine was measured and not the network; run fewer peers than ${peers}, or nothing beside them`
}

function numbersOf({ findings, bootMs }: LiveRun, spread: Spread | null): RunRecord['numbers'] {
  const { peers, traffic, gossip, finds, market, storage, processes, forMs } = findings
  const probes = gossip === null ? null : spreadOf(gossip, true)
  const conduct = conductOf(peers)
  const bytes = traffic === null ? null : Object.values(traffic).reduce((sum, carried) => sum + carried.bytes, 0)
  const shares = sharesOf(findings)
  const served = peers.map((peer) => peer.served)
  const took = (stage: Stage, share: number): number | null =>
    market === null ? null : quantileOf(market.took[stage], share)
  const worst = (of: (one: ProcessFindings) => number): number | null =>
    processes.length === 0 ? null : Math.max(...processes.map(of))
  const all = (of: (one: ProcessFindings) => number): number | null =>
    processes.length === 0 ? null : processes.reduce((sum, one) => sum + of(one), 0)
  const bytesPerPeer =
    bytes === null || peers.length === 0 || forMs === 0 ? null : bytes / peers.length / (forMs / 1_000)
  return [
    namedNumber('peers', 'peers', '', peers.length),
    namedNumber('boot_ms', 'until all were in company', 'ms', bootMs),
    namedNumber(
      'job_success',
      'of the jobs of honest peers that lived were paid',
      'share',
      market && shareOf(market.honestPaid, market.honest),
    ),
    namedNumber('jobs', 'jobs', '', market?.jobs ?? null),
    namedNumber('reawards', 'times a provider was replaced', '', market?.reawards ?? null),
    namedNumber('bid_to_offer_p50_ms', 'bid to first offer, median', 'ms', took('offer', 0.5)),
    namedNumber('bid_to_commit_p50_ms', 'bid to commit, median', 'ms', took('commit', 0.5)),
    namedNumber('bid_to_commit_p99_ms', 'bid to commit, 99 %', 'ms', took('commit', 0.99)),
    namedNumber('bid_to_done_p50_ms', 'bid to paid, median', 'ms', took('done', 0.5)),
    namedNumber('bid_to_done_p99_ms', 'bid to paid, 99 %', 'ms', took('done', 0.99)),
    namedNumber('gossip_coverage', 'of the peers heard of a bid', 'share', spread?.coverage),
    namedNumber('probe_coverage', 'of the peers heard of a bid that was a probe', 'share', probes?.coverage),
    namedNumber(
      'gossip_p50_ms',
      'until a peer heard of a bid, median',
      'ms',
      spread && quantile(spread.latencyMs, 0.5),
    ),
    namedNumber('gossip_p99_ms', 'until a peer heard of a bid, 99 %', 'ms', spread && quantile(spread.latencyMs, 0.99)),
    namedNumber('gossip_hops_p99', 'hops of a bid, 99 %', '', spread && quantileOf(spread.hops, 0.99)),
    namedNumber('gossip_duplicates', 'copies too many, a peer and bid', '', spread && meanOf(spread.duplicates)),
    namedNumber(
      'find_hit_rate',
      'of the look-ups found the record',
      'share',
      finds && shareOf(finds.found, finds.asked),
    ),
    namedNumber('find_p50_ms', 'a look-up, median', 'ms', finds && quantileOf(finds.tookMs, 0.5)),
    namedNumber('find_messages', 'requests of a look-up', '', finds && meanOf(finds.requests)),
    namedNumber('bytes_per_peer_second', 'bytes that a peer sends in a second', 'bytes', bytesPerPeer),
    namedNumber(
      'put_kib_per_second_p50',
      'of a put, a second, median',
      'KiB',
      storage && quantileOf(storage.put.kibPerSecond, 0.5),
    ),
    namedNumber(
      'get_kib_per_second_p50',
      'of a get, a second, median',
      'KiB',
      storage && quantileOf(storage.get.kibPerSecond, 0.5),
    ),
    namedNumber('repair_bytes', 'sent for repair', 'bytes', storage?.repairBytes ?? null),
    namedNumber('fairness_jain', 'evenness of what lenders earned (Jain; 1 is even)', '', jainOf(shares.earned)),
    namedNumber('fairness_gini', 'unevenness of what lenders earned (Gini; 0 is even)', '', giniOf(shares.earned)),
    namedNumber('dht_hottest', 'requests to the most asked peer, by the mean', '', hottestOf(served)),
    namedNumber(
      'dishonest_caught',
      'of the dishonest were caught',
      'share',
      shareOf(conduct.caught, conduct.dishonest),
    ),
    namedNumber('honest_accused', 'honest peers accused', '', conduct.honestAccused),
    namedNumber(
      'rss_bytes',
      'memory at the end',
      'bytes',
      all(({ samples }) => samples.at(-1)?.rssBytes ?? 0),
    ),
    namedNumber(
      'rss_peak_bytes',
      'memory at most',
      'bytes',
      all(({ rssPeakBytes }) => rssPeakBytes),
    ),
    namedNumber(
      'cpu_seconds',
      'of the processor',
      's',
      all(({ cpuMs }) => cpuMs / 1_000),
    ),
    namedNumber(
      'gc_seconds',
      'by the clock, collecting garbage',
      's',
      all(({ gcMs }) => gcMs / 1_000),
    ),
    namedNumber(
      'loop_delay_p99_ms',
      'delay of the event loop, 99 %',
      'ms',
      worst(({ believable }) => believable.eventLoopDelayP99Ms),
    ),
    namedNumber(
      'delivery_late_p99_ms',
      'delay of deliveries, 99 %',
      'ms',
      worst(({ believable }) => believable.deliveryLateP99Ms),
    ),
  ]
}

/** What each honest lender earned, and how many jobs it did; null was nobody's to earn. */
export function sharesOf({ peers, market }: LiveFindings): { readonly earned: number[]; readonly jobs: number[] } {
  if (market === null) return { earned: [], jobs: [] }
  const nothing: Earned = { jobs: 0, micro: 0 }
  const lenders = peers.filter(({ lends, vice }) => lends && vice === null)
  const earned = lenders.map(({ name }) => market.earned[name] ?? nothing)
  return { earned: earned.map(({ micro }) => micro), jobs: earned.map(({ jobs }) => jobs) }
}

/** A line of `metrics.jsonl`: a second of a process. */
export function metricOfSecond(process: string, { counts, ...sample }: ProcessSample): Metric {
  const told = Object.entries(sample).map(([name, value]) => [name, value === null ? null : rounded(value)] as const)
  return { v: 1, of: 'second', process, ...Object.fromEntries(told), ...counts }
}

function cut(graph: Graph | null): Graph | null {
  return graph === null || graph.edges.length <= edgesMax ? graph : { ...graph, edges: graph.edges.slice(0, edgesMax) }
}

function shareOf(part: number, all: number): number | null {
  return all === 0 ? null : part / all
}
