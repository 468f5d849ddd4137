/**
 * The heavy work on one segment, with as few copies as can be: bound to no thread, for whoever has one to spare.
 *
 * A *room* is memory in which one segment becomes its strips without being copied to and fro. The plaintext is put in at the place
 * that `plainIn` says; encrypting moves it forward, piece by piece, to where the data strips are; the parity comes behind them.
 *
 *     ├ strip 0 ┤gap├ strip 1 ┤gap├ … ┤gap├ strip n − 1 ┤gap┤
 *          ├ plaintext ──────────────────── ┤
 *
 * The gaps are there because strips of 1 MiB, one right after the other, would all fall on the same lines of the processor's cache.
 */
import type { CipherGCM } from 'node:crypto'

import { hashBytes } from '../wire/index.ts'
import type { Code } from './code.ts'
import type { ErasureCoder } from './coder.ts'
import { hashLeaf, leafBytes, leafCount } from './merkle.ts'
import { openSegment, pieceBytes, segmentSeal, tagBytes, type SegmentPlace } from './segment.ts'

const lineBytes = 64

/** Bytes of a room for a segment of at most so many bytes of plaintext. */
export function roomBytes(code: Code, plainBytesMax: number): number {
  const strips = (code.k + code.m) * strideOf(stripOf(code, plainBytesMax))
  return Math.max(strips, plainAt(code) + plainBytesMax)
}

/** The part of a room that the plaintext is to be put in, from its beginning. */
export function plainIn(code: Code, room: Uint8Array, plainBytesMax: number): Uint8Array {
  return room.subarray(plainAt(code), plainAt(code) + plainBytesMax)
}

/** The n strips of a segment, where they are once it is sealed, data first. */
export function stripsIn(code: Code, room: Uint8Array, plainBytes: number): Uint8Array[] {
  const bytes = stripOf(code, plainBytes)
  return Array.from({ length: code.k + code.m }, (_, shard) =>
    room.subarray(shard * strideOf(bytes), shard * strideOf(bytes) + bytes),
  )
}

/** Encrypts and codes the plaintext that is in the room. What is left there are the strips. */
export function sealInRoom(coder: ErasureCoder, key: Uint8Array, place: SegmentPlace, room: Uint8Array): void {
  const strips = stripsIn(coder, room, place.plainBytes)
  const data = strips.slice(0, coder.k)
  encrypt(segmentSeal(key, place), plainIn(coder, room, place.plainBytes), data)
  for (const [index, parity] of coder.encode(data).entries()) strips[coder.k + index]!.set(parity)
}

/** At least k strips of one segment, by their number. */
export type StripSet = readonly (Uint8Array | undefined)[]

export interface OpenedSegment {
  /** Pieces of the plaintext, in their order. */
  readonly plain: readonly Uint8Array[]
  /** Data strips that had to be decoded: the hashes of their leaves, still to be checked against the root of their shard. */
  readonly rebuilt: ReadonlyMap<number, Uint8Array>
}

/**
 * Decodes where data strips are missing, then decrypts, where the strips are: they are used up. Undefined: the strips do not open.
 * Throws NotEnoughStripsError.
 */
export function openInPlace(
  coder: ErasureCoder,
  key: Uint8Array,
  place: SegmentPlace,
  set: StripSet,
): OpenedSegment | undefined {
  const lost = Array.from({ length: coder.k }, (_, shard) => shard).filter((shard) => set[shard] === undefined)
  const decoded = lost.length === 0 ? [] : coder.reconstruct(set, lost)
  const hashes = hashStrips(decoded)
  const data = set.slice(0, coder.k)
  for (const [index, shard] of lost.entries()) data[shard] = decoded[index]
  const plain = openSegment(key, place, data as Uint8Array[])
  return plain && { plain, rebuilt: new Map(lost.map((shard, index) => [shard, hashes[index]!])) }
}

/** The hashes of the leaves of each strip, one after the other. */
export function hashStrips(strips: readonly Uint8Array[]): Uint8Array[] {
  return strips.map((strip) => {
    const hashes = new Uint8Array(leafCount(strip.byteLength) * hashBytes)
    for (let at = 0, to = 0; at < strip.byteLength; at += leafBytes, to += hashBytes) {
      hashes.set(hashLeaf(strip.subarray(at, at + leafBytes)), to)
    }
    return hashes
  })
}

/** No byte is written to before the one that was there is read: the strips begin far enough before the plaintext. */
function encrypt(seal: CipherGCM, plain: Uint8Array, strips: readonly Uint8Array[]): void {
  let [strip, filled] = [0, 0]
  const put = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.byteLength;) {
      const into = strips[strip]!
      const piece = bytes.subarray(at, at + into.byteLength - filled)
      into.set(piece, filled)
      at += piece.byteLength
      filled += piece.byteLength
      if (filled === into.byteLength) [strip, filled] = [strip + 1, 0]
    }
  }
  for (let at = 0; at < plain.byteLength; at += pieceBytes) put(seal.update(plain.subarray(at, at + pieceBytes)))
  seal.final()
  put(seal.getAuthTag())
  // The padding. The room may have held another segment before.
  for (; strip < strips.length; [strip, filled] = [strip + 1, 0]) strips[strip]!.fill(0, filled)
}

function stripOf({ k }: Code, plainBytes: number): number {
  return Math.ceil((plainBytes + tagBytes) / k)
}

/** From the beginning of a strip to that of the next: its own bytes, and one to two lines. */
function strideOf(stripBytes: number): number {
  return (Math.ceil(stripBytes / lineBytes) + 1) * lineBytes
}

function plainAt({ k }: Code): number {
  return k * 2 * lineBytes
}
