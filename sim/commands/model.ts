/** `sim model`: many lives of the mesh, every invariant checked. */
import { runSeeds } from '../model/campaign.ts'
import { shortestPrefix } from '../model/shrink.ts'
import type { Scenario } from '../scenarios/scenario.ts'

export interface ModelArgs {
  readonly scenario: Scenario
  readonly from: number
  readonly seeds: number
  readonly json: boolean
  readonly stopAtFirst: boolean
  /** Look for the shortest prefix that still fails. */
  readonly shrink: boolean
  readonly signatures: 'model' | 'real'
}

/** Failures whose shortest prefix is looked for: each look lives the seed some twenty times. */
const shrunkMax = 3

/** Exit code: 0, or 3 when an invariant or an assertion of the scenario does not hold. */
export async function model({ scenario, json, shrink, ...options }: ModelArgs): Promise<number> {
  const { failures, ...report } = await runSeeds(scenario, options)
  for (const [index, failure] of failures.entries()) {
    const { seed, violations } = failure
    const told = violations.map(({ checker, what, atMs }) => `  ${checker} at ${(atMs / 1000).toFixed(3)} s: ${what}\n`)
    process.stderr.write(`scenario ${scenario.name}, seed ${seed}:\n${told.join('')}`)
    const prefix = shrink && index < shrunkMax ? await shortestPrefix(scenario, failure, options) : undefined
    const limits = prefix === undefined ? '' : ` --mischief-until ${prefix.mischiefUntilMs}ms --jobs ${prefix.jobsMax}`
    if (prefix !== undefined)
      process.stderr.write(
        `  still fails with ${prefix.jobsMax} of ${scenario.workload.jobs} jobs and mischief until ${prefix.mischiefUntilMs} ms\n`,
      )
    process.stderr.write(`  npm run -s sim -- replay --scenario ${scenario.name} --seed ${seed}${limits}\n`)
  }
  if (!report.promiseKept)
    process.stderr.write(
      `paid ${report.paidShare} of the jobs; ${scenario.name} promises ${scenario.assertions.paidShareMin}\n`,
    )
  if (json) process.stdout.write(`${JSON.stringify({ v: 1, scenario: scenario.name, ...report })}\n`)
  else
    process.stdout.write(
      `${scenario.name}: ${report.seeds} seeds, ${report.violations} violations, ${report.seedsPerSecond} seeds/s\n`,
    )
  return report.violations === 0 && report.promiseKept ? 0 : 3
}
