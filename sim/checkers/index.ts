import type { Carry } from '../../src/market/carry.ts'
import type { ModelPeer } from '../model/peer.ts'
import type { World } from '../model/world.ts'
import { accountsAgree } from './accounts-agree.ts'
import { bondsAreProven } from './bonds-are-proven.ts'
import type { Checker, CheckedWorld, MeshChecker, Violation } from './checker.ts'
import { creditsEqualDebits } from './credits-equal-debits.ts'
import { durableBeforeSaid } from './durable-before-said.ts'
import { everyJobEndsOnce } from './every-job-ends-once.ts'
import { exposureCapped } from './exposure-capped.ts'
import { finalInTime } from './final-in-time.ts'
import { gangsAreWhole } from './gangs-are-whole.ts'
import { goodWeatherIsPaid } from './good-weather-is-paid.ts'
import { honestAreNotBanned } from './honest-are-not-banned.ts'
import { ledgerAgrees } from './ledger-agrees.ts'
import { noReceiptLost } from './no-receipt-lost.ts'
import { noneCountedTwice } from './none-counted-twice.ts'
import { nobodyOverpays } from './nobody-overpays.ts'
import { nothingLeaks } from './nothing-leaks.ts'
import { oldEpochsAreFenced } from './old-epochs-are-fenced.ts'
import { oneLeaseAPlace } from './one-lease-a-place.ts'
import { recordsAreTrue } from './records-are-true.ts'
import { statementsHold } from './statements-hold.ts'

export type { Violation } from './checker.ts'

/** What the disks of peers must say, of the model's and of live ones. */
const meshCheckers: readonly MeshChecker[] = [
  everyJobEndsOnce,
  goodWeatherIsPaid,
  oneLeaseAPlace,
  gangsAreWhole,
  oldEpochsAreFenced,
  noReceiptLost,
  noneCountedTwice,
  creditsEqualDebits,
  exposureCapped,
  nobodyOverpays,
  statementsHold,
  finalInTime,
  honestAreNotBanned,
]

/** Three more are judged by the world itself as it goes: `sequence-never-falls`, `bids-are-filtered`, `capacity-is-kept`. */
export const checkers: readonly Checker[] = [
  durableBeforeSaid,
  ...meshCheckers,
  accountsAgree,
  bondsAreProven,
  recordsAreTrue,
  ledgerAgrees,
  nothingLeaks,
]

const onSaid = checkers.filter((checker) => checker.onSaid !== undefined)

/** Asked for every message of an honest peer, before it leaves. */
export function checkSaid(peer: ModelPeer, carry: Carry): Omit<Violation, 'atMs'> | undefined {
  for (const checker of onSaid) {
    const what = checker.onSaid!(peer, carry)
    if (what !== undefined) return { checker: checker.name, what }
  }
  return undefined
}

/** All that is wrong with a life that is over. */
export function check(world: World): Violation[] {
  const atMs = world.elapsedMs
  const found = checkers.flatMap(
    ({ name, atEnd }) => atEnd?.(world).map((what) => ({ checker: name, what, atMs })) ?? [],
  )
  return [...world.violations, ...found]
}

/** What those that hold for live peers too find wrong, by name. */
export function checkMesh(world: CheckedWorld): ReadonlyMap<string, readonly string[]> {
  return new Map(meshCheckers.map(({ name, atEnd }) => [name, atEnd(world)]))
}
