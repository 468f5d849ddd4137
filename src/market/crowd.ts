/**
 * How many providers answer for one that this peer knows of: it need not know them all, and a bid that is spread for too few is
 * answered by all at once. Learned from how fast offers came. Pure.
 */

/** Providers that are there for one whose record is known. */
export type Crowd = number

export const crowdAtFirst: Crowd = 1
const crowdMax = 1_000
/** What the last bid said against what all before said. */
const lastWeight = 0.4
/** Too few to tell how fast they come. */
const offersMin = 3
/** Those that are at hand so long after all could have come are what was left of a choice before. */
const lateMs = 500

export interface Answers {
  /** Known to fit, as it was thought when they were called. */
  readonly fitting: number
  readonly offers: number
  /** From the call to now. */
  readonly withinMs: number
  /** In which all would have answered. */
  readonly spreadMs: number
}

/** So many are to be reckoned with. */
export function expected(crowd: Crowd, fitting: number): number {
  return Math.ceil(crowd * fitting)
}

export function learn(crowd: Crowd, { fitting, offers, withinMs, spreadMs }: Answers): Crowd {
  if (fitting === 0 || offers < offersMin || withinMs > spreadMs + lateMs) return crowd
  // When all that will come have come, their number says it, and how fast they came says nothing.
  const pace = Math.max(1, spreadMs / Math.max(1, withinMs))
  const seen = Math.min(crowdMax, Math.max(1, (offers * pace) / fitting))
  return Math.exp((1 - lastWeight) * Math.log(crowd) + lastWeight * Math.log(seen))
}
