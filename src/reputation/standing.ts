/**
 * What this peer thinks of another, from what it saw itself and nothing else. A pure function of counts that the ledger keeps.
 */
export interface Seen {
  /** Leases that ended as they should. */
  readonly success: number
  /** Lawful refusals: no reproach. */
  readonly refused: number
  /** Broke the protocol. */
  readonly fault: number
  /** Promised and did not come, or fell silent. */
  readonly noShow: number
}

/** Of a peer that is proven to have signed two things that exclude each other: nothing that it signs is worth anything. */
export const provenStanding = 0

/** Weight of one fault and of one no-show against one success. A fault is never an accident of the network. */
const faultWeight = 8
const noShowWeight = 1

/**
 * 0 to 1; 0.5 for a stranger. The mean of a Beta(1, 1) prior after what was seen (Jøsang and Ismail, "The Beta Reputation
 * System", 2002): a stranger is neither trusted nor shunned, and one bad day is forgotten after many good ones.
 */
export function standingOf(seen: Seen | undefined): number {
  if (seen === undefined) return 0.5
  const good = 1 + seen.success
  const bad = 1 + faultWeight * seen.fault + noShowWeight * seen.noShow
  return good / (good + bad)
}
