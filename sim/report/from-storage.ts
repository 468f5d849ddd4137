/** The record of a campaign of the storage model: what became of its objects, and whether its invariants held. */
import { storageCheckers } from '../checkers/storage.ts'
import type { StorageReport } from '../model/storage-campaign.ts'
import type { StorageScenario } from '../scenarios/storage.ts'
import { modelFrame } from './model-frame.ts'
import type { RunRecord } from './record.ts'

const stubs = [
  'Time is a virtual clock, which jumps to whatever is next.',
  'Disks are memory in which writes and names are durable only after their sync; they tear, rot, fill up and slow down.',
  'Streams stall, break and are cut off; there are no sockets, and each connection has one.',
  'The index of the ledger is a table in memory.',
]

export function storageRecord(
  scenario: StorageScenario,
  from: number,
  report: StorageReport,
  command: string,
  wallMs: number,
): RunRecord {
  const { objects, placed, read, notRead } = report.counts
  const told = report.failures.flatMap(({ violations }) => violations.map(({ checker }) => checker))
  return {
    ...modelFrame({ scenario, seed: from, lives: report.seeds, command, wallMs, stubs }),
    assertions: [
      {
        name: 'no invariant is broken',
        wanted: '0 violations',
        got: `${report.violations} violations`,
        holds: report.violations === 0,
      },
      // Only the first failures are told; what broke after them is in the total above.
      ...storageCheckers.map((name) => {
        const count = told.filter((checker) => checker === name).length
        const got = count === 0 ? 'never broken' : `broken ${count} times in the failures that are told`
        return { name, wanted: 'never broken', got, holds: count === 0 }
      }),
    ],
    numbers: [
      { name: 'violations', title: 'violations of invariants', unit: '', value: report.violations },
      { name: 'objects', title: 'objects put', unit: '', value: objects },
      { name: 'placed', title: 'of the objects were placed', unit: 'share', value: shareOf(placed, objects) },
      { name: 'read', title: 'of the reads gave the object', unit: 'share', value: shareOf(read, read + notRead) },
      { name: 'lives_per_second', title: 'lives each second', unit: '', value: report.seedsPerSecond },
      { name: 'events', title: 'events', unit: '', value: report.events },
    ],
    figures: [
      {
        kind: 'bars',
        name: 'objects_put',
        title: 'What became of puts',
        unit: 'objects',
        read: 'placed are those that the put said are kept; the others were told that they are not.',
        isWhole: true,
        bars: [
          { name: 'placed', value: placed },
          { name: 'not placed', value: objects - placed },
        ],
      },
      {
        kind: 'bars',
        name: 'reads',
        title: 'What became of reads',
        unit: 'reads',
        read: 'a read gives the object as it was put, or says why not; it never gives anything else, which an invariant watches.',
        isWhole: true,
        bars: [
          { name: 'gave the object', value: read },
          { name: 'said why not', value: notRead },
        ],
      },
    ],
  }
}

function shareOf(part: number, all: number): number | null {
  return all === 0 ? null : part / all
}
