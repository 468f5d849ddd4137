/** What may be asked of a provider before, or after, it makes an offer. */
import type { Bid } from '../bid/index.ts'
import type { Micro, ProtocolLimits, Refusal, Signed, StatementType } from '../wire/index.ts'

export const inquireProtocol = '/pleach/inquire/1'
export const quoteType: StatementType = { name: 'quote', version: 1 }

/** A quote with two refusals of sixteen facts each. */
export const inquireLimits: ProtocolLimits = { frameBytesMax: 16 * 1024, streamsPerPeerMax: 4 }
/** The whole exchange: question and quote are one small frame each. */
export const inquireWithinMs = 5_000
/** Questions that are answered at once. */
export const inquiriesServedMax = 32
/** Questions of one peer in one window; each costs two signatures. */
export const inquiriesPerPeerMax = 120
export const inquiryWindowMs = 60_000

export interface Quote {
  /** SHA-256 of the bid's envelope. */
  readonly bid: Uint8Array
  readonly issuedMs: number
  /** What became of this job's bid when it was gossiped; null: it was not heard, or long ago. */
  readonly heard: { readonly offered: true } | { readonly offered: false; readonly because: Refusal } | null
  /** What it would be answered now. Binds nobody. */
  readonly now:
    | { readonly offers: true; readonly cpuHourMicro: Micro }
    | { readonly offers: false; readonly because: Refusal }
}

export type Inquiry =
  | { readonly say: 'question'; readonly bid: Signed<Bid> }
  | { readonly say: 'quote'; readonly quote: Signed<Quote> }
  | { readonly say: 'refused'; readonly refusal: Refusal }
