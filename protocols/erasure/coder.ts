/**
 * Reed–Solomon over strips of equal length: k of data, m of parity, any k of the k + m give back the rest.
 *
 * Plain TypeScript. A faster kernel goes behind the same interface; both must give the same bytes (test/vectors).
 */
import { productTable } from './field.ts'
import { cauchyMatrix, invertMatrix, multiplyRow, shardsMax, type Matrix } from './matrix.ts'

export interface ErasureCoder {
  readonly k: number
  readonly m: number
  /** The m parity strips of k data strips of one length. */
  encode(data: readonly Uint8Array[]): Uint8Array[]
  /**
   * The strips with the numbers `wanted`, from those that are there (`undefined`: not there). Throws NotEnoughStripsError
   * when fewer than k are.
   */
  reconstruct(strips: readonly (Uint8Array | undefined)[], wanted: readonly number[]): Uint8Array[]
}

export class NotEnoughStripsError extends Error {
  override readonly name = 'NotEnoughStripsError'
  readonly need: number
  readonly have: readonly number[]

  constructor(need: number, have: readonly number[]) {
    super(`${need} strips are needed, ${have.length} are there (${have.join(', ')})`)
    this.need = need
    this.have = have
  }
}

/** Bytes that are worked on at a time, so that the strip under way stays in the cache of the processor. */
const chunkBytes = 16 * 1024

export function createCoder(k: number, m: number): ErasureCoder {
  checkCode(k, m)
  const matrix = cauchyMatrix(k, m)
  const parityRows = matrix.slice(k)
  return {
    k,
    m,
    encode(data) {
      if (data.length !== k) throw new RangeError(`${data.length} strips instead of ${k}`)
      return applyRows(parityRows, data)
    },
    reconstruct: (strips, wanted) => reconstruct(matrix, k, strips, wanted),
  }
}

export function checkCode(k: number, m: number): void {
  const isLawful = Number.isInteger(k) && Number.isInteger(m) && k >= 1 && m >= 0 && k + m <= shardsMax
  if (!isLawful) throw new RangeError(`${k}+${m} is not a code: 1 ≤ k, 0 ≤ m, k + m ≤ ${shardsMax}`)
}

function reconstruct(
  matrix: Matrix,
  k: number,
  strips: readonly (Uint8Array | undefined)[],
  wanted: readonly number[],
): Uint8Array[] {
  const have = strips.flatMap((strip, index) => (strip === undefined ? [] : [index]))
  if (have.length < k) throw new NotEnoughStripsError(k, have)
  const used = have.slice(0, k)
  const inverse = invertMatrix(used.map((index) => matrix[index]!))
  const rows = wanted.map((index) => multiplyRow(matrix[index]!, inverse))
  return applyRows(
    rows,
    used.map((index) => strips[index]!),
  )
}

/** Each row of coefficients times the strips. */
function applyRows(rows: Matrix, strips: readonly Uint8Array[]): Uint8Array[] {
  const length = strips[0]!.byteLength
  if (strips.some((strip) => strip.byteLength !== length)) throw new RangeError('strips of different lengths')
  const outputs = rows.map(() => new Uint8Array(length))
  const tables = rows.map((row) => Array.from(row, productTable))
  for (let from = 0; from < length; from += chunkBytes) {
    const to = Math.min(length, from + chunkBytes)
    for (const [r, output] of outputs.entries()) {
      for (const [c, strip] of strips.entries()) {
        if (rows[r]![c] !== 0) addProduct(output, strip, tables[r]![c]!, from, to)
      }
    }
  }
  return outputs
}

function addProduct(output: Uint8Array, strip: Uint8Array, table: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) output[at]! ^= table[strip[at]!]!
}
