/** Many seeds of one scenario, one after the other. */
import { createHash } from 'node:crypto'

import { check, type Violation } from '../checkers/index.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { World, type WorldOptions } from './world.ts'

export interface Failure {
  readonly seed: number
  readonly violations: readonly Violation[]
}

export interface CampaignReport {
  readonly seeds: number
  readonly violations: number
  readonly seedsPerSecond: number
  readonly events: number
  /** Over the traces of all seeds. */
  readonly traceHash: string
  readonly virtualSecondsPerSecond: number
  /** Of all jobs that were taken in by honest peers: how many were paid. */
  readonly paidShare: number
  /** Whether that is what the scenario asserts. */
  readonly promiseKept: boolean
  readonly failures: readonly Failure[]
}

export interface CampaignOptions extends WorldOptions {
  readonly from: number
  readonly seeds: number
  /** Ends with the first seed that fails. */
  readonly stopAtFirst?: boolean
}

/** Seeds whose violations are told; all are counted. */
const toldMax = 10
/** Every so many seeds one is lived again, and must leave the same trace. */
const again = 1_000

export async function runSeeds(scenario: Scenario, options: CampaignOptions): Promise<CampaignReport> {
  const beganMs = performance.now()
  const hash = createHash('sha256')
  const failures: Failure[] = []
  let [seeds, events, violations, virtualMs, jobs, paid] = [0, 0, 0, 0, 0, 0]
  for (let seed = options.from; seed < options.from + options.seeds; seed++) {
    const world = await live(seed, scenario, options).catch((error: unknown) => {
      throw new LifeError(seed, error)
    })
    const found = check(world)
    if (seeds % again === again - 1 && !(await leavesTrace(world.traceHash, seed, scenario, options)))
      found.push({ checker: 'same-seed-same-trace', what: `seed ${seed} was lived in two ways`, atMs: 0 })
    seeds++
    events += world.events
    virtualMs += world.elapsedMs
    hash.update(world.traceHash)
    for (const { requester, terms, submitted } of world.jobs) {
      if (!submitted || requester.vice !== null) continue
      jobs++
      if (isPaid(requester.jobEvents.get(terms.job))) paid++
    }
    violations += found.length
    if (found.length > 0 && failures.length < toldMax) failures.push({ seed, violations: found })
    world.close()
    if (found.length > 0 && options.stopAtFirst === true) break
  }
  const paidShare = jobs === 0 ? 1 : Math.round((1_000 * paid) / jobs) / 1_000
  const seconds = (performance.now() - beganMs) / 1000
  return {
    seeds,
    violations,
    seedsPerSecond: Math.round(seeds / seconds),
    events,
    traceHash: hash.digest('hex'),
    virtualSecondsPerSecond: Math.round(virtualMs / 1000 / seconds),
    paidShare,
    promiseKept: paidShare >= scenario.assertions.paidShareMin,
    failures,
  }
}

/** A life in which the program broke: a bug of ours, which an assertion found. */
export class LifeError extends Error {
  override readonly name = 'LifeError'

  constructor(seed: number, cause: unknown) {
    super(`seed ${seed} ended with ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

async function live(seed: number, scenario: Scenario, options: WorldOptions): Promise<World> {
  const world = new World(seed, scenario, options)
  await world.run()
  return world
}

async function leavesTrace(hash: string, seed: number, scenario: Scenario, options: WorldOptions): Promise<boolean> {
  const world = await live(seed, scenario, options)
  world.close()
  return world.traceHash === hash
}

function isPaid(
  events: World['peers'][number]['jobEvents'] extends Map<string, infer Told> ? Told | undefined : never,
) {
  return events?.some(({ event }) => event.stage === 'ended' && event.ending.outcome === 'paid') ?? false
}
