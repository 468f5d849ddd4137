/** What a provider puts behind each of its leases: owed beside when it is proven to have equivocated under it. Policy. Pure. */
import { formatMicro, microMax, refusal, type Micro, type Refusal } from '../../protocols/wire/index.ts'

export interface BondRules {
  readonly leastMicro: Micro
  /** Whether it grows with what was earned: whoever has more to lose may promise more. */
  readonly grows: boolean
}

export const noBond: BondRules = { leastMicro: 0, grows: false }

/** A tenth of what was earned can be lost with any one lease. */
const earnedPerBond = 10n

/** The least, and, where it grows, a tenth of what was earned in this unit, rounded down; no more than an amount may be. */
export function bondOf({ leastMicro, grows }: BondRules, earnedMicro: bigint): Micro {
  const micro = BigInt(leastMicro) + (grows ? earnedMicro / earnedPerBond : 0n)
  return micro > BigInt(microMax) ? microMax : Number(micro)
}

/** In the unit of account, since a person reads it. */
export function bondTooLow(wantedMicro: Micro, hasMicro: Micro, unit: string): Refusal {
  return refusal('BOND_TOO_LOW', { wanted: formatMicro(wantedMicro), has: formatMicro(hasMicro), unit })
}
