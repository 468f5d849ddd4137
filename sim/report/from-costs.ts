/** The record of a measurement of costs: live worlds of growing size, the model beside them, and what both say of far more peers. */
import { namedNumber, rounded, roundedOrNull } from './numbers.ts'
import type { CostsReport } from '../costs/report.ts'
import type { Line } from '../costs/fit.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { machine, versions } from './provenance.ts'
import type { RunRecord, Table } from './record.ts'

export interface CostsFrame {
  readonly command: string
  readonly wallMs: number
  readonly config: Scenario
}

const stubs = [
  'Live peers share one process: connections are neither encrypted nor muxed, and a signature is checked once for all of them.',
  'A table of the DHT is given, with six places in a bucket, and the same six in every table.',
  'The model has hops, copies and delays, and neither bytes nor work.',
]

export function recordOfCosts(report: CostsReport, { command, wallMs, config }: CostsFrame): RunRecord {
  const { live, failed, seeds } = report
  const late = live.filter(({ valid }) => !valid).map(({ peers }) => peers)
  const invalidBecause =
    live.length === 0
      ? 'no live world has numbers'
      : late.length > 0
        ? `the machine did not keep up with ${[...new Set(late)].join(', ')} peers, so that their latencies are its own`
        : null
  return {
    v: 1,
    scenario: {
      name: config.name,
      about: config.about,
      config: JSON.parse(JSON.stringify(config)) as RunRecord['scenario']['config'],
    },
    seed: seeds[0] ?? 0,
    lives: live.length,
    tier: 'live',
    boot: config.live.boot,
    command,
    versions: versions(true),
    machine: machine(),
    wallMs,
    stubs,
    valid: invalidBecause === null,
    invalidBecause,
    assertions: [
      {
        name: 'every world has numbers',
        wanted: 'none failed',
        got: failed.length === 0 ? 'none' : failed.map(({ peers, why }) => `${peers} peers: ${why}`).join('; '),
        holds: failed.length === 0,
      },
    ],
    numbers: numbersOf(report),
    figures: [peersTable(report), bidsTable(report), lookUpsTable(report), modelTable(report), predictionTable(report)],
  }
}

function numbersOf({ perPeer, perBid, capacity, signatureMs }: CostsReport): RunRecord['numbers'] {
  return [
    namedNumber('boot_cpu_ms_per_peer', 'of the processor, to boot one more peer', 'ms', perPeer.bootCpuMs?.b),
    namedNumber('rss_bytes_per_peer', 'memory of one more peer', 'bytes', perPeer.rssBytes?.b),
    namedNumber('heap_bytes_per_peer', 'heap of one more peer', 'bytes', perPeer.heapBytes?.b),
    namedNumber(
      'rest_cpu_ms_per_peer',
      'of the processor, one more peer and second at rest',
      'ms',
      perPeer.restCpuMsPerSecond?.b,
    ),
    namedNumber('bid_cpu_ms', 'of the processor, a bid and peer', 'ms', perBid?.cpuMsPerPeer),
    namedNumber('bid_bytes', 'sent on streams of gossip, a bid and peer', 'bytes', perBid?.bytesPerPeer),
    namedNumber('bid_frames', 'frames on streams of gossip, a bid and peer', '', perBid?.framesPerPeer),
    namedNumber('signature_ms', 'of the processor, to check one signature', 'ms', signatureMs),
    namedNumber(
      'bid_real_ms',
      'of the processor, a bid and peer, with encryption and its own checks',
      'ms',
      capacity?.realMsPerBid,
    ),
    namedNumber(
      'bids_per_second',
      'bids of a class in a second, at a tenth of a core and of an uplink of each peer',
      '',
      capacity?.bidsPerSecondMax,
    ),
    namedNumber('peers_per_class', 'peers of a class, at one job an hour each', '', capacity?.peersPerClassMax),
  ]
}

function peersTable({ live, tcp }: CostsReport): Table {
  const points = [...live.map((point) => ({ point, by: 'own' })), ...(tcp === null ? [] : [{ point: tcp, by: 'TCP' }])]
  return {
    kind: 'table',
    name: 'per_peer',
    title: 'What a peer costs',
    unit: '',
    read: 'one row for each live world; memory and the processor are those of the whole process by its peers, so that what the process takes by itself shows in the small ones.',
    columns: [
      'peers',
      'carrier',
      'valid',
      'boot: ms of the processor',
      'memory: MB',
      'heap: MB',
      'rest: ms of the processor a second',
      'rest: bytes a second',
      'connections',
      'mesh degree',
    ],
    rows: points.map(({ point: { peers, valid, costs, connectionsMean, meshDegreeMean }, by }) => [
      peers,
      by,
      valid ? 'yes' : 'no',
      roundedOrNull(costs.booted.cpuMs / peers),
      roundedOrNull(costs.booted.rssBytes / peers / 1e6),
      roundedOrNull(costs.booted.heapBytes / peers / 1e6),
      roundedOrNull(costs.rest.cpuMs),
      roundedOrNull(Object.values(costs.rest.bytes).reduce((sum, bytes) => sum + bytes, 0)),
      roundedOrNull(connectionsMean),
      roundedOrNull(meshDegreeMean),
    ]),
  }
}

function bidsTable({ live, models }: CostsReport): Table {
  return {
    kind: 'table',
    name: 'per_bid',
    title: 'What a bid costs',
    unit: '',
    read: 'one row for each live world, with what the model has of as many peers beside it; work and bytes are those of one bid at one peer, beyond what a rest takes.',
    columns: [
      'peers',
      'ms of the processor',
      'bytes',
      'frames',
      'copies too many',
      '… model',
      'hops: mean',
      '… model',
      'heard: median',
      '… model',
      'heard: 99 %',
      '… model',
      'heard by all',
      '… model',
    ],
    rows: live.map(({ peers, costs: { bids } }) => {
      const model = models.gossip.find((point) => point.peers === peers)
      return [
        peers,
        bids?.cpuMsPerPeer,
        bids?.bytesPerPeer,
        bids?.framesPerPeer,
        bids?.duplicates,
        model?.duplicates,
        bids?.hopsMean,
        model?.hopsMean,
        bids?.p50Ms,
        model?.p50Ms,
        bids?.p99Ms,
        model?.p99Ms,
        bids?.lastMs,
        model?.lastMs,
      ].map(roundedOrNull)
    }),
  }
}

function lookUpsTable({ live }: CostsReport): Table {
  return {
    kind: 'table',
    name: 'per_look_up',
    title: 'What a look-up costs',
    unit: '',
    read: 'one row for each live world; work and bytes are those of one look-up at all peers together, beyond what a rest takes.',
    columns: [
      'peers',
      'found',
      'of',
      'requests: mean',
      'requests: 99 %',
      'failed',
      'ms of the processor',
      'bytes',
      'took: median',
      'took: 99 %',
    ],
    rows: live.map(({ peers, costs: { lookUps } }) =>
      [
        peers,
        lookUps?.found,
        lookUps?.count,
        lookUps?.requestsMean,
        lookUps?.requestsP99,
        lookUps?.failedShare,
        lookUps?.cpuMs,
        lookUps?.bytes,
        lookUps?.p50Ms,
        lookUps?.p99Ms,
      ].map(roundedOrNull),
    ),
  }
}

function modelTable({ models }: CostsReport): Table {
  return {
    kind: 'table',
    name: 'modelled_look_ups',
    title: 'Look-ups over modelled tables',
    unit: '',
    read: 'one row for each kind of table and number of peers: live tables are those of these worlds, kad-dht those of production, and kademlia those of the paper; round trips are until the query is over, and until the first that has the record answered.',
    columns: [
      'tables',
      'peers',
      'found',
      'requests: mean',
      'requests: 99 %',
      'round trips',
      '… until found',
      'stored by the nearest',
    ],
    rows: models.lookUps.map((point) => [
      point.table,
      point.peers,
      ...[
        point.hitRate,
        point.requestsMean,
        point.requestsP99,
        point.roundsMean,
        point.roundsToFindMean,
        point.nearestShare,
      ].map(roundedOrNull),
    ]),
  }
}

function predictionTable({ predictions }: CostsReport): Table {
  return {
    kind: 'table',
    name: 'predictions',
    title: 'What that predicts',
    unit: '',
    read: 'a line through the points of these worlds, followed to far more peers, and what the model has there; off is how far the line is from the model, once both are made equal where both are known.',
    columns: ['what', 'unit', 'line', 'explains', 'live by model', 'peers', 'predicted', 'model', 'off'],
    rows: predictions.flatMap(({ title, unit, line, liveByModel, at }) =>
      at.map(({ peers, predicted, model, deviation }) => [
        title,
        unit,
        toldLine(line),
        roundedOrNull(line.r2),
        roundedOrNull(liveByModel),
        peers,
        roundedOrNull(predicted),
        roundedOrNull(model),
        deviation === null ? null : `${Math.round(100 * deviation)} %`,
      ]),
    ),
  }
}

function toldLine({ of, a, b }: Line): string {
  return of === 'nothing' ? `${rounded(a)}` : `${rounded(a)} + ${rounded(b)}·${of}`
}
