/** Many seeds of one scenario, one after the other; or side by side (workers.ts). */
import { hash } from 'node:crypto'

import { check, type Violation } from '../checkers/index.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { fairPayOf, nobodyPaid, plus, type FairPay } from './fair-pay.ts'
import { turned } from './settled.ts'
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
  /** After the warm-up: of the jobs, those that an honest provider did; and of what was signed for, what went to the dishonest. */
  readonly successShare: number
  readonly liarShare: number
  /** Whether that is what the scenario asserts. */
  readonly promiseKept: boolean
  readonly failures: readonly Failure[]
}

/** Of a range of seeds; several of them make one report. */
export interface Tally {
  readonly seeds: number
  readonly violations: number
  readonly events: number
  readonly virtualMs: number
  readonly jobs: number
  readonly paid: number
  readonly fair: FairPay
  /** The hashes of the traces, one after the other. */
  readonly traces: string
  readonly failures: readonly Failure[]
}

export interface CampaignOptions extends WorldOptions {
  readonly from: number
  readonly seeds: number
  /** Ends with the first seed that fails. */
  readonly stopAtFirst?: boolean
}

/** Told of every life when it is over; the trace of the first is kept for it. */
export type OnLife = (world: World, violations: readonly Violation[]) => void

/** A share of fewer jobs than this says nothing of a scenario. */
export const jobsJudgedMin = 100
/** Seeds whose violations are told; all are counted. */
const toldMax = 10
/** Every so many seeds one is lived again, and must leave the same trace. */
const again = 1_000

export async function runSeeds(scenario: Scenario, options: CampaignOptions, onLife?: OnLife): Promise<CampaignReport> {
  const beganMs = performance.now()
  return reportOf(scenario, [await tally(scenario, options, onLife)], (performance.now() - beganMs) / 1000)
}

export async function tally(scenario: Scenario, options: CampaignOptions, onLife?: OnLife): Promise<Tally> {
  const { stackTraceLimit } = Error
  // Faults of the dishonest are errors, and a stack costs more than what it is about. A life that breaks is told by a replay.
  Error.stackTraceLimit = 0
  const failures: Failure[] = []
  const traces: string[] = []
  let [events, violations, virtualMs, jobs, paid] = [0, 0, 0, 0, 0]
  let fair = nobodyPaid
  for (let seed = options.from; seed < options.from + options.seeds; seed++) {
    const isTold = onLife !== undefined && seed === options.from
    const world = await live(seed, scenario, isTold ? { ...options, keepTrace: true } : options)
    const found = check(world)
    if (seed % again === 0 && !(await leavesTrace(world.traceHash, seed, scenario, options)))
      found.push({ checker: 'same-seed-same-trace', what: `seed ${seed} was lived in two ways`, atMs: 0 })
    events += world.events
    virtualMs += world.elapsedMs
    traces.push(world.traceHash)
    for (const { requester, terms, submitted } of world.jobs) {
      if (!submitted || requester.vice !== null) continue
      jobs++
      if (isPaid(requester.jobEvents.get(terms.job))) paid++
    }
    fair = plus(fair, fairPayOf(world))
    violations += found.length
    if (found.length > 0 && failures.length < toldMax) failures.push({ seed, violations: found })
    onLife?.(world, found)
    world.close()
    await turned()
    if (found.length > 0 && options.stopAtFirst === true) break
  }
  Error.stackTraceLimit = stackTraceLimit
  return { seeds: traces.length, violations, events, virtualMs, jobs, paid, fair, traces: traces.join(''), failures }
}

/** Of tallies in the order of their seeds. */
export function reportOf(scenario: Scenario, tallies: readonly Tally[], seconds: number): CampaignReport {
  const sum = (of: (one: Tally) => number): number => tallies.reduce((total, one) => total + of(one), 0)
  const [seeds, jobs, paid] = [sum((one) => one.seeds), sum((one) => one.jobs), sum((one) => one.paid)]
  const paidShare = shareOf(paid, jobs, 1)
  const fair = tallies.reduce((all, one) => plus(all, one.fair), nobodyPaid)
  const successShare = shareOf(fair.done, fair.jobs, 1)
  const liarShare = shareOf(fair.liarsMicro, fair.paidMicro, 0)
  const { assertions } = scenario
  return {
    seeds,
    violations: sum((one) => one.violations),
    seedsPerSecond: rounded(seeds / seconds),
    events: sum((one) => one.events),
    traceHash: hash('sha256', tallies.map(({ traces }) => traces).join(''), 'hex'),
    virtualSecondsPerSecond: Math.round(sum((one) => one.virtualMs) / 1000 / seconds),
    paidShare,
    successShare,
    liarShare,
    promiseKept:
      jobs < jobsJudgedMin ||
      (paidShare >= assertions.paidShareMin &&
        successShare >= assertions.successShareMin &&
        liarShare <= assertions.liarShareMax),
    failures: tallies.flatMap(({ failures }) => failures).slice(0, toldMax),
  }
}

/** In thousandths; of nothing it is `none`. */
function shareOf(part: number, all: number, none: number): number {
  return all === 0 ? none : Math.round((1_000 * part) / all) / 1_000
}

/** Whole, and of slow ones the first decimals as well. */
function rounded(rate: number): number {
  return rate >= 10 ? Math.round(rate) : Math.round(rate * 100) / 100
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
  try {
    await world.run()
  } catch (error) {
    throw new LifeError(seed, error)
  }
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
