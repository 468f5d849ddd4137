/** How a job ended, as an exit code: the program's own when it ran, and what kept it from running otherwise. */
import type { JobView, MatchExplanation } from '../control/api.ts'
import { badEndingOf } from '../control/endings.ts'
import { safe } from './escape.ts'
import { shortJob } from './format.ts'
import { noMatchProblem } from './no-match.ts'
import type { Problem } from './problem.ts'

export type RunEnding =
  | { readonly exit: number; readonly problem?: undefined }
  | { readonly exit: number; readonly problem: Problem }

/** A program may say more than a process can: 256 must not become 0. */
const exitCodeMax = 255

export function runEnding(job: JobView, explanation: MatchExplanation | null): RunEnding {
  const bad = badEndingOf(job)
  if (bad === undefined) return { exit: Math.min(job.exitCode ?? exitCodeMax, exitCodeMax) }
  const { code, exit, why, cure } = bad
  const id = shortJob(job.id)
  if (code === 'NO_MATCH') return { exit, problem: noMatchProblem(explanation, id) }
  const detail = job.detail === '' ? '' : `: ${safe(job.detail, 300)}`
  return {
    exit,
    problem: {
      code,
      what: `job ${id} ended without a result: ${safe(code, 48)}`,
      why: `${why}${detail}`,
      cure: cure.replace('JOB', id).replace('CODE', safe(code, 48)),
      exit,
    },
  }
}
