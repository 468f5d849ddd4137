/**
 * When honest keepers that can be reached have k distinct shards of an object, it can be read. When not, the reader is told so,
 * and what is missing. Either within a bounded time, and nothing else ever comes of a read but what the reader's own disk says.
 */
import { NotEnoughShardsError } from '../../src/storage/fetch.ts'
import { ObjectNotFoundError } from '../../src/storage/locate.ts'
import type { Read, StorageWorld } from '../model/storage-world.ts'

/** Of a final read, when nothing goes wrong any more but some keepers: all k lanes may have to wait for a bad one in turn. */
export const readMsMax = 600_000

export function enoughShardsSuffice(world: StorageWorld): string[] {
  return world.reads.flatMap((read) => {
    const what = `read of object ${read.object.number} (${read.object.code.k}+${read.object.code.m}) by ${read.reader.number}`
    return problemsOf(read).map((problem) => `${what}: ${problem}`)
  })
}

function problemsOf({ object, isFinal, available, beganMs, endedMs, outcome }: Read): string[] {
  if (outcome === null) return isFinal ? ['it never ended'] : []
  const tookMs = endedMs! - beganMs
  if (isFinal && tookMs > readMsMax) return [`it took ${tookMs} ms`]
  if (!('error' in outcome)) return []
  const { error } = outcome
  if (error instanceof NotEnoughShardsError) {
    if (error.missing.length === 0) return ['it does not say what is missing']
    return isFinal && available >= object.code.k ? [`${available} shards were there, and ${error.message}`] : []
  }
  if (error instanceof ObjectNotFoundError)
    return isFinal && available >= object.code.k ? [`${available} shards were there, and ${error.message}`] : []
  const isOwnDisk = error instanceof Error && 'code' in error && error.code === 'ENOSPC'
  return isOwnDisk && !isFinal ? [] : [`it failed: ${String(error)}`]
}
