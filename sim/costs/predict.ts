/** What measured points say of far more peers than were run, and what the model says of the same. */
import type { LiveCosts } from '../live/measures/costs.ts'
import { at, fit, mean, type Line, type Point } from './fit.ts'
import type { GossipPoint } from './gossip.ts'
import type { LookUpPoint } from './look-ups.ts'

/** A live world of so many peers, and what was measured of it. */
export interface LivePoint {
  readonly peers: number
  readonly seed: number
  readonly bootMs: number | null
  readonly meshDegreeMean: number | null
  readonly connectionsMean: number | null
  /** Whether the machine kept up; otherwise latencies are its own. */
  readonly valid: boolean
  readonly costs: LiveCosts
}

export interface Models {
  readonly gossip: readonly GossipPoint[]
  readonly lookUps: readonly LookUpPoint[]
}

/** Straight lines over the number of peers: the slope is what one more costs, the rest is the process's. Null: not measured. */
export interface PeerLines {
  readonly bootCpuMs: Line | null
  readonly rssBytes: Line | null
  readonly heapBytes: Line | null
  readonly restCpuMsPerSecond: Line | null
}

/** Means in which every peer of every world counts the same. */
export interface BidMeans {
  readonly cpuMsPerPeer: number
  readonly bytesPerPeer: number
  readonly framesPerPeer: number
}

export interface Prediction {
  readonly name: string
  readonly title: string
  readonly unit: string
  /** Where its points are from: live worlds, or the model of as many peers. */
  readonly from: 'live' | 'model'
  readonly line: Line
  /** What was measured, by what the model has at as many peers: the geometric mean. Null: the points are the model's. */
  readonly liveByModel: number | null
  readonly at: readonly Predicted[]
}

export interface Predicted {
  readonly peers: number
  readonly predicted: number
  /** Of so many peers; null: not modelled. */
  readonly model: number | null
  /** Of the prediction, from the model as far as it is off at equal numbers: 0.1 is 10 % above. */
  readonly deviation: number | null
}

export const liveTable = 'live'
export const productionTable = 'kad-dht'

export function peerLines(live: readonly LivePoint[]): PeerLines {
  const line = (of: (costs: LiveCosts, peers: number) => number): Line | null =>
    fit(
      live.map(({ peers, costs }) => ({ peers, value: of(costs, peers) })),
      'N',
    )
  return {
    bootCpuMs: line(({ booted }) => booted.cpuMs),
    rssBytes: line(({ booted }) => booted.rssBytes),
    heapBytes: line(({ booted }) => booted.heapBytes),
    restCpuMsPerSecond: line(({ rest }, peers) => rest.cpuMs * peers),
  }
}

export function bidMeans(live: readonly LivePoint[]): BidMeans | null {
  const known = live.flatMap(({ peers, costs: { bids } }) => (bids === null ? [] : { peers, bids }))
  if (known.length === 0) return null
  const all = known.reduce((sum, { peers }) => sum + peers, 0)
  const by = (of: (bids: NonNullable<LiveCosts['bids']>) => number): number =>
    known.reduce((sum, { peers, bids }) => sum + peers * of(bids), 0) / all
  return {
    cpuMsPerPeer: by((bids) => bids.cpuMsPerPeer),
    bytesPerPeer: by((bids) => bids.bytesPerPeer),
    framesPerPeer: by((bids) => bids.framesPerPeer),
  }
}

/** For each of `sizes`. The points of the models that have as many peers as live worlds are those that both are compared by. */
export function predictionsOf(live: readonly LivePoint[], models: Models, sizes: readonly number[]): Prediction[] {
  const { gossip, lookUps } = models
  const of = (table: string): LookUpPoint[] => lookUps.filter((point) => point.table === table)
  const liveSizes = new Set(live.map(({ peers }) => peers))
  const bids = (value: (bids: NonNullable<LiveCosts['bids']>) => number | null, worlds = live): Point[] =>
    worlds.flatMap(({ peers, costs }) => pointOf(peers, costs.bids === null ? null : value(costs.bids)))
  // A machine that did not keep up tells its own time.
  const inTime = live.filter(({ valid }) => valid)
  const gossiped = (value: (point: GossipPoint) => number): Point[] =>
    gossip.map((point) => ({ peers: point.peers, value: value(point) }))
  const asked = (table: string, value: (point: LookUpPoint) => number): Point[] =>
    of(table).map((point) => ({ peers: point.peers, value: value(point) }))
  const requests = live.flatMap(({ peers, costs }) => pointOf(peers, costs.lookUps?.requestsMean ?? null))
  const small = (points: readonly Point[]): Point[] => points.filter(({ peers }) => liveSizes.has(peers))
  const production = asked(productionTable, ({ requestsMean }) => requestsMean)
  const rows: readonly (readonly [
    name: string,
    title: string,
    unit: string,
    from: Prediction['from'],
    measured: readonly Point[],
    modelled: readonly Point[],
  ])[] = [
    ['hops', 'hops of a bid, mean', '', 'live', bids((one) => one.hopsMean), gossiped((one) => one.hopsMean)],
    [
      'heard_p50_ms',
      'a bid heard, median',
      'ms',
      'live',
      bids((one) => one.p50Ms, inTime),
      gossiped((one) => one.p50Ms),
    ],
    ['heard_p99_ms', 'a bid heard, 99 %', 'ms', 'live', bids((one) => one.p99Ms, inTime), gossiped((one) => one.p99Ms)],
    [
      'heard_last_ms',
      'a bid heard by all',
      'ms',
      'live',
      bids((one) => one.lastMs, inTime),
      gossiped((one) => one.lastMs),
    ],
    ['duplicates', 'copies too many', '', 'live', bids((one) => one.duplicates), gossiped((one) => one.duplicates)],
    [
      'look_up_requests',
      'requests of a look-up, tables as live peers have them',
      '',
      'live',
      requests,
      asked(liveTable, ({ requestsMean }) => requestsMean),
    ],
    [
      'look_up_requests_production',
      'requests of a look-up, tables as in production',
      '',
      'model',
      small(production),
      production,
    ],
  ]
  return rows.flatMap(([name, title, unit, from, measured, modelled]) => {
    // A peer has as many neighbours in the mesh however many there are.
    const line = fit(measured, name === 'duplicates' ? 'nothing' : 'log2 N')
    if (line === null) return []
    const modelAt = new Map(modelled.map(({ peers, value }) => [peers, value]))
    const liveByModel = from === 'model' ? null : ratioOf(measured, modelAt)
    const told = sizes.map((peers): Predicted => {
      const [predicted, model] = [at(line, peers), modelAt.get(peers) ?? null]
      const expected = model === null ? null : model * (liveByModel ?? 1)
      return {
        peers,
        predicted,
        model,
        deviation: expected === null || expected === 0 ? null : predicted / expected - 1,
      }
    })
    return [{ name, title, unit, from, line, liveByModel, at: told }]
  })
}

function pointOf(peers: number, value: number | null): Point[] {
  return value === null ? [] : [{ peers, value }]
}

function ratioOf(measured: readonly Point[], modelAt: ReadonlyMap<number, number>): number | null {
  const logs = measured.flatMap(({ peers, value }) => {
    const model = modelAt.get(peers)
    return model === undefined || model <= 0 || value <= 0 ? [] : Math.log(value / model)
  })
  return logs.length === 0 ? null : Math.exp(mean(logs))
}
