/** `sim model`: many lives of the mesh, every invariant checked. */
import { join } from 'node:path'

import { runSeeds, type CampaignReport, type Failure } from '../model/campaign.ts'
import { runSeedsIn } from '../model/workers.ts'
import { shortestPrefix } from '../model/shrink.ts'
import { runStorageSeeds, type StorageReport } from '../model/storage-campaign.ts'
import { lifeFacts, type LifeFacts } from '../report/lives.ts'
import { isStorage, scenarioNamed, storageScenarioNamed } from '../scenarios/index.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import type { StorageScenario } from '../scenarios/storage.ts'

export interface ModelArgs {
  readonly scenario: Scenario | StorageScenario
  readonly from: number
  readonly seeds: number
  readonly json: boolean
  readonly stopAtFirst: boolean
  /** Threads. */
  readonly workers: number
  /** Look for the shortest prefix that still fails. */
  readonly shrink: boolean
  readonly signatures: 'model' | 'real'
  /** Where the record of the run goes; undefined: it is only told. */
  readonly out: string | undefined
}

/** Failures whose shortest prefix is looked for: each look lives the seed some twenty times. */
const shrunkMax = 3

/** Exit code: 0, or 3 when an invariant or an assertion of the scenario does not hold. */
export async function model(args: ModelArgs): Promise<number> {
  const { scenario, json, shrink, out, signatures } = args
  if (isStorage(scenario)) return storage(scenario, args)
  const { failures, ...report } =
    out === undefined ? await campaign(scenario, args) : await recorded(scenario, args, out)
  for (const [index, failure] of failures.entries()) {
    const { seed, violations } = failure
    const told = violations.map(({ checker, what, atMs }) => `  ${checker} at ${(atMs / 1000).toFixed(3)} s: ${what}\n`)
    process.stderr.write(`scenario ${scenario.name}, seed ${seed}:\n${told.join('')}`)
    const prefix = shrink && index < shrunkMax ? await shortestPrefix(scenario, failure, { signatures }) : undefined
    const limits = prefix === undefined ? '' : ` --mischief-until ${prefix.mischiefUntilMs}ms --jobs ${prefix.jobsMax}`
    if (prefix !== undefined)
      process.stderr.write(
        `  still fails with ${prefix.jobsMax} of ${scenario.workload.jobs} jobs and mischief until ${prefix.mischiefUntilMs} ms\n`,
      )
    process.stderr.write(`  npm run -s sim -- replay --scenario ${scenario.name} --seed ${seed}${limits}\n`)
  }
  if (!report.promiseKept)
    process.stderr.write(
      `paid ${report.paidShare} of the jobs, done by the honest ${report.successShare}, paid to liars ${report.liarShare}; ` +
        `${scenario.name} promises ${JSON.stringify(scenario.assertions)}\n`,
    )
  if (json)
    process.stdout.write(
      `${JSON.stringify({ v: 1, scenario: scenario.name, ...report, failed: failures.map(summary) })}\n`,
    )
  else
    process.stdout.write(
      `${scenario.name}: ${report.seeds} seeds, ${report.violations} violations, ${report.seedsPerSecond} seeds/s\n`,
    )
  return report.violations === 0 && report.promiseKept ? 0 : 3
}

async function campaign(
  scenario: Scenario,
  { workers, from, seeds, stopAtFirst, signatures }: ModelArgs,
  onLife?: (life: LifeFacts) => void,
): Promise<CampaignReport> {
  const options = { from, seeds, stopAtFirst, signatures }
  if (workers > 1) return runSeedsIn(workers, scenario, options, onLife)
  return runSeeds(scenario, options, onLife && ((...life) => onLife(lifeFacts(...life))))
}

/** The same, and a folder of it. What makes that is loaded only then. */
async function recorded(scenario: Scenario, args: ModelArgs, out: string): Promise<CampaignReport> {
  const { LivesRecord, metricOf } = await import('../report/from-model.ts')
  const { makeFolder, metricsFile, pageFile, writeRun } = await import('../report/folder.ts')
  const { MetricsWriter } = await import('../report/metrics.ts')
  const beganMs = performance.now()
  makeFolder(out)
  const lives = new LivesRecord(scenario, args.from)
  using metrics = new MetricsWriter(join(out, metricsFile))
  const report = await campaign(scenario, args, (life) => {
    metrics.write(metricOf(life))
    lives.add(life)
  })
  const wallMs = performance.now() - beganMs
  writeRun(out, lives.record(report, { command: commandOf(scenario, args), wallMs, signatures: args.signatures }))
  process.stderr.write(`${join(out, pageFile)}\n`)
  return report
}

async function recordStorage(
  scenario: StorageScenario,
  args: ModelArgs,
  out: string,
  report: StorageReport,
  wallMs: number,
): Promise<void> {
  const { storageRecord } = await import('../report/from-storage.ts')
  const { metricsFile, pageFile, writeRun } = await import('../report/folder.ts')
  const { MetricsWriter } = await import('../report/metrics.ts')
  const { seeds, events, violations, counts } = report
  using metrics = new MetricsWriter(join(out, metricsFile))
  metrics.write({ v: 1, of: 'campaign', from: args.from, seeds, events, violations, ...counts })
  writeRun(out, storageRecord(scenario, args.from, report, commandOf(scenario, args), wallMs))
  process.stderr.write(`${join(out, pageFile)}\n`)
}

/** What lives the same lives again. */
function commandOf(
  { name, peers }: Scenario | StorageScenario,
  { from, seeds, workers, signatures, stopAtFirst }: ModelArgs,
): string {
  const flags = [`--scenario ${name}`]
  if ((storageScenarioNamed(name) ?? scenarioNamed(name))?.peers !== peers) flags.push(`--peers ${peers}`)
  flags.push(`--seeds ${seeds}`, `--from ${from}`)
  if (workers > 1) flags.push(`--workers ${workers}`)
  if (signatures !== 'model') flags.push(`--signatures ${signatures}`)
  if (stopAtFirst) flags.push('--stop')
  return `npm run -s sim -- model ${flags.join(' ')} --out sim-out/${name}-${from}`
}

/** The same of the world that puts and reads objects. */
async function storage(scenario: StorageScenario, args: ModelArgs): Promise<number> {
  const { from, seeds, json, stopAtFirst, out } = args
  if (out !== undefined) (await import('../report/folder.ts')).makeFolder(out)
  const beganMs = performance.now()
  const whole = await runStorageSeeds(from, seeds, scenario, stopAtFirst)
  const { failures, ...report } = whole
  if (out !== undefined) await recordStorage(scenario, args, out, whole, performance.now() - beganMs)
  for (const { seed, violations } of failures) {
    const told = violations.map(({ checker, what, atMs }) => `  ${checker} at ${(atMs / 1000).toFixed(3)} s: ${what}\n`)
    process.stderr.write(`scenario ${scenario.name}, seed ${seed}:\n${told.join('')}`)
    process.stderr.write(`  npm run -s sim -- replay --scenario ${scenario.name} --seed ${seed}\n`)
  }
  if (json)
    process.stdout.write(`${JSON.stringify({ v: 1, ...report, promiseKept: true, failed: failures.map(summary) })}\n`)
  else
    process.stdout.write(
      `${scenario.name}: ${report.seeds} seeds, ${report.violations} violations, ${report.seedsPerSecond} seeds/s\n`,
    )
  return report.violations === 0 ? 0 : 3
}

/** A failure in the report: what is told of it in full stands on stderr. */
function summary({ seed, violations }: Failure): { readonly seed: number; readonly checkers: readonly string[] } {
  return { seed, checkers: [...new Set(violations.map(({ checker }) => checker))] }
}
