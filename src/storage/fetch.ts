/**
 * An object from its keepers to a file: k shards at a time, data shards first, every block checked, and another shard in the place
 * of one that fails. What was verified is kept: a shard that takes over begins with what is missing.
 */
import { dirname, resolve } from 'node:path'

import { pipe } from 'it-pipe'

import {
  Commitment,
  createCoder,
  decodeObjectManifest,
  openSegments,
  segmentCount,
  type ObjectManifest,
  type StripSet,
} from '../../protocols/erasure/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Files } from '../environment.ts'
import { Lanes, type LaneDeps } from './lanes.ts'
import type { FailedSource } from './not-enough-shards.ts'
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
  let taken: ReadonlyMap<number, TakenStrip> = new Map()
  let [at, decodedSegments] = [0, 0]

  const strips = async function* (): AsyncGenerator<StripSet> {
    for (let segment = 0; segment < segments; segment++) {
      taken = await window.take()
      lanes.wentOn(new Set(taken.keys()))
      yield Array.from({ length: code.k + code.m }, (_, shard) => taken.get(shard)?.bytes)
    }
  }
  const onAbort = (): void => lanes.end(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    lanes.start()
    for await (const { plain, rebuilt } of pipe(
      strips,
      openSegments(createCoder(code.k, code.m), request.key, bytes),
    )) {
      for (let shard = 0; shard < code.k; shard++) {
        const strip = taken.get(shard)
        if (strip === undefined) commitment.rebuilt(shard, rebuilt.get(shard)!)
        else commitment.came(shard, strip.hashes)
      }
      if (rebuilt.size > 0) decodedSegments++
      await write(plain, at)
      at += plain.byteLength
    }
    commitment.check()
  } finally {
    signal.removeEventListener('abort', onAbort)
    lanes.end(new Error('the fetch is over'))
    await lanes.ended()
  }
  const received = [...lanes.received].map(([peer, count]) => ({ peer, bytes: count }))
  return { bytes, sources: received, decodedSegments, failed: lanes.failed }
}
