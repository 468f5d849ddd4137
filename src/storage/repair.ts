/**
 * Lost shards made again from k that are left, without the key, and placed with other keepers. Lazy, because most peers that are
 * away come back: it begins when half of what may be lost is lost.
 */
import { equals, toString } from 'uint8arrays'

import {
  InconsistentObjectError,
  leavesPerStrip,
  letGo,
  segmentCount,
  type Code,
  type ObjectManifest,
} from '../../protocols/erasure/index.ts'
import { claimMsMax, type PlacementService } from '../../protocols/placement/index.ts'
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import { Lanes, type LaneDeps } from './lanes.ts'
import type { Mill, RebuiltStrips } from './mill.ts'
import { overlap } from './overlap.ts'
import { SegmentWindow, type TakenStrip } from './segment-window.ts'
import type { ShardStore } from './shard-store.ts'
import type { ShardWriter } from './shard-writer.ts'
import { Sources, type FetchSource } from './sources.ts'

/** Healthy shards at which repair begins: 12 of 8+8, 12 of 10+4, 5 of 4+2; with m = 1 as soon as one is lost. */
export function repairAt({ k, m }: Code): number {
  return Math.min(k + m - 1, k + Math.ceil(m / 2))
}

/** Healthy shards at which it does not wait for its turn. */
export function urgentAt({ k, m }: Code): number {
  return Math.min(k + m - 1, k + 2)
}

/** Somebody else repairs the object just now. */
export class RepairClaimedError extends Error {
  override readonly name = 'RepairClaimedError'
  readonly forMs: number

  constructor(forMs: number) {
    super(`another peer repairs it, for at most ${Math.ceil(forMs / 1_000)} s more`)
    this.forMs = forMs
  }
}

/** How long a repair is claimed for, beside the time that its bytes take at a rate that nearly everybody has. */
const claimBaseMs = 10 * 60_000
const claimBytesPerMs = 1_000

export interface ClaimDeps {
  readonly placement: Pick<PlacementService, 'claim'>
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

/**
 * Claims the repair of an object at its keepers, in the order that is given: that of shards, so that two who begin together meet at the
 * first. Resolves with what gives it back. Rejects with RepairClaimedError, or the reason of `signal`.
 */
export async function claimRepair(
  { placement, onFault }: ClaimDeps,
  object: string,
  { code, shardBytes }: Pick<ObjectManifest, 'code' | 'shardBytes'>,
  keepers: readonly PeerName[],
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const forMs = Math.min(claimMsMax, claimBaseMs + Math.ceil((code.k * shardBytes) / claimBytesPerMs))
  const granted: PeerName[] = []
  let answered = 0
  let refusedMs: number | undefined
  // Also when we were told to stop: otherwise nobody repairs until the claim runs out. Each exchange has a deadline of its own.
  const release = async (): Promise<void> => {
    const { signal: unhindered } = new AbortController()
    await Promise.allSettled(granted.map(async (peer) => placement.claim(peer, object, 0, unhindered)))
  }
  const askAt = async (peer: PeerName): Promise<void> => {
    try {
      await placement.claim(peer, object, forMs, signal)
      answered++
      granted.push(peer)
    } catch (error) {
      if (error instanceof Fault) onFault(peer, error)
      if (!(error instanceof RefusedError) || error.code !== 'CLAIMED') return
      answered++
      refusedMs = Math.max(refusedMs ?? 0, Number(error.facts['forMs'] ?? 0))
    }
  }
  const [first, ...others] = keepers
  if (first !== undefined) await askAt(first)
  if (refusedMs === undefined) await Promise.all(others.map(askAt))
  if (signal.aborted) await release()
  signal.throwIfAborted()
  // Nobody who knows of claims: then there is nobody to be in the way of either.
  if (refusedMs === undefined || granted.length * 2 > answered) return release
  await release()
  throw new RepairClaimedError(refusedMs)
}

export interface RebuildDeps extends LaneDeps {
  readonly store: Pick<ShardStore, 'begin' | 'adopt'>
  readonly mill: Pick<Mill, 'rebuild'>
}

interface TakenSegment {
  readonly number: number
  readonly strips: ReadonlyMap<number, TakenStrip>
}

/**
 * Makes shards again, several from one reading of k others, in the mill: while one segment is written the next is worked on, and both are in
 * the window until they are on the disk, which bounds memory. They are in our own store until `keepUntilMs` when it resolves. Each has
 * the root of the manifest, or nothing is kept: InconsistentObjectError when whoever made the object coded it wrongly. Rejects with
 * NotEnoughShardsError too, or the reason of `signal`.
 */
export async function rebuildShards(
  deps: RebuildDeps,
  manifest: ObjectManifest,
  rows: readonly number[],
  sources: readonly FetchSource[],
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { code, bytes, shards, shardBytes } = manifest
  const { store, mill } = deps
  const width = code.k + code.m
  const window = new SegmentWindow(code, bytes)
  const others = sources.filter(({ shard }) => !rows.includes(shard))
  const lanes = new Lanes(deps, manifest, window, new Sources(others, width, () => 0))
  const writers: ShardWriter[] = []
  const taken = async function* (): AsyncGenerator<TakenSegment> {
    for (let number = 0; number < segmentCount(code, bytes); number++) {
      const strips = await window.take()
      lanes.wentOn()
      yield { number, strips }
    }
  }
  const rebuild = async ({ strips }: TakenSegment): Promise<RebuiltStrips> => {
    const set = Array.from({ length: width }, (_, shard) => strips.get(shard)?.bytes)
    return mill.rebuild(set, { code, rows }, signal)
  }
  const finish = async ({ number }: TakenSegment, { strips, hashes }: RebuiltStrips): Promise<void> => {
    for (const [index, writer] of writers.entries()) {
      await writer.write(number * leavesPerStrip, strips[index]!, hashes[index]!)
      letGo(strips[index]!)
    }
    // Only now is there room for another.
    window.done(number)
    lanes.wentOn()
  }
  const onAbort = (): void => lanes.end(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    for (const _row of rows) writers.push(await store.begin())
    lanes.start()
    await overlap(taken(), rebuild, finish)
    for (const [index, row] of rows.entries()) {
      const { root } = writers[index]!
      if (!equals(root, shards[row]!)) {
        throw new InconsistentObjectError(
          `shard ${row}, made again, has the root ${toString(root, 'hex').slice(0, 12)}… and not that of the manifest: the object was coded wrongly`,
        )
      }
    }
    await Promise.all(writers.map(async (writer) => writer.sync()))
    for (const writer of writers) await store.adopt(writer, shardBytes, keepUntilMs)
  } catch (error) {
    await Promise.all(writers.map(async (writer) => writer.discard()))
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    lanes.end(new Error('the repair has read what it needs'))
    await lanes.ended()
  }
}
