/** Whether a file is what was sealed here: so that a put that is asked for again need not seal it again, nor under another key. */
import {
  InconsistentObjectError,
  decodeObjectManifest,
  leafBytes,
  leafCount,
  leavesPerStrip,
  letGo,
  segmentBytesOf,
  segmentCount,
  segmentLength,
  stripLength,
  type OpenedSegment,
} from '../../protocols/erasure/index.ts'
import type { ShardSource } from '../../protocols/transfer/index.ts'
import { RefusedError } from '../../protocols/wire/index.ts'
import type { Files } from '../environment.ts'
import type { Mill } from './mill.ts'
import { overlap } from './overlap.ts'
import { FileSource } from './plain-source.ts'
import type { ShardStore } from './shard-store.ts'

interface ReadSegment {
  readonly number: number
  readonly set: readonly Uint8Array[]
}

export interface CompareDeps {
  readonly disk: Pick<Files, 'open'>
  readonly mill: Mill
  readonly store: Pick<ShardStore, 'open'>
}

/**
 * What is sealed is opened, and laid beside the file. The file is not sealed to be compared: were it another, the same nonces would
 * have sealed two things. False too when our own shards are not all there. Rejects when the file cannot be read, or with
 * SourceChangedError.
 */
export async function isSealedFrom(
  { disk, mill, store }: CompareDeps,
  path: string,
  object: { readonly manifest: Uint8Array; readonly key: Uint8Array },
  signal: AbortSignal,
): Promise<boolean> {
  const { code, bytes, shards } = decodeObjectManifest(object.manifest)
  await using file = await FileSource.of(disk, path)
  if (file.bytesLeftMax !== bytes) return false
  const sources: ShardSource[] = []
  try {
    for (const root of shards) {
      const source = await store.open(root)
      if (source === undefined) return false
      sources.push(source)
    }
    const segments = segmentCount(code, bytes)
    const room = new Uint8Array(Math.min(segmentBytesOf(code), bytes))
    let isSame = true
    const read = async function* (): AsyncGenerator<ReadSegment> {
      for (let number = 0; number < segments && isSame; number++) {
        signal.throwIfAborted()
        const stripBytes = stripLength(code, bytes, number)
        const data = sources.slice(0, code.k)
        yield { number, set: await Promise.all(data.map(async (source) => strip(source, number, stripBytes))) }
      }
    }
    const open = async ({ number, set }: ReadSegment): Promise<OpenedSegment> => {
      const plainBytes = segmentLength(code, bytes, number)
      return mill.open(set, { code, key: object.key, number, isLast: number === segments - 1, plainBytes }, signal)
    }
    const compare = async ({ number }: ReadSegment, { plain }: OpenedSegment): Promise<void> => {
      const wanted = room.subarray(0, segmentLength(code, bytes, number))
      isSame &&= isMadeOf(wanted.subarray(0, await file.fill(wanted)), plain)
      for (const piece of plain) letGo(piece)
    }
    await overlap(read(), open, compare)
    if (!isSame) return false
    return await file.isOver()
  } catch (error) {
    // Our own shards are damaged, or were never right.
    if (error instanceof RefusedError || error instanceof InconsistentObjectError) return false
    throw error
  } finally {
    for (const source of sources) await source.close()
  }
}

async function strip(source: ShardSource, segment: number, stripBytes: number): Promise<Uint8Array> {
  const whole = new Uint8Array(stripBytes)
  for (let leaf = 0; leaf < leafCount(stripBytes); leaf++)
    whole.set((await source.leaf(segment * leavesPerStrip + leaf)).bytes, leaf * leafBytes)
  return whole
}

function isMadeOf(whole: Uint8Array, pieces: readonly Uint8Array[]): boolean {
  let at = 0
  for (const piece of pieces) {
    if (Buffer.compare(piece, whole.subarray(at, at + piece.byteLength)) !== 0) return false
    at += piece.byteLength
  }
  return at === whole.byteLength
}
