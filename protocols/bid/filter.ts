/**
 * Whether a gossiped bid is passed on: accept, ignore, reject, or one of far too many. Rejecting costs the peer that passed it to us, so only what
 * no honest peer can have passed on is rejected; what an honest peer may send late, twice or too often is ignored.
 *
 * Pure: the caller brings the time.
 */
import { countAuthor, Fault, type AuthorRate, type PeerName, type Signed, type Verdict } from '../wire/index.ts'
import {
  bidSkewMsMax,
  bidWindowMs,
  bidsToleratedPerAuthorMax,
  bidsPerAuthorMax,
  isBidOver,
  type Bid,
} from './messages.ts'

export interface Judgement {
  readonly verdict: Verdict
  /** Present when accepted. */
  readonly bid?: Signed<Bid>
  readonly because?: string
}

/** `open` is `openBid` under this peer's network; it is handed in because it costs most, and a simulator opens one bid for hundreds. */
export function judgeBid(
  state: AuthorRate,
  input: { author: PeerName; envelope: Uint8Array; class: string },
  nowMs: number,
  open: (envelope: Uint8Array) => Signed<Bid>,
): readonly [AuthorRate, Judgement] {
  const [next, count] = countAuthor(state, input.author, nowMs, bidWindowMs)
  if (count >= bidsPerAuthorMax) {
    const verdict = count >= bidsToleratedPerAuthorMax ? 'excess' : 'ignore'
    return [next, { verdict, because: 'author over its rate' }]
  }
  try {
    const bid = open(input.envelope)
    if (bid.by !== input.author) return [next, { verdict: 'reject', because: 'author is not the signer' }]
    if (bid.body.class !== input.class) return [next, { verdict: 'reject', because: 'wrong topic' }]
    if (isBidOver(bid.body, nowMs)) return [next, { verdict: 'ignore', because: 'expired' }]
    if (bid.body.issuedMs > nowMs + bidSkewMsMax) return [next, { verdict: 'ignore', because: 'from the future' }]
    return [next, { verdict: 'accept', bid }]
  } catch (error) {
    if (error instanceof Fault) return [next, { verdict: 'reject', because: error.message }]
    throw error
  }
}
