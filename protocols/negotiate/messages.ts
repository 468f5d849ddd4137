/** What may be said between an offer and a lease. */
import {
  Fault,
  type Micro,
  type PeerName,
  type ProtocolLimits,
  type Refusal,
  type Signed,
  type StatementType,
  type Tariff,
} from '../wire/index.ts'

export const negotiateProtocol = '/pleach/negotiate/1'

/** The award carries the job manifest: its cap plus room for the terms and the envelope. */
export const manifestBytesMax = 256 * 1024
export const negotiateLimits: ProtocolLimits = { frameBytesMax: manifestBytesMax + 8 * 1024, streamsPerPeerMax: 4 }

export const offerType: StatementType = { name: 'offer', version: 1 }
export const awardType: StatementType = { name: 'award', version: 1 }
export const acceptType: StatementType = { name: 'accept', version: 1 }
export const commitType: StatementType = { name: 'commit', version: 1 }

/** An unanswered AWARD or ACCEPT is sent again after this. Loss is rare over streams; a peer that restarts is not. */
export const retransmitMs = 1_000
/** A provider that does not accept within this is passed over: the "no-show". */
export const acceptWithinMs = 4_000
/** The same for each of several places that are committed together: the first to accept waits for the last. */
export const gangAcceptWithinMs = 3_000
/** A requester that does not commit within this loses the capacity it was promised. */
export const commitWithinMs = 5_000
/** Longest an offer may bind capacity that nobody pays for. */
export const offerHoldMsMax = 15_000
export const slotsMax = 1024
export const gpusPerLeaseMax = 1024

/** With the prices that the work is billed by. */
export interface Offer extends Tariff {
  readonly job: string
  /** SHA-256 of the bid's envelope. */
  readonly bid: Uint8Array
  readonly unit: string
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly gpus: number
  readonly issuedMs: number
  readonly holdUntilMs: number
  /** What is owed beside when the provider is proven to have equivocated under the lease; 0: nothing. */
  readonly bondMicro: Micro
}

/** The terms of a lease. Every number is what the requester will pay for, or the provider may use, at most. */
export interface Award extends Tariff {
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly provider: PeerName
  /** SHA-256 of the offer's envelope. */
  readonly offer: Uint8Array
  readonly unit: string
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly gpus: number
  readonly wallMsMax: number
  readonly ceilingMicro: Micro
  readonly paymentIntervalMs: number
  readonly paymentIntervalMsMax: number
  readonly reclaimMs: number
  /** That of the offer. */
  readonly bondMicro: Micro
  readonly issuedMs: number
  readonly acceptByMs: number
  readonly manifest: Uint8Array
}

export interface Accept {
  readonly lease: Uint8Array
  readonly issuedMs: number
  readonly commitByMs: number
}

export interface Commit {
  readonly lease: Uint8Array
  /** SHA-256 of the accept's envelope. */
  readonly accept: Uint8Array
  readonly issuedMs: number
}

export interface Place {
  readonly job: string
  readonly slot: number
  readonly epoch: number
}

export function isPlaceOf(award: Place, place: Place): boolean {
  return place.job === award.job && place.slot === award.slot && place.epoch === award.epoch
}

export type Negotiation =
  | { readonly say: 'offer'; readonly offer: Signed<Offer> }
  | { readonly say: 'award'; readonly award: Signed<Award> }
  | { readonly say: 'accept'; readonly accept: Signed<Accept> }
  | { readonly say: 'commit'; readonly commit: Signed<Commit> }
  | { readonly say: 'refuse'; readonly place: Place; readonly refusal: Refusal }
  | { readonly say: 'release'; readonly job: string; readonly because: Refusal }

/** The signed contract: three envelopes that anybody can check together. */
export interface Lease {
  /** Lower-case hex of the SHA-256 of the award's envelope. */
  readonly id: string
  readonly requester: PeerName
  readonly provider: PeerName
  readonly award: Signed<Award>
  readonly accept: Signed<Accept>
  readonly commit: Signed<Commit>
}

/** A peer signed two statements of which only one can be: both are here, and prove it to anybody (/pleach/evidence/1). */
export class EquivocationFault extends Fault {
  readonly first: Uint8Array
  readonly second: Uint8Array

  constructor(message: string, first: Signed<unknown>, second: Signed<unknown>) {
    super('EQUIVOCATION', message)
    this.first = first.envelope
    this.second = second.envelope
  }
}
