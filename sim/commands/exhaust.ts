/** `sim exhaust`: every single fault in one job, then pairs and triples. */
import { exhaustFaults } from '../model/exhaust.ts'
import { formatFault } from '../model/injected.ts'
import type { Scenario } from '../scenarios/scenario.ts'

export interface ExhaustArgs {
  readonly scenario: Scenario
  readonly seed: number
  readonly pairs: number
  readonly triples: number
  readonly json: boolean
}

export async function exhaust({ scenario, seed, pairs, triples, json }: ExhaustArgs): Promise<number> {
  const { failures, ...report } = await exhaustFaults(scenario, seed, pairs, triples)
  for (const { faults, violations } of failures) {
    process.stderr.write(violations.map(({ checker, what }) => `  ${checker}: ${what}\n`).join(''))
    const flags = faults.map((fault) => ` --fault ${formatFault(fault)}`).join('')
    process.stderr.write(`  npm run -s sim -- replay --scenario ${scenario.name} --seed ${seed}${flags}\n`)
  }
  if (json) process.stdout.write(`${JSON.stringify({ v: 1, scenario: scenario.name, seed, ...report })}\n`)
  else
    process.stdout.write(
      `${scenario.name}: ${report.frames} frames and ${report.effects} effects; ${report.singles} single faults, ` +
        `${report.pairs} pairs, ${report.triples} triples; ${report.violations} violations\n`,
    )
  return report.violations === 0 ? 0 : 3
}
