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
  return Math.ceil((segmentLength(code, bytes, segment) + tagBytes) / code.k)
}

/** Bytes of each shard of an object. */
export function shardLength(code: Code, bytes: number): number {
  const segments = segmentCount(code, bytes)
  return (segments - 1) * stripBytesMax + stripLength(code, bytes, segments - 1)
}

/** Encrypts a segment and cuts it into k strips, the last padded with zeros. */
export function sealSegment(
  code: Code,
  key: Uint8Array,
  segment: number,
  isLast: boolean,
  plain: Uint8Array,
): Uint8Array[] {
  const strip = Math.ceil((plain.byteLength + tagBytes) / code.k)
  const encrypt = createCipheriv(cipher, key, nonceOf(segment))
  encrypt.setAAD(associatedData(segment, isLast))
  const padded = new Uint8Array(strip * code.k)
  padded.set(encrypt.update(plain))
  encrypt.final()
  padded.set(encrypt.getAuthTag(), plain.byteLength)
  return Array.from({ length: code.k }, (_, index) => padded.subarray(index * strip, (index + 1) * strip))
}

/** The plaintext of k data strips, or undefined when they are not what was sealed under this key at this place. */
export function openSegment(
  key: Uint8Array,
  segment: number,
  isLast: boolean,
  plainBytes: number,
  strips: readonly Uint8Array[],
): Uint8Array | undefined {
  const padded = concat([...strips])
  const end = plainBytes + tagBytes
  // The cipher says nothing about the padding. Were it left unchecked, two objects could differ in nothing a reader sees.
  if (padded.byteLength < end || padded.subarray(end).some((byte) => byte !== 0)) return undefined
  const decrypt = createDecipheriv(cipher, key, nonceOf(segment), { authTagLength: tagBytes })
  decrypt.setAAD(associatedData(segment, isLast))
  decrypt.setAuthTag(padded.subarray(plainBytes, end))
  const plain = decrypt.update(padded.subarray(0, plainBytes))
  try {
    decrypt.final()
  } catch {
    return undefined
  }
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength)
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
