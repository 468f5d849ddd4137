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

/** Whole milliseconds counted: exact, bounded by the longest, and the same in whatever order they came. */
export class Histogram {
  readonly #counts = new Map<number, number>()
  #count = 0

  add(value: number): void {
    const whole = Math.round(value)
    this.#counts.set(whole, (this.#counts.get(whole) ?? 0) + 1)
    this.#count++
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
