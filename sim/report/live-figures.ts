/** The figures of a live run, each of what was measured; what was not has none. */
import type { PeerName } from '../../protocols/wire/index.ts'
import { conductOf } from '../live/measures/conduct.ts'
import {
  stages,
  type FindFindings,
  type GossipFindings,
  type LiveFindings,
  type MarketFindings,
  type Stage,
  type StorageFindings,
} from '../live/measures/findings.ts'
import { latenciesBy, quantileOf, type Spread } from '../live/measures/spread.ts'
import { samplesMax, type Bars, type Cdf, type Figure, type Graph, type Table, type Timeline } from './record.ts'
import { conductFigures, fairnessFigures, regionFigures } from './live-tables.ts'
import { phaseFigures } from './live-phases.ts'
import { processFigures } from './live-timelines.ts'
import { Histogram, thinned, type Bins } from './samples.ts'

const eventsMax = 1_000
/** Bars of one figure; what is more is one bar. */
const barsMax = 24
const regionsMax = 32
const rowsMax = 1_000

export const stageNames: Readonly<Record<Stage, string>> = {
  offer: 'bid to offer',
  commit: 'bid to commit',
  running: 'bid to running',
  result: 'bid to result',
  done: 'bid to done',
}

export function liveFigures(
  findings: LiveFindings,
  spread: Spread | null,
  events: Timeline['events'],
  before: Graph | null,
  after: Graph | null,
): Figure[] {
  const { gossip, finds, market, storage, traffic, processes, peers } = findings
  const regions = new Map(peers.map(({ name, region }) => [name, region]))
  return [
    ...(market === null ? [] : marketFigures(market)),
    ...(gossip === null || spread === null ? [] : gossipFigures(gossip, spread, regions)),
    ...(finds === null ? [] : findFigures(finds)),
    ...(storage === null ? [] : [storageFigure(storage)]),
    ...(traffic === null ? [] : [trafficBars(traffic), trafficTable(traffic)]),
    ...phaseFigures(findings),
    ...processFigures(processes, events.slice(0, eventsMax)),
    ...(after === null ? [] : [topology(before, after)]),
    ...regionFigures(findings, regions),
    ...fairnessFigures(findings),
    ...conductFigures(conductOf(peers)),
  ]
}

function marketFigures(market: MarketFindings): Figure[] {
  return [
    {
      kind: 'cdf',
      name: 'latency',
      title: 'How long jobs take',
      unit: 'ms',
      read: 'each line climbs to the share of jobs that had come so far within that time since their first bid, by the clock of who asked; further left is faster, and a flat end is a few that had to wait, or be given to another provider.',
      series: stages.map((stage) => seriesOf(stageNames[stage], market.took[stage])),
    },
    bars(
      'endings',
      'How jobs ended',
      'jobs',
      true,
      Object.entries(market.endings),
      'one bar for each way in which a job ended; everything but paid says who or what prevented it, and what is not over was still under way when the run ended.',
    ),
  ]
}

function gossipFigures(
  gossip: GossipFindings,
  spread: Spread,
  regions: ReadonlyMap<PeerName, string | null>,
): Figure[] {
  const byRegion = [...latenciesBy(gossip, (name) => regions.get(name) ?? null)].toSorted(byName).slice(0, regionsMax)
  const series = [
    ['all', spread.latencyMs] as const,
    ...byRegion.map(([region, some]) => [`in ${region}`, some] as const),
  ]
  return [
    {
      kind: 'cdf',
      name: 'gossip',
      title: 'How fast bids spread',
      unit: 'ms',
      read: 'each line climbs to the share of peers that had heard of a bid within that time since its author announced it; the foot is the nearest link, and a long tail is those who were told only when they asked.',
      series: series.map(([name, samples]) => ({ name, count: samples.length, samples: thinned(samples, samplesMax) })),
    },
    bars(
      'gossip_hops',
      'Hops of a bid',
      '',
      true,
      counted(spread.hops, 'hop'),
      'one bar for each number of steps, from one peer to the next, that a bid took until a peer first heard of it; more steps are more latency, and more hands to drop it.',
    ),
    bars(
      'gossip_duplicates',
      'Copies too many',
      '',
      true,
      counted(spread.duplicates, 'copy', 'copies'),
      'one bar for each number of copies that a peer got of a bid after the first; copies are the price at which gossip survives those who do not pass it on.',
    ),
  ]
}

function findFigures(finds: FindFindings): Figure[] {
  const queries = Object.entries(finds.queries)
  return [
    {
      kind: 'cdf',
      name: 'look_ups',
      title: 'How long the DHT takes',
      unit: 'ms',
      read: 'found are the look-ups of records that were made in order to measure them; the other lines are all queries of one kind that peers made, whatever came of them.',
      series: [
        seriesOf('found', finds.tookMs),
        ...queries.map(([kind, { tookMs }]) => seriesOf(`all of kind ${kind}`, tookMs)),
      ],
    },
    {
      kind: 'table',
      name: 'queries',
      title: 'What queries of the DHT cost',
      unit: '',
      read: 'requests are those that one query sent to others; failed are requests, or dials for them, that nobody answered.',
      columns: ['kind', 'queries', 'requests: median', 'requests: 99 %', 'requests in all', 'failed'],
      rows: [
        [
          'measured look-ups',
          finds.asked,
          quantileOf(finds.requests, 0.5),
          quantileOf(finds.requests, 0.99),
          totalOf(finds.requests),
          null,
        ],
        ...queries.map(([kind, { requests, failures }]) => [
          kind,
          requests.reduce((sum, [, count]) => sum + count, 0),
          quantileOf(requests, 0.5),
          quantileOf(requests, 0.99),
          totalOf(requests),
          failures,
        ]),
      ],
    },
  ]
}

function storageFigure({ put, get }: StorageFindings): Figure {
  return {
    kind: 'cdf',
    name: 'storage',
    title: 'How fast objects are put and got',
    unit: 'KiB/s',
    read: 'each line climbs to the share of puts, or gets, that were no faster than that, from the request until the last shard was acknowledged or the object was whole; further right is faster.',
    series: [seriesOf('put', put.kibPerSecond), seriesOf('get', get.kibPerSecond)],
  }
}

type Traffic = NonNullable<LiveFindings['traffic']>

function trafficBars(traffic: Traffic): Figure {
  const values = Object.entries(traffic).map(([protocol, { bytes }]) => [protocol, bytes] as const)
  return bars(
    'bytes',
    'Bytes by protocol',
    'bytes',
    true,
    values,
    'what all peers together sent; connections is everything beside what protocols said: what opens and closes streams and connections, and over TCP frames and encrypts them.',
  )
}

function trafficTable(traffic: Traffic): Table {
  return {
    kind: 'table',
    name: 'traffic',
    title: 'Traffic by protocol',
    unit: '',
    read: 'a stream is one conversation of two peers; a protocol with many streams of few frames asks often and briefly.',
    columns: ['protocol', 'bytes', 'frames', 'streams', 'bytes a frame'],
    rows: Object.entries(traffic)
      .toSorted(([, left], [, right]) => right.bytes - left.bytes)
      .slice(0, rowsMax)
      .map(([protocol, { bytes, frames, streams }]) => [
        protocol.slice(0, 400),
        bytes,
        frames,
        streams,
        frames === 0 ? null : Math.round(bytes / frames),
      ]),
  }
}

function topology(before: Graph | null, after: Graph): Figure {
  return {
    kind: 'topology',
    name: 'mesh',
    title: 'The mesh of the bids',
    unit: 'peers',
    read: 'each shape is a peer, each curve two that pass bids on to each other; regions stand together on the circle, so that curves across it are the long ways, and a part without curves to the rest would not hear of it.',
    before,
    after,
  }
}

function seriesOf(name: string, bins: Bins): Cdf['series'][number] {
  const histogram = Histogram.of(bins)
  return { name, count: histogram.count, samples: histogram.samples(samplesMax) }
}

function bars(
  name: string,
  title: string,
  unit: string,
  isWhole: boolean,
  values: readonly (readonly [string, number])[],
  read: string,
): Bars {
  const sorted = values.toSorted((left, right) => right[1] - left[1] || byName(left, right))
  const rest = sorted.slice(barsMax).reduce((sum, [, value]) => sum + value, 0)
  const shown = sorted.slice(0, barsMax).map(([of, value]) => ({ name: of.slice(0, 200), value }))
  return {
    kind: 'bars',
    name,
    title,
    unit,
    read,
    isWhole,
    bars: rest === 0 ? shown : [...shown, { name: 'all others', value: rest }],
  }
}

function counted(bins: Bins, one: string, many = `${one}s`): [string, number][] {
  return bins.map(([value, count]) => [`${value} ${value === 1 ? one : many}`, count])
}

function totalOf(bins: Bins): number {
  return bins.reduce((sum, [value, count]) => sum + value * count, 0)
}

function byName([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : left > right ? 1 : 0
}
