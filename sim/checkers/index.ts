import type { World } from '../model/world.ts'
import type { Checker, Violation } from './checker.ts'
import { everyJobEndsOnce } from './every-job-ends-once.ts'
import { gangsAreWhole } from './gangs-are-whole.ts'
import { honestIsNotBlamed } from './honest-is-not-blamed.ts'
import { nothingLeaks } from './nothing-leaks.ts'
import { oneLeaseAPlace } from './one-lease-a-place.ts'
import { receiptsAgree } from './receipts-agree.ts'

export type { Violation } from './checker.ts'

const checkers: Readonly<Record<string, Checker>> = {
  'every-job-ends-once': everyJobEndsOnce,
  'one-lease-a-place': oneLeaseAPlace,
  'gangs-are-whole': gangsAreWhole,
  'receipts-agree': receiptsAgree,
  'nothing-leaks': nothingLeaks,
  'honest-is-not-blamed': honestIsNotBlamed,
}

export function check(world: World): Violation[] {
  return Object.entries(checkers).flatMap(([checker, run]) => run(world).map((what) => ({ checker, what })))
}
