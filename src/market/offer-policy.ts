/** Whether a provider answers a bid, and at what price. Policy of this peer alone. Pure. */
import type { Bid } from '../../protocols/bid/index.ts'
import type { Micro } from '../../protocols/wire/index.ts'
import { standingMin, strangerStanding } from './rank.ts'

/** What the owner lends. */
export interface Lending {
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly runtimes: readonly string[]
  readonly unit: string
  readonly cpuHourMicro: Micro
  readonly wallMsMax: number
}

export interface InUse {
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskBytes: number
}

/** The reason is a word that `status` counts and shows. */
export type OfferDecision =
  | { readonly answer: true; readonly cpuHourMicro: Micro }
  | { readonly answer: false; readonly because: string }

export function decideOffer(bid: Bid, lending: Lending, inUse: InUse): OfferDecision {
  const { requirements } = bid
  const no = (because: string): OfferDecision => ({ answer: false, because })
  if (!lending.runtimes.includes(requirements.runtime)) return no(`needs ${requirements.runtime}`)
  if (bid.unit !== lending.unit) return no('other unit of account')
  if (bid.cpuHourMicroMax < lending.cpuHourMicro) return no('price below floor')
  if (requirements.cpuMilli > lending.cpuMilli) return no('over cpu')
  if (requirements.memoryBytes > lending.memoryBytes) return no('over memory')
  if (requirements.diskBytes > lending.diskBytes) return no('over disk')
  if (requirements.wallMsMax > lending.wallMsMax) return no('over time')
  const isBusy =
    requirements.cpuMilli > lending.cpuMilli - inUse.cpuMilli ||
    requirements.memoryBytes > lending.memoryBytes - inUse.memoryBytes ||
    requirements.diskBytes > lending.diskBytes - inUse.diskBytes
  return isBusy ? no('busy') : { answer: true, cpuHourMicro: lending.cpuHourMicro }
}

/**
 * Why nothing is offered to this requester, whatever its bid. Offers that wait for their award bind capacity, and nobody pays for
 * that: somebody of whom nothing good is known has one at any time, and more only as far as half of what is lent.
 */
export function objectionTo(
  { requirements }: Bid,
  standing: number,
  lending: Lending,
  unanswered: readonly InUse[],
): string | undefined {
  if (standing < standingMin) return 'poor standing'
  if (standing > strangerStanding || unanswered.length === 0) return undefined
  const bound = (what: 'cpuMilli' | 'memoryBytes'): number =>
    unanswered.reduce((sum, offer) => sum + offer[what], requirements[what])
  const fits = bound('cpuMilli') <= lending.cpuMilli / 2 && bound('memoryBytes') <= lending.memoryBytes / 2
  return fits ? undefined : 'offers unanswered'
}

/** Offers are spread over this, so that a popular bid does not bring all of them at once. */
export const offerSpreadMsMax = 100

export function offerDelayMs(dice: number): number {
  return Math.floor(dice * offerSpreadMsMax)
}
