/**
 * What this peer thinks of another: a pure function of what it saw itself, and of what peers that it knows signed. Every term of it can
 * be shown, because the sum of the terms is the score.
 */
import { anyWork, asking, decay, isWork, there, vouching, type Doing, type Experience } from './experience.ts'

/** Of a peer that is proven to have signed two things that exclude each other: nothing that it signs is worth anything. */
export const provenStanding = 0

/** Weight of one fault and of one no-show against one success. A fault is never an accident of the network. */
export const faultWeight = 8
const noShowWeight = 1
/** What it did well counts half for other things of the kind. */
const kindredWeight = 0.5
/** What others signed for counts half of what we saw, and no more than this many jobs of it. */
export const vouchedWeight = 0.5
export const vouchedMax = 4

/** One summand of a standing: what it is of, how much of it there is, and with what weight it counts for (or, negative, against). */
export interface Term {
  /** What it did, or `prior`, or `references`. */
  readonly of: Doing
  readonly what: 'success' | 'noShow' | 'fault' | 'vouched' | 'prior'
  readonly amount: number
  readonly weight: number
}

/**
 * What speaks against a peer counts whatever it did. What speaks for it counts where it was shown: in full for the same thing, half for
 * what is like it, and for work not at all because it pays: payment is a promise in a unit of account, which costs a liar nothing.
 * `doing` undefined: all that it
 * did, as a person is told.
 */
export function termsOf(
  rows: ReadonlyMap<Doing, Experience>,
  doing: Doing | undefined,
  vouched: number,
  nowMs: number,
): Term[] {
  const terms: Term[] = [
    { of: 'prior', what: 'prior', amount: 1, weight: 1 },
    { of: 'prior', what: 'prior', amount: 1, weight: -1 },
  ]
  for (const [of, past] of rows) {
    if (of === there || of === vouching) continue
    const seen = decay(past, nowMs)
    if (seen.success > 0) terms.push({ of, what: 'success', amount: seen.success, weight: successWeight(of, doing) })
    if (seen.noShow > 0) terms.push({ of, what: 'noShow', amount: seen.noShow, weight: -noShowWeight })
    if (seen.fault > 0) terms.push({ of, what: 'fault', amount: seen.fault, weight: -faultWeight })
  }
  if (vouched > 0)
    terms.push({ of: 'references', what: 'vouched', amount: Math.min(vouchedMax, vouched), weight: vouchedWeight })
  return terms
}

function successWeight(of: Doing, doing: Doing | undefined): number {
  if (doing === undefined || of === doing || doing === asking) return 1
  if (of === asking) return 0
  return doing === anyWork && isWork(of) ? 1 : kindredWeight
}

/**
 * 0 to 1; 0.5 for a stranger. The mean of a Beta(1, 1) prior after what was seen (Jøsang and Ismail, "The Beta Reputation
 * System", 2002): a stranger is neither trusted nor shunned, and one bad day is forgotten after many good ones.
 */
export function standingOf(terms: readonly Term[]): number {
  let [good, bad] = [0, 0]
  for (const { amount, weight } of terms) {
    if (weight >= 0) good += amount * weight
    else bad -= amount * weight
  }
  return good / (good + bad)
}

/** How many jobs it did well for us, whatever they were. */
export function jobsDone(rows: ReadonlyMap<Doing, Experience>, nowMs: number): number {
  let done = 0
  for (const [of, seen] of rows) if (isWork(of)) done += decay(seen, nowMs).success
  return done
}
