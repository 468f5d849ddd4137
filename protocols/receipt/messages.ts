/** Receipts, as the rest of the program sees them. */
import {
  costOf,
  type Micro,
  type PeerName,
  type ProtocolLimits,
  type Refusal,
  type Signed,
  type StatementType,
} from '../wire/index.ts'

export const receiptProtocol = '/pleach/receipt/1'
export const receiptLimits: ProtocolLimits = { frameBytesMax: 8 * 1024, streamsPerPeerMax: 4 }

export const receiptType: StatementType = { name: 'receipt', version: 1 }
export const countersignatureType: StatementType = { name: 'countersignature', version: 1 }

/** A receipt that is not countersigned is sent again after this, … */
export const receiptRetransmitMs = 1_000
/** … and after this the provider may stop: it has worked one interval for nothing, and will not work a second. */
export const countersignWithinMs = 15_000
/** The requester tolerates this much more wall time than it measured itself: 2 % and two seconds, for the way of messages. */
export const wallTolerancePermille = 20
export const wallToleranceMs = 2_000

const cpuMilliPerCpu = 1_000n
const msPerHour = 3_600_000n

export interface Usage {
  readonly wallMs: number
  readonly cpuMs: number
  readonly inBytes: number
  readonly outBytes: number
}

export const noUsage: Usage = { wallMs: 0, cpuMs: 0, inBytes: 0, outBytes: 0 }

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

export type Billing =
  | { readonly say: 'receipt'; readonly receipt: Signed<Receipt> }
  | { readonly say: 'countersignature'; readonly countersignature: Signed<Countersignature> }
  | { readonly say: 'dispute'; readonly lease: string; readonly sequence: number; readonly refusal: Refusal }

/** What of the lease both halves must know. */
export interface BilledLease {
  readonly id: string
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly requester: PeerName
  readonly provider: PeerName
  readonly unit: string
  readonly cpuHourMicro: Micro
  readonly cpuMilli: number
  readonly ceilingMicro: Micro
  readonly paymentIntervalMs: number
  readonly paymentIntervalMsMax: number
}

/** Processors × time × price, rounded up, never above the ceiling that both sides signed. */
export function amountOwed(
  lease: Pick<BilledLease, 'cpuHourMicro' | 'cpuMilli' | 'ceilingMicro'>,
  usage: Usage,
): Micro {
  const quantity = BigInt(usage.wallMs) * BigInt(lease.cpuMilli)
  return costOf(quantity, lease.cpuHourMicro, cpuMilliPerCpu * msPerHour, lease.ceilingMicro)
}
