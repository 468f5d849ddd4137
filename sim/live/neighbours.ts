/**
 * Who dials whom in a world that boots. On a ring in an order of chance each peer dials whoever comes next; several rings
 * give a graph that is connected, in which every peer has as many connections as any other.
 */
import type { SeededRandom } from '../random.ts'

/** For each of `count` peers the numbers of those that it dials: `each` of them, or as many as are left for it. */
export function neighboursOf(count: number, each: number, random: SeededRandom): readonly (readonly number[])[] {
  const dials = Array.from({ length: count }, (): number[] => [])
  const joined = Array.from({ length: count }, (_, index) => new Set([index]))
  for (let round = 0; round < each; round++) {
    const ring = random.shuffled([...dials.keys()])
    for (const [place, index] of ring.entries()) {
      const next = firstAfter(ring, place, (other) => !joined[index]!.has(other))
      if (next === undefined) continue
      dials[index]!.push(next)
      joined[index]!.add(next)
      joined[next]!.add(index)
    }
  }
  return dials
}

function firstAfter(ring: readonly number[], place: number, fits: (index: number) => boolean): number | undefined {
  for (let step = 1; step < ring.length; step++) {
    const index = ring[(place + step) % ring.length]!
    if (fits(index)) return index
  }
  return undefined
}
