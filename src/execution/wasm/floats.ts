/**
 * NaNs made canonical. WebAssembly leaves the sign and the payload of a NaN that arithmetic gives open (core specification
 * 4.3.3), and processors differ. So after each operation that may give one, a NaN is replaced by the one with a positive sign and an
 * empty payload, unless the next instruction cannot tell NaNs apart. What only moves bits (abs, neg, copysign, loads, pmin, pmax) is
 * determined already.
 */
import type { BinaryReader } from './binary.ts'
import { mark, noMark } from './marks.ts'

const singles = new Int8Array(256).fill(noMark)
singles.fill(mark.float32, 0x8d, 0x98) // f32: ceil floor trunc nearest sqrt add sub mul div min max
singles.fill(mark.float64, 0x9b, 0xa6) // f64: the same
singles[0xb6] = mark.float32 // f32.demote_f64
singles[0xbb] = mark.float64 // f64.promote_f32

const vectors = new Int8Array(256).fill(noMark)
vectors.fill(mark.float32x4, 0x67, 0x6b) // ceil floor trunc nearest
vectors.fill(mark.float32x4, 0xe3, 0xea) // sqrt add sub mul div min max
vectors.fill(mark.float64x2, 0xef, 0xf6)
for (const code of [0x74, 0x75, 0x7a, 0x94, 0x5f]) vectors[code] = mark.float64x2
vectors[0x5e] = mark.float32x4 // f32x4.demote_f64x2_zero

export const canonicalMark = (code: number): number => singles[code]!
export const canonicalVectorMark = (code: number): number => vectors[code] ?? noMark

const drop = 0x1a
const blind = new Uint8Array(256)
blind[drop] = 1
blind.fill(1, 0x5b, 0x67) // comparisons
blind.fill(1, 0xa8, 0xac) // i32.trunc
blind.fill(1, 0xae, 0xb2) // i64.trunc
for (const [code, kind] of singles.entries()) if (kind !== noMark) blind[code] = 1

/** Whether the next instruction takes what is on the top of the stack and cannot tell one NaN from another. */
export const hidesNaN = (body: BinaryReader): boolean => blind[body.peek()] === 1

const canonical32 = [0x00, 0x00, 0xc0, 0x7f]
const canonical64 = [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x7f]
const localGet = 0x20
const localTee = 0x22
/** Gives the first of two operands if the third is not zero: here, if the value equals itself. */
const select = 0x1b
const bitSelect = [0xfd, 0x52]
const vectorConst = [0xfd, 0x0c]

/** The instructions for each mark; `local` is the number, encoded, of a local of the right type. */
export function canonicalCode(kind: number, local: readonly number[]): number[] {
  const get = [localGet, ...local]
  const keep = [localTee, ...local]
  const scalar = (constant: readonly number[], equal: number): number[] =>
    [keep, constant, get, get, [equal, select]].flat()
  const vector = (lane: readonly number[], lanes: number, equal: number): number[] =>
    [keep, vectorConst, Array(lanes).fill(lane).flat(2) as number[], get, get, [0xfd, equal], bitSelect].flat()
  switch (kind) {
    case mark.float32:
      return scalar([0x43, ...canonical32], 0x5b)
    case mark.float64:
      return scalar([0x44, ...canonical64], 0x61)
    case mark.float32x4:
      return vector(canonical32, 4, 0x41)
    case mark.float64x2:
      return vector(canonical64, 2, 0x47)
    default:
      throw new RangeError(`mark ${kind} is none of floats`)
  }
}
