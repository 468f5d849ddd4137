/** When nothing goes wrong, nobody makes a shard again that another has just made, and given to an honest keeper. */
import type { StorageWorld } from '../model/storage-world.ts'

/** Claims that were made while things went wrong may be split between two sides, or be forgotten by those who crashed. */
const settledMs = 15 * 60_000
/** A repair, and what it says of where the shards are now. */
const repairMs = 3 * 60_000

export function repairsAreClaimed(world: StorageWorld): string[] {
  const fromMs = world.scenario.faultsUntilMs + settledMs
  const made = world.watch.made.filter(({ atMs, by }) => atMs > fromMs && by.vice === null)
  return made.flatMap(({ root, by, atMs, isKept }, index) =>
    (isKept ? made : [])
      .slice(0, index)
      .filter((other) => other.root === root && other.by !== by && atMs - other.atMs < repairMs)
      .map(
        (other) =>
          `shard ${root.slice(0, 8)} was made by ${other.by.number} and, ${atMs - other.atMs} ms later, by ${by.number}`,
      ),
  )
}
