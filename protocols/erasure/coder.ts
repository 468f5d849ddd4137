/**
 * Reed–Solomon over strips of equal length: k of data, m of parity, any k of the k + m give back the rest.
 *
 * Plain TypeScript. A faster kernel goes behind the same interface; both must give the same bytes (test/vectors).
 */
import { Kernel } from './kernel.ts'
import { cauchyMatrix, invertMatrix, multiplyRow, shardsMax } from './matrix.ts'

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

export function createCoder(k: number, m: number): ErasureCoder {
  checkCode(k, m)
  const matrix = cauchyMatrix(k, m)
  let encoder: Kernel | undefined
  const prepared = new Map<string, Kernel>()

  const kernelFor = (used: readonly number[], wanted: readonly number[]): Kernel => {
    const name = `${used.join()}>${wanted.join()}`
    const known = prepared.get(name)
    if (known !== undefined) return known
    const inverse = invertMatrix(used.map((index) => matrix[index]!))
    const kernel = new Kernel(
      wanted.map((index) => multiplyRow(matrix[index]!, inverse)),
      k,
    )
    const oldest = prepared.keys().next()
    if (prepared.size >= preparedMax && oldest.done !== true) prepared.delete(oldest.value)
    prepared.set(name, kernel)
    return kernel
  }

  return {
    k,
    m,
    encode(data) {
      encoder ??= new Kernel(matrix.slice(k), k)
      return encoder.apply(data)
    },
    reconstruct(strips, wanted) {
      if (strips.length > k + m) throw new RangeError(`${strips.length} strips of a code of ${k + m}`)
      if (wanted.some((index) => matrix[index] === undefined))
        throw new RangeError(`there is no such strip: ${wanted.join()}`)
      const have = strips.flatMap((strip, index) => (strip === undefined ? [] : [index]))
      if (have.length < k) throw new NotEnoughStripsError(k, have)
      const used = have.slice(0, k)
      return kernelFor(used, wanted).apply(used.map((index) => strips[index]!))
    },
  }
}

export function checkCode(k: number, m: number): void {
  const isLawful = Number.isInteger(k) && Number.isInteger(m) && k >= 1 && m >= 0 && k + m <= shardsMax
  if (!isLawful) throw new RangeError(`${k}+${m} is not a code: 1 ≤ k, 0 ≤ m, k + m ≤ ${shardsMax}`)
}
