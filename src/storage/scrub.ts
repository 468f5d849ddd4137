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
  readonly store: Pick<ShardStore, 'openAnew'>
  readonly index: Pick<ShardIndex, 'after'>
  readonly clock: Clock
}

/** The shards whose root is above `from` (hex) and not above `to`, at the rate of a scrub. Damage is logged, and remembered, by the store itself. */
export async function scrubBetween(
  { store, index, clock }: ScrubDeps,
  from: string,
  to: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly shards: number; readonly damaged: number }> {
  let [shards, damaged] = [0, 0]
  for (
    let entry = index.after(from);
    entry !== undefined && (to === undefined || entry.root <= to);
    entry = index.after(entry.root)
  ) {
    shards++
    try {
      const source = await store.openAnew(fromString(entry.root, 'hex'))
      try {
        for (let leaf = 0; source !== undefined && leaf < leafCount(source.shardBytes); leaf++) {
          await source.leaf(leaf)
          await clock.sleep((leafBytes / scrubBytesPerSecond) * 1_000, signal)
        }
      } finally {
        await source?.close()
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RefusedError)) throw error
      damaged++
    }
  }
  return { shards, damaged }
}
