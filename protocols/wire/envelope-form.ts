/**
 * The one form of an envelope: its four fields, in order, with lengths in their shortest spelling, and nothing else. Statements
 * are named by the hash of their envelope, so a second spelling of the same statement would pass for a second statement, and an
 * honest peer for an equivocator. It is written and read by hand because a reader of protobuf takes every spelling there is.
 */
import { Fault } from './fault.ts'

/** The message `Envelope` of wire.proto. */
export interface EnvelopeFields {
  readonly publicKey: Uint8Array
  readonly payloadType: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

/** Field numbers 1, 2, 3 and 5 (RFC 0002), each of wire type 2 (bytes with a length). */
const tags = [0x0a, 0x12, 0x1a, 0x2a] as const
/** Three bytes of length hold 2 MiB, over every frame's cap. */
const lengthBytesMax = 3

export function encodeEnvelope({ publicKey, payloadType, payload, signature }: EnvelopeFields): Uint8Array {
  const fields = [publicKey, payloadType, payload, signature]
  let bytes = 0
  for (const field of fields) if (field.byteLength > 0) bytes += 1 + lengthBytes(field.byteLength) + field.byteLength
  const envelope = new Uint8Array(bytes)
  let at = 0
  for (const [index, field] of fields.entries()) {
    // Protobuf leaves out what is empty.
    if (field.byteLength === 0) continue
    envelope[at++] = tags[index]!
    at = writeLength(envelope, at, field.byteLength)
    envelope.set(field, at)
    at += field.byteLength
  }
  return envelope
}

/** Fields are views into `bytes`. Throws Fault FRAME_MALFORMED for any other form. */
export function decodeEnvelope(bytes: Uint8Array): EnvelopeFields {
  let at = 0
  const field = (tag: number): Uint8Array => {
    if (bytes[at] !== tag) return bytes.subarray(at, at)
    at++
    const bodyBytes = readLength()
    if (bodyBytes === 0 || bodyBytes > bytes.byteLength - at) throw malformed(bytes)
    const body = bytes.subarray(at, at + bodyBytes)
    at += bodyBytes
    return body
  }
  const readLength = (): number => {
    let length = 0
    for (let index = 0; index < lengthBytesMax; index++) {
      const byte = bytes[at++] ?? 0
      length |= (byte & 0x7f) << (7 * index)
      if (byte >= 0x80) continue
      // A last byte of nothing but zeros is a longer spelling of a shorter length.
      if (index > 0 && byte === 0) break
      return length
    }
    throw malformed(bytes)
  }
  const publicKey = field(tags[0])
  const payloadType = field(tags[1])
  const payload = field(tags[2])
  const signature = field(tags[3])
  if (at !== bytes.byteLength) throw malformed(bytes)
  return { publicKey, payloadType, payload, signature }
}

/** Bytes of a length as an unsigned varint. */
export function lengthBytes(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : tooLong(length)
}

/** Writes a length as an unsigned varint, and returns where it ends. */
export function writeLength(bytes: Uint8Array, at: number, length: number): number {
  let rest = length
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

function tooLong(length: number): never {
  throw new RangeError(`a statement of ${length} bytes is over every cap`)
}

function malformed(bytes: Uint8Array): Fault {
  return new Fault('FRAME_MALFORMED', 'the envelope is not in its one form', { bytes: bytes.byteLength })
}
