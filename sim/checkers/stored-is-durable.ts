/** What an honest peer said is stored is there, whole and entered, whatever crashes came, until its term ends. */
import { isWhole } from '../model/shard-census.ts'
import type { StorageWorld } from '../model/storage-world.ts'

export function storedIsDurable(world: StorageWorld): string[] {
  const wrong: string[] = []
  for (const peer of world.peers) {
    if (peer.vice !== null) continue
    for (const [root, keepUntilMs] of peer.promised) {
      if (keepUntilMs <= peer.life.nowMs() || peer.rotted.has(root)) continue
      const entry = peer.storage.rows.get(root)
      const what = `shard ${root.slice(0, 8)} at ${peer.number}`
      if (entry === undefined) wrong.push(`${what} has no entry`)
      else if (entry.keepUntilMs < keepUntilMs) wrong.push(`${what} is kept ${keepUntilMs - entry.keepUntilMs} ms less`)
      if (!isWhole(peer, root)) wrong.push(`${what} is gone or not whole`)
    }
  }
  return wrong
}
