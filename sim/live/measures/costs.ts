/** What peers cost while nothing is asked of them, and what each bid and each look-up costs on top of that. */
import { quantile } from '../../report/samples.ts'
import type { LiveFindings } from './findings.ts'
import type { PhaseFindings } from './phases.ts'
import { meanOf, quantileOf, spreadOf } from './spread.ts'

export interface LiveCosts {
  /** When they had booted and garbage was collected. Of the processor: all until then. */
  readonly booted: { readonly cpuMs: number; readonly rssBytes: number; readonly heapBytes: number }
  readonly rest: RestCosts
  readonly bids: BidCosts | null
  readonly lookUps: LookUpCosts | null
}

/** By peer and second. */
export interface RestCosts {
  readonly cpuMs: number
  readonly bytes: Readonly<Record<string, number>>
}

/** What rest takes in the same time is not in it. */
export interface BidCosts {
  readonly count: number
  /** Of the processor, for a bid at one peer. */
  readonly cpuMsPerPeer: number
  /** On the streams of gossip, for a bid at one peer. */
  readonly bytesPerPeer: number
  readonly framesPerPeer: number
  readonly coverage: number | null
  /** Copies after the first, for a bid at one peer. */
  readonly duplicates: number | null
  readonly hopsMean: number | null
  readonly hopsP50: number | null
  readonly hopsP99: number | null
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  /** Until the last that ever hears of it has heard; the mean of the bids. */
  readonly lastMs: number | null
}

export interface LookUpCosts {
  readonly count: number
  readonly found: number
  readonly cpuMs: number
  readonly bytes: number
  readonly requestsMean: number | null
  readonly requestsP99: number | null
  /** Requests, or dials for them, that nobody answered, by request of all queries of the kind. */
  readonly failedShare: number | null
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

const gossipPrefix = '/meshsub/'

/** Null: there was no time at rest, so that nobody knows what is a bid's and what is not. */
export function costsOf(findings: LiveFindings): LiveCosts | null {
  const { phases, peers } = findings
  const phase = (name: string): PhaseFindings | undefined => phases.find((one) => one.name === name)
  const [first, rest] = [phases[0], phase('rest')]
  if (first === undefined || rest === undefined || rest.forMs === 0 || peers.length === 0) return null
  const { cpuBeforeMs, rssBytes, heapBytes } = first
  const perPeerSecond = 1_000 / rest.forMs / peers.length
  const [bids, lookUps] = [phase('bids'), phase('look-ups')]
  return {
    booted: { cpuMs: cpuBeforeMs, rssBytes, heapBytes },
    rest: {
      cpuMs: rest.cpuMs * perPeerSecond,
      bytes: Object.fromEntries(
        Object.entries(rest.traffic).map(([protocol, { bytes }]) => [protocol, bytes * perPeerSecond]),
      ),
    },
    bids: bids === undefined || bids.count === 0 ? null : bidCosts(findings, bids, rest),
    lookUps: lookUps === undefined || lookUps.count === 0 ? null : lookUpCosts(findings, lookUps, rest),
  }
}

function bidCosts({ gossip, peers }: LiveFindings, phase: PhaseFindings, rest: PhaseFindings): BidCosts {
  const bidsAtPeers = phase.count * peers.length
  const onTop = (of: (one: PhaseFindings) => number): number => above(phase, rest, of) / bidsAtPeers
  const spread = gossip === null ? null : spreadOf(gossip, true)
  const last =
    gossip === null
      ? []
      : gossip.messages.flatMap(({ isProbe, published, heard }) => {
          const times = heard.map(([, , atMs]) => atMs)
          return isProbe && published !== null && times.length > 0 ? Math.max(...times) - published[1] : []
        })
  return {
    count: phase.count,
    cpuMsPerPeer: onTop(({ cpuMs }) => cpuMs),
    bytesPerPeer: onTop((one) => gossipOf(one, 'bytes')),
    framesPerPeer: onTop((one) => gossipOf(one, 'frames')),
    coverage: spread?.coverage ?? null,
    duplicates: spread && meanOf(spread.duplicates),
    hopsMean: spread && meanOf(spread.hops),
    hopsP50: spread && quantileOf(spread.hops, 0.5),
    hopsP99: spread && quantileOf(spread.hops, 0.99),
    p50Ms: (spread && quantile(spread.latencyMs, 0.5)) ?? null,
    p99Ms: (spread && quantile(spread.latencyMs, 0.99)) ?? null,
    lastMs: last.length === 0 ? null : last.reduce((sum, each) => sum + each, 0) / last.length,
  }
}

function lookUpCosts({ finds }: LiveFindings, phase: PhaseFindings, rest: PhaseFindings): LookUpCosts {
  const all = (one: PhaseFindings): number => Object.values(one.traffic).reduce((sum, { bytes }) => sum + bytes, 0)
  const queries = finds?.queries['get']
  const requests = queries?.requests.reduce((sum, [value, times]) => sum + value * times, 0) ?? 0
  return {
    count: phase.count,
    found: finds?.found ?? 0,
    cpuMs: above(phase, rest, ({ cpuMs }) => cpuMs) / phase.count,
    bytes: above(phase, rest, all) / phase.count,
    requestsMean: finds && meanOf(finds.requests),
    requestsP99: finds && quantileOf(finds.requests, 0.99),
    failedShare: queries === undefined || requests === 0 ? null : queries.failures / requests,
    p50Ms: finds && quantileOf(finds.tookMs, 0.5),
    p99Ms: finds && quantileOf(finds.tookMs, 0.99),
  }
}

/** What a phase took beyond what a rest of the same length takes. Of a few peers, where both are nothing much, it may be below zero. */
function above(phase: PhaseFindings, rest: PhaseFindings, of: (one: PhaseFindings) => number): number {
  return of(phase) - (of(rest) * phase.forMs) / rest.forMs
}

function gossipOf({ traffic }: PhaseFindings, what: 'bytes' | 'frames'): number {
  return Object.entries(traffic).reduce(
    (sum, [name, carried]) => sum + (name.startsWith(gossipPrefix) ? carried[what] : 0),
    0,
  )
}
