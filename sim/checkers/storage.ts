/** The invariants of the storage world. */
import type { StorageWorld } from '../model/storage-world.ts'
import { auditsAreTrue } from './audits-are-true.ts'
import { careRestores } from './care-restores.ts'
import type { Violation } from './checker.ts'
import { dataIsExact } from './data-is-exact.ts'
import { enoughShardsSuffice } from './enough-shards-suffice.ts'
import { namesStay } from './names-stay.ts'
import { noHonestBlame } from './no-honest-blame.ts'
import { repairsAreClaimed } from './repairs-are-claimed.ts'
import { rotIsSeen } from './rot-is-seen.ts'
import { storageIsBounded } from './storage-is-bounded.ts'
import { storedIsDurable } from './stored-is-durable.ts'

const checkers: Readonly<Record<string, (world: StorageWorld) => string[]>> = {
  'data-is-exact': dataIsExact,
  'enough-shards-suffice': enoughShardsSuffice,
  'stored-is-durable': storedIsDurable,
  'storage-is-bounded': storageIsBounded,
  'no-honest-blame': noHonestBlame,
  'audits-are-true': auditsAreTrue,
  'care-restores': careRestores,
  'repairs-are-claimed': repairsAreClaimed,
  'names-stay': namesStay,
  'rot-is-seen': rotIsSeen,
}

export const storageCheckers: readonly string[] = Object.keys(checkers)

export function checkStorage(world: StorageWorld): Violation[] {
  return Object.entries(checkers).flatMap(([checker, run]) =>
    run(world).map((what) => ({ checker, what, atMs: world.elapsedMs })),
  )
}
