/** From plaintext to the shards of an object, in bounded memory: read → encrypt, code and hash → write. */
import { pipe } from 'it-pipe'

import {
  describeObject,
  encodeObjectManifest,
  formatCode,
  leavesPerStrip,
  segmentBytesOf,
  stripBytesMax,
  type Code,
  type SegmentPlace,
} from '../../protocols/erasure/index.ts'
import { shardBytesMax } from '../../protocols/transfer/index.ts'
import type { Files } from '../environment.ts'
import type { Mill, Room, SealedSegment } from './mill.ts'
import { overlap } from './overlap.ts'
import { ChunkSource, FileSource, KnownSource, type PlainSource } from './plain-source.ts'
import type { ShardStore } from './shard-store.ts'
import type { ShardWriter } from './shard-writer.ts'

export { SourceChangedError } from './plain-source.ts'

export interface SealedObject {
  readonly cid: string
  readonly manifest: Uint8Array
  readonly key: Uint8Array
  readonly bytes: number
  readonly shardBytes: number
  readonly code: Code
  readonly roots: readonly Uint8Array[]
}

/** Nobody could take the shards: they would be over `shardBytesMax`. A wider code has shorter shards. */
export class ObjectTooLargeError extends Error {
  override readonly name = 'ObjectTooLargeError'
}

/**
 * Strips of a segment that are written at once: Node has as many threads for it. Each is summed up when it is written, by the main thread, and at one
 * stretch for all that were written meanwhile.
 */
const writesAtOnce = 4

export interface SealDeps {
  readonly store: ShardStore
  readonly mill: Mill
}

interface CutSegment extends SegmentPlace {
  readonly room: Room
}

/**
 * Seals plaintext under `key`, which is used for nothing else, ever: the nonces are the numbers of the segments. All shards are
 * kept here until `keepUntilMs`, and are durable when it resolves. Holds two segments: about 2(k + m) MiB.
 */
export async function sealChunks(
  deps: SealDeps,
  chunks: AsyncIterable<Uint8Array>,
  code: Code,
  key: Uint8Array,
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<SealedObject> {
  await using source = new ChunkSource(chunks)
  return await seal(deps, source, code, key, keepUntilMs, signal)
}

/**
 * Seals a file; see sealChunks. `contentHash`: SHA-256 of what it was when `key` was made from that. When it is another by now, it
 * rejects with SourceChangedError, and nothing that was sealed under the key is left.
 */
export async function sealFile(
  deps: SealDeps & { readonly disk: Pick<Files, 'open'> },
  path: string,
  code: Code,
  key: Uint8Array,
  keepUntilMs: number,
  signal: AbortSignal,
  contentHash?: Uint8Array,
): Promise<SealedObject> {
  await using file = await FileSource.of(deps.disk, path)
  const source = contentHash === undefined ? file : new KnownSource(file, contentHash)
  return await seal(deps, source, code, key, keepUntilMs, signal)
}

async function seal(
  { store, mill }: SealDeps,
  source: PlainSource,
  code: Code,
  key: Uint8Array,
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<SealedObject> {
  const writers: ShardWriter[] = []
  const total = { bytes: 0, shardBytes: 0 }
  const begin = async ({ room, ...place }: CutSegment): Promise<SealedSegment> =>
    mill.seal(room, { code, key, ...place }, signal)
  const finish = async ({ number, plainBytes }: CutSegment, { strips, hashes }: SealedSegment): Promise<void> => {
    total.bytes += plainBytes
    total.shardBytes += strips[0]!.byteLength
    if (total.shardBytes + stripBytesMax > shardBytesMax) {
      throw new ObjectTooLargeError(`with the code ${formatCode(code)} a shard would be over ${shardBytesMax} bytes`)
    }
    const first = number * leavesPerStrip
    const left = writers.entries()
    const lane = async (): Promise<void> => {
      for (const [shard, writer] of left) await writer.write(first, strips[shard]!, hashes[shard]!)
    }
    const lanes = await Promise.allSettled(Array.from({ length: writesAtOnce }, lane))
    // Only now: until all are done the room is not to be another's.
    const failed = lanes.find((one) => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
  const release = ({ room }: CutSegment): void => room.giveBack()
  try {
    for (let shard = 0; shard < code.k + code.m; shard++) writers.push(await store.begin())
    await pipe(cutSegments(mill, source, code, signal), async (segments) => overlap(segments, begin, finish, release))
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

/** Segments, each in room of its own, which whoever gets it has to give back. */
export async function* cutSegments(
  mill: Mill,
  source: PlainSource,
  code: Code,
  signal: AbortSignal,
): AsyncGenerator<CutSegment> {
  for (let [number, isLast] = [0, false]; !isLast; number++) {
    const room = await mill.lend(code, Math.min(segmentBytesOf(code), source.bytesLeftMax), signal)
    try {
      const plainBytes = await source.fill(room.plain)
      isLast = await source.isOver()
      yield { number, isLast, plainBytes, room }
    } catch (error) {
      room.giveBack()
      throw error
    }
  }
}
