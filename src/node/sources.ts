/** Where the shards of an object are: its keepers first, and with whoever made them last. */
import type { ShardSource } from '../../protocols/execute/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Placed } from '../storage/place.ts'
import type { SealedObject } from '../storage/seal.ts'

export function sourcesOf(object: SealedObject, placed: readonly Placed[], self: PeerName): ShardSource[] {
  return object.roots.map((_, shard) => ({
    shard,
    peers: [...placed.filter((entry) => entry.shard === shard).map(({ peer }) => peer), self],
  }))
}
