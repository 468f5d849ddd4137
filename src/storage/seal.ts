/** From a file to the shards of an object, in bounded memory: read → encrypt and code → write and hash. */
import { open } from 'node:fs/promises'

import { pipe } from 'it-pipe'

import {
  createCoder,
  encodeObjectManifest,
  leafBytes,
  sealSegment,
  segmentBytesOf,
  segmentCount,
  shardLength,
  stripBytesMax,
  type Code,
} from '../../protocols/erasure/index.ts'
import type { ShardWriter } from './shard-files.ts'
import type { ShardStore } from './shard-store.ts'

export interface SealedObject {
  readonly cid: string
  readonly manifest: Uint8Array
  readonly key: Uint8Array
  readonly bytes: number
  readonly shardBytes: number
  readonly code: Code
  readonly roots: readonly Uint8Array[]
}

interface Segment {
  readonly number: number
  readonly isLast: boolean
  readonly plain: Uint8Array
}

interface CodedSegment {
  readonly number: number
  readonly strips: readonly Uint8Array[]
}

/** A file that changed while it was read would be sealed as something that never was. */
export class SourceChangedError extends Error {
  override readonly name = 'SourceChangedError'
}

/** Seals a file under `key`, which is used for nothing else. All shards are kept here until `keepUntilMs`. */
export async function sealFile(
  store: ShardStore,
  path: string,
  code: Code,
  key: Uint8Array,
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<SealedObject> {
  const file = await open(path, 'r')
  const writers: ShardWriter[] = []
  try {
    const { size } = await file.stat()
    for (let shard = 0; shard < code.k + code.m; shard++) writers.push(await store.begin())
    const coder = createCoder(code.k, code.m)

    const read = async function* (): AsyncGenerator<Segment> {
      const count = segmentCount(code, size)
      const full = segmentBytesOf(code)
      for (let number = 0; number < count; number++) {
        signal.throwIfAborted()
        const plain = new Uint8Array(Math.min(full, size - number * full))
        const { bytesRead } = await file.read(plain, 0, plain.byteLength, number * full)
        if (bytesRead !== plain.byteLength) throw new SourceChangedError(`${path} became shorter while it was read`)
        yield { number, isLast: number === count - 1, plain }
      }
    }
    const encryptAndCode = async function* (segments: AsyncIterable<Segment>): AsyncGenerator<CodedSegment> {
      for await (const { number, isLast, plain } of segments) {
        const data = sealSegment(code, key, number, isLast, plain)
        yield { number, strips: [...data, ...coder.encode(data)] }
      }
    }
    const write = async (segments: AsyncIterable<CodedSegment>): Promise<void> => {
      for await (const { number, strips } of segments) {
        const firstLeaf = number * (stripBytesMax / leafBytes)
        await Promise.all(strips.map(async (strip, shard) => writers[shard]!.writeStrip(firstLeaf, strip)))
      }
    }
    await pipe(read, encryptAndCode, write)

    const shardBytes = shardLength(code, size)
    const roots: Uint8Array[] = []
    for (const writer of writers) roots.push(await store.adopt(writer, shardBytes, keepUntilMs))
    const { cid, bytes: manifest } = encodeObjectManifest({
      v: 1,
      kind: 'object',
      code: { matrix: 'cauchy', k: code.k, m: code.m },
      cipher: 'aes-256-gcm',
      bytes: size,
      shardBytes,
      stripBytes: stripBytesMax,
      leafBytes,
      shards: roots.map((root) => Uint8Array.from(root)),
    })
    return { cid, manifest, key, bytes: size, shardBytes, code, roots }
  } catch (error) {
    await Promise.all(writers.map(async (writer) => writer.discard()))
    throw error
  } finally {
    await file.close()
  }
}
