/** A call for work, as the rest of the program sees it. */
import type { Micro, StatementType } from '../wire/index.ts'

export const bidType: StatementType = { name: 'bid', version: 1 }

/** A bid is relayed by every peer of its class: it says what is wanted and nothing else. */
export const bidBytesMax = 1024
/** Longest time a bid may stay open. A requester that waits longer publishes a new one. */
export const bidTermMsMax = 10 * 60_000
export const bidClassCharsMax = 32
/** Bids of one author that are passed on in one window; more are dropped without a word. */
export const bidsPerAuthorMax = 120
export const bidWindowMs = 60_000
/** Beyond this an author is no longer only busy. Who counts right never comes near. */
export const bidsToleratedPerAuthorMax = 360

export interface Requirements {
  readonly runtime: string
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly wallMsMax: number
}

export interface Bid {
  /** CID of the job manifest. */
  readonly job: string
  readonly class: string
  readonly issuedMs: number
  readonly expiresMs: number
  readonly requirements: Requirements
  readonly unit: string
  readonly ceilingMicro: Micro
  readonly cpuHourMicroMax: Micro
}

/** One topic per class of work, so that a peer hears only of what it could do. */
export function bidTopic(network: string, bidClass: string): string {
  return `/pleach/${network}/bid/1/${bidClass}`
}
