/**
 * An object from its keepers to a file: k shards at a time, data shards first, every block checked, and another shard in the place
 * of one that fails. What was verified is kept: a shard that takes over begins at the segment that is missing.
 */
import { open, rename, rm } from 'node:fs/promises'

import { equals } from 'uint8arrays'

import {
  createCoder,
  decodeObjectManifest,
  hashLeaf,
  leafBytes,
  leafCount,
  openSegment,
  rootOf,
  segmentCount,
  segmentLength,
  stripBytesMax,
  stripLength,
  type Code,
  type ObjectManifest,
} from '../../protocols/erasure/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import { SegmentWindow } from './segment-window.ts'

export interface FetchSource {
  readonly shard: number
  readonly peers: readonly PeerName[]
}

export interface FetchReport {
  readonly bytes: number
  readonly sources: readonly { readonly peer: PeerName; readonly bytes: number }[]
  readonly decodedSegments: number
  readonly failed: readonly FailedSource[]
}

export interface FailedSource {
  readonly peer: PeerName
  readonly shard: number
  readonly reason: string
}

/** Fewer than k shards can be had. */
export class NotEnoughShardsError extends Error {
  override readonly name = 'NotEnoughShardsError'
  readonly need: number
  readonly have: number
  readonly missing: readonly number[]
  readonly failed: readonly FailedSource[]

  constructor(need: number, have: number, missing: readonly number[], failed: readonly FailedSource[]) {
    const why = failed.map(({ peer, shard, reason }) => `shard ${shard} at ${peer.slice(-6)}: ${reason}`).join('; ')
    super(
      `${need} shards are needed and ${have} can be had; missing ${missing.join(', ')}${why === '' ? '' : ` (${why})`}`,
    )
    this.need = need
    this.have = have
    this.missing = missing
    this.failed = failed
  }
}

/** The shards are what the manifest says, and do not make one object: whoever made it coded it wrongly, or the key is wrong. */
export class InconsistentObjectError extends Error {
  override readonly name = 'InconsistentObjectError'
}

export interface FetchDeps {
  readonly transfer: TransferService
  onFault(peer: PeerName, fault: Fault): void
}

/** Fetches the object to `path`, which appears only when all of it is there and right. */
export async function fetchObject(
  deps: FetchDeps,
  request: {
    readonly manifest: Uint8Array
    readonly key: Uint8Array
    readonly sources: readonly FetchSource[]
    readonly path: string
  },
  signal: AbortSignal,
): Promise<FetchReport> {
  const manifest = decodeObjectManifest(request.manifest)
  const partial = `${request.path}.part`
  const file = await open(partial, 'w', 0o600)
  const fetcher = new Fetcher(deps, manifest, request.sources, signal)
  try {
    const report = await fetcher.run(
      request.key,
      async (plain, at) => void (await file.write(plain, 0, plain.byteLength, at)),
    )
    await file.datasync()
    await file.close()
    await rename(partial, request.path)
    return report
  } catch (error) {
    await file.close().catch(() => {})
    await rm(partial, { force: true })
    throw error
  }
}

class Fetcher {
  readonly #deps: FetchDeps
  readonly #manifest: ObjectManifest
  readonly #code: Code
  readonly #window: SegmentWindow
  readonly #untried: { shard: number; peer: PeerName }[]
  readonly #active = new Map<number, PeerName>()
  readonly #failed: FailedSource[] = []
  readonly #received = new Map<PeerName, number>()
  readonly #abort: AbortController
  readonly #tasks = new Set<Promise<void>>()
  /** Leaf hashes of the data shards, as they came or were rebuilt. */
  readonly #hashes: Uint8Array[][]
  readonly #rebuilt = new Set<number>()
  #segment = 0
  #decodedSegments = 0

  constructor(deps: FetchDeps, manifest: ObjectManifest, sources: readonly FetchSource[], signal: AbortSignal) {
    this.#deps = deps
    this.#manifest = manifest
    this.#code = manifest.code
    this.#window = new SegmentWindow(this.#code.k)
    this.#hashes = Array.from({ length: this.#code.k }, () => [])
    this.#abort = new AbortController()
    signal.addEventListener('abort', () => this.#stop(signal.reason as Error), { once: true })
    if (signal.aborted) this.#stop(signal.reason as Error)
    // Data shards first: when all of them come, nothing has to be decoded. Each shard's first peer before any second.
    const rounds = Math.max(0, ...sources.map(({ peers }) => peers.length))
    const inOrder = [...sources]
      .sort((left, right) => left.shard - right.shard)
      .filter(({ shard }) => shard < this.#code.k + this.#code.m)
    this.#untried = Array.from({ length: rounds }, (_, round) =>
      inOrder.flatMap(({ shard, peers }) => (peers[round] === undefined ? [] : [{ shard, peer: peers[round] }])),
    ).flat()
  }

  async run(key: Uint8Array, write: (plain: Uint8Array, at: number) => Promise<void>): Promise<FetchReport> {
    const { bytes } = this.#manifest
    const count = segmentCount(this.#code, bytes)
    try {
      for (let shard = 0; shard < this.#code.k; shard++) this.#replace()
      let at = 0
      for (; this.#segment < count; this.#segment++) {
        const strips = await this.#window.take(this.#segment)
        const plain = this.#open(key, this.#segment, count, strips)
        await write(plain, at)
        at += plain.byteLength
      }
      this.#checkCommitment()
    } finally {
      this.#stop(new Error('the fetch is over'))
      await Promise.all(this.#tasks)
    }
    const sources = [...this.#received].map(([peer, received]) => ({ peer, bytes: received }))
    return { bytes, sources, decodedSegments: this.#decodedSegments, failed: this.#failed }
  }

  #stop(reason: Error): void {
    this.#window.fail(reason)
    this.#abort.abort(reason)
  }

  /** Sets another shard to work. Shards that are at work already are of no use twice. */
  #replace(): void {
    const next = this.#untried.findIndex(({ shard }) => !this.#active.has(shard))
    if (next === -1) {
      if (this.#active.size >= this.#code.k) return
      const total = this.#code.k + this.#code.m
      const missing = Array.from({ length: total }, (_, shard) => shard).filter((shard) => !this.#active.has(shard))
      this.#stop(new NotEnoughShardsError(this.#code.k, this.#active.size, missing, this.#failed))
      return
    }
    const [source] = this.#untried.splice(next, 1)
    this.#active.set(source!.shard, source!.peer)
    const task = this.#fetch(source!.shard, source!.peer).finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  async #fetch(shard: number, peer: PeerName): Promise<void> {
    const { shardBytes, shards } = this.#manifest
    const perStrip = stripBytesMax / leafBytes
    const first = this.#segment * perStrip
    const leaves = Array.from({ length: leafCount(shardBytes) - first }, (_, index) => first + index)
    try {
      let strip: Uint8Array | undefined
      await this.#deps.transfer.get(
        peer,
        shards[shard]!,
        shardBytes,
        leaves,
        async (leaf, bytes, hash) => {
          const segment = Math.floor(leaf / perStrip)
          const length = stripLength(this.#code, this.#manifest.bytes, segment)
          strip ??= await this.#window.buffer(segment, length)
          const offset = (leaf % perStrip) * leafBytes
          strip.set(bytes, offset)
          this.#received.set(peer, (this.#received.get(peer) ?? 0) + bytes.byteLength)
          if (shard < this.#code.k) this.#hashes[shard]![leaf] = hash
          if (offset + bytes.byteLength < length) return
          this.#window.put(segment, shard, strip)
          strip = undefined
        },
        this.#abort.signal,
      )
    } catch (error) {
      if (this.#abort.signal.aborted) return
      if (error instanceof Fault) this.#deps.onFault(peer, error)
      this.#failed.push({ peer, shard, reason: error instanceof RefusedError ? error.code : (error as Error).message })
      this.#active.delete(shard)
      this.#replace()
    }
  }

  #open(key: Uint8Array, segment: number, count: number, strips: readonly (Uint8Array | undefined)[]): Uint8Array {
    const { k, m } = this.#code
    const lost = Array.from({ length: k }, (_, shard) => shard).filter((shard) => strips[shard] === undefined)
    const data = strips.slice(0, k)
    if (lost.length > 0) {
      this.#decodedSegments++
      const all = Array.from({ length: k + m }, (_, shard) => strips[shard])
      for (const [index, strip] of createCoder(k, m).reconstruct(all, lost).entries()) {
        data[lost[index]!] = strip
        this.#keepHashes(lost[index]!, segment, strip)
      }
    }
    const plain = openSegment(
      key,
      segment,
      segment === count - 1,
      segmentLength(this.#code, this.#manifest.bytes, segment),
      data as Uint8Array[],
    )
    if (plain === undefined)
      throw new InconsistentObjectError(
        `segment ${segment} does not open: the key is wrong, or the object was coded wrongly`,
      )
    return plain
  }

  #keepHashes(shard: number, segment: number, strip: Uint8Array): void {
    this.#rebuilt.add(shard)
    const first = segment * (stripBytesMax / leafBytes)
    for (let at = 0, leaf = first; at < strip.byteLength; at += leafBytes, leaf++)
      this.#hashes[shard]![leaf] = hashLeaf(strip.subarray(at, at + leafBytes))
  }

  /** A rebuilt shard must be the one that the manifest commits to. */
  #checkCommitment(): void {
    for (const shard of this.#rebuilt) {
      if (!equals(rootOf(this.#hashes[shard]!), this.#manifest.shards[shard]!)) {
        throw new InconsistentObjectError(
          `shard ${shard}, rebuilt, is not the one in the manifest: the object was coded wrongly`,
        )
      }
    }
  }
}
