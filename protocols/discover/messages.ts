/** What may be asked about who can do what, and what is announced. */
import type { Ask } from '../bid/index.ts'
import type { ProtocolLimits, Refusal } from '../wire/index.ts'

export const discoverProtocol = '/pleach/discover/1'

export const discoverLimits: ProtocolLimits = { frameBytesMax: 64 * 1024, streamsPerPeerMax: 4 }
/** A dial, where there is no connection yet: it may have to be found out first where the peer is. */
export const discoverOpenMs = 5_000
/** The exchange then. Who takes longer may as well be gone. */
export const discoverWithinMs = 2_000
export const recordsPerAnswerMax = 64
/** Envelopes of one answer: the frame, less its own bytes. */
export const answerBytesMax = 60 * 1024
/** Queries that are answered at once. */
export const queriesServedMax = 32
/** Queries of one peer in one window; each costs a walk through the index. */
export const queriesPerPeerMax = 120
export const queryWindowMs = 60_000
/** What one look costs others at most: a query and an answer each. */
export const exchangesPerQueryMax = 6

/** Announcements of one author that are passed on in one window; more are dropped without a word. */
export const recordsPerAuthorMax = 12
export const recordWindowMs = 60_000
/** Beyond this an author is no longer only busy. */
export const recordsToleratedPerAuthorMax = 48

/** How often a peer says that it lives: by how many say so, and within these. */
export const lifeSignEachMs = 1_000
export const lifeSignMsMin = 90_000
export const lifeSignMsMax = 300_000

/** What is looked for. `yourself`: the record of the asked peer. */
export type Want =
  | { readonly kind: 'work'; readonly ask: Ask }
  | { readonly kind: 'keep'; readonly keepBytes: number }
  | { readonly kind: 'anybody' }
  | { readonly kind: 'yourself' }

export type Discovery =
  | { readonly say: 'query'; readonly want: Want; readonly recordsMax: number }
  /** Envelopes as they came: whoever takes one verifies it. */
  | { readonly say: 'records'; readonly envelopes: readonly Uint8Array[] }
  | { readonly say: 'refused'; readonly refusal: Refusal }

/** Where changes of records are announced. */
export function capabilityTopic(network: string): string {
  return `/pleach/${network}/capability/1`
}

/** How long a provider waits between two signs of life, of so many providers in all. */
export function lifeSignEveryMs(providers: number): number {
  return Math.min(lifeSignMsMax, Math.max(lifeSignMsMin, providers * lifeSignEachMs))
}
