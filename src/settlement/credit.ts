/**
 * How much a provider lets a requester owe before it works no further: little to a stranger, more to whoever has honoured more. A pure
 * function of what the ledger holds, so that the same history gives the same cap after every restart.
 */
import type { Micro } from '../../protocols/wire/index.ts'

export interface CreditPolicy {
  /** What a stranger may owe. */
  readonly floorMicro: Micro
  /** What nobody may owe more than. */
  readonly ceilingMicro: Micro
}

export const creditPolicy: CreditPolicy = { floorMicro: 1_000_000, ceilingMicro: 100_000_000 }

/** The cap grows by one for so many that were honoured: to be trusted with 10 more, one has signed for 20. */
const honouredPerCredit = 2n

/**
 * `honouredMicro`: what this requester has settled with us, or, where nothing is settled, what it has countersigned. Whoever runs away with
 * all that the cap allows has paid more than twice as much before, or is a stranger and takes the floor.
 */
export function capOf({ floorMicro, ceilingMicro }: CreditPolicy, honouredMicro: bigint): bigint {
  const grown = BigInt(floorMicro) + honouredMicro / honouredPerCredit
  // An owner whose floor is above the ceiling has said twice what a stranger may have: the floor is the stricter word of the two.
  const ceiling = BigInt(Math.max(floorMicro, ceilingMicro))
  return grown < ceiling ? grown : ceiling
}
