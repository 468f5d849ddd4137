/** Many measurements made few, so that what is asked of them stays true: the smallest, the greatest, and every quantile between. */

/** Of sorted samples; undefined when there are none. */
export function quantile(sorted: readonly number[], share: number): number | undefined {
  if (sorted.length === 0) return undefined
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]
}

/** At most `max` of them, evenly spaced; both ends are kept. */
export function thinned<Item>(items: readonly Item[], max: number): Item[] {
  if (items.length <= max) return [...items]
  return Array.from({ length: max }, (_, index) => items[Math.round((index * (items.length - 1)) / (max - 1))]!)
}

/** A value, and how often it came. */
export type Bins = readonly (readonly [value: number, count: number])[]

/** Whole milliseconds counted: exact, bounded by the longest, and the same in whatever order they came. */
export class Histogram {
  readonly #counts = new Map<number, number>()
  #count = 0

  /** What `bins` of one or several gave, together again. */
  static of(...all: readonly Bins[]): Histogram {
    const histogram = new Histogram()
    for (const [value, count] of all.flat()) histogram.add(value, count)
    return histogram
  }

  add(value: number, count = 1): void {
    const whole = Math.round(value)
    this.#counts.set(whole, (this.#counts.get(whole) ?? 0) + count)
    this.#count += count
  }

  /** Each value with how often it came, the least first. */
  bins(): Bins {
    return [...this.#counts].toSorted(([left], [right]) => left - right)
  }

  get count(): number {
    return this.#count
  }

  /** Sorted: all of them, or `max` evenly spaced quantiles. */
  samples(max: number): number[] {
    const values = [...this.#counts.entries()].toSorted(([left], [right]) => left - right)
    const wanted = Math.min(max, this.#count)
    const samples: number[] = []
    let [at, passed] = [0, 0]
    for (let index = 0; index < wanted; index++) {
      const rank = wanted === 1 ? 0 : Math.round((index * (this.#count - 1)) / (wanted - 1))
      while (passed + values[at]![1] <= rank) passed += values[at++]![1]
      samples.push(values[at]![0])
    }
    return samples
  }
}
