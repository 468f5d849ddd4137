/** The rows with which a code makes strips out of others. */
import { Coefficients } from './coefficients.ts'
import { cauchyMatrix, invertMatrix, multiplyRow, shardsMax, vandermondeMatrix, type Matrix } from './matrix.ts'

/** Objects have `cauchy` ones; the other is there to be compared with programs that know no other. */
export type MatrixName = 'cauchy' | 'vandermonde'

/** `have` are the numbers of the strips that are there. */
export class NotEnoughStripsError extends Error {
  override readonly name = 'NotEnoughStripsError'
  readonly need: number
  readonly have: readonly number[]

  constructor(need: number, have: readonly number[]) {
    super(`${need} strips are needed, ${have.length} are there (${have.join(', ')}): ${need - have.length} are missing`)
    this.need = need
    this.have = have
  }
}

/** Losses that a coder is prepared for at once: an object is read with one or two, and each costs an inversion. */
const preparedMax = 4

export interface Rebuilding {
  /** The k strips that are used. */
  readonly used: readonly number[]
  readonly coefficients: Coefficients
}

export class CodeRows {
  readonly k: number
  readonly m: number
  readonly #matrix: Matrix
  #parity: Coefficients | undefined
  readonly #prepared = new Map<string, Coefficients>()

  constructor(k: number, m: number, matrix: MatrixName) {
    checkCode(k, m)
    this.k = k
    this.m = m
    this.#matrix = matrix === 'cauchy' ? cauchyMatrix(k, m) : vandermondeMatrix(k, m)
  }

  /** What makes parity of data. */
  get parity(): Coefficients {
    this.#parity ??= new Coefficients(this.#matrix.slice(this.k), this.k)
    return this.#parity
  }

  /** What makes the strips `wanted` of the first k that are there. Throws NotEnoughStripsError when fewer are. */
  rebuilding(strips: readonly unknown[], wanted: readonly number[]): Rebuilding {
    const { k, m } = this
    if (strips.length > k + m) throw new RangeError(`${strips.length} strips of a code of ${k + m}`)
    if (wanted.some((index) => this.#matrix[index] === undefined))
      throw new RangeError(`there is no such strip: ${wanted.join()}`)
    const have = strips.flatMap((strip, index) => (strip === undefined ? [] : [index]))
    if (have.length < k) throw new NotEnoughStripsError(k, have)
    const used = have.slice(0, k)
    return { used, coefficients: this.#coefficientsFor(used, wanted) }
  }

  #coefficientsFor(used: readonly number[], wanted: readonly number[]): Coefficients {
    const name = `${used.join()}>${wanted.join()}`
    const known = this.#prepared.get(name)
    if (known !== undefined) return known
    const inverse = invertMatrix(used.map((index) => this.#matrix[index]!))
    const coefficients = new Coefficients(
      wanted.map((index) => multiplyRow(this.#matrix[index]!, inverse)),
      this.k,
    )
    const oldest = this.#prepared.keys().next()
    if (this.#prepared.size >= preparedMax && oldest.done !== true) this.#prepared.delete(oldest.value)
    this.#prepared.set(name, coefficients)
    return coefficients
  }
}

export function checkCode(k: number, m: number): void {
  const isLawful = Number.isInteger(k) && Number.isInteger(m) && k >= 1 && m >= 0 && k + m <= shardsMax
  if (!isLawful) throw new RangeError(`${k}+${m} is not a code: 1 ≤ k, 0 ≤ m, k + m ≤ ${shardsMax}`)
}
