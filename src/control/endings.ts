/** How a job ended that gave no result: by which code, what that means, what can be done, and the exit code of `pleach run`. */
import { exits } from '../config/error.ts'
import type { JobView } from './job-views.ts'

export interface BadEnding {
  readonly code: string
  readonly exit: number
  readonly why: string
  /** `JOB` and `CODE` stand for those of this job. */
  readonly cure: string
}

type Row = readonly [exit: number, why: string, cure: string]

/** By the code of the ending, or the reason of the result in the same spelling. */
const rows: Readonly<Record<string, Row>> = {
  NO_MATCH: [exits.noMatch, 'no provider fits, or none that fits made an offer', 'pleach offers --explain JOB'],
  TRAPPED: [exits.fault, 'the program broke off (a trap)', 'pleach logs JOB'],
  WALL_LIMIT: [exits.unreachable, 'it ran longer than it was given', 'give it more: --timeout 1h'],
  MEMORY_LIMIT: [exits.fault, 'it wanted more memory than it was given', 'give it more: --memory 2Gi'],
  OUTPUT_LIMIT: [exits.fault, 'it wrote more to /out than it may', 'give it more: outputBytes in a job file'],
  LOG_LIMIT: [exits.fault, 'it printed more than it may', 'give it more: logBytes in a job file'],
  GAS_LIMIT: [exits.fault, 'it executed more instructions than it may', 'allow more: --gas-max 100G'],
  MODULE_INVALID: [exits.usage, 'the module is not one that can be run', 'check that it is a WASI preview 1 module'],
  INPUTS_MISSING: [exits.unreachable, 'the provider could not fetch the inputs', 'pleach peers'],
  PROVIDER_FAILED: [exits.fault, 'the provider failed', 'allow another one: --retries 3'],
  CANCELLED: [exits.interrupted, 'it was cancelled', 'pleach jobs'],
  RESULT_DIFFERS: [exits.unverified, 'what the provider claims is not what it did', 'run it again: another is chosen'],
  OUTCOME_DIFFERS: [exits.unverified, 'all that had it made something else than this machine', 'pleach run   again'],
  WALL_TIME: [exits.unverified, 'the provider charges for more time than has passed', 'pleach receipts'],
  OVER_BUDGET: [exits.budget, 'it would cost more than was allowed', 'allow more: --max-cost'],
  LEDGER_FAILED: [exits.localResource, 'this peer could not write its ledger', 'df -h'],
}

/** Given up because somebody did not answer in time: what every other code of an expired job means. */
const expired: Row = [
  exits.unreachable,
  'a provider did not answer in time',
  'allow another one: --retries 3    (pleach explain CODE)',
]
const refused: Row = [exits.fault, 'it was refused', 'pleach explain CODE']

/** Of a job that is over; undefined when its program ended by itself. */
export function badEndingOf({ code, exitCode, reason, stage }: JobView): BadEnding | undefined {
  const isDisproved = Object.hasOwn(rows, code) && rows[code]![0] === exits.unverified
  if (exitCode !== null && !isDisproved) return undefined
  const ended = (reason ?? 'FAULT').toUpperCase().replaceAll('-', '_')
  // Paid, and without an exit code: the work ended by the reason that the result gives.
  const shown = code === '' || code === 'PAID' ? ended : code
  const known = [shown, ended].find((one) => Object.hasOwn(rows, one))
  const [exit, why, cure] = known === undefined ? (stage === 'expired' ? expired : refused) : rows[known]!
  return { code: shown, exit, why, cure }
}
