import type { ExecutionLimits } from './executor.ts'

/** A limit that is not a whole number of at least 1 is our caller's mistake, not the task's: RangeError. */
export function checkLimits(limits: ExecutionLimits): void {
  for (const [name, value] of Object.entries(limits) as [string, number][]) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`the limit ${name} is ${value}`)
  }
}
