/** What the processes of a live run went through, second by second, with what was done to the peers marked on the time axis. */
import type { ProcessFindings, ProcessSample } from '../live/measures/findings.ts'
import { pointsMax, type Figure, type Timeline } from './record.ts'
import { thinned } from './samples.ts'

/** Each has up to three lines. */
const processesMax = 16

export function processFigures(processes: readonly ProcessFindings[], events: Timeline['events']): Figure[] {
  const figures: Figure[] = []
  const add = (name: string, title: string, unit: string, read: string, lines: readonly Line[]): void => {
    const series = lines.flatMap((line) => linesOf(processes, line))
    if (series.some(({ points }) => points.length > 0))
      figures.push({ kind: 'timeline', name, title, unit, read, series, events: [...events] })
  }
  add(
    'jobs_over_time',
    'Jobs over time',
    'jobs',
    'the lines count jobs from the start on: the gap between asked for and the other two is what was under way; marks under the axis say what was done to the peers.',
    [
      ['asked for', ({ counts }) => counts['jobsAsked'] ?? null],
      ['paid', ({ counts }) => counts['jobsPaid'] ?? null],
      ['ended otherwise', ({ counts }) => counts['jobsOtherwise'] ?? null],
    ],
  )
  add(
    'peers_over_time',
    'Peers that are there',
    'peers',
    'a step down is peers that left, hung or died, and a step up those that came or came back.',
    [['there', ({ counts }) => counts['peersUp'] ?? null]],
  )
  add(
    'processor',
    'Processor',
    'share',
    'share of one core that the process used in that second, and share of the second that went by while it collected garbage, which on a busy machine is longer than the work; near 100 % the machine is what limits everything else.',
    [
      ['used', ({ cpuUserMs, cpuSystemMs, forMs }) => (cpuUserMs + cpuSystemMs) / forMs],
      ['collecting garbage', ({ gcMs, forMs }) => gcMs / forMs],
    ],
  )
  add(
    'memory',
    'Memory',
    'bytes',
    'resident is what the process holds of the machine, heap what its objects take of that; a line that only climbs is a leak.',
    [
      ['resident', ({ rssBytes }) => rssBytes],
      ['heap', ({ heapBytes }) => heapBytes],
    ],
  )
  add(
    'lateness',
    'How late the machine was',
    'ms',
    'the slowest of a hundred turns of the event loop, and of a hundred deliveries of the simulated network, in that second; what is more than the latency of the links is the machine, and not the network.',
    [
      ['event loop, 99 %', ({ loopDelayP99Ms }) => loopDelayP99Ms],
      ['event loop, most', ({ loopDelayMaxMs }) => loopDelayMaxMs],
      ['deliveries, 99 %', ({ lateP99Ms }) => lateP99Ms],
    ],
  )
  return figures
}

type Line = readonly [name: string, of: (sample: ProcessSample) => number | null]

function linesOf(processes: readonly ProcessFindings[], [name, of]: Line): Timeline['series'] {
  return processes.slice(0, processesMax).map((process) => ({
    name: processes.length === 1 ? name : `${process.name}: ${name}`.slice(0, 200),
    points: thinned(
      process.samples.flatMap((sample): [number, number][] => {
        const value = of(sample)
        return value === null ? [] : [[Math.round(sample.atMs), Math.round(value * 1_000) / 1_000]]
      }),
      pointsMax,
    ),
  }))
}
