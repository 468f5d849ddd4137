/**
 * An object as a CAR (content-addressed archive, version 1), which programs that know nothing of pleach can list and verify. The
 * header with one root, the manifest; the manifest's block; then the leaves of the data shards, a block each, segment after segment.
 * Pure: bytes in, bytes out.
 */
import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { equals } from 'uint8arrays'
import { z } from 'zod'

import { checkedCid, cidOfHash, hashBytes, sha256 } from '../wire/index.ts'

/** What a file that should be the CAR of an object is instead. */
export type CarFlaw =
  /** Not a CAR, or one of something else. */
  | 'malformed'
  /** It ends too early. */
  | 'truncated'
  /** Blocks that are not what their names say, or not those of the object. */
  | 'mismatch'

export class BadCarError extends Error {
  override readonly name = 'BadCarError'
  readonly flaw: CarFlaw

  constructor(flaw: CarFlaw, message: string) {
    super(message)
    this.flaw = flaw
  }
}

export type CarCodec = 'document' | 'leaf'

/** DAG-CBOR, and raw bytes. */
const codecs: Readonly<Record<CarCodec, number>> = { document: 0x71, leaf: 0x55 }
/** CIDv1, a codec below 128, SHA-256. */
const cidHead = 4
export const carCidBytes = cidHead + hashBytes
/** A header with one root has 58; programs may write more into it than they need. */
export const carHeaderBytesMax = 1024
/** A length before a section: more would be over any limit. */
export const carLengthBytesMax = 5

const headerSchema = z.strictObject({
  version: z.literal(1),
  roots: z.tuple([z.custom<CID>((value) => CID.asCID(value) !== null, 'is not a CID')]),
})

export interface CarBlock {
  readonly codec: CarCodec
  /** SHA-256 of the bytes. */
  readonly hash: Uint8Array
  readonly bytes: Uint8Array
}

/** The header, with its length before it. */
export function encodeCarHeader(object: string): Uint8Array {
  const header = dagCbor.encode({ roots: [CID.parse(object)], version: 1 })
  return Buffer.concat([encodeLength(header.byteLength), header])
}

/** What stands before the bytes of a block. */
export function encodeCarBlockHead(codec: CarCodec, bytes: Uint8Array): Uint8Array {
  const cid = Uint8Array.of(1, codecs[codec], 0x12, hashBytes)
  return Buffer.concat([encodeLength(carCidBytes + bytes.byteLength), cid, sha256(bytes)])
}

/** The object that a header names, without the length before it. Throws BadCarError. */
export function decodeCarHeader(header: Uint8Array): string {
  try {
    const { roots } = headerSchema.parse(dagCbor.decode(header))
    return checkedCid(roots[0].toString(), 'root')
  } catch (error) {
    const why = error instanceof z.ZodError ? error.issues[0]!.message : (error as Error).message
    throw new BadCarError('malformed', `its header is not that of a CAR of one object, version 1: ${why}`)
  }
}

/** A section after the header, without the length before it. Throws BadCarError: it is none of ours, or the bytes have another hash. */
export function decodeCarBlock(section: Uint8Array): CarBlock {
  const [version, code, hashCode, hashLength] = section
  const codec = code === codecs.document ? 'document' : 'leaf'
  const isOurs = version === 1 && code === codecs[codec] && hashCode === 0x12 && hashLength === hashBytes
  if (!isOurs || section.byteLength < carCidBytes)
    throw new BadCarError('malformed', 'a block is named neither as a document nor as raw bytes, by SHA-256')
  const hash = section.subarray(cidHead, carCidBytes)
  const bytes = section.subarray(carCidBytes)
  if (!equals(sha256(bytes), hash)) throw new BadCarError('mismatch', 'the bytes of a block are not those of its name')
  return { codec, hash, bytes }
}

/** The CID of a block that is a document. */
export function cidOfCarBlock({ hash }: CarBlock): string {
  return cidOfHash(hash)
}

/** A length, and how many bytes it takes; undefined when they end before it does. Throws BadCarError. */
export function decodeCarLength(bytes: Uint8Array): { readonly length: number; readonly bytes: number } | undefined {
  let length = 0
  for (let at = 0; at < carLengthBytesMax; at++) {
    const byte = bytes[at]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80) return { length, bytes: at + 1 }
  }
  throw new BadCarError('malformed', 'a length is no number, or beyond all that there may be')
}

function encodeLength(length: number): Uint8Array {
  const bytes: number[] = []
  for (let left = length; ; left >>>= 7) {
    if (left < 0x80) return Uint8Array.from([...bytes, left])
    bytes.push((left & 0x7f) | 0x80)
  }
}
