/** Whom to award. Policy of this peer alone; nothing here is agreed with anybody. */
import type { Offer } from '../../protocols/negotiate/index.ts'
import type { PeerName, Signed } from '../../protocols/wire/index.ts'

/** What this peer saw of another, from 0 (broke the protocol) to 1 (never failed); 0.5 for a stranger. */
export interface Standing {
  of(peer: PeerName): number
}

/** How often a choice is made at random among what is lawful, so that a newcomer is ever tried at all. */
export const explorationShare = 0.05
/** A peer of no standing must be this much cheaper than one of full standing. */
const standingWeight = 0.5
/** Of whom nothing is known, or as much good as bad. */
export const strangerStanding = 0.5
/** Below this a peer is not awarded anything, and nothing is offered to it. */
export const standingMin = 0.1

/** Where on the Internet a peer is, so that many names at one place are seen to be; undefined when that is not known or says nothing. */
export type HouseOf = (peer: PeerName) => string | undefined

/**
 * Best first: price, dearer by how little is known of the peer. Peers that failed this job come last, and so are chosen again
 * only when nobody else is left; before them come those of the same house as one that failed, who may well be the same under
 * another name.
 */
export function rankOffers(
  offers: readonly Signed<Offer>[],
  failed: readonly PeerName[],
  standing: Standing,
  dice: () => number,
  houseOf: HouseOf = () => undefined,
): readonly Signed<Offer>[] {
  const failedHouses = new Set(failed.map(houseOf).filter((house) => house !== undefined))
  const failures = (peer: PeerName): number =>
    failed.includes(peer) ? 2 : Number(failedHouses.has(houseOf(peer) ?? ''))
  const scored = offers
    .filter((offer) => standing.of(offer.by) >= standingMin)
    .map((offer) => ({
      offer,
      failed: failures(offer.by),
      score: (offer.body.cpuHourMicro + 1) * (1 + standingWeight * (1 - standing.of(offer.by))),
    }))
    .sort(
      (left, right) =>
        left.failed - right.failed || left.score - right.score || (left.offer.by < right.offer.by ? -1 : 1),
    )
  const ranked = scored.map(({ offer }) => offer)
  const fresh = scored.filter((entry) => entry.failed === 0).length
  if (fresh > 1 && dice() < explorationShare) {
    const [chosen] = ranked.splice(Math.floor(dice() * fresh), 1)
    ranked.unshift(chosen!)
  }
  return ranked
}
