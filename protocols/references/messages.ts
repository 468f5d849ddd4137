/** What a peer may be asked of those that it worked for, and what it shows. */
import type { Micro, PeerName, ProtocolLimits, Refusal } from '../wire/index.ts'

export const referencesProtocol = '/pleach/references/1'

/** In one answer. Each is two signatures to check. */
export const referencesMax = 32
/** Each of the two envelopes of a reference. */
export const referenceBytesMax = 1024
export const referencesLimits: ProtocolLimits = {
  frameBytesMax: referencesMax * 2 * referenceBytesMax + 8 * 1024,
  streamsPerPeerMax: 2,
}
/** The whole exchange. */
export const referencesWithinMs = 5_000
/** Questions that are answered at once. */
export const questionsServedMax = 16
/** Questions of one peer in one window: who asks remembers the answer. */
export const questionsPerPeerMax = 10
export const questionWindowMs = 60_000

/** As shown: the envelopes of a final receipt and of its countersignature. */
export interface ShownReference {
  readonly receipt: Uint8Array
  readonly countersignature: Uint8Array
}

/** As read and checked: `by` had so much work of the shower, holds the result, and signed for it. */
export interface Reference {
  readonly by: PeerName
  readonly lease: string
  readonly unit: string
  readonly amountMicro: Micro
  /** By the shower's clock. */
  readonly issuedMs: number
}

export type Referring =
  | { readonly say: 'question' }
  | { readonly say: 'references'; readonly shown: readonly ShownReference[] }
  | { readonly say: 'refused'; readonly refusal: Refusal }
