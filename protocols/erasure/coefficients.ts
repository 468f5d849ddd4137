/** Rows of coefficients, with the tables that each path needs of them, made when they are first needed. */
import { multiply } from './field.ts'
import { shardsMax, type Matrix } from './matrix.ts'
import { ScalarKernel } from './scalar-kernel.ts'

/** Rows that the SIMD kernel works on at once. */
const rowsPerGroup = 4
/** Of one coefficient: its products with 0 … 15, then with 0x00, 0x10 … 0xf0. */
const tableBytes = 32

/** As many rows as have tables in `tables`, in the order of wasm/kernel.as. */
export interface TableSet {
  readonly firstRow: number
  readonly rows: number
  readonly tables: Uint8Array
}

export class Coefficients {
  readonly rows: Matrix
  readonly columns: number
  #scalar: ScalarKernel | undefined
  #sets: readonly TableSet[] | undefined

  constructor(rows: Matrix, columns: number) {
    this.rows = rows
    this.columns = columns
  }

  get scalar(): ScalarKernel {
    this.#scalar ??= new ScalarKernel(this.rows, this.columns)
    return this.#scalar
  }

  /** Of all rows, in sets of at most `tableSetBytesMax`. */
  get tableSets(): readonly TableSet[] {
    this.#sets ??= tableSetsOf(this.rows, this.columns)
    return this.#sets
  }
}

/** Room for the tables of four rows of the widest code, and of all rows of most. */
export const tableSetBytesMax = 64 * 1024

function tableSetsOf(matrix: Matrix, columns: number): TableSet[] {
  const groupBytes = rowsPerGroup * columns * tableBytes
  const rowsAtOnce = Math.min(shardsMax, rowsPerGroup * Math.floor(tableSetBytesMax / groupBytes))
  return Array.from({ length: Math.ceil(matrix.length / rowsAtOnce) }, (_, index) => {
    const firstRow = index * rowsAtOnce
    const rows = matrix.slice(firstRow, firstRow + rowsAtOnce)
    return { firstRow, rows: rows.length, tables: tablesOf(rows, columns) }
  })
}

function tablesOf(rows: Matrix, columns: number): Uint8Array {
  const tables = new Uint8Array(rows.length * columns * tableBytes)
  let at = 0
  for (let first = 0; first < rows.length; first += rowsPerGroup) {
    for (let column = 0; column < columns; column++) {
      for (const row of rows.slice(first, first + rowsPerGroup)) {
        for (let digit = 0; digit < 16; digit++) {
          tables[at + digit] = multiply(row[column]!, digit)
          tables[at + 16 + digit] = multiply(row[column]!, digit << 4)
        }
        at += tableBytes
      }
    }
  }
  return tables
}
