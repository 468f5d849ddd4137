/**
 * An XOR program as a WebAssembly module: one loop without a table or a look-up, 32 bytes of every strip at a time as two vectors of
 * 16. An engine that lays two such vectors side by side in one of 32 makes one instruction of every two; in one that does not, the
 * kernel of tables is as fast or faster.
 *
 * A doubling is `2b` where the highest digit of b is not set, and `2b xor 0x1d` where it is. A relaxed lane select that looks at the
 * highest digit of each byte is that choice; it may also look at every digit, and then the module is wrong. So whoever takes a
 * module from here compares what it makes first (`../loom.ts`).
 */
import { varint } from 'multiformats'

import { digits, type XorProgram } from '../xor-program.ts'

/** Bytes of every strip in one step. */
export const wovenStepBytes = 32
const vectorBytes = 16
const vectors = wovenStepBytes / vectorBytes

/**
 * `multiply` of a woven module. `sources`, `targets`: where a 32-bit address for each column and each row is; bytes `from` … `to` of
 * every target are made, both multiples of `wovenStepBytes`, and at least one step.
 */
export type WovenMultiply = (sources: number, targets: number, from: number, to: number, polynomial: number) => void

/**
 * What a woven module is called with: the polynomial without its highest term, four times. From outside, since what an engine
 * knows to be constant it makes anew at every use.
 */
export const wovenPolynomial = 0x1d1d1d1d

// Instructions of WebAssembly, and of its SIMD behind 0xfd.
const loop = [0x03, 0x40]
const branchIf = [0x0d, 0]
const end = 0x0b
const load32 = [0x28, 2]
const add32 = 0x6a
const lessUnsigned32 = 0x49
const vectorLoad = [0xfd, 0, 4]
const vectorStore = [0xfd, 11, 4]
const splat32 = [0xfd, 17]
const xor = [0xfd, 81]
const addBytes = [0xfd, 110]
const relaxedLaneSelect = [0xfd, 0x89, 0x02]

const parameters = { sources: 0, targets: 1, from: 2, to: 3, polynomial: 4 }
const at = 5
const address = 6
const firstVector = 7

/** A number whose locals hold its vectors. */
type Value = readonly number[]

class Body {
  readonly code: number[] = []
  #vectors = 0

  get vectors(): number {
    return this.#vectors
  }

  value(): Value {
    return Array.from({ length: vectors }, () => firstVector + this.#vectors++)
  }

  add(...bytes: readonly (number | readonly number[])[]): void {
    for (const part of bytes) this.code.push(...(typeof part === 'number' ? [part] : part))
  }

  get(local: number): void {
    this.add(0x20, unsigned(local))
  }

  set(local: number): void {
    this.add(0x21, unsigned(local))
  }

  tee(local: number): void {
    this.add(0x22, unsigned(local))
  }

  /** Puts into `address` where this step of the strip is whose address is so many bytes behind `list`. */
  find(list: number, offset: number): void {
    this.get(list)
    this.add(load32, unsigned(offset))
    this.get(at)
    this.add(add32)
    this.set(address)
  }
}

export function wovenModule(program: XorProgram): Uint8Array {
  const body = new Body()
  const [polynomial] = body.value()
  body.get(parameters.polynomial)
  body.add(splat32)
  body.set(polynomial!)
  body.get(parameters.from)
  body.set(at)
  body.add(loop)
  step(program, body, polynomial!)
  body.get(at)
  body.add(0x41, wovenStepBytes, add32)
  body.tee(at)
  body.get(parameters.to)
  body.add(lessUnsigned32, branchIf, end, end)
  return moduleOf(body)
}

/** Digit by digit, of all rows: what is added is wanted by several of them, and there is room for it until then. */
function step(program: XorProgram, body: Body, polynomial: number): void {
  const { rows } = program
  const known = new Map<number, Value>()
  const totals = Array.from({ length: rows }, () => body.value())
  const begun = new Set<number>()
  const doubled = body.value()
  for (let digit = digits - 1; digit >= 0; digit--) {
    for (const [row, total] of totals.entries()) {
      const terms = program.terms[digits * row + digit]!
      const values = terms.map((term) => known.get(term) ?? made(term, program, known, body))
      for (const [lane, local] of total.entries()) {
        const isBegun = begun.has(row)
        if (isBegun) double(local, doubled[lane]!, polynomial, body)
        for (const [index, value] of values.entries()) {
          body.get(value[lane]!)
          if (isBegun || index > 0) body.add(xor)
        }
        if (isBegun || values.length > 0) body.set(local)
      }
      if (values.length > 0) begun.add(row)
    }
  }
  for (const [row, total] of totals.entries()) {
    body.find(parameters.targets, 4 * row)
    // The later one first: an engine that joins two stores puts both in the place of the second, and leaves a first one of the same address.
    for (const [lane, local] of [...total.entries()].toReversed()) {
      body.get(address)
      body.get(local)
      body.add(vectorStore, unsigned(vectorBytes * lane))
    }
  }
}

/** A term, once it is wanted: a strip is read, a sum is added up. */
function made(term: number, program: XorProgram, known: Map<number, Value>, body: Body): Value {
  const value = body.value()
  if (term < program.columns) {
    body.find(parameters.sources, 4 * term)
    for (const [lane, local] of value.entries()) {
      body.get(address)
      body.add(vectorLoad, unsigned(vectorBytes * lane))
      body.set(local)
    }
  } else {
    const parts = program.sums[term - program.columns]!.map(
      (part) => known.get(part) ?? made(part, program, known, body),
    )
    for (const [lane, local] of value.entries()) {
      body.get(parts[0]![lane]!)
      body.get(parts[1]![lane]!)
      body.add(xor)
      body.set(local)
    }
  }
  known.set(term, value)
  return value
}

/** Leaves twice the local on the stack. */
function double(local: number, scratch: number, polynomial: number, body: Body): void {
  body.get(local)
  body.get(local)
  body.add(addBytes)
  body.tee(scratch)
  body.get(polynomial)
  body.add(xor)
  body.get(scratch)
  body.get(local)
  body.add(relaxedLaneSelect)
}

/** What every module begins with, and the version. */
const magic = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

/** The module around the body: one imported memory, shared and of any size; one exported function, `multiply`. */
function moduleOf({ code, vectors: vectorLocals }: Body): Uint8Array {
  const int32 = 0x7f
  const vector = 0x7b
  const text = (name: string): number[] => [name.length, ...new TextEncoder().encode(name)]
  const locals = [2, 2, int32, ...unsigned(vectorLocals), vector]
  const body = [...locals, ...code]
  return Uint8Array.from([
    ...magic,
    ...section(1, [1, 0x60, 5, int32, int32, int32, int32, int32, 0]),
    ...section(2, [1, ...text('env'), ...text('memory'), 2, 3, 1, ...unsigned(65_536)]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text('multiply'), 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ])
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content]
}

/** LEB128, which is what multiformats calls a varint. */
function unsigned(value: number): number[] {
  return [...varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)))]
}
