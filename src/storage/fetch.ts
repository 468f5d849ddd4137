/**
 * An object from its keepers to a file: k shards at a time, data shards first, every block checked, and another shard in the place
 * of one that fails. What was verified is kept: a shard that takes over begins with what is missing.
 */
import { dirname, resolve } from 'node:path'

import { pipe } from 'it-pipe'

import {
  Commitment,
  decodeObjectManifest,
  letGo,
  segmentCount,
  segmentLength,
  type ObjectManifest,
  type OpenedSegment,
} from '../../protocols/erasure/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Files } from '../environment.ts'
import { Lanes, type LaneDeps } from './lanes.ts'
import type { Mill } from './mill.ts'
import type { FailedSource } from './not-enough-shards.ts'
import { overlap } from './overlap.ts'
import { SegmentWindow, type TakenStrip } from './segment-window.ts'
import { Sources, type FetchSource } from './sources.ts'

export { InconsistentObjectError } from '../../protocols/erasure/index.ts'
export { NotEnoughShardsError, type FailedSource } from './not-enough-shards.ts'
export type { FetchSource } from './sources.ts'

export interface FetchReport {
  /** Of the plaintext. */
  readonly bytes: number
  /** Verified bytes of shards, by whom they came from. */
  readonly sources: readonly { readonly peer: PeerName; readonly bytes: number }[]
  readonly decodedSegments: number
  readonly failed: readonly FailedSource[]
}

export interface FetchDeps extends LaneDeps {
  readonly disk: Files
  readonly mill: Mill
  /** What it costs to ask this peer, for example its round trip: the cheapest are asked first. */
  costOf?(peer: PeerName): number
}

export interface FetchRequest {
  readonly manifest: Uint8Array
  readonly key: Uint8Array
  readonly sources: readonly FetchSource[]
  readonly path: string
}

/**
 * Fetches the object to `path`, which appears only when all of it is there and right. Rejects with NotEnoughShardsError,
 * InconsistentObjectError, a Fault (the manifest is none), or the reason of `signal`.
 */
export async function fetchObject(deps: FetchDeps, request: FetchRequest, signal: AbortSignal): Promise<FetchReport> {
  signal.throwIfAborted()
  const manifest = decodeObjectManifest(request.manifest)
  const partial = `${request.path}.part`
  const { disk } = deps
  const file = await disk.create(partial, 'empty')
  try {
    const report = await read(deps, manifest, request, signal, async (plain, at) => file.write(plain, at))
    await file.datasync()
    await file.close()
    await disk.rename(partial, request.path)
    await disk.syncFolder(dirname(resolve(request.path)))
    return report
  } catch (error) {
    await file.close().catch(() => {})
    await disk.remove(partial)
    throw error
  }
}

/** A segment of which there are enough strips. */
interface TakenSegment {
  readonly number: number
  readonly strips: ReadonlyMap<number, TakenStrip>
}

async function read(
  deps: FetchDeps,
  manifest: ObjectManifest,
  request: FetchRequest,
  signal: AbortSignal,
  write: (plain: Uint8Array, at: number) => Promise<void>,
): Promise<FetchReport> {
  const { code, bytes } = manifest
  const window = new SegmentWindow(code, bytes)
  const sources = new Sources(request.sources, code.k + code.m, (peer) => deps.costOf?.(peer) ?? 0)
  const lanes = new Lanes(deps, manifest, window, sources)
  const commitment = new Commitment(manifest)
  const segments = segmentCount(code, bytes)
  let [at, decodedSegments] = [0, 0]

  const segmentsOf = async function* (): AsyncGenerator<TakenSegment> {
    for (let number = 0; number < segments; number++) {
      const strips = await window.take()
      lanes.wentOn(new Set(strips.keys()))
      yield { number, strips }
    }
  }
  const open = async ({ number, strips }: TakenSegment): Promise<OpenedSegment> => {
    const set = Array.from({ length: code.k + code.m }, (_, shard) => strips.get(shard)?.bytes)
    const plainBytes = segmentLength(code, bytes, number)
    return deps.mill.open(set, { code, key: request.key, number, isLast: number === segments - 1, plainBytes }, signal)
  }
  const finish = async ({ strips }: TakenSegment, { plain, rebuilt }: OpenedSegment): Promise<void> => {
    for (let shard = 0; shard < code.k; shard++) {
      const strip = strips.get(shard)
      if (strip === undefined) commitment.rebuilt(shard, rebuilt.get(shard)!)
      else commitment.came(shard, strip.hashes)
    }
    if (rebuilt.size > 0) decodedSegments++
    for (const piece of plain) {
      await write(piece, at)
      at += piece.byteLength
      letGo(piece)
    }
  }
  const onAbort = (): void => lanes.end(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    lanes.start()
    await pipe(segmentsOf, async (taken) => overlap(taken, open, finish))
    commitment.check()
  } finally {
    signal.removeEventListener('abort', onAbort)
    lanes.end(new Error('the fetch is over'))
    await lanes.ended()
  }
  const received = [...lanes.received].map(([peer, count]) => ({ peer, bytes: count }))
  return { bytes, sources: received, decodedSegments, failed: lanes.failed }
}
