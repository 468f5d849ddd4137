/** Who has which shard, whole: looked up on the disks themselves, by nothing that production does. */
import { createHash } from 'node:crypto'

import { leafBytes, rootOf } from '../../protocols/erasure/index.ts'
import type { FetchSource } from '../../src/storage/fetch.ts'
import type { KeeperVice } from './keeper-vices.ts'
import type { StoragePeer } from './storage-peer.ts'
import type { StorageWorld } from './storage-world.ts'
import { dataFolder, type ReadableObject } from './storage.ts'

/** A shard that expires while it is read is nobody's fault. */
const marginMs = 20 * 60_000
const leafPrefix = Uint8Array.of(0)

export function shardPathOf(root: string): string {
  return `${dataFolder}/shards/${root.slice(0, 2)}/${root}`
}

/** Whether this peer's disk has a shard and the hashes of its leaves as they were written. */
export function isWhole(peer: StoragePeer, root: string): boolean {
  const bytes = peer.disk.content(shardPathOf(root))
  const beside = peer.disk.content(`${shardPathOf(root)}.leaves`)
  if (bytes === undefined || beside === undefined || bytes.byteLength === 0) return false
  const hashes: Uint8Array[] = []
  for (let at = 0; at < bytes.byteLength; at += leafBytes) {
    hashes.push(
      createHash('sha256')
        .update(leafPrefix)
        .update(bytes.subarray(at, at + leafBytes))
        .digest(),
    )
  }
  return Buffer.concat(hashes).equals(beside) && Buffer.from(rootOf(hashes)).toString('hex') === root
}

/** Distinct shards of an object that honest peers among these sources have and keep for long enough; and peers of these vices. */
export function availableShards(
  world: StorageWorld,
  object: ReadableObject,
  sources: readonly FetchSource[],
  vices: readonly KeeperVice[] = [],
): number {
  return sources.filter(({ shard, peers }) => {
    const root = object.roots[shard]!
    return peers.some((name) => {
      const peer = world.peerOf(name)!
      const entry = peer.storage.rows.get(root)
      const keptMs = (entry?.keepUntilMs ?? 0) - peer.life.nowMs()
      const gives = peer.vice === null || vices.includes(peer.vice)
      return gives && peer.isUp && keptMs > marginMs && isWhole(peer, root)
    })
  }).length
}
