/** What each phase of a live run took: rest, bids, look-ups. */
import { namedNumber, rounded } from './numbers.ts'
import { costsOf } from '../live/measures/costs.ts'
import type { LiveFindings } from '../live/measures/findings.ts'
import type { Figure, RunRecord } from './record.ts'

/** None where no rest was measured: what is a bid's is known only beside it. */
export function phaseNumbers(findings: LiveFindings): RunRecord['numbers'] {
  const costs = costsOf(findings)
  if (costs === null) return []
  const { rest, bids, lookUps } = costs
  const restBytes = Object.values(rest.bytes).reduce((sum, bytes) => sum + bytes, 0)
  return [
    namedNumber('rest_cpu_ms', 'of the processor, a peer and second at rest', 'ms', rest.cpuMs),
    namedNumber('rest_bytes', 'sent by a peer in a second at rest', 'bytes', restBytes),
    namedNumber('bid_cpu_ms', 'of the processor, a bid and peer', 'ms', bids?.cpuMsPerPeer),
    namedNumber('bid_bytes', 'sent on streams of gossip, a bid and peer', 'bytes', bids?.bytesPerPeer),
    namedNumber('look_up_cpu_ms', 'of the processor, a look-up', 'ms', lookUps?.cpuMs),
  ]
}

export function phaseFigures({ phases, peers }: LiveFindings): Figure[] {
  if (phases.length === 0 || peers.length === 0) return []
  return [
    {
      kind: 'table',
      name: 'phases',
      title: 'What each phase took',
      unit: '',
      read: 'one row for each time in which one kind of thing was done, or nothing; what a bid or a look-up costs is what its row has more than the rest.',
      columns: ['phase', 'done', 'seconds', 'ms of the processor, a peer and second', 'bytes sent, a peer and second'],
      rows: phases.map(({ name, count, forMs, cpuMs, traffic }) => {
        const bytes = Object.values(traffic).reduce((sum, carried) => sum + carried.bytes, 0)
        const each = (of: number): number | null => (forMs === 0 ? null : rounded((of * 1_000) / forMs / peers.length))
        return [name, count, rounded(forMs / 1_000), each(cpuMs), each(bytes)]
      }),
    },
  ]
}
