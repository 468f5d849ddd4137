/** An object from its keepers to a CAR (protocols/erasure/car.ts), without its key: what is in the file can be read with the key alone. */
import { dirname, resolve } from 'node:path'

import {
  Commitment,
  createCoder,
  decodeObjectManifest,
  encodeCarBlockHead,
  encodeCarHeader,
  hashStrips,
  leafBytes,
  leafCount,
  segmentCount,
  stripLength,
} from '../../protocols/erasure/index.ts'
import { cidOfDocument, type PeerName } from '../../protocols/wire/index.ts'
import type { Files, OpenFile } from '../environment.ts'
import { Lanes, type LaneDeps } from './lanes.ts'
import { SegmentWindow } from './segment-window.ts'
import { Sources, type FetchSource } from './sources.ts'

export interface CarReport {
  /** Of the file. */
  readonly bytes: number
  readonly sources: readonly { readonly peer: PeerName; readonly bytes: number }[]
}

/**
 * Writes the object to `path`, which appears only when all of it is there, every leaf proved and every data shard whole. Rejects with
 * NotEnoughShardsError, InconsistentObjectError, a Fault (the manifest is none), or the reason of `signal`.
 */
export async function writeCar(
  deps: LaneDeps & { readonly disk: Files },
  request: { readonly manifest: Uint8Array; readonly sources: readonly FetchSource[]; readonly path: string },
  signal: AbortSignal,
): Promise<CarReport> {
  const { disk } = deps
  const partial = `${request.path}.partial`
  const file = await disk.create(partial, 'empty')
  try {
    const report = await write(deps, request.manifest, request.sources, file, signal)
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

async function write(
  deps: LaneDeps,
  document: Uint8Array,
  from: readonly FetchSource[],
  file: OpenFile,
  signal: AbortSignal,
): Promise<CarReport> {
  const manifest = decodeObjectManifest(document)
  const { code, bytes } = manifest
  const width = code.k + code.m
  const window = new SegmentWindow(code, bytes)
  const sources = new Sources(from, width, (peer) => deps.rates?.costOf(peer) ?? 0)
  const lanes = new Lanes(deps, manifest, window, sources)
  const commitment = new Commitment(manifest)
  const coder = createCoder(code.k, code.m)
  const data = Array.from({ length: code.k }, (_, shard) => shard)
  let at = 0
  const put = async (...pieces: readonly Uint8Array[]): Promise<void> => {
    for (const piece of pieces) {
      await file.write(piece, at)
      at += piece.byteLength
    }
  }
  const onAbort = (): void => lanes.end(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await put(encodeCarHeader(cidOfDocument(document)), encodeCarBlockHead('document', document), document)
    lanes.start()
    for (let segment = 0; segment < segmentCount(code, bytes); segment++) {
      const taken = await window.take()
      lanes.wentOn()
      const strips = Array.from({ length: width }, (_, shard) => taken.get(shard)?.bytes)
      const leaves = leafCount(stripLength(code, bytes, segment))
      const lost = data.filter((shard) => strips[shard] === undefined)
      for (const shard of lost) strips[shard] = new Uint8Array(stripLength(code, bytes, segment))
      // A leaf at a time: between two, whoever else waits for this thread has it.
      for (let leaf = 0; leaf < leaves; leaf++) {
        const piece = (strip: Uint8Array): Uint8Array => strip.subarray(leaf * leafBytes, (leaf + 1) * leafBytes)
        const there = strips.map((strip, shard) =>
          strip === undefined || lost.includes(shard) ? undefined : piece(strip),
        )
        const made = lost.length === 0 ? [] : coder.reconstruct(there, lost)
        for (const [index, shard] of lost.entries()) piece(strips[shard]!).set(made[index]!)
      }
      for (const shard of data) {
        const strip = strips[shard]!
        for (let leaf = 0; leaf < leaves; leaf++) {
          const block = strip.subarray(leaf * leafBytes, (leaf + 1) * leafBytes)
          commitment.rebuilt(shard, hashStrips([block])[0]!)
          await put(encodeCarBlockHead('leaf', block), block)
        }
      }
      // Only now is there room for another.
      window.done(segment)
      lanes.wentOn()
    }
    commitment.check()
  } finally {
    signal.removeEventListener('abort', onAbort)
    lanes.end(new Error('all of the object is in the CAR, or will not be'))
    await lanes.ended()
  }
  return { bytes: at, sources: [...lanes.received].map(([peer, count]) => ({ peer, bytes: count })) }
}
