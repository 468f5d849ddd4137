/**
 * Segments: what is encrypted and coded at once. The ciphertext of a full segment, with its tag, is exactly k × 1 MiB, so that a
 * strip is 1 MiB and sixteen leaves; the last segment is as short as it can be. Encrypt before coding: who keeps or repairs a
 * shard needs no key.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'

import { concat, fromString } from 'uint8arrays'

import type { Code } from './code.ts'
import { leafBytes } from './merkle.ts'

export const stripBytesMax = 1024 * 1024
/** Leaves of a full strip. */
export const leavesPerStrip = stripBytesMax / leafBytes
export const tagBytes = 16
export const keyBytes = 32
const nonceBytes = 12
const cipher = 'aes-256-gcm'
/** What is given to the cipher at once: its output is copied while it is still in the cache (measured: 128 to 256 KiB are best). */
const pieceBytes = 128 * 1024
const domain = fromString('pleach/segment/1')

/** Plaintext bytes of a full segment. */
export function segmentBytesOf({ k }: Code): number {
  return k * stripBytesMax - tagBytes
}

/** An object of no bytes has one segment of none: it too is authenticated. */
export function segmentCount(code: Code, bytes: number): number {
  return Math.max(1, Math.ceil(bytes / segmentBytesOf(code)))
}

/** Plaintext bytes of one segment. */
export function segmentLength(code: Code, bytes: number, segment: number): number {
  return Math.min(segmentBytesOf(code), bytes - segment * segmentBytesOf(code))
}

/** Bytes of each strip of one segment. */
export function stripLength(code: Code, bytes: number, segment: number): number {
  return stripBytesOf(code, segmentLength(code, bytes, segment))
}

/** Bytes of each strip of a segment of so many bytes of plaintext. */
export function stripBytesOf({ k }: Code, plainBytes: number): number {
  return Math.ceil((plainBytes + tagBytes) / k)
}

/** Bytes of each shard of an object. */
export function shardLength(code: Code, bytes: number): number {
  const segments = segmentCount(code, bytes)
  return (segments - 1) * stripBytesMax + stripLength(code, bytes, segments - 1)
}

/** Which segment of an object it is, and how long. */
export interface SegmentPlace {
  readonly number: number
  readonly isLast: boolean
  readonly plainBytes: number
}

/**
 * Encrypts a segment into k data strips, and fills up the last with zeros. The plaintext may lie where the strips do, if no byte of
 * it lies before the place that it comes to.
 */
export function sealSegment(
  key: Uint8Array,
  place: SegmentPlace,
  plain: Uint8Array,
  strips: readonly Uint8Array[],
): void {
  const { number, isLast } = place
  const seal = createCipheriv(cipher, key, nonceOf(number))
  seal.setAAD(associatedData(number, isLast))
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
  for (let at = 0; at < plain.byteLength; at += pieceBytes) {
    const piece = seal.update(plain.subarray(at, at + pieceBytes))
    put(piece)
    letGo(piece)
  }
  seal.final()
  put(seal.getAuthTag())
  // The padding. There may have been another segment before.
  for (; strip < strips.length; [strip, filled] = [strip + 1, 0]) strips[strip]!.fill(0, filled)
}

/**
 * Decrypts k data strips where they are. Gives the pieces of the plaintext, or undefined when the strips are not what was sealed
 * under this key at this place: what is in them is then worth nothing.
 */
export function openSegment(
  key: Uint8Array,
  { number, isLast, plainBytes }: SegmentPlace,
  strips: readonly Uint8Array[],
): Uint8Array[] | undefined {
  const stripBytes = strips[0]!.byteLength
  const end = plainBytes + tagBytes
  const part = (index: number, from: number, to: number): Uint8Array =>
    strips[index]!.subarray(Math.max(0, from - index * stripBytes), Math.max(0, to - index * stripBytes))
  // The cipher says nothing about the padding. Were it left unchecked, two objects could differ in nothing a reader sees.
  if (strips.length * stripBytes < end) return undefined
  if (strips.some((_, index) => part(index, end, Infinity).some((byte) => byte !== 0))) return undefined
  const open = createDecipheriv(cipher, key, nonceOf(number), { authTagLength: tagBytes })
  open.setAAD(associatedData(number, isLast))
  open.setAuthTag(concat(strips.map((_, index) => part(index, plainBytes, end))))
  const plain: Uint8Array[] = []
  for (let index = 0; index * stripBytes < plainBytes; index++) {
    const strip = part(index, 0, plainBytes)
    for (let at = 0; at < strip.byteLength; at += pieceBytes) {
      const piece = open.update(strip.subarray(at, at + pieceBytes))
      strip.set(piece, at)
      letGo(piece)
    }
    plain.push(strip)
  }
  try {
    open.final()
  } catch {
    return undefined
  }
  return plain
}

/**
 * Gives memory back at once that nobody needs any more, if all of it is these bytes. The collector would leave some 64 MiB lying, then
 * stop everything for it; and what is taken again while it is in the cache is faster.
 */
export function letGo(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0)
}

/** The key is used for one object only, so the number of the segment makes a nonce that never comes twice. */
function nonceOf(segment: number): Uint8Array {
  const nonce = new Uint8Array(nonceBytes)
  new DataView(nonce.buffer).setBigUint64(nonceBytes - 8, BigInt(segment))
  return nonce
}

/** Binds a segment to its place, so that segments cannot be exchanged nor an object cut off. */
function associatedData(segment: number, isLast: boolean): Uint8Array {
  return concat([domain, nonceOf(segment), Uint8Array.of(isLast ? 1 : 0)])
}
