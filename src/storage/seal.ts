/** From plaintext to the shards of an object, in bounded memory: read → cut → encrypt and code → write and hash. */
import { pipe } from 'it-pipe'

import {
  codeSegments,
  createCoder,
  cutSegments,
  describeObject,
  encodeObjectManifest,
  formatCode,
  leavesPerStrip,
  stripBytesMax,
  type Code,
  type CodedSegment,
} from '../../protocols/erasure/index.ts'
import { shardBytesMax } from '../../protocols/transfer/index.ts'
import type { Files, OpenFile } from '../environment.ts'
import type { ShardStore } from './shard-store.ts'
import type { ShardWriter } from './shard-writer.ts'

export interface SealedObject {
  readonly cid: string
  readonly manifest: Uint8Array
  readonly key: Uint8Array
  readonly bytes: number
  readonly shardBytes: number
  readonly code: Code
  readonly roots: readonly Uint8Array[]
}

/** A file that changed while it was read would be sealed as something that never was. */
export class SourceChangedError extends Error {
  override readonly name = 'SourceChangedError'
}

/** Nobody could take the shards: they would be over `shardBytesMax`. A wider code has shorter shards. */
export class ObjectTooLargeError extends Error {
  override readonly name = 'ObjectTooLargeError'
}

/** What is read of a file at once, in bytes. */
const readBytes = 1024 * 1024

/**
 * Seals plaintext under `key`, which is used for nothing else, ever: the nonces are the numbers of the segments. All shards are
 * kept here until `keepUntilMs`, and are durable when it resolves. Holds about (2k + m) MiB.
 */
export async function sealChunks(
  store: ShardStore,
  chunks: AsyncIterable<Uint8Array>,
  code: Code,
  key: Uint8Array,
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<SealedObject> {
  const writers: ShardWriter[] = []
  const total = { bytes: 0, shardBytes: 0 }
  const write = async (segments: AsyncIterable<CodedSegment>): Promise<void> => {
    for await (const { number, plainBytes, strips } of segments) {
      signal.throwIfAborted()
      total.bytes += plainBytes
      total.shardBytes += strips[0]!.byteLength
      if (total.shardBytes + stripBytesMax > shardBytesMax) {
        throw new ObjectTooLargeError(`with the code ${formatCode(code)} a shard would be over ${shardBytesMax} bytes`)
      }
      await Promise.all(strips.map(async (strip, shard) => writers[shard]!.writeStrip(number * leavesPerStrip, strip)))
    }
  }
  try {
    for (let shard = 0; shard < code.k + code.m; shard++) writers.push(await store.begin())
    await pipe(chunks, cutSegments(code), codeSegments(createCoder(code.k, code.m), key), write)
    // All are synced before the first is adopted: a full disk shows before anything has a name.
    await Promise.all(writers.map(async (writer) => writer.sync()))
    const roots: Uint8Array[] = []
    for (const writer of writers) roots.push(await store.adopt(writer, total.shardBytes, keepUntilMs))
    const { cid, bytes: manifest } = encodeObjectManifest(describeObject(code, total.bytes, roots))
    return { cid, manifest, key, bytes: total.bytes, shardBytes: total.shardBytes, code, roots }
  } catch (error) {
    await Promise.all(writers.map(async (writer) => writer.discard()))
    throw error
  }
}

/** Seals a file; see sealChunks. */
export async function sealFile(
  disk: Files,
  store: ShardStore,
  path: string,
  code: Code,
  key: Uint8Array,
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<SealedObject> {
  const file = await disk.open(path)
  try {
    return await sealChunks(store, unchanged(file, path), code, key, keepUntilMs, signal)
  } finally {
    await file.close()
  }
}

/** A file's bytes; rejects at the end when it was written to meanwhile. */
async function* unchanged(file: OpenFile, path: string): AsyncGenerator<Uint8Array> {
  const before = await file.look()
  for (let at = 0; ;) {
    // A byte more than there is left: whoever reads to the end sees that it is the end.
    const buffer = new Uint8Array(Math.min(readBytes, Math.max(0, before.bytes - at) + 1))
    const count = await file.read(buffer, at)
    if (count === 0) break
    yield buffer.subarray(0, count)
    at += count
    if (count < buffer.byteLength) break
  }
  const after = await file.look()
  if (after.bytes !== before.bytes || after.version !== before.version) {
    throw new SourceChangedError(`${path} changed while it was read`)
  }
}
