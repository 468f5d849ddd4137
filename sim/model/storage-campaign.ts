/** Many seeds of the storage world, one after the other. */
import { createHash } from 'node:crypto'

import type { Violation } from '../checkers/checker.ts'
import { checkStorage } from '../checkers/storage.ts'
import { storageScenarioDefault, storageScenarios, type StorageScenario } from '../scenarios/storage.ts'
import { StorageWorld } from './storage-world.ts'

export interface StorageReport {
  readonly scenario: string
  readonly seeds: number
  readonly violations: number
  readonly seedsPerSecond: number
  readonly events: number
  /** Over the traces of all seeds. */
  readonly traceHash: string
  /** Of objects: how many were placed; of reads: how many gave the object, and how many said why not. */
  readonly counts: {
    readonly objects: number
    readonly placed: number
    readonly read: number
    readonly notRead: number
  }
  readonly failures: readonly { readonly seed: number; readonly violations: readonly Violation[] }[]
}

/** Seeds whose violations are told; all are counted. */
const toldMax = 10

export async function runStorageSeeds(
  from: number,
  count: number,
  scenario: StorageScenario = storageScenarios[storageScenarioDefault]!,
  stopAtFirst = false,
): Promise<StorageReport> {
  const beganMs = performance.now()
  const hash = createHash('sha256')
  const failures: { seed: number; violations: Violation[] }[] = []
  const counts = { objects: 0, placed: 0, read: 0, notRead: 0 }
  let [seeds, events, violations] = [0, 0, 0]
  for (let seed = from; seed < from + count; seed++) {
    const world = new StorageWorld(seed, scenario)
    await world.run()
    seeds++
    events += world.events
    hash.update(world.traceHash)
    counts.objects += world.objects.length
    counts.placed += world.objects.filter(({ placed }) => placed !== null).length
    for (const { outcome } of world.reads) if (outcome !== null) counts['error' in outcome ? 'notRead' : 'read']++
    const found = checkStorage(world)
    violations += found.length
    if (found.length > 0 && failures.length < toldMax) failures.push({ seed, violations: found })
    if (found.length > 0 && stopAtFirst) break
  }
  const seconds = (performance.now() - beganMs) / 1000
  return {
    scenario: scenario.name,
    seeds,
    violations,
    seedsPerSecond: Math.round(seeds / seconds),
    events,
    traceHash: hash.digest('hex'),
    counts,
    failures,
  }
}
