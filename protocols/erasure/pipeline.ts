/**
 * Objects as streams, in bounded memory: generators to be joined by it-pipe. Pure but for what they are fed.
 *
 *     pipe(chunks, cutSegments(code), codeSegments(coder, key), write)       plaintext → n strips of each segment
 *     pipe(stripSets, openSegments(coder, key, bytes), write)                any k strips of each segment → plaintext
 */
import type { Code } from './code.ts'
import type { ErasureCoder } from './coder.ts'
import { openSegment, sealSegment, segmentBytesOf, segmentCount, segmentLength } from './segment.ts'

export interface PlainSegment {
  readonly number: number
  readonly isLast: boolean
  readonly plain: Uint8Array
}

export interface CodedSegment {
  readonly number: number
  readonly isLast: boolean
  readonly plainBytes: number
  /** All n, data first. */
  readonly strips: readonly Uint8Array[]
}

/** At least k strips of one segment, by their number. */
export type StripSet = readonly (Uint8Array | undefined)[]

export interface OpenedSegment extends PlainSegment {
  /** Data strips that had to be decoded. Their shards are still to be checked against their roots (commitment.ts). */
  readonly rebuilt: ReadonlyMap<number, Uint8Array>
}

/** The shards are what the manifest says, and do not make one object: whoever made it coded it wrongly, or the key is wrong. */
export class InconsistentObjectError extends Error {
  override readonly name = 'InconsistentObjectError'
}

/** Room for a segment at first: most objects are shorter than one, and zeroing many MiB for them costs more than all the rest. */
const firstBytes = 64 * 1024

/** Cuts chunks of any size into segments. Holds one segment, and looks one chunk ahead to know which is the last. */
export function cutSegments(code: Code) {
  return async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<PlainSegment> {
    const full = segmentBytesOf(code)
    let plain = new Uint8Array(Math.min(full, firstBytes))
    let filled = 0
    let number = 0
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.byteLength;) {
        if (filled === full) {
          yield { number: number++, isLast: false, plain }
          plain = new Uint8Array(full)
          filled = 0
        }
        const piece = chunk.subarray(at, at + full - filled)
        if (filled + piece.byteLength > plain.byteLength) plain = widened(plain, filled + piece.byteLength, full)
        plain.set(piece, filled)
        filled += piece.byteLength
        at += piece.byteLength
      }
    }
    yield { number, isLast: true, plain: plain.subarray(0, filled) }
  }
}

/** Twice as wide at least, but never over `bytesMax`. */
function widened(plain: Uint8Array, bytes: number, bytesMax: number): Uint8Array<ArrayBuffer> {
  const wider = new Uint8Array(Math.min(bytesMax, Math.max(bytes, 2 * plain.byteLength)))
  wider.set(plain)
  return wider
}

/** Encrypts, then codes. */
export function codeSegments(coder: ErasureCoder, key: Uint8Array) {
  return async function* (segments: AsyncIterable<PlainSegment>): AsyncGenerator<CodedSegment> {
    for await (const { number, isLast, plain } of segments) {
      const data = sealSegment(coder, key, number, isLast, plain)
      yield { number, isLast, plainBytes: plain.byteLength, strips: [...data, ...coder.encode(data)] }
    }
  }
}

/** Decodes where data strips are missing, then decrypts. Throws InconsistentObjectError, or NotEnoughStripsError. */
export function openSegments(coder: ErasureCoder, key: Uint8Array, bytes: number) {
  return async function* (sets: AsyncIterable<StripSet>): AsyncGenerator<OpenedSegment> {
    const count = segmentCount(coder, bytes)
    let number = 0
    for await (const set of sets) {
      const isLast = number === count - 1
      const rebuilt = rebuild(coder, set)
      const data = Array.from({ length: coder.k }, (_, shard) => set[shard] ?? rebuilt.get(shard)!)
      const plain = openSegment(key, number, isLast, segmentLength(coder, bytes, number), data)
      if (plain === undefined) {
        throw new InconsistentObjectError(
          `segment ${number} does not open: the key is wrong, or the object was coded wrongly`,
        )
      }
      yield { number: number++, isLast, plain, rebuilt }
    }
  }
}

/** The data strips that are not there, by their number. */
function rebuild(coder: ErasureCoder, set: StripSet): Map<number, Uint8Array> {
  const lost = Array.from({ length: coder.k }, (_, shard) => shard).filter((shard) => set[shard] === undefined)
  if (lost.length === 0) return new Map()
  const strips = coder.reconstruct(set, lost)
  return new Map(lost.map((shard, index) => [shard, strips[index]!]))
}
