/** The tables of a live run: regions, who got the work, and who was caught. */
import { conductTable } from './conduct-table.ts'
import { formatMicro, type PeerName } from '../../protocols/wire/index.ts'
import { petnameOf } from '../../src/host/index.ts'
import type { Conduct } from '../live/measures/conduct.ts'
import type { LiveFindings, Stage } from '../live/measures/findings.ts'
import { latenciesBy, quantileOf } from '../live/measures/spread.ts'
import type { Figure } from './record.ts'
import { quantile } from './samples.ts'

const rowsMax = 1_000

export function regionFigures(
  { gossip, market, peers }: LiveFindings,
  regions: ReadonlyMap<PeerName, string | null>,
): Figure[] {
  const known = [...new Set(peers.flatMap(({ region }) => region ?? []))].toSorted().slice(0, rowsMax)
  if (known.length === 0) return []
  const heard = gossip === null ? new Map<string, number[]>() : latenciesBy(gossip, (name) => regions.get(name) ?? null)
  const rows = known.map((region) => {
    const took = market?.byRegion[region]
    const of = (stage: Stage, share: number): number | null =>
      took === undefined ? null : quantileOf(took[stage], share)
    return [
      region,
      peers.filter((peer) => peer.region === region).length,
      ...[0.5, 0.99].map((share) => wholeOf(quantile(heard.get(region) ?? [], share))),
      of('commit', 0.5),
      of('commit', 0.99),
      of('done', 0.5),
    ]
  })
  return [
    {
      kind: 'table',
      name: 'regions',
      title: 'By region, in milliseconds',
      unit: '',
      read: 'when peers there heard of a bid, and how long jobs took that were asked for there; a region that is far from the others shows in all of them.',
      columns: [
        'region',
        'peers',
        'bid heard: median',
        'bid heard: 99 %',
        'bid to commit: median',
        'bid to commit: 99 %',
        'bid to done: median',
      ],
      rows,
    },
  ]
}

export function fairnessFigures({ peers, market }: LiveFindings): Figure[] {
  const lenders = peers.filter(({ lends }) => lends)
  if (market === null || lenders.length === 0) return []
  const rows = lenders
    .map(({ name, region, vice, served }) => ({
      name,
      region,
      vice,
      served,
      ...(market.earned[name] ?? { jobs: 0, micro: 0 }),
    }))
    .toSorted((left, right) => right.micro - left.micro || right.jobs - left.jobs || (left.name < right.name ? -1 : 1))
    .slice(0, rowsMax)
    .map(({ name, region, vice, served, jobs, micro }) => [
      petnameOf(name),
      region,
      vice ?? 'honest',
      jobs,
      formatMicro(micro),
      served,
    ])
  return [
    {
      kind: 'table',
      name: 'fairness',
      title: 'Who got the work',
      unit: '',
      read: 'one row for each peer that lends, whoever earned most first; jobs are those that were paid, and the last column is how often others asked it for something of the DHT.',
      columns: ['peer', 'region', 'vice', 'jobs', 'earned', 'requests of the DHT'],
      rows,
    },
  ]
}

export function conductFigures({ dishonest, honest, honestAccused, byVice, accused }: Conduct): Figure[] {
  if (dishonest === 0 && accused.length === 0) return []
  return [
    conductTable(byVice, honest, honestAccused),
    {
      kind: 'table',
      name: 'accused',
      title: 'Who holds what against whom',
      unit: '',
      read: 'one row for each peer that at least one honest peer holds a fault against: by how many of them, and how many faults in all.',
      columns: ['peer', 'vice', 'by honest peers', 'faults'],
      rows: accused
        .slice(0, rowsMax)
        .map(({ name, vice, by, faults }) => [petnameOf(name), vice ?? 'honest', by, faults]),
    },
  ]
}

function wholeOf(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value)
}
