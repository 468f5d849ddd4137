/** The last seconds of several processes, as one of all. */
import type { ProcessSample } from './findings.ts'

/** Of several: what is counted is added up, what is late is as late as the latest. Null of none. */
export function mergeSamples(samples: readonly ProcessSample[]): ProcessSample | null {
  if (samples.length === 0) return null
  const total = (of: (sample: ProcessSample) => number): number => samples.reduce((sum, sample) => sum + of(sample), 0)
  const most = (of: (sample: ProcessSample) => number): number => Math.max(...samples.map(of))
  const mostOrNull = (of: (sample: ProcessSample) => number | null): number | null =>
    samples.reduce((worst: number | null, sample) => maxOf(worst, of(sample)), null)
  const forMs = most((sample) => sample.forMs)
  /** A process that had too much to do looked at itself later than the others: its second was longer. */
  const totalTime = (of: (sample: ProcessSample) => number): number =>
    total((sample) => (of(sample) * forMs) / sample.forMs)
  return {
    atMs: most(({ atMs }) => atMs),
    forMs,
    cpuUserMs: totalTime(({ cpuUserMs }) => cpuUserMs),
    cpuSystemMs: totalTime(({ cpuSystemMs }) => cpuSystemMs),
    rssBytes: total(({ rssBytes }) => rssBytes),
    heapBytes: total(({ heapBytes }) => heapBytes),
    gcMs: totalTime(({ gcMs }) => gcMs),
    loopDelayP50Ms: most(({ loopDelayP50Ms }) => loopDelayP50Ms),
    loopDelayP99Ms: most(({ loopDelayP99Ms }) => loopDelayP99Ms),
    loopDelayMaxMs: most(({ loopDelayMaxMs }) => loopDelayMaxMs),
    lateP99Ms: mostOrNull(({ lateP99Ms }) => lateP99Ms),
    lateMaxMs: mostOrNull(({ lateMaxMs }) => lateMaxMs),
    counts: mergeCounts(samples.map(({ counts }) => counts)),
  }
}

/** A share of the peers that heard something is no count: each process has its own, which weighs as much as it has peers. */
const shares: ReadonlySet<string> = new Set(['coverage'])

function mergeCounts(all: readonly ProcessSample['counts'][]): ProcessSample['counts'] {
  const names = new Set(all.flatMap((counts) => Object.keys(counts)))
  return Object.fromEntries(
    [...names].map((name) => {
      const have = all.filter((counts) => counts[name] !== undefined)
      const sum = (of: (counts: ProcessSample['counts']) => number): number =>
        have.reduce((so, counts) => so + of(counts), 0)
      if (!shares.has(name)) return [name, sum((counts) => counts[name]!)]
      return [
        name,
        sum((counts) => counts[name]! * counts['peersUp']!) /
          Math.max(
            1,
            sum((counts) => counts['peersUp']!),
          ),
      ]
    }),
  )
}

function maxOf(left: number | null, right: number | null): number | null {
  if (left === null || right === null) return left ?? right
  return Math.max(left, right)
}
