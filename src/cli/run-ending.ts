/** How a job ended, as an exit code: the program's own when it ran, and what kept it from running otherwise. */
import { exits } from '../config/error.ts'
import type { JobView, MatchExplanation } from '../control/api.ts'
import { safe } from './escape.ts'
import { shortJob } from './format.ts'
import { noMatchProblem } from './no-match.ts'
import type { Problem } from './problem.ts'

export type RunEnding =
  | { readonly exit: number; readonly problem?: undefined }
  | { readonly exit: number; readonly problem: Problem }

/** A program may say more than a process can: 256 must not become 0. */
const exitCodeMax = 255

/** By the code of the ending, or the reason of the result in the same spelling: exit code, what it means, what one can do. */
const meanings: Readonly<Record<string, readonly [exit: number, why: string, cure: string]>> = {
  TRAPPED: [exits.fault, 'the program broke off (a trap)', 'pleach logs JOB'],
  WALL_LIMIT: [exits.unreachable, 'it ran longer than it was given', 'give it more: --timeout 1h'],
  MEMORY_LIMIT: [exits.fault, 'it wanted more memory than it was given', 'give it more: --memory 2Gi'],
  OUTPUT_LIMIT: [exits.fault, 'it wrote more to /out than it may', 'give it more: outputBytes in a job file'],
  LOG_LIMIT: [exits.fault, 'it printed more than it may', 'give it more: logBytes in a job file'],
  MODULE_INVALID: [exits.usage, 'the module is not one that can be run', 'check that it is a WASI preview 1 module'],
  INPUTS_MISSING: [exits.unreachable, 'the provider could not fetch the inputs', 'pleach peers'],
  PROVIDER_FAILED: [exits.fault, 'the provider failed', 'allow another one: --retries 3'],
  CANCELLED: [exits.interrupted, 'it was cancelled', 'pleach jobs'],
  RESULT_DIFFERS: [exits.unverified, 'what the provider claims is not what it did', 'run it again: another is chosen'],
  WALL_TIME: [exits.unverified, 'the provider charges for more time than has passed', 'pleach receipts'],
  OVER_BUDGET: [exits.budget, 'it would cost more than was allowed', 'allow more: --max-cost'],
  LEDGER_FAILED: [exits.localResource, 'this peer could not write its ledger', 'df -h'],
}

/** Given up because somebody did not answer in time: what every other code of an expired job means. */
const expired: readonly [number, string, string] = [
  exits.unreachable,
  'a provider did not answer in time',
  'allow another one: --retries 3    (pleach explain CODE)',
]
const refused: readonly [number, string, string] = [exits.fault, 'it was refused', 'pleach explain CODE']

export function runEnding(job: JobView, explanation: MatchExplanation | null): RunEnding {
  const isDisproved = Object.hasOwn(meanings, job.code) && meanings[job.code]![0] === exits.unverified
  if (job.exitCode !== null && !isDisproved) return { exit: Math.min(job.exitCode, exitCodeMax) }
  if (job.code === 'NO_MATCH') return { exit: exits.noMatch, problem: noMatchProblem(explanation, shortJob(job.id)) }
  const reason = (job.reason ?? 'FAULT').toUpperCase().replaceAll('-', '_')
  // Paid, and without an exit code: the work ended by the reason that the result gives.
  const code = job.code === '' || job.code === 'PAID' ? reason : job.code
  const known = [code, reason].find((one) => Object.hasOwn(meanings, one))
  const [exit, why, cure] = known === undefined ? (job.stage === 'expired' ? expired : refused) : meanings[known]!
  const detail = job.detail === '' ? '' : `: ${safe(job.detail, 300)}`
  return {
    exit,
    problem: {
      code,
      what: `job ${shortJob(job.id)} ended without a result: ${safe(code, 48)}`,
      why: `${why}${detail}`,
      cure: cure.replace('JOB', shortJob(job.id)).replace('CODE', safe(code, 48)),
      exit,
    },
  }
}
