/**
 * `npm run -s sim -- …`: the model simulator from the command line.
 *
 *   model  [--scenario X] [--seeds N] [--from S] [--json]     many lives of the mesh, every invariant checked
 *   replay --seed S [--scenario X] [--until MS] [--focus N]   one life told, or one peer's part of it
 *   list | show X                                             the scenarios
 */
import { parseArgs } from 'node:util'

import { check } from './checkers/index.ts'
import { runSeeds } from './model/campaign.ts'
import { World } from './model/world.ts'
import { scenarioDefault, scenarios } from './scenarios/index.ts'
import type { Scenario } from './scenarios/scenario.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    scenario: { type: 'string', default: scenarioDefault },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    until: { type: 'string' },
    focus: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

switch (positionals[0]) {
  case 'model':
    process.exitCode = await model(scenarioOf(values.scenario))
    break
  case 'replay':
    process.exitCode = await replay(scenarioOf(values.scenario))
    break
  case 'list':
    for (const { name, about } of Object.values(scenarios)) process.stdout.write(`${name.padEnd(10)} ${about}\n`)
    break
  case 'show':
    process.stdout.write(`${JSON.stringify(scenarioOf(positionals[1] ?? values.scenario), null, 2)}\n`)
    break
  default:
    process.stderr.write('usage: sim model|replay|list|show   (npm run -s sim -- model --seeds 1000)\n')
    process.exitCode = 2
}

async function model(scenario: Scenario): Promise<number> {
  const { failures, ...report } = await runSeeds(scenario, whole(values.from), whole(values.seeds))
  for (const { seed, violations } of failures) {
    process.stderr.write(
      `seed ${seed}:\n${violations.map(({ checker, what }) => `  ${checker}: ${what}`).join('\n')}\n`,
    )
    process.stderr.write(`  npm run -s sim -- replay --scenario ${scenario.name} --seed ${seed}\n`)
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ v: 1, scenario: scenario.name, ...report })}\n`)
  else
    process.stdout.write(
      `${scenario.name}: ${report.seeds} seeds, ${report.violations} violations, ${report.seedsPerSecond} seeds/s\n`,
    )
  return report.violations === 0 ? 0 : 3
}

async function replay(scenario: Scenario): Promise<number> {
  const world = new World(whole(values.seed), scenario, { keepTrace: true })
  await world.run(values.until === undefined ? scenario.virtualMs : whole(values.until))
  const focus = values.focus === undefined ? undefined : whole(values.focus)
  for (const { atMs, peer, what } of world.trace ?? []) {
    if (focus === undefined || peer === focus)
      process.stdout.write(`${(atMs / 1000).toFixed(3).padStart(9)} s  peer ${String(peer).padStart(3)}  ${what}\n`)
  }
  const violations = values.until === undefined ? check(world) : []
  for (const { checker, what } of violations) process.stdout.write(`VIOLATED  ${checker}: ${what}\n`)
  process.stdout.write(`trace ${world.traceHash}\n`)
  return violations.length === 0 ? 0 : 3
}

function scenarioOf(name: string): Scenario {
  const scenario = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined
  if (scenario !== undefined) return scenario
  process.stderr.write(`error: ${name} is no scenario; there are ${Object.keys(scenarios).join(', ')}\n`)
  process.exit(2)
}

function whole(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  process.stderr.write(`error: ${text} is not a whole number\n`)
  process.exit(2)
}
