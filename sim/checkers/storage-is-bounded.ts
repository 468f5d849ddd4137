/** Nobody keeps more than it lends, and when all is over nothing is left lying about: streams, files, entries, bytes in queues. */
import { windowBytes } from '../model/stream-end.ts'
import type { StoragePeer } from '../model/storage-peer.ts'
import type { StorageWorld } from '../model/storage-world.ts'
import { dataFolder } from '../model/storage.ts'

/** How long after its end a shard may still be here: two sweeps. */
const sweptWithinMs = 120_000
/** One frame may be over the window. */
const frameBytesMax = 66 * 1024
const shardName = /\/([0-9a-f]{64})(?:\.(?:leaves|sums))?$/

export function storageIsBounded(world: StorageWorld): string[] {
  const wrong = world.leftOpen.flatMap(({ peer, streams, files }) =>
    world.peers[peer]!.vice !== null
      ? []
      : [
          ...(streams > 0 ? [`peer ${peer} has ${streams} streams open`] : []),
          ...(files > 0 ? [`peer ${peer} has ${files} files open`] : []),
        ],
  )
  if (world.streams.heldBytesMax > windowBytes + frameBytesMax)
    wrong.push(`a stream held ${world.streams.heldBytesMax} bytes`)
  return [
    ...wrong,
    ...world.peers.flatMap((peer) => problemsOf(peer, world.scenario).map((what) => `peer ${peer.number} ${what}`)),
  ]
}

function problemsOf(peer: StoragePeer, { quotaBytes, ownerBytesMax }: StorageWorld['scenario']): string[] {
  const wrong: string[] = []
  const { rows } = peer.storage
  if (peer.isGone) return []
  if (peer.keptBytesMax > quotaBytes) wrong.push(`kept ${peer.keptBytesMax} bytes of ${quotaBytes}`)
  const owners = Map.groupBy(rows.values(), ({ owner }) => owner)
  for (const [owner, entries] of owners) {
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
    if (owner !== peer.name && bytes > ownerBytesMax) wrong.push(`keeps ${bytes} bytes of one owner`)
  }
  for (const path of peer.disk.paths(dataFolder)) {
    const root = shardName.exec(path)?.[1]
    if (root === undefined || !rows.has(root)) wrong.push(`has ${path} lying about`)
  }
  for (const { root, keepUntilMs } of rows.values()) {
    if (keepUntilMs < peer.life.nowMs() - sweptWithinMs) wrong.push(`still has an entry of ${root.slice(0, 8)}`)
  }
  return wrong
}
