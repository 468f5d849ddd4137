/** Where the shards of an object are, and what is said about it. */
import type { PeerName, ProtocolLimits, Refusal, StatementType } from '../wire/index.ts'

export const placementProtocol = '/pleach/placement/1'
export const placementType: StatementType = { name: 'placement', version: 1 }

/** Namespace of records in the DHT; see `placementKey`. */
export const placementNamespace = 'pleach-placement'

export const placementBytesMax = 4096
/** A leap year. */
export const placementTermMsMax = 366 * 24 * 60 * 60_000
/** How far in the future a record may have been issued: tolerated difference of clocks. */
export const placementClockSkewMsMax = 30_000
export const placesPerPageMax = 64
export const pagesMax = 8
/** Writers of one object whose records a keeper keeps, and a reader reads. */
export const writersMax = 4
/** Longest claim of a repairer. */
export const claimMsMax = 2 * 60 * 60_000
/** One question and its answer. */
export const exchangeMs = 10_000
export const placementLimits: ProtocolLimits = { frameBytesMax: 160 * 1024, streamsPerPeerMax: 8 }
/** Exchanges that one peer serves at once, for all others together. */
export const placementServedMax = 64

export interface Place {
  readonly shard: number
  readonly keeper: PeerName
  readonly keepUntilMs: number
}

export interface Placement {
  /** CID of the manifest. */
  readonly object: string
  readonly sequence: number
  readonly issuedMs: number
  readonly expiresMs: number
  readonly withdrawn: boolean
  readonly page: number
  readonly pages: number
  readonly places: readonly Place[]
}

/** What a keeper knows of an object. Neither is believed before it is checked. */
export interface Dossier {
  readonly manifest: Uint8Array
  /** Envelopes of records, by any writer. */
  readonly records: readonly Uint8Array[]
  /** Shards that who answers would give out too, without a promise; left out when there are none. */
  readonly cached?: readonly number[]
}

export type PlacementMessage =
  | { readonly say: 'ask'; readonly object: string }
  | ({ readonly say: 'dossier' } & Dossier)
  | ({ readonly say: 'tell'; readonly advertise: boolean } & Dossier)
  | { readonly say: 'kept' }
  | { readonly say: 'claim'; readonly object: string; readonly forMs: number }
  | { readonly say: 'claimed'; readonly forMs: number }
  | { readonly say: 'refused'; readonly refusal: Refusal }
