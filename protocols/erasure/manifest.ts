/**
 * The object manifest: what an object is, named by its CID, never changing. No key and no placement: whoever has it can verify
 * and repair shards, and cannot read them.
 */
import * as dagCbor from '@ipld/dag-cbor'
import { equals } from 'uint8arrays'
import { z } from 'zod'

import { Fault, cidOfDocument, hashBytes } from '../wire/index.ts'
import { formatCode, type Code } from './code.ts'
import { leafBytes } from './merkle.ts'
import { shardsMax } from './matrix.ts'
import { shardLength, stripBytesMax } from './segment.ts'

/** 256 roots of 32 bytes, and little else. */
export const objectManifestBytesMax = 16 * 1024
/** 16 TiB: even with k = 1 a shard has then 2^28 leaves, which a leaf number of 32 bits and a proof of 32 hashes reach. */
export const objectBytesMax = 2 ** 44

const root = z.custom<Uint8Array>(
  (value) => value instanceof Uint8Array && value.byteLength === hashBytes,
  'is not a SHA-256 hash',
)

const objectManifestSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('object'),
  code: z.strictObject({
    matrix: z.literal('cauchy'),
    k: z.int().min(1).max(shardsMax),
    m: z.int().min(0).max(shardsMax),
  }),
  cipher: z.literal('aes-256-gcm'),
  /** Of the plaintext. */
  bytes: z.int().min(0).max(objectBytesMax),
  shardBytes: z.int().min(1),
  stripBytes: z.literal(stripBytesMax),
  leafBytes: z.literal(leafBytes),
  /** Merkle roots, data first. */
  shards: z.array(root),
})

export type ObjectManifest = z.infer<typeof objectManifestSchema>

/** The manifest of an object of so many bytes of plaintext, whose shards have these roots. */
export function describeObject({ k, m }: Code, bytes: number, roots: readonly Uint8Array[]): ObjectManifest {
  return {
    v: 1,
    kind: 'object',
    code: { matrix: 'cauchy', k, m },
    cipher: 'aes-256-gcm',
    bytes,
    shardBytes: shardLength({ k, m }, bytes),
    stripBytes: stripBytesMax,
    leafBytes,
    shards: [...roots],
  }
}

export function encodeObjectManifest(manifest: ObjectManifest): { readonly cid: string; readonly bytes: Uint8Array } {
  const problem = sizeProblem(manifest)
  if (problem !== undefined) throw new RangeError(problem)
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
    const field = issue.path.map(String).join('.')
    throw new Fault('FIELD_INVALID', `object manifest: ${field} ${issue.message}`, { field })
  }
  const problem = sizeProblem(parsed.data)
  if (problem !== undefined) throw new Fault('FIELD_INVALID', `object manifest: ${problem}`)
  return parsed.data
}

/** What does not follow from what else is in the manifest. */
function sizeProblem({ code, bytes, shardBytes, shards }: ObjectManifest): string | undefined {
  if (code.k + code.m > shardsMax) return `${formatCode(code)} is not a code`
  if (shards.length !== code.k + code.m) return `${shards.length} shards of the code ${formatCode(code)}`
  const expected = shardLength(code, bytes)
  return shardBytes === expected ? undefined : `shardBytes is ${shardBytes}, and ${expected} follows from bytes`
}

/** One object has one manifest: what is not the deterministic encoding of its content is not DAG-CBOR. */
function parseDocument(bytes: Uint8Array): unknown {
  try {
    const document: unknown = dagCbor.decode(bytes)
    if (equals(dagCbor.encode(document), bytes)) return document
  } catch {
    // Falls through: every way of being wrong is the same fault.
  }
  throw new Fault('FRAME_MALFORMED', 'the object manifest is not DAG-CBOR', { bytes: bytes.byteLength })
}
