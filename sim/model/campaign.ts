/** Many seeds of one scenario, one after the other. */
import { createHash } from 'node:crypto'

import { check, type Violation } from '../checkers/index.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { World } from './world.ts'

export interface CampaignReport {
  readonly seeds: number
  readonly violations: number
  readonly seedsPerSecond: number
  readonly events: number
  /** Over the traces of all seeds. */
  readonly traceHash: string
  readonly virtualSecondsPerSecond: number
  readonly failures: readonly { readonly seed: number; readonly violations: readonly Violation[] }[]
}

/** Seeds whose violations are told; all are counted. */
const toldMax = 10

export async function runSeeds(scenario: Scenario, from: number, count: number): Promise<CampaignReport> {
  const beganMs = performance.now()
  const hash = createHash('sha256')
  const failures: { seed: number; violations: Violation[] }[] = []
  let events = 0
  let violations = 0
  let virtualMs = 0
  for (let seed = from; seed < from + count; seed++) {
    const world = new World(seed, scenario, { keepTrace: false })
    await world.run()
    events += world.events
    virtualMs += world.elapsedMs
    hash.update(world.traceHash)
    const found = check(world)
    violations += found.length
    if (found.length > 0 && failures.length < toldMax) failures.push({ seed, violations: found })
  }
  const seconds = (performance.now() - beganMs) / 1000
  return {
    seeds: count,
    violations,
    seedsPerSecond: Math.round(count / seconds),
    events,
    traceHash: hash.digest('hex'),
    virtualSecondsPerSecond: Math.round(virtualMs / 1000 / seconds),
    failures,
  }
}
