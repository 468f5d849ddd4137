/** Matrices over GF(2^8), as rows of bytes. */
import { fieldSize, invert, multiply } from './field.ts'

export type Matrix = readonly Uint8Array[]

/**
 * The systematic Cauchy matrix: k rows of the identity, then m rows with the coefficient `1/(r xor c)` in row r ≥ k and
 * column c. Any k of its rows can be inverted (Blömer et al., "An XOR-Based Erasure-Resilient Coding Scheme", 1995).
 */
export function cauchyMatrix(k: number, m: number): Matrix {
  return Array.from({ length: k + m }, (_, row) =>
    Uint8Array.from({ length: k }, (_unused, column) => (row < k ? Number(row === column) : invert(row ^ column))),
  )
}

/**
 * The systematic Vandermonde matrix of klauspost/reedsolomon's default, of Backblaze's JavaReedSolomon and of their many
 * descendants: the rows `r^c` (0^0 is 1), multiplied with the inverse of the first k of them, which become the identity. Any k of
 * its rows can be inverted. Not ISA-L's `gf_gen_rs_matrix`, which lacks that.
 */
export function vandermondeMatrix(k: number, m: number): Matrix {
  const powers = Array.from({ length: k + m }, (_, row) => {
    const line = new Uint8Array(k)
    for (let column = 0, power = 1; column < k; column++, power = multiply(power, row)) line[column] = power
    return line
  })
  const inverse = invertMatrix(powers.slice(0, k))
  return powers.map((line) => multiplyRow(line, inverse))
}

/** The inverse, by Gauss and Jordan. Throws RangeError when there is none. */
export function invertMatrix(matrix: Matrix): Matrix {
  const size = matrix.length
  const work = matrix.map((row, index) => {
    const wide = new Uint8Array(2 * size)
    wide.set(row)
    wide[size + index] = 1
    return wide
  })
  for (let column = 0; column < size; column++) {
    const pivot = work.findIndex((row, index) => index >= column && row[column] !== 0)
    if (pivot === -1) throw new RangeError('the matrix has no inverse')
    ;[work[column], work[pivot]] = [work[pivot]!, work[column]!]
    const head = work[column]!
    scale(head, invert(head[column]!))
    for (const [index, row] of work.entries()) if (index !== column) subtractScaled(row, head, row[column]!)
  }
  return work.map((row) => row.slice(size))
}

/** The product of a row with a matrix. */
export function multiplyRow(row: Uint8Array, matrix: Matrix): Uint8Array {
  const product = new Uint8Array(matrix[0]!.length)
  for (const [index, other] of matrix.entries()) subtractScaled(product, other, row[index]!)
  return product
}

export const shardsMax = fieldSize

function scale(row: Uint8Array, factor: number): void {
  for (let index = 0; index < row.length; index++) row[index] = multiply(row[index]!, factor)
}

function subtractScaled(row: Uint8Array, other: Uint8Array, factor: number): void {
  if (factor === 0) return
  for (let index = 0; index < row.length; index++) row[index]! ^= multiply(factor, other[index]!)
}
