/**
 * Rows of coefficients applied to strips, in TypeScript: for an engine without SIMD, and the measure of the other paths.
 *
 * Four rows are worked on at once: for each column a table gives, for every value of a byte, its products with the four
 * coefficients in the four bytes of one word. So one look-up serves four rows, and the words are taken apart at the end.
 */
import { fieldSize, multiply } from './field.ts'
import type { Matrix } from './matrix.ts'

const rowsPerGroup = 4
/** Positions that are worked on at a time: accumulator (8 KiB) and four tables (4 KiB) stay in the first-level cache. */
const chunkBytes = 2048

interface Group {
  /** The first of its rows, and how many they are. */
  readonly firstRow: number
  readonly rows: number
  /** One a column, 256 words each. */
  readonly tables: readonly Uint32Array[]
}

export class ScalarKernel {
  readonly #groups: readonly Group[]

  /** Takes 1 KiB of tables for each column and four rows. */
  constructor(rows: Matrix, columns: number) {
    this.#groups = Array.from({ length: Math.ceil(rows.length / rowsPerGroup) }, (_, index) =>
      groupOf(rows, index * rowsPerGroup, columns),
    )
  }

  /** Fills each output with its row times the strips, all of one length. */
  apply(strips: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    const length = strips[0]!.byteLength
    const sums = new Uint32Array(Math.min(chunkBytes, length))
    for (const { firstRow, rows, tables } of this.#groups) {
      const group = outputs.slice(firstRow, firstRow + rows)
      for (let from = 0; from < length; from += chunkBytes) {
        const count = Math.min(chunkBytes, length - from)
        sums.fill(0)
        addColumns(sums, tables, strips, from, count)
        takeApart(sums, group, from, count)
      }
    }
  }
}

function groupOf(matrix: Matrix, firstRow: number, columns: number): Group {
  const rows = matrix.slice(firstRow, firstRow + rowsPerGroup)
  const tables = Array.from({ length: columns }, (_, column) => {
    const table = new Uint32Array(fieldSize)
    for (const [byte, row] of rows.entries()) {
      for (let value = 0; value < fieldSize; value++) table[value]! |= multiply(row[column]!, value) << (8 * byte)
    }
    return table
  })
  return { firstRow, rows: rows.length, tables }
}

/** Four columns at a time, so that a sum is loaded and stored once for four look-ups. */
function addColumns(
  sums: Uint32Array,
  tables: readonly Uint32Array[],
  strips: readonly Uint8Array[],
  from: number,
  count: number,
): void {
  let column = 0
  for (; column + 4 <= strips.length; column += 4) {
    const [table0, table1, table2, table3] = [
      tables[column]!,
      tables[column + 1]!,
      tables[column + 2]!,
      tables[column + 3]!,
    ]
    const [strip0, strip1, strip2, strip3] = [
      strips[column]!,
      strips[column + 1]!,
      strips[column + 2]!,
      strips[column + 3]!,
    ]
    for (let index = 0, at = from; index < count; index++, at++) {
      sums[index]! ^= table0[strip0[at]!]! ^ table1[strip1[at]!]! ^ table2[strip2[at]!]! ^ table3[strip3[at]!]!
    }
  }
  for (; column < strips.length; column++) {
    const [table, strip] = [tables[column]!, strips[column]!]
    for (let index = 0, at = from; index < count; index++, at++) sums[index]! ^= table[strip[at]!]!
  }
}

/** The four bytes of each sum to the four outputs. */
function takeApart(sums: Uint32Array, outputs: readonly Uint8Array[], from: number, count: number): void {
  const [output0, output1, output2, output3] = outputs
  if (output3 !== undefined) {
    for (let index = 0, at = from; index < count; index++, at++) {
      const sum = sums[index]!
      output0![at] = sum
      output1![at] = sum >>> 8
      output2![at] = sum >>> 16
      output3[at] = sum >>> 24
    }
    return
  }
  for (const [byte, output] of outputs.entries()) {
    for (let index = 0, at = from; index < count; index++, at++) output[at] = sums[index]! >>> (8 * byte)
  }
}
