/**
 * Reads all that is kept, slowly, and checks it against its hashes: rot is found while others still have what is needed to repair,
 * and not when the shard is asked for.
 */
import { fromString } from 'uint8arrays'

import { leafBytes, leafCount } from '../../protocols/erasure/index.ts'
import { RefusedError } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'
import type { ShardIndex } from './shard-index.ts'
import type { ShardStore } from './shard-store.ts'

/** 100 GB in 14 hours: some 1 % of what a disk gives. */
export const scrubBytesPerSecond = 2 * 1024 * 1024

export interface ScrubDeps {
  readonly store: Pick<ShardStore, 'openAnew' | 'mend'>
  readonly index: Pick<ShardIndex, 'after'>
  readonly clock: Clock
}

/**
 * The shards whose root is above `from` (hex) and not above `to`, at the rate of a scrub. Damage is logged, and remembered, by the store
 * itself. `mended`: of these the hashes had rotted and not the bytes, and were made again.
 */
export async function scrubBetween(
  { store, index, clock }: ScrubDeps,
  from: string,
  to: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly shards: number; readonly damaged: number; readonly mended: number }> {
  let [shards, damaged, mended] = [0, 0, 0]
  const pace = async (): Promise<void> => clock.sleep((leafBytes / scrubBytesPerSecond) * 1_000, signal)
  const isMended = async (root: Uint8Array): Promise<boolean> => {
    try {
      return await store.mend(root, pace)
    } catch (error) {
      if (error instanceof RefusedError) return false
      throw error
    }
  }
  for (
    let entry = index.after(from);
    entry !== undefined && (to === undefined || entry.root <= to);
    entry = index.after(entry.root)
  ) {
    shards++
    const root = fromString(entry.root, 'hex')
    try {
      const source = await store.openAnew(root)
      try {
        for (let leaf = 0; source !== undefined && leaf < leafCount(source.shardBytes); leaf++) {
          await source.leaf(leaf)
          await pace()
        }
      } finally {
        await source?.close()
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RefusedError)) throw error
      if (await isMended(root)) mended++
      else damaged++
    }
  }
  return { shards, damaged, mended }
}
