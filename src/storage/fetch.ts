/**
 * An object from its keepers to a file: k shards at a time, data shards first, every block checked, and another shard in the place
 * of one that fails or is late. What was verified is kept, on the disk too: a fetch that ended begins again with what is missing.
 */
import { pipe } from 'it-pipe'
import { concat } from 'uint8arrays'

import {
  Commitment,
  InconsistentObjectError,
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
import { PartFile } from './part-file.ts'
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
  /** Segments that an earlier fetch had brought. */
  readonly keptSegments: number
  /** Verified bytes that were of no use: they came too late, or beside others that were as good. */
  readonly wastedBytes: number
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
  /** Who made the object, and has work of its own: asked only for what nobody else gives. */
  readonly lastResort?: PeerName
  readonly path: string
}

/**
 * Fetches the object to `path`, which appears only when all of it is there and right. What was verified of it stays beside it
 * when the fetch ends early or this process dies, and is not fetched again. Rejects with NotEnoughShardsError,
 * InconsistentObjectError, a Fault (the manifest is none), or the reason of `signal`.
 */
export async function fetchObject(deps: FetchDeps, request: FetchRequest, signal: AbortSignal): Promise<FetchReport> {
  signal.throwIfAborted()
  const manifest = decodeObjectManifest(request.manifest)
  const part = await PartFile.open(deps, request.path, request.manifest, request.key, signal)
  try {
    const report = await read(deps, manifest, request, signal, part)
    await part.finish()
    return report
  } catch (error) {
    // What does not become one object with these segments would not with them next time either.
    if (error instanceof InconsistentObjectError) await part.discard()
    else await part.leave()
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
  part: PartFile,
): Promise<FetchReport> {
  const { code, bytes } = manifest
  const window = new SegmentWindow(code, bytes, (segment) => part.has(segment), deps.mill.strips)
  const costOf = (peer: PeerName): number => deps.costOf?.(peer) ?? deps.rates?.costOf(peer) ?? 0
  const sources = new Sources(request.sources, code.k + code.m, costOf, request.lastResort)
  const lanes = new Lanes(deps, manifest, window, sources)
  const commitment = new Commitment(manifest)
  const segments = segmentCount(code, bytes)
  const keptSegments = part.count
  let [decodedSegments, committed] = [0, 0]

  const taken = async function* (): AsyncGenerator<TakenSegment> {
    for (let number = 0; number < segments; number++) {
      if (part.has(number)) continue
      const strips = await window.take()
      lanes.wentOn()
      yield { number, strips }
    }
  }
  const open = async ({ number, strips }: TakenSegment): Promise<OpenedSegment> => {
    const set = Array.from({ length: code.k + code.m }, (_, shard) => strips.get(shard)?.bytes)
    const plainBytes = segmentLength(code, bytes, number)
    const isLast = number === segments - 1
    // What is decoded joins its neighbours, to be written with them.
    const lostInto = set
      .slice(0, code.k)
      .map((strip, shard) => (strip === undefined ? window.spare(number, shard) : undefined))
    return deps.mill.open(set, { code, key: request.key, number, isLast, plainBytes, lostInto }, signal)
  }
  /** Whether they came or were decoded, in this fetch or one before: those of a shard make its root, or the object is none. */
  const commit = (): void => {
    for (; part.has(committed); committed++)
      for (const [shard, hashes] of part.takeHashes(committed).entries()) commitment.rebuilt(shard, hashes)
  }
  const finish = async ({ number, strips }: TakenSegment, { plain, rebuilt }: OpenedSegment): Promise<void> => {
    if (rebuilt.size > 0) decodedSegments++
    const hashes = Array.from({ length: code.k }, (_, shard) => rebuilt.get(shard) ?? strips.get(shard)!.hashes)
    await part.write(number, plain, concat(hashes))
    // What was decoded of a short segment lies elsewhere.
    for (const piece of plain) letGo(piece)
    commit()
    // Only now is there room for another: what is not on the disk is lost when this process dies.
    window.done(number)
    lanes.wentOn()
  }
  const onAbort = (): void => lanes.end(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    if (keptSegments < segments) lanes.start()
    commit()
    await pipe(taken, async (items) => overlap(items, open, finish))
    commitment.check()
    lanes.finish()
    window.end()
  } catch (error) {
    lanes.end(new Error('the fetch is over'))
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    await lanes.ended()
  }
  const received = [...lanes.received].map(([peer, count]) => ({ peer, bytes: count }))
  const { failed, wastedBytes } = lanes
  return { bytes, sources: received, decodedSegments, keptSegments, wastedBytes, failed }
}
