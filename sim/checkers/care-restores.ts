/**
 * What somebody looks after is looked after: an object that could still be read when the faults were over has more shards, a while
 * later, than at which repair begins.
 */
import { repairAt } from '../../src/storage/repair.ts'
import type { StorageWorld } from '../model/storage-world.ts'

export function careRestores(world: StorageWorld): string[] {
  return world.cared.flatMap(({ object, atHeal, atEnd }) => {
    const { number, code } = object
    if (atHeal < code.k || atEnd > repairAt(code)) return []
    return [`object ${number} (${code.k}+${code.m}) had ${atHeal} shards at keepers that give them, and has ${atEnd}`]
  })
}
