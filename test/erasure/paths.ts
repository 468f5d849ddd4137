/** Strips for tests of the code, and every way in which they are coded. */
import {
  allocateStrips,
  createCoder,
  createStripCoder,
  kernelPaths,
  Loom,
  type KernelPath,
  type MatrixName,
} from '../../protocols/erasure/index.ts'
import { wasm } from '../../protocols/erasure/wasm/web-assembly.ts'
import { loomHere } from '../../src/storage/workers/loom.ts'

/** Bytes that differ from strip to strip and do not repeat soon. */
export function someStrips(count: number, bytes: number, seed: number): Uint8Array[] {
  let state = (seed ^ 0x9e3779b9) | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    return (state ^= state << 5)
  }
  return Array.from({ length: count }, () => Uint8Array.from({ length: bytes }, () => next() >>> 11))
}

export interface Way {
  readonly name: string
  encode(data: readonly Uint8Array[], m: number, matrix?: MatrixName): Uint8Array[]
  reconstruct(
    k: number,
    strips: readonly (Uint8Array | undefined)[],
    wanted: readonly number[],
    matrix?: MatrixName,
  ): Uint8Array[]
}

/** By a clock that stands still no program is slower than the kernel, so it is taken wherever it is right. */
const stillClock = { monotonicMs: () => 0 }
const fromTheFirstByte = { afterBytes: 0 }

/** A loom whose programs are always taken, where they give the right bytes: as this engine compiles any module. */
export function plainLoom(compile = (bytes: Uint8Array) => new wasm!.Module(bytes)): Loom {
  return new Loom({ compile, ...stillClock }, fromTheFirstByte)
}

/** The same as workers have them: for vectors of 32 bytes. Undefined where there are none. */
export function wideLoom(): Loom | undefined {
  return loomHere(stillClock, fromTheFirstByte)
}

/** Both coders on every path, and with programs. */
export const ways: readonly Way[] = [
  ...kernelPaths.flatMap((path) => [copying(path), inPlace(path)]),
  copying(kernelPaths[0]!, plainLoom()),
  inPlace(kernelPaths[0]!, wideLoom() ?? plainLoom()),
]

function copying(path: KernelPath, weaver?: Loom): Way {
  return {
    name: `createCoder, ${weaver === undefined ? path : 'programs'}`,
    encode: (data, m, matrix = 'cauchy') => createCoder(data.length, m, { matrix, path, weaver }).encode(data),
    reconstruct: (k, strips, wanted, matrix = 'cauchy') =>
      createCoder(k, strips.length - k, { matrix, path, weaver }).reconstruct(strips, wanted),
  }
}

/** Where the strips begin in memory is their slot: odd slots are used, so that not all is as round as could be. */
function inPlace(path: KernelPath, weaver?: Loom): Way {
  const lay = (strips: readonly (Uint8Array | undefined)[], extra: number) => {
    const stripBytes = strips.find((strip) => strip !== undefined)?.byteLength ?? 0
    const memory = allocateStrips({ slots: 2 * (strips.length + extra), stripBytes, threads: 1 }, path, weaver)
    const slots = Array.from({ length: strips.length + extra }, (_, index) => 2 * index + 1)
    // What lay there before must not matter.
    for (const slot of slots) memory.strip(slot).fill(0xee)
    for (const [index, strip] of strips.entries()) if (strip !== undefined) memory.strip(slots[index]!).set(strip)
    const taken = (from: number): Uint8Array[] => slots.slice(from).map((slot) => Uint8Array.from(memory.strip(slot)))
    return { memory, slots, stripBytes, taken }
  }
  return {
    name: `createStripCoder, ${weaver === undefined ? path : 'programs'}`,
    encode(data, m, matrix = 'cauchy') {
      const k = data.length
      const { memory, slots, stripBytes, taken } = lay(data, m)
      createStripCoder(memory, k, m, { matrix }).encode(slots.slice(0, k), slots.slice(k), stripBytes)
      return taken(k)
    },
    reconstruct(k, strips, wanted, matrix = 'cauchy') {
      const { memory, slots, stripBytes, taken } = lay(strips, wanted.length)
      createStripCoder(memory, k, strips.length - k, { matrix }).reconstruct(
        strips.map((strip, index) => (strip === undefined ? undefined : slots[index]!)),
        wanted,
        slots.slice(strips.length),
        stripBytes,
      )
      return taken(strips.length)
    },
  }
}
