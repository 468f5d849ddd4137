/** Whether a provider answers a bid, and at what price. Policy of this peer alone. Pure. */
import { lacksOf, rateOf, tariffFor, type Bid, type Fitted } from '../../protocols/bid/index.ts'
import {
  refusal,
  type Micro,
  type PeerName,
  type Refusal,
  type Signed,
  type Tariff,
} from '../../protocols/wire/index.ts'
import { bondOf, bondTooLow, noBond, type BondRules } from './bond.ts'
import { lackRefusal } from './decline.ts'
import { creditFull, firstIntervalMs, worthMicro, type Exposure } from './exposure.ts'
import { strangerStanding } from './rank.ts'
import { standingMin } from './wishes.ts'

/** What the owner lends, and to whom. */
export interface Lending {
  /** As it is published: bids are held against it. */
  readonly facts: Omit<Fitted, 'free'>
  readonly rules: HouseRules
}

export interface HouseRules {
  /** None: everybody. */
  readonly allow: readonly PeerName[]
  readonly deny: readonly PeerName[]
  /** Processors that are promised, as a multiple of those that are lent: programs that wait leave some idle. Memory is never promised twice. */
  readonly oversubscription: number
  /** What is owed beside when we are proven to have equivocated under a lease. */
  readonly bond: BondRules
}

export const openHouse: HouseRules = { allow: [], deny: [], oversubscription: 1, bond: noBond }

export interface InUse {
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly gpus: number
}

export const nothingInUse: InUse = { cpuMilli: 0, memoryBytes: 0, diskBytes: 0, gpus: 0 }

export type OfferDecision =
  /** `cpuHourMicro`: what the prices come to for one processor, with all that is asked for laid on it. */
  | { readonly answer: true; readonly tariff: Tariff; readonly cpuHourMicro: Micro; readonly bondMicro: Micro }
  | { readonly answer: false; readonly because: Refusal }

export interface Circumstances extends Exposure {
  readonly inUse: InUse
  /** What was offered to this requester and waits for its award. */
  readonly unanswered: readonly InUse[]
  /** Leases of this requester that are worked, and for which it has signed nothing yet. */
  readonly unpaid: number
  /** What all requesters have signed for us; 0 where the bond does not grow with it. */
  readonly earnedMicro: bigint
  readonly standing: number
  readonly nowMs: number
}

/** Who asks comes first, then what we have at all, and last what of it is free now. */
export function decideOffer(
  { by, body }: Pick<Signed<Bid>, 'by' | 'body'>,
  { facts, rules }: Lending,
  { inUse, unanswered, unpaid, earnedMicro, exposedMicro, capMicro, standing, nowMs }: Circumstances,
): OfferDecision {
  const no = (because: Refusal): OfferDecision => ({ answer: false, because })
  if (rules.deny.includes(by)) return no(refusal('DENIED'))
  if (rules.allow.length > 0 && !rules.allow.includes(by)) return no(refusal('NOT_ALLOWED'))
  if (standing < standingMin) return no(refusal('STANDING_POOR'))
  const [lack] = lacksOf(body, { ...facts, free: null }, nowMs)
  if (lack !== undefined) return no(lackRefusal(lack))
  const bondMicro = bondOf(rules.bond, earnedMicro)
  if (bondMicro < body.requirements.bondMicroMin)
    return no(bondTooLow(body.requirements.bondMicroMin, bondMicro, body.unit))
  const { compute, price } = facts
  if (compute === null || price === null) throw new Error('what fits has processors and a price')
  const { cpuMilli, memoryBytes, diskBytes, gpus } = body.requirements
  const lent = compute.cpuMilli.value * rules.oversubscription
  const free = {
    cpuMilli: lent - inUse.cpuMilli,
    memoryBytes: compute.memoryBytes.value - inUse.memoryBytes,
    diskBytes: compute.diskBytes.value - inUse.diskBytes,
    gpus: Math.max(0, ...facts.gpus.map(({ count }) => count)) - inUse.gpus,
  }
  if (cpuMilli > free.cpuMilli) return no(refusal('BUSY', { wanted: cpuMilli, free: free.cpuMilli }))
  if (memoryBytes > free.memoryBytes) return no(refusal('BUSY', { wanted: memoryBytes, free: free.memoryBytes }))
  if (diskBytes > free.diskBytes) return no(refusal('BUSY', { wanted: diskBytes, free: free.diskBytes }))
  if ((gpus?.count ?? 0) > free.gpus) return no(refusal('BUSY', { wanted: gpus!.count, free: free.gpus }))
  // Whoever has paid for nothing yet is worked for once at a time: one interval of one lease is all that it can take for nothing.
  if (standing <= strangerStanding && unpaid > 0) return no(refusal('UNPAID', { unpaid }))
  // Offers that wait for their award bind capacity, and nobody pays for that: somebody of whom nothing good is known has one at
  // any time, and more only as far as half of what is lent.
  if (standing <= strangerStanding && unanswered.length > 0) {
    const bound = (what: 'cpuMilli' | 'memoryBytes'): number =>
      unanswered.reduce((sum, offer) => sum + offer[what], body.requirements[what])
    const fits = bound('cpuMilli') <= lent / 2 && bound('memoryBytes') <= compute.memoryBytes.value / 2
    if (!fits) return no(refusal('OFFERS_UNANSWERED', { unanswered: unanswered.length }))
  }
  const tariff = tariffFor(price, body.requirements)
  const cpuHourMicro = rateOf(tariff, body.requirements)
  const afterMicro = exposedMicro + worthMicro({ cpuHourMicro, cpuMilli }, firstIntervalMs)
  if (afterMicro > capMicro) return no(creditFull(afterMicro, capMicro, body.unit))
  return { answer: true, tariff, cpuHourMicro, bondMicro }
}

/**
 * When to answer, so that a popular bid does not bring all answers at once: at random within its spread, and those that ask for
 * little of what would be paid sooner. Nobody waits for nothing: some of those that ask for much come first as well.
 */
export function offerDelayMs({ spreadMs, cpuHourMicroMax }: Bid, cpuHourMicro: Micro, dice: number): number {
  const share = Math.min(1, cpuHourMicro / Math.max(1, cpuHourMicroMax))
  return Math.floor((dice * spreadMs * (1 + share)) / 2)
}
