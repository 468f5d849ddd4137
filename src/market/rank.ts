/** Whom to award. Policy of this peer alone; nothing here is agreed with anybody. */
import { rateOf, type Requirements } from '../../protocols/bid/index.ts'
import type { Evidence } from '../../protocols/capability/index.ts'
import type { Offer } from '../../protocols/negotiate/index.ts'
import type { PeerName, Signed } from '../../protocols/wire/index.ts'
import { objectionsTo, type Wishes } from './wishes.ts'

/** What this peer saw of another, from 0 (broke the protocol) to 1 (never failed); 0.5 for a stranger. */
export interface Standing {
  of(peer: PeerName): number
}

/** What a choice among offers is made by, beside their price. What is not known speaks neither for nor against. */
export interface Acquaintance {
  /** What is thought of it, from 0 to 1. */
  readonly standing: number
  /** The way there and back. */
  readonly rttMs: number | undefined
  readonly evidence: Evidence | undefined
  /** Where on the Internet it is, so that many names at one place are seen to be. */
  readonly house: string | undefined
  /** Who runs it, by its own account; empty when it does not say. */
  readonly operator: string
}

export type Acquaint = (peer: PeerName) => Acquaintance

/** How often a choice is made at random among what is lawful, so that a newcomer is ever tried at all. */
export const explorationShare = 0.05
/** A peer of no standing must be this much cheaper than one of full standing. */
const standingWeight = 0.5
/** One that is a tenth of a second away must be this much cheaper than one that is next to us; beyond half a second it is all the same. */
const rttWeightPerTenth = 0.1
const rttMsMax = 500
/** One that only claims what it has must be this much cheaper than one that measured it; one that was challenged may be a little dearer. */
const evidenceWeights: Readonly<Record<Evidence, number>> = { claimed: 0.1, measured: 0, challenged: -0.05 }
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

/**
 * As many as are needed, or fewer when there are not enough. Best first: price, dearer by what speaks against the peer. Those
 * that failed the job come last, and so are chosen again only when nobody else is left; before them come those of the same house
 * as one that failed, who may well be the same under another name, and those that did us more harm than good before, however cheap.
 */
export function chooseOffers(choice: Choice, acquaint: Acquaint, dice: () => number): readonly Signed<Offer>[] {
  const { offers, count, failed, holders, requirements, wishes } = choice
  const failedHouses = new Set(failed.map((peer) => acquaint(peer).house).filter((house) => house !== undefined))
  const ranked = offers
    .map((offer) => ({ offer, about: acquaint(offer.by) }))
    .filter(({ offer, about }) => objectionsTo(wishes, offer.by, about).length === 0)
    .map(({ offer, about }) => ({
      offer,
      about,
      failures: failed.includes(offer.by) ? 2 : Number(isDoubtful(about, failedHouses)),
      score: (rateOf(offer.body, requirements) + 1) * dearness(about),
    }))
    .sort(
      (left, right) =>
        left.failures - right.failures || left.score - right.score || (left.offer.by < right.offer.by ? -1 : 1),
    )
  const fresh = ranked.filter(({ failures }) => failures === 0).length
  if (fresh > 1 && dice() < explorationShare) {
    const [chosen] = ranked.splice(Math.floor(dice() * fresh), 1)
    ranked.unshift(chosen!)
  }
  return apart(ranked, holders.map(acquaint), wishes)
    .slice(0, count)
    .map(({ offer }) => offer)
}

function isDoubtful({ house, standing }: Acquaintance, failedHouses: ReadonlySet<string>): boolean {
  return standing < strangerStanding || (house !== undefined && failedHouses.has(house))
}

/** By how much an offer counts as dearer than it is: 1 for a good peer next door. */
export function dearness({ standing, rttMs, evidence }: Acquaintance): number {
  const far = (Math.min(rttMs ?? 0, rttMsMax) / 100) * rttWeightPerTenth
  return 1 + standingWeight * (1 - standing) + far + (evidence === undefined ? 0 : evidenceWeights[evidence])
}

/** Without those that share what places must not share, with whoever is better or holds a place. Who does not say is by itself. */
function apart<Ranked extends { readonly about: Acquaintance }>(
  ranked: readonly Ranked[],
  holders: readonly Acquaintance[],
  { spread }: Wishes,
): readonly Ranked[] {
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
