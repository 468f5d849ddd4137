/** Whom to award. Policy of this peer alone; nothing here is agreed with anybody. */
import { rateOf, type Requirements } from '../../protocols/bid/index.ts'
import type { Evidence } from '../../protocols/capability/index.ts'
import type { Offer } from '../../protocols/negotiate/index.ts'
import { costOf, type Micro, type PeerName, type Signed } from '../../protocols/wire/index.ts'
import { objectionsTo, type Wishes } from './wishes.ts'

/** What this peer thinks of another that asks for work, from 0 (broke the protocol) to 1 (never failed); 0.5 for a stranger. */
export interface Standing {
  of(peer: PeerName): number
}

/** What a choice among offers is made by, beside their price. What is not known speaks neither for nor against. */
export interface Acquaintance {
  /** What is thought of it, from 0 to 1. */
  readonly standing: number
  /** Whether it worked for us, or at least for one that did; of a stranger nothing is known, and there may be any number of it. */
  readonly familiarity: 'known' | 'introduced' | 'stranger'
  /** What it did well for us, of this kind, in jobs; it decays. */
  readonly jobs: number
  /** How much of its small work is to be compared with another's, from 0 to 1: all of it while it is new. */
  readonly checkShare: number
  /** It failed not long ago, and is let alone for a while: after a no-show when there is anybody else, after a fault in any case. */
  readonly cooling: 'noShow' | 'fault' | undefined
  /** The way there and back. */
  readonly rttMs: number | undefined
  /** From the lease until its programs run, in the mean of those that it ran for us. */
  readonly startMs: number | undefined
  readonly evidence: Evidence | undefined
  /** Where on the Internet it is, so that many names at one place are seen to be. */
  readonly house: string | undefined
  /** Who runs it, by its own account; empty when it does not say. */
  readonly operator: string
}

/** `runtime`: for work of this kind; left out, for any. */
export type Acquaint = (peer: PeerName, runtime?: string) => Acquaintance

/** How often a choice is made at random among what is lawful, so that a newcomer is ever tried at all. */
export const explorationShare = 0.05
/** What a stranger is tried with while others are known: no more than this may be owed for it, in micro-units, and it takes no longer. */
export const trialMicroMax = 500_000
export const trialWallMsMax = 15 * 60_000
/** A peer of no standing must be this much cheaper than one of full standing. */
const standingWeight = 0.5
/** One that is a tenth of a second away must be this much cheaper than one that is next to us; beyond half a second it is all the same. */
const rttWeightPerTenth = 0.1
const rttMsMax = 500
/** One whose programs take a second to begin must be this much cheaper than one that begins at once; beyond ten it is all the same. */
const startWeightPerSecond = 0.01
const startMsMax = 10_000
/** One that only claims what it has must be this much cheaper than one that measured it; one that was challenged may be a little dearer. */
const evidenceWeights: Readonly<Record<Evidence, number>> = { claimed: 0.1, measured: 0, challenged: -0.05 }
/** Who failed us about as often as not is no better than a stranger: three out of five must go well. */
const familiarStandingMin = 0.6
/** Of whom nothing is known, or as much good as bad. */
export const strangerStanding = 0.5

export interface Choice {
  readonly offers: readonly Signed<Offer>[]
  /** How many are needed at the same time. */
  readonly count: number
  /** Peers that failed this job. */
  readonly failed: readonly PeerName[]
  /** Peers that hold places of it already. */
  readonly holders: readonly PeerName[]
  /** What prices are compared for. */
  readonly requirements: Requirements
  readonly wishes: Wishes
}

/** What was seen of others, all together. */
export interface Company {
  /** What is to be expected of strangers, from 0 to 1; 0.5 when none was tried yet. */
  trustInStrangers(): number
  /** Whether anybody ever worked for us as it should. */
  knowsAnybody(): boolean
  /** Whether this machine may do the work of a stranger once more, to compare: a few times, and it counts. */
  takeRedo(): boolean
}

export interface Dice extends Pick<Company, 'trustInStrangers'> {
  /** Uniform in [0, 1). */
  roll(): number
}

/** An offer, or what was awarded of it. */
export type Priced = Pick<Offer, 'cpuMilli'> & Parameters<typeof rateOf>[0]

/** Classes of a ranking; within one, the cheapest is first. */
const rank = { known: 0, introduced: 1, stranger: 2, doubtful: 3, cooling: 4, failed: 5 } as const

interface Ranked {
  readonly offer: Signed<Offer>
  readonly about: Acquaintance
  readonly class: number
  readonly score: number
}

/**
 * As many as are needed, or fewer when there are not enough. First come those that we know; then those that one whom we know had work
 * of; then strangers; then those that did us more harm than good before, however cheap, and those of the same house as one that failed, who
 * may well be the same under another name; then those that did not come not long ago; then those that failed this job. So nobody is
 * left out for good but who broke a protocol, and a network of strangers begins at once.
 *
 * Within a class: price, dearer by what speaks against the peer. Among strangers that only holds as long as strangers do not disappoint:
 * who means to deliver nothing can always be the cheapest, so then one is taken at random. Out of turn a stranger is tried once in so
 * many choices, with small jobs, and the more seldom the more of them have failed us.
 */
export function chooseOffers(choice: Choice, acquaint: Acquaint, dice: Dice): readonly Signed<Offer>[] {
  const { offers, count, failed, holders, requirements, wishes } = choice
  const about = (peer: PeerName): Acquaintance => acquaint(peer, requirements.runtime)
  const failedHouses = new Set(failed.map((peer) => about(peer).house).filter((house) => house !== undefined))
  const trust = dice.trustInStrangers()
  // Of a stranger's offer the price says nothing once strangers have failed us more often than not.
  const isPriceEmpty = trust < strangerStanding
  const ranked: Ranked[] = offers
    .map((offer) => ({ offer, about: about(offer.by) }))
    .filter(({ offer, about: one }) => objectionsTo(wishes, offer.by, one).length === 0)
    .map(({ offer, about: one }) => {
      const inClass = failed.includes(offer.by) ? rank.failed : classOf(one, failedHouses)
      const isLot = inClass === rank.stranger && isPriceEmpty
      return {
        offer,
        about: one,
        class: inClass,
        score: isLot ? dice.roll() : (rateOf(offer.body, requirements) + 1) * dearness(one),
      }
    })
    .toSorted(
      (left, right) =>
        left.class - right.class || left.score - right.score || (left.offer.by < right.offer.by ? -1 : 1),
    )
  const tried = explored(ranked, choice, Math.min(1, trust / strangerStanding), dice)
  const inOrder = tried === undefined ? ranked : [tried, ...ranked.filter((one) => one !== tried)]
  return apart(inOrder, holders.map(about), wishes)
    .slice(0, count)
    .map(({ offer }) => offer)
}

/** Whether a peer is one of those that come first. */
export function isKnown({ familiarity, standing, cooling }: Acquaintance): boolean {
  return cooling === undefined && familiarity === 'known' && standing >= familiarStandingMin
}

function classOf(about: Acquaintance, failedHouses: ReadonlySet<string>): number {
  const { house, standing, familiarity, cooling } = about
  if (cooling !== undefined) return rank.cooling
  if (standing < strangerStanding || (house !== undefined && failedHouses.has(house))) return rank.doubtful
  if (isKnown(about)) return rank.known
  return familiarity === 'introduced' ? rank.introduced : rank.stranger
}

/** One that is taken out of turn, now and then: whoever is familiar for anything, a stranger for what is small. */
function explored(ranked: readonly Ranked[], { requirements }: Choice, trust: number, dice: Dice): Ranked | undefined {
  const fresh = ranked.filter((one) => one.class <= rank.stranger)
  if (fresh.length < 2) return undefined
  const roll = dice.roll()
  if (roll >= explorationShare) return undefined
  const chosen = fresh[Math.floor(dice.roll() * fresh.length)]!
  if (chosen.class < rank.stranger) return chosen
  return roll < explorationShare * trust && isTrial(chosen.offer.body, requirements) ? chosen : undefined
}

/** Small enough for one of whom nothing is known. */
export function isTrial(offer: Priced, requirements: Requirements): boolean {
  return requirements.wallMsMax <= trialWallMsMax && mostOf(offer, requirements) <= trialMicroMax
}

/** What a place comes to at this price if it runs to its limit, in micro-units; no further than what is no trial. */
export function mostOf(offer: Priced, requirements: Requirements): Micro {
  const quantity = BigInt(offer.cpuMilli) * BigInt(requirements.wallMsMax)
  return costOf(quantity, rateOf(offer, requirements), 3_600_000_000n, trialMicroMax + 1)
}

/** By how much an offer counts as dearer than it is: 1 for a good peer next door. */
export function dearness({ standing, rttMs, startMs, evidence }: Acquaintance): number {
  const far = (Math.min(rttMs ?? 0, rttMsMax) / 100) * rttWeightPerTenth
  const slow = (Math.min(startMs ?? 0, startMsMax) / 1_000) * startWeightPerSecond
  return 1 + standingWeight * (1 - standing) + far + slow + (evidence === undefined ? 0 : evidenceWeights[evidence])
}

/** Without those that share what places must not share, with whoever is better or holds a place. Who does not say is by itself. */
function apart(ranked: readonly Ranked[], holders: readonly Acquaintance[], { spread }: Wishes): readonly Ranked[] {
  if (spread === 'none') return ranked
  const shared = ({ house, operator }: Acquaintance): string | undefined =>
    spread === 'subnet' ? house : operator === '' ? undefined : operator
  const taken = new Set(holders.map(shared))
  return ranked.filter(({ about }) => {
    const place = shared(about)
    if (place === undefined) return true
    if (taken.has(place)) return false
    taken.add(place)
    return true
  })
}
