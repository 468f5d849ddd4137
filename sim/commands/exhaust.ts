/** `sim exhaust`: every single fault in one job, then pairs and triples. */
import { exhaustFaults } from '../model/exhaust.ts'
import { formatFault } from '../model/injected.ts'
import type { Scenario } from '../scenarios/scenario.ts'

export interface ExhaustArgs {
  readonly scenario: Scenario
  readonly from: number
  readonly seeds: number
  readonly pairs: number
  readonly triples: number
  readonly json: boolean
}

/** Of several lives: some end before the first receipt is due, in some it is due twice. */
export async function exhaust({ scenario, from, seeds, pairs, triples, json }: ExhaustArgs): Promise<number> {
  const total = { seeds, frames: 0, effects: 0, singles: 0, pairs: 0, triples: 0, violations: 0 }
  for (let seed = from; seed < from + seeds; seed++) {
    const { failures, ...report } = await exhaustFaults(scenario, seed, pairs, triples)
    for (const { faults, violations } of failures) {
      process.stderr.write(violations.map(({ checker, what }) => `  ${checker}: ${what}\n`).join(''))
      const flags = faults.map((fault) => ` --fault ${formatFault(fault)}`).join('')
      process.stderr.write(`  npm run -s sim -- replay --scenario ${scenario.name} --seed ${seed}${flags}\n`)
    }
    for (const key of ['frames', 'effects', 'singles', 'pairs', 'triples', 'violations'] as const)
      total[key] += report[key]
  }
  if (json) process.stdout.write(`${JSON.stringify({ v: 1, scenario: scenario.name, ...total })}\n`)
  else
    process.stdout.write(
      `${scenario.name}: ${seeds} lives with ${total.frames} frames and ${total.effects} effects; ${total.singles} single ` +
        `faults, ${total.pairs} pairs, ${total.triples} triples; ${total.violations} violations\n`,
    )
  return total.violations === 0 ? 0 : 3
}
