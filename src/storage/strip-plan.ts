/**
 * Who brings which strip. A segment needs k of them, of any k shards, and a lane can bring those of its own shard alone: so each
 * segment goes to the k lanes that are expected to be done with it first; who is done before its turn comes is as good as any, and
 * of those the data shards are taken, because then nothing is decoded. A lane half as fast brings a strip of every other
 * segment, and one that is late gets nothing until it has brought what it owes.
 */
import type { Lane } from './lane.ts'
import type { SegmentWindow } from './segment-window.ts'

/** How long a strip usually takes the lanes that have brought one; undefined while those are fewer than half of k. */
export function usualStripMs(lanes: Iterable<Lane>, k: number): number | undefined {
  const known = [...lanes].flatMap(({ stripMs }) => stripMs ?? []).toSorted((left, right) => left - right)
  return known.length * 2 < k ? undefined : known[Math.floor((known.length - 1) / 2)]
}

/** The reader does not go on faster than the fastest lane brings strips; to be a little later than that is no delay. */
const inTimeFactor = 1.25

/** Gives out what nobody has been given yet. `lanes`: by shard. */
export function assignStrips(window: SegmentWindow, lanes: ReadonlyMap<number, Lane>, k: number): void {
  const usable = [...lanes.values()].filter(({ isLate, isResting }) => !isLate && !isResting)
  const usualMs = usualStripMs(lanes.values(), k) ?? 0
  const fastestMs = Math.min(...[...lanes.values()].map(({ stripMs }) => stripMs ?? usualMs))
  const doneMs = (lane: Lane): number => (lane.stripMs ?? usualMs) * (lane.segments.length + 1)
  for (const [place, segment] of window.wanting().entries()) {
    const inTimeMs = fastestMs * (place + 1) * inTimeFactor
    const here = new Set(window.shardsOf(segment))
    const free = usable.filter(({ candidate: { shard } }) => !here.has(shard))
    const promised = free.filter((lane) => lane.segments.includes(segment)).length
    free
      .filter((lane) => !lane.segments.includes(segment))
      .map((lane) => ({ lane, atMs: Math.max(inTimeMs, doneMs(lane)) }))
      .sort((left, right) => left.atMs - right.atMs || left.lane.candidate.shard - right.lane.candidate.shard)
      .slice(0, Math.max(0, k - here.size - promised))
      .forEach(({ lane }) => lane.assign(segment))
  }
}
