/**
 * Reed–Solomon over strips of equal length: k of data, m of parity, any k of the k + m give back the rest.
 *
 * `createCoder` takes strips wherever they are and gives new ones. `createStripCoder` works on strips that lie in a StripMemory,
 * without copying: for whoever codes much, in worker threads too. Both give the same bytes on every path.
 */
import { CodeRows, type MatrixName } from './code-rows.ts'
import type { Coefficients } from './coefficients.ts'
import { shardsMax } from './matrix.ts'
import { kernelPaths, type KernelPath } from './path.ts'
import { allocateStrips, type Span, type StripMemory, type Weaver } from './strip-memory.ts'

export interface ErasureCoder {
  readonly k: number
  readonly m: number
  /** The m parity strips of k data strips of one length. */
  encode(data: readonly Uint8Array[]): Uint8Array[]
  /**
   * The strips with the numbers `wanted`, from those that are there (`undefined`: not there). `into`: where they are put, as long
   * as they, in the order of `wanted`; it may be where one of those lies that are there, which is used up then. Others get memory of their own. Throws
   * NotEnoughStripsError when fewer than k are there.
   */
  reconstruct(
    strips: readonly (Uint8Array | undefined)[],
    wanted: readonly number[],
    into?: readonly (Uint8Array | undefined)[],
  ): Uint8Array[]
}

/**
 * Strips are given as the slots of the memory in which they lie. `span`: the part of every strip that is to be made; all of it
 * when it is not given.
 */
export interface StripCoder {
  readonly k: number
  readonly m: number
  /** Fills m slots with the parity of k data strips of `bytes`. */
  encode(data: readonly number[], parity: readonly number[], bytes: number, span?: Span): void
  /**
   * Fills the slots `targets` with the strips that have the numbers `wanted`, from those that are there: for each number, the
   * slot of the strip, or undefined. Throws NotEnoughStripsError when fewer than k are there.
   */
  reconstruct(
    strips: readonly (number | undefined)[],
    wanted: readonly number[],
    targets: readonly number[],
    bytes: number,
    span?: Span,
  ): void
}

export interface CoderOptions {
  readonly matrix?: MatrixName
  /** For tests and benches. */
  readonly path?: KernelPath
  readonly weaver?: Weaver | undefined
}

export function createCoder(k: number, m: number, options: CoderOptions = {}): ErasureCoder {
  const rows = new CodeRows(k, m, options.matrix ?? 'cauchy')
  const way = { path: options.path ?? kernelPaths[0]!, weaver: options.weaver }
  return {
    k,
    m,
    encode: (data) => multiply(rows.parity, data, way),
    reconstruct(strips, wanted, into = []) {
      const { used, coefficients } = rows.rebuilding(strips, wanted)
      return multiply(
        coefficients,
        used.map((index) => strips[index]!),
        way,
        into,
      )
    },
  }
}

/** Works on the path of the memory, and with its weaver. */
export function createStripCoder(
  memory: StripMemory,
  k: number,
  m: number,
  { matrix = 'cauchy' }: Pick<CoderOptions, 'matrix'> = {},
): StripCoder {
  const rows = new CodeRows(k, m, matrix)
  return {
    k,
    m,
    encode(data, parity, bytes, span = { from: 0, to: bytes }) {
      memory.multiply(rows.parity, data, parity, bytes, span)
    },
    reconstruct(strips, wanted, targets, bytes, span = { from: 0, to: bytes }) {
      const { used, coefficients } = rows.rebuilding(strips, wanted)
      memory.multiply(
        coefficients,
        used.map((index) => strips[index]!),
        targets,
        bytes,
        span,
      )
    },
  }
}

interface Way {
  readonly path: KernelPath
  readonly weaver: Weaver | undefined
}

function multiply(
  coefficients: Coefficients,
  strips: readonly Uint8Array[],
  way: Way,
  into: readonly (Uint8Array | undefined)[] = [],
): Uint8Array[] {
  const { columns, rows } = coefficients
  if (strips.length !== columns) throw new RangeError(`${strips.length} strips instead of ${columns}`)
  const bytes = strips[0]!.byteLength
  const outputs = rows.map((_, row) => into[row] ?? new Uint8Array(bytes))
  if ([...strips, ...outputs].some((strip) => strip.byteLength !== bytes))
    throw new RangeError('strips of different lengths')
  if (way.path === 'scalar') {
    // It reads its strips once for every four rows, and so must not write where one of them may lie.
    const made = outputs.map((output, row) => (into[row] === undefined ? output : new Uint8Array(bytes)))
    coefficients.scalar.apply(strips, made)
    for (const [row, output] of outputs.entries()) if (made[row] !== output) output.set(made[row]!)
  } else throughScratch(coefficients, strips, outputs, way)
  return outputs
}

/**
 * Room through which strips that lie elsewhere are passed in pieces so small that they do not leave the second-level cache on the
 * way. One a thread, path and weaver: coding waits for nothing, so two coders never use it at once.
 */
const scratchBytes = 1024 * 1024
const pieceBytesMax = 32 * 1024
const scratches = new WeakMap<object, Map<string, StripMemory>>()
const unwoven = {}

/** A piece of every strip is read before any of it is written, so an output may lie where a strip does. */
function throughScratch(
  coefficients: Coefficients,
  strips: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
  way: Way,
): void {
  const slots = strips.length + outputs.length
  const scratch = scratchFor(slots, way)
  const { stripBytes } = scratch.shared.shape
  const sources = Array.from(strips.keys())
  const targets = Array.from(outputs.keys(), (row) => strips.length + row)
  const bytes = strips[0]!.byteLength
  for (let at = 0; at < bytes; at += stripBytes) {
    const count = Math.min(stripBytes, bytes - at)
    for (const [slot, strip] of strips.entries()) scratch.strip(slot).set(strip.subarray(at, at + count))
    scratch.multiply(coefficients, sources, targets, count, { from: 0, to: count })
    for (const [row, output] of outputs.entries()) output.set(scratch.strip(strips.length + row, count), at)
  }
}

/** Of two widths: most codes have few strips, and then pieces may be longer. */
function scratchFor(slots: number, { path, weaver }: Way): StripMemory {
  const narrow = scratchBytes / pieceBytesMax
  const width = slots <= narrow ? narrow : 2 * shardsMax
  const name = `${path}/${width}`
  const ofWeaver = scratches.get(weaver ?? unwoven) ?? new Map<string, StripMemory>()
  scratches.set(weaver ?? unwoven, ofWeaver)
  const known = ofWeaver.get(name)
  if (known !== undefined) return known
  const scratch = allocateStrips({ slots: width, stripBytes: scratchBytes / width, threads: 1 }, path, weaver)
  ofWeaver.set(name, scratch)
  return scratch
}
