/** After a scrub no keeper gives out a shard that has rotted. */
import type { StorageWorld } from '../model/storage-world.ts'

export function rotIsSeen(world: StorageWorld): string[] {
  return world.watch.rotUnseen.map(
    ({ peer, root }) => `peer ${peer} still gives out ${root.slice(0, 8)}, which has rotted`,
  )
}
