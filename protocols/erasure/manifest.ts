/**
 * The object manifest: what an object is, named by its CID, never changing. No key and no placement: whoever has it can verify
 * and repair shards, and cannot read them.
 */
import * as dagCbor from '@ipld/dag-cbor'
import { z } from 'zod'

import { Fault, cidOfDocument, hashBytes } from '../wire/index.ts'
import { leafBytes } from './merkle.ts'
import { shardsMax } from './matrix.ts'
import { shardLength, stripBytesMax } from './segment.ts'

/** 256 roots of 32 bytes, and little else. */
export const objectManifestBytesMax = 16 * 1024
/** 16 TiB: beyond, a tree would be deeper than a proof may be. */
export const objectBytesMax = 2 ** 44

const root = z.instanceof(Uint8Array).refine((bytes) => bytes.byteLength === hashBytes, 'is not a SHA-256 hash')

const objectManifestSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('object'),
  code: z.strictObject({
    matrix: z.literal('cauchy'),
    k: z.int().min(1).max(shardsMax),
    m: z
      .int()
      .min(0)
      .max(shardsMax - 1),
  }),
  cipher: z.literal('aes-256-gcm'),
  /** Of the plaintext. */
  bytes: z.int().min(0).max(objectBytesMax),
  shardBytes: z.int().min(1),
  stripBytes: z.literal(stripBytesMax),
  leafBytes: z.literal(leafBytes),
  shards: z.array(root),
})

export type ObjectManifest = z.infer<typeof objectManifestSchema>

export function encodeObjectManifest(manifest: ObjectManifest): { readonly cid: string; readonly bytes: Uint8Array } {
  const bytes = dagCbor.encode(objectManifestSchema.parse(manifest))
  return { cid: cidOfDocument(bytes), bytes }
}

/** Throws Fault FRAME_TOO_LARGE, FRAME_MALFORMED or FIELD_INVALID. */
export function decodeObjectManifest(bytes: Uint8Array): ObjectManifest {
  if (bytes.byteLength > objectManifestBytesMax) {
    throw new Fault('FRAME_TOO_LARGE', 'the object manifest is over its cap', {
      bytes: bytes.byteLength,
      objectManifestBytesMax,
    })
  }
  const parsed = objectManifestSchema.safeParse(parseDocument(bytes))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new Fault('FIELD_INVALID', `object manifest: ${issue.path.map(String).join('.')} ${issue.message}`)
  }
  const manifest = parsed.data
  const { k, m } = manifest.code
  if (k + m > shardsMax || manifest.shards.length !== k + m) {
    throw new Fault('FIELD_INVALID', 'object manifest: the shards are not as many as the code says', {
      shards: manifest.shards.length,
      k,
      m,
    })
  }
  const expected = shardLength({ k, m }, manifest.bytes)
  if (manifest.shardBytes !== expected) {
    throw new Fault('FIELD_INVALID', 'object manifest: the sizes do not fit together', {
      shardBytes: manifest.shardBytes,
      expected,
    })
  }
  return manifest
}

function parseDocument(bytes: Uint8Array): unknown {
  try {
    return dagCbor.decode(bytes)
  } catch {
    throw new Fault('FRAME_MALFORMED', 'the object manifest is not DAG-CBOR', { bytes: bytes.byteLength })
  }
}
