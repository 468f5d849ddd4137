/** Lives the seeds with one bug planted, in a process of their own: modules are loaded once a process. */
import { execFile } from 'node:child_process'

import type { Mutant } from './mutant.ts'

export interface Verdict {
  readonly mutant: string
  /** How many seeds it took; null when none of them showed it. */
  readonly seedsNeeded: number | null
  /** The invariants that were broken. */
  readonly checkers: readonly string[]
  readonly why: string
}

/** A bug that makes the program stand still is found by this. */
const trialMsMax = 120_000
const outputBytesMax = 16 * 1024 * 1024

export async function tryMutant(folder: string, mutant: Mutant, scenario: string, seeds: number): Promise<Verdict> {
  const args = [
    ...process.execArgv,
    'sim/main.ts',
    'model',
    '--scenario',
    scenario,
    '--seeds',
    String(seeds),
    '--stop',
    '--no-shrink',
    '--json',
  ]
  const { promise, resolve } = Promise.withResolvers<{ stdout: string; stderr: string; isOverdue: boolean }>()
  execFile(
    process.execPath,
    args,
    { cwd: folder, timeout: trialMsMax, killSignal: 'SIGKILL', maxBuffer: outputBytesMax },
    (error, stdout, stderr) => resolve({ stdout, stderr, isOverdue: error?.killed === true }),
  )
  const { stdout, stderr, isOverdue } = await promise
  const verdict = (seedsNeeded: number | null, checkers: readonly string[], why = ''): Verdict => ({
    mutant: mutant.name,
    seedsNeeded,
    checkers,
    why,
  })
  if (isOverdue) return verdict(null, [], `not over after ${trialMsMax / 1000} s`)
  const line = stdout.trim().split('\n').at(-1) ?? ''
  if (!line.startsWith('{')) {
    // An assertion of ours that fails is loud: the life ends with it.
    const crash = /seed (\d+) ended with/.exec(stderr)
    return crash === null
      ? verdict(null, [], stderr.trim().split('\n').at(-1) ?? 'no report')
      : verdict(Number(crash[1]), ['assertion'])
  }
  const report = JSON.parse(line) as {
    seeds: number
    violations: number
    promiseKept: boolean
    failed: { seed: number; checkers: string[] }[]
  }
  const found = report.failed.flatMap(({ checkers }) => checkers)
  if (report.violations > 0) return verdict(report.seeds, [...new Set(found)])
  return report.promiseKept ? verdict(null, []) : verdict(report.seeds, ['promise of the scenario'])
}
