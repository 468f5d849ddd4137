/** SHA-256, the one hash of pleach, and CIDs made with it. */
import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'

import { Fault } from './fault.ts'
import { Memo } from './memo.ts'
import { hashBytes, sha256 } from './sha256.ts'

export { hashBytes, sha256 } from './sha256.ts'

const sha256Code = 0x12
const cidCharsMax = 128

/** The CIDv1 of a DAG-CBOR document, as base32 text (`bafyrei…`). */
export function cidOfDocument(bytes: Uint8Array): string {
  return cidOfHash(sha256(bytes))
}

/** The same of the SHA-256 alone. */
export function cidOfHash(hash: Uint8Array): string {
  return CID.createV1(dagCbor.code, Digest.create(sha256Code, hash)).toString()
}

/** The SHA-256 in the CID of a document. Throws Fault FIELD_INVALID when the text is not one. */
export function hashOfCid(text: string): Uint8Array {
  return CID.parse(checkedCid(text, 'object')).multihash.digest.slice()
}

/** Texts that were found lawful a moment ago: the messages about one job all name it, and parsing costs more than the rest of them. */
const lawfulCids = new Memo<string, true>(4_096)

/** The text if it is the CIDv1 of a DAG-CBOR document under SHA-256; otherwise Fault FIELD_INVALID. */
export function checkedCid(text: string, field: string): string {
  if (lawfulCids.get(text) === true) return text
  try {
    if (text.length > cidCharsMax) throw new RangeError('too long')
    const { digest } = CID.parse(text).multihash
    // Written anew: what was parsed remembers the letters that it was parsed from, capitals and all.
    if (digest.byteLength === hashBytes && cidOfHash(digest) === text) {
      lawfulCids.set(text, true)
      return text
    }
  } catch {
    // Falls through: every way of being wrong is the same fault.
  }
  throw new Fault('FIELD_INVALID', `${field} is not the CID of a document`, {
    field,
    value: text.slice(0, cidCharsMax),
  })
}
