/**
 * Rows of coefficients as additions and doublings. A product in GF(2^8) with a constant c is the sum of the doublings `2^d · b` for the
 * digits d that c has, so a row of constants is, by Horner's rule, eight sums of strips with a doubling between one and the next:
 *
 *     row = (…(sum₇ · 2 + sum₆) · 2 + … ) · 2 + sum₀        sum_d: of the columns whose coefficient has the digit d
 *
 * What two or more of these sums have in common is added once: the pair of terms that most of them have becomes a term itself,
 * until no pair is left twice (Paar, "Optimized Arithmetic for Reed-Solomon Encoders", 1997). For four rows of ten columns that leaves 87
 * additions of 184. That such programs outrun tables, Uezato showed for strips that lie apart by digits ("Accelerating XOR-based
 * Erasure Coding using Program Optimization Techniques", 2021); here bytes stay as they are, and so the doublings.
 */
import type { Matrix } from './matrix.ts'

export const digits = 8

export interface XorProgram {
  readonly columns: number
  readonly rows: number
  /** The term `columns + i` is the sum of two terms before it; the terms below `columns` are the strips. */
  readonly sums: readonly (readonly [number, number])[]
  /** At `digits · row + d`: the terms that are added before what there is has been doubled d times. */
  readonly terms: readonly (readonly number[])[]
}

export function xorProgramOf(rows: Matrix, columns: number): XorProgram {
  const terms = rows.flatMap((row) =>
    Array.from(
      { length: digits },
      (_, digit) => new Set([...row.keys()].filter((column) => ((row[column]! >> digit) & 1) === 1)),
    ),
  )
  const sums: [number, number][] = []
  for (;;) {
    const pair = commonestPair(terms, columns + sums.length)
    if (pair === undefined) break
    const [left, right] = pair
    const sum = columns + sums.length
    sums.push([left, right])
    for (const set of terms) {
      if (!set.has(left) || !set.has(right)) continue
      set.delete(left)
      set.delete(right)
      set.add(sum)
    }
  }
  return { columns, rows: rows.length, sums, terms: terms.map((set) => [...set]) }
}

/** Of the pairs that are in two sets at least, the first that is in most. */
function commonestPair(sets: readonly ReadonlySet<number>[], count: number): [number, number] | undefined {
  const times = new Uint16Array(count * count)
  let most = 1
  let commonest: [number, number] | undefined
  for (const set of sets) {
    const members = [...set].toSorted((left, right) => left - right)
    for (const [index, left] of members.entries()) {
      for (let other = index + 1; other < members.length; other++) {
        const right = members[other]!
        const seen = ++times[left * count + right]!
        if (seen <= most) continue
        most = seen
        commonest = [left, right]
      }
    }
  }
  return commonest
}
