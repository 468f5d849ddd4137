/**
 * Whether a gossiped bid is passed on: accept, ignore, reject, or one of far too many. Rejecting costs the peer that passed it to us, so only what
 * no honest peer can have passed on is rejected; what an honest peer may send late, twice or too often is ignored.
 *
 * Pure: the caller brings the time. Holds a bounded memory of authors.
 */
import { Fault, type PeerName, type Signed, type Verdict } from '../wire/index.ts'
import {
  bidSkewMsMax,
  bidWindowMs,
  bidsToleratedPerAuthorMax,
  bidsPerAuthorMax,
  isBidOver,
  type Bid,
} from './messages.ts'

/** Authors remembered in one window. Beyond, new authors are not limited until the window ends: silence would be worse. */
const authorsMax = 10_000

export interface BidFilterState {
  readonly windowEndsMs: number
  readonly counts: ReadonlyMap<PeerName, number>
}

export const emptyBidFilter: BidFilterState = { windowEndsMs: 0, counts: new Map() }

export interface Judgement {
  readonly verdict: Verdict
  /** Present when accepted. */
  readonly bid?: Signed<Bid>
  readonly because?: string
}

/** `open` is `openBid` under this peer's network; it is handed in because it costs most, and a simulator opens one bid for hundreds. */
export function judgeBid(
  state: BidFilterState,
  input: { author: PeerName; envelope: Uint8Array; class: string },
  nowMs: number,
  open: (envelope: Uint8Array) => Signed<Bid>,
): readonly [BidFilterState, Judgement] {
  const window =
    nowMs < state.windowEndsMs ? state : { windowEndsMs: nowMs + bidWindowMs, counts: new Map<PeerName, number>() }
  const count = window.counts.get(input.author) ?? 0
  if (count >= bidsPerAuthorMax) {
    const verdict = count >= bidsToleratedPerAuthorMax ? 'excess' : 'ignore'
    return [counted(window, input.author, count + 1), { verdict, because: 'author over its rate' }]
  }
  const next = window.counts.size < authorsMax || count > 0 ? counted(window, input.author, count + 1) : window
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

function counted(state: BidFilterState, author: PeerName, count: number): BidFilterState {
  // The map is ours alone: the state before is never used again once a step has been taken from it.
  const counts = state.counts as Map<PeerName, number>
  counts.set(author, count)
  return { windowEndsMs: state.windowEndsMs, counts }
}
