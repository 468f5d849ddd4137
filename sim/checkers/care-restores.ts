/**
 * What somebody looks after is looked after. An object that could still be read when the faults were over has more shards, a while
 * later, than at which repair is to begin; and one of which k keepers lost nothing has not just expired.
 */
import type { Code } from '../../protocols/erasure/index.ts'
import type { Cared } from '../model/storage-watch.ts'
import type { StorageWorld } from '../model/storage-world.ts'

export function careRestores(world: StorageWorld): string[] {
  return world.watch.cared.flatMap((cared) => {
    const { number, code } = cared.object
    return problemsOf(cared).map((problem) => `object ${number} (${code.k}+${code.m}) ${problem}`)
  })
}

function problemsOf({ object, inCalm, atEnd, unharmed }: Cared): string[] {
  const { code } = object
  if (inCalm >= code.k && atEnd <= fewAt(code))
    return [`had ${inCalm} shards at keepers that give them, and has ${atEnd}`]
  if (unharmed >= code.k && atEnd < code.k) return [`is lost, though ${unharmed} of its keepers lost nothing`]
  return []
}

/** As protocols and README have it, and not as the code does: half of what may be lost. */
function fewAt({ k, m }: Code): number {
  return Math.min(k + m - 1, k + Math.ceil(m / 2))
}
