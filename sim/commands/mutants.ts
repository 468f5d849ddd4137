/** `sim mutants`: every planted bug must be caught by the invariants; the table says how many seeds each took. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

import { allMutants } from '../mutants/index.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { Copy } from '../mutants/patch.ts'
import { tryMutant, type Verdict } from '../mutants/trial.ts'
import { scenarioDefault } from '../scenarios/index.ts'

export interface MutantsArgs {
  /** Only those whose name has this in it. */
  readonly only: string | undefined
  readonly seeds: number
  readonly json: boolean
}

const workersMax = 4
const root = join(import.meta.dirname, '..', '..')

export async function mutants({ only, seeds, json }: MutantsArgs): Promise<number> {
  const chosen = allMutants.filter(({ name }) => only === undefined || name.includes(only))
  const queue: Mutant[] = [...chosen]
  const verdicts = new Map<string, Verdict>()
  const worker = async (): Promise<void> => {
    using copy = new Copy(root)
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const restore = copy.plant(mutant)
      const verdict = await tryMutant(
        copy.folder,
        mutant,
        mutant.scenario ?? scenarioDefault,
        Math.min(seeds, mutant.seedsMax ?? seeds),
      )
      restore()
      verdicts.set(mutant.name, verdict)
      if (!json) process.stderr.write(`${line(mutant, verdict)}\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(workersMax, availableParallelism()) }, worker))
  const rows = chosen.map(({ name }) => verdicts.get(name)!)
  const caught = rows.filter(({ seedsNeeded }) => seedsNeeded !== null).length
  if (json) process.stdout.write(`${JSON.stringify({ v: 1, mutants: rows.length, caught, rows })}\n`)
  else process.stdout.write(`${caught} of ${rows.length} caught within ${seeds} seeds\n`)
  return caught === rows.length ? 0 : 3
}

function line({ name, about }: Mutant, { seedsNeeded, checkers, why }: Verdict): string {
  const took = seedsNeeded === null ? `MISSED ${why}` : `${seedsNeeded} seeds, ${checkers.join(', ')}`
  return `${name.padEnd(28)} ${took.padEnd(44)} ${about}`
}
