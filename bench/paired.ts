/** Runs that alternate, so that what else the machine does meanwhile falls on all of them alike. */

/** A median of fewer runs than this is chance. */
export const roundsMin = 5
export const roundsDefault = 7

/** One run: gives its figure, for example the bytes per second it reached. */
export type Measure = () => number | Promise<number>

export interface Paired {
  /** Of what was measured, one a round. */
  readonly values: readonly number[]
  /** The median over the rounds of value ÷ baseline, both of one round. */
  readonly ratio: number
}

/**
 * Runs all of them once unmeasured, then `rounds` times in turn, every other round in the opposite order. The figures of
 * each, one a round.
 */
export async function alternate<Name extends string>(
  rounds: number,
  measures: Readonly<Record<Name, Measure>>,
): Promise<Readonly<Record<Name, readonly number[]>>> {
  if (rounds < roundsMin) throw new RangeError(`${rounds} rounds are too few for a median: ${roundsMin} at least`)
  const names = Object.keys(measures) as Name[]
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (const name of names) await measures[name]()
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) figures[name].push(await measures[name]())
  }
  return figures
}

export function pair(values: readonly number[], baseline: readonly number[]): Paired {
  if (values.length !== baseline.length) throw new RangeError('runs without a partner')
  return { values, ratio: median(values.map((value, round) => value / baseline[round]!)) }
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('a median of nothing')
  const sorted = values.toSorted((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
