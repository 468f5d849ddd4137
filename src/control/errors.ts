/** Errors between control server and client: anything thrown as an ErrorView with its HTTP status, and back. */
import { DeadlineError } from '../environment.ts'
import { ControlError, type ErrorView } from './api.ts'

/** The HTTP status of an exit code; some codes say more. */
const statusOfExit: Readonly<Record<number, number>> = { 2: 400, 3: 422, 4: 409, 5: 504, 6: 507, 7: 409, 8: 402 }
const statusOfCode: Readonly<Record<string, number>> = {
  NOT_FOUND: 404,
  NO_ROUTE: 404,
  NO_METHOD: 405,
  AMBIGUOUS: 409,
  BODY_TOO_LARGE: 413,
  NOT_READY: 503,
}

export function statusOf({ error }: ErrorView): number {
  return statusOfCode[error.code] ?? statusOfExit[error.exit] ?? 500
}

const diskFullCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'LEDGER_FULL'])

function isDiskFull(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && diskFullCodes.has(thrown.code)
}

/** Only a ControlError was meant for a person; but for a full disk and a wait, everything else is a fault of this program, and says so. */
export function viewOf(thrown: unknown): ErrorView {
  if (thrown instanceof ControlError) {
    const { code, message, why, cure, exit } = thrown
    return { v: 1, error: { code, what: message, why, cure, exit } }
  }
  if (thrown instanceof DeadlineError) {
    const why = `the peer waited ${thrown.delayMs} ms`
    return { v: 1, error: { code: 'TIMEOUT', what: 'no answer in time', why, cure: 'pleach peers', exit: 5 } }
  }
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  if (isDiskFull(thrown)) {
    const what = 'there is no room on the disk of this peer'
    return { v: 1, error: { code: 'DISK_FULL', what, why, cure: 'make room, and try again', exit: 6 } }
  }
  return {
    v: 1,
    error: { code: 'FAULT', what: 'the peer failed at this', why, cure: 'look into the log of pleach up', exit: 1 },
  }
}

export function isErrorView(value: unknown): value is ErrorView {
  if (typeof value !== 'object' || value === null || !('error' in value)) return false
  const { error } = value
  return typeof error === 'object' && error !== null && 'code' in error && 'what' in error
}

export function errorOf({ error }: ErrorView): ControlError {
  return new ControlError({
    code: String(error.code),
    what: String(error.what),
    why: String(error.why ?? ''),
    cure: String(error.cure ?? ''),
    exit: Number.isInteger(error.exit) ? error.exit : 1,
  })
}
