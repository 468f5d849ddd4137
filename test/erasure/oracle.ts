/**
 * Reed–Solomon as the README defines it and as slowly as can be: products bit by bit, inverses by trying, matrices by Gauss. It shares
 * nothing with what is tested.
 */
import type { MatrixName } from '../../protocols/erasure/index.ts'

function carryless(left: number, right: number): number {
  let [product, factor] = [0, left]
  for (let bits = right; bits > 0; bits >>= 1) {
    if (bits & 1) product ^= factor
    factor <<= 1
    if (factor & 0x100) factor ^= 0x11d
  }
  return product
}

const products = Array.from({ length: 256 }, (_, left) =>
  Uint8Array.from({ length: 256 }, (_unused, right) => carryless(left, right)),
)

function times(left: number, right: number): number {
  return products[left]![right]!
}

function inverse(value: number): number {
  return products[value]!.indexOf(1)
}

/** The rows of the parity. */
export function parityRows(k: number, m: number, matrix: MatrixName): number[][] {
  if (matrix === 'cauchy')
    return Array.from({ length: m }, (_, row) =>
      Array.from({ length: k }, (_unused, column) => inverse((k + row) ^ column)),
    )
  const rows = Array.from({ length: k + m }, (_, row) => {
    let power = 1
    return Array.from({ length: k }, () => [power, (power = times(power, row))][0]!)
  })
  // Columns are combined until the first k rows are the identity, which multiplies by their inverse from the right.
  for (let pivot = 0; pivot < k; pivot++) {
    const swap = rows[pivot]!.findIndex((value, column) => column >= pivot && value !== 0)
    for (const row of rows) [row[pivot], row[swap]] = [row[swap]!, row[pivot]!]
    const factor = inverse(rows[pivot]![pivot]!)
    for (const row of rows) row[pivot] = times(row[pivot]!, factor)
    for (let column = 0; column < k; column++) {
      const share = rows[pivot]![column]!
      if (column !== pivot && share !== 0) for (const row of rows) row[column]! ^= times(row[pivot]!, share)
    }
  }
  return rows.slice(k)
}

export function parityOf(data: readonly Uint8Array[], m: number, matrix: MatrixName): Uint8Array[] {
  return parityRows(data.length, m, matrix).map((row) =>
    Uint8Array.from(data[0]!, (_, at) => data.reduce((sum, strip, column) => sum ^ times(row[column]!, strip[at]!), 0)),
  )
}
