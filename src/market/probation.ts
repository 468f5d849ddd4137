/**
 * Whose work is compared, and by whom: policy of this peer alone (check-machine.ts carries it out). Replication as in BOINC (Anderson,
 * "BOINC: A Platform for Volunteer Computing", 2020): all that a new one does, and of others the less the more they have done.
 */
import type { Requirements } from '../../protocols/bid/index.ts'
import type { Award, Offer } from '../../protocols/negotiate/index.ts'
import type { Micro } from '../../protocols/wire/index.ts'
import { isKnown, isTrial, mostOf, type Acquaintance } from './rank.ts'

export interface Probation {
  readonly requirements: Requirements
  /** The most that a place may cost, with what is compared. */
  readonly ceilingMicro: Micro
}

/** Jobs fade: one that is as many, and a little longer ago, is no less. */
const forgottenMax = 0.5

/** `roll`: uniform in [0, 1); drawn only for those of whom a part is compared. */
export function isToCheck(
  award: Award,
  { checkShare }: Acquaintance,
  { requirements }: Probation,
  roll: () => number,
): boolean {
  return isTrial(award, requirements) && (checkShare >= 1 || roll() < checkShare)
}

/**
 * One that we know, and at least as well as the one whose work it is; not at the same place, nor of the same operator. Both together cost
 * no more than the owner said for one.
 */
export function mayCheck(
  offer: Offer,
  about: Acquaintance,
  award: Award,
  of: Acquaintance,
  { requirements, ceilingMicro }: Probation,
): boolean {
  const isSame = (mine: string | undefined, other: string | undefined): boolean => Boolean(mine) && mine === other
  if (isSame(about.house, of.house) || isSame(about.operator, of.operator)) return false
  if (!isKnown(about) || about.jobs < of.jobs - forgottenMax || !isTrial(offer, requirements)) return false
  return mostOf(award, requirements) + mostOf(offer, requirements) <= ceilingMicro
}
