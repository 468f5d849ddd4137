/** Who the peers of a plan are, for a world: where some of them have chosen their names or their addresses. From the seed alone. */
import { identityFromSeed } from '../../../src/host/index.ts'
import { SeededRandom } from '../../random.ts'
import { identityNear, placeOfRecord } from '../vices/index.ts'
import type { LiveRole } from '../world.ts'
import type { LivePlan } from './plan.ts'

/** Nearer to the record of their victim than the nearest of so many honest peers is likely to be, by so many bits. */
const nearerByBits = 3

export function rolesOf({ peers, seed }: LivePlan): LiveRole[] {
  const random = SeededRandom.of(seed, 'live', 'roles')
  const roles: LiveRole[] = peers.map(({ lends, vice, skewMs }) => ({ lends, vice, skewMs }))
  // One operator, at one address.
  const sybil = peers.findIndex(({ vice }) => vice === 'sybil')
  const victim = peers.findIndex(({ vice, lends }) => vice === null && lends)
  const isEclipsed = victim !== -1 && peers.some(({ vice }) => vice === 'eclipse')
  const identity = identityFromSeed(random.bytes(32))
  if (isEclipsed) roles[victim] = { ...roles[victim]!, identity }
  const bits = Math.ceil(Math.log2(peers.length)) + nearerByBits
  return roles.map((role, index) => {
    if (role.vice === 'sybil' && index !== sybil) return { ...role, at: sybil }
    if (role.vice !== 'eclipse' || !isEclipsed) return role
    return { ...role, identity: identityNear(placeOfRecord(identity.peer), bits, random) }
  })
}
