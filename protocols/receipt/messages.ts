/** Receipts, as the rest of the program sees them. */
import type { Award } from '../negotiate/index.ts'
import {
  costOfUse,
  mibSeconds,
  type Micro,
  type PeerName,
  type ProtocolLimits,
  type Refusal,
  type Signed,
  type StatementType,
  type Tariff,
  type Usage,
} from '../wire/index.ts'

export { noUsage, usageNames, type Usage } from '../wire/index.ts'

export const receiptProtocol = '/pleach/receipt/1'
export const receiptLimits: ProtocolLimits = { frameBytesMax: 8 * 1024, streamsPerPeerMax: 4 }

export const receiptType: StatementType = { name: 'receipt', version: 1 }
export const countersignatureType: StatementType = { name: 'countersignature', version: 1 }
export const disputeType: StatementType = { name: 'receipt-dispute', version: 1 }

/** A receipt that is not countersigned is sent again after this, … */
export const receiptRetransmitMs = 1_000
/** … and after this the provider may stop: it has worked one interval for nothing, and will not work a second. */
export const countersignWithinMs = 15_000
/** The requester tolerates this much more wall time than it measured itself: 2 % and two seconds, for the way of messages. */
export const wallTolerancePermille = 20
export const wallToleranceMs = 2_000
/** By how much the date of a receipt may be ahead of the requester's clock. */
export const receiptSkewMsMax = 30_000
/** Inputs are fetched, outputs sealed and peers started again beside the time that a lease gives to its program. */
export const leaseGraceMs = 24 * 3_600_000
/** No processor executes more than this in a millisecond: five GHz, six instructions wide. */
export const gasPerMsMax = 30_000_000

export interface Receipt {
  /** Hex. */
  readonly lease: string
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly requester: PeerName
  readonly sequence: number
  /** SHA-256 of the previous receipt's envelope, or of the award's for the first. */
  readonly previous: Uint8Array
  readonly usage: Usage
  readonly unit: string
  readonly amountMicro: Micro
  readonly final: boolean
  /** CID of the result document; empty but in the final receipt. */
  readonly result: string
  readonly issuedMs: number
}

export interface Countersignature {
  readonly lease: string
  readonly sequence: number
  readonly receipt: Uint8Array
  readonly issuedMs: number
}

/** A proof of why not. It binds nobody: the same receipt may be countersigned after all. */
export interface Dispute {
  readonly lease: string
  readonly sequence: number
  readonly receipt: Uint8Array
  readonly refusal: Refusal
  readonly issuedMs: number
}

export type Billing =
  | { readonly say: 'receipt'; readonly receipt: Signed<Receipt> }
  | { readonly say: 'countersignature'; readonly countersignature: Signed<Countersignature> }
  | { readonly say: 'dispute'; readonly dispute: Signed<Dispute> }

/** What of the lease both halves must know. */
export interface BilledLease extends Tariff {
  readonly id: string
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly requester: PeerName
  readonly provider: PeerName
  readonly unit: string
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly gpus: number
  readonly ceilingMicro: Micro
  readonly paymentIntervalMs: number
  readonly paymentIntervalMsMax: number
  /** No receipt of it is issued later. */
  readonly expiresMs: number
}

/** What is metered; the rest of a usage follows from it and the lease. */
export type Metered = Pick<Usage, 'wallMs' | 'cpuMs' | 'gas' | 'inBytes' | 'outBytes'>

/** Of memory, GPUs and disk what is leased counts for as long as the program runs, since that is what was kept free for it. */
export function usageOf(
  { memoryBytes, diskBytes, gpus }: Pick<BilledLease, 'memoryBytes' | 'diskBytes' | 'gpus'>,
  { wallMs, cpuMs, gas, inBytes, outBytes }: Metered,
): Usage {
  const [memMibS, storeMibS] = [mibSeconds(memoryBytes, wallMs), mibSeconds(diskBytes, wallMs)]
  const gpuMs = Math.min(gpus * wallMs, Number.MAX_SAFE_INTEGER)
  return { wallMs, cpuMs, gas, memMibS, gpuMs, inBytes, outBytes, storeMibS }
}

/** When a lease is over, whatever happened: its longest run, the time to reclaim it, and grace. */
export function expiryOf({
  issuedMs,
  wallMsMax,
  reclaimMs,
}: Pick<Award, 'issuedMs' | 'wallMsMax' | 'reclaimMs'>): number {
  return issuedMs + wallMsMax + reclaimMs + leaseGraceMs
}

/** What use costs at the prices of the lease (`costOfUse`), never above the ceiling that both sides signed. */
export function amountOwed(lease: Tariff & Pick<BilledLease, 'cpuMilli' | 'ceilingMicro'>, usage: Usage): Micro {
  return costOfUse(lease, lease.cpuMilli, usage, lease.ceilingMicro)
}
