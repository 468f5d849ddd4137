/** What a requester holds against a receipt: what no honest provider signs, and what may be an honest difference. Pure. */
import { equals } from 'uint8arrays'

import { Fault, refusal, type Refusal } from '../wire/index.ts'
import {
  amountOwed,
  gasPerMsMax,
  receiptSkewMsMax,
  usageNames,
  usageOf,
  wallToleranceMs,
  wallTolerancePermille,
  type BilledLease,
  type Receipt,
  type Usage,
} from './messages.ts'

/** What the requester measured itself, or knows of the job. */
export interface Measured {
  /** How long the lease has run by our own clock; it stands still once the result is here. */
  readonly wallMs: number
  /** Module and inputs, by the job manifest. */
  readonly inBytes: number
  /** The job's limit of instructions; 0: none. */
  readonly gasMax: number
  /** The result that we hold and have verified, or null: a final receipt is not countersigned without it. */
  readonly result: MeasuredResult | null
}

export interface MeasuredResult {
  readonly cid: string
  /** As its document says. */
  readonly gas: number
  /** Of the outputs, which are here. */
  readonly outBytes: number
}

/** The last receipt that both have signed. */
export interface Before {
  readonly sequence: number
  readonly previous: Uint8Array
  readonly usage: Usage
  readonly amountMicro: number
}

export function whatIsWrong(lease: BilledLease, before: Before, receipt: Receipt): Fault | undefined {
  const { sequence, usage } = receipt
  if (sequence > before.sequence + 1)
    return new Fault('SEQUENCE_GAP', 'a receipt before this one is missing', { sequence, last: before.sequence })
  if (!equals(receipt.previous, before.previous))
    return new Fault('CHAIN_BROKEN', 'the receipt does not name the one before it', { sequence })
  const same =
    receipt.job === lease.job &&
    receipt.slot === lease.slot &&
    receipt.epoch === lease.epoch &&
    receipt.requester === lease.requester &&
    receipt.unit === lease.unit
  if (!same) return new Fault('FIELD_INVALID', 'the receipt is of another lease', { epoch: receipt.epoch })
  const fell = usageNames.find((name) => usage[name] < before.usage[name])
  if (fell !== undefined || receipt.amountMicro < before.amountMicro)
    return new Fault('USAGE_FELL', 'a cumulative receipt never falls', { sequence, what: fell ?? 'amountMicro' })
  const owed = amountOwed(lease, usage)
  if (receipt.amountMicro !== owed)
    return new Fault('OVERCHARGED', 'the amount is not what the lease says', { amountMicro: receipt.amountMicro, owed })
  return undefined
}

/** The first that differs. `heals` says of which time alone may make an end. */
export function whatIsDisputed(
  lease: BilledLease,
  before: Before,
  receipt: Receipt,
  measured: Measured,
  nowMs: number,
): Refusal | undefined {
  const { usage, issuedMs } = receipt
  const { result } = measured
  const allowedMs = Math.ceil((measured.wallMs * (1000 + wallTolerancePermille)) / 1000) + wallToleranceMs
  const most = usageOf(lease, usage)
  if (issuedMs > lease.expiresMs + receiptSkewMsMax)
    return refusal('LEASE_EXPIRED', { issuedMs, expiredMs: lease.expiresMs })
  if (issuedMs > nowMs + receiptSkewMsMax)
    return refusal('ISSUED_AHEAD', { aheadMs: issuedMs - nowMs, allowedMs: receiptSkewMsMax })
  if (usage.wallMs > allowedMs) return refusal('WALL_TIME', { claimedMs: usage.wallMs, allowedMs })
  if (usage.memMibS > most.memMibS)
    return refusal('MEMORY_TIME', { claimedMibS: usage.memMibS, allowedMibS: most.memMibS })
  if (usage.gpuMs > most.gpuMs) return refusal('GPU_TIME', { claimedMs: usage.gpuMs, allowedMs: most.gpuMs })
  if (usage.storeMibS > most.storeMibS)
    return refusal('STORE_TIME', { claimedMibS: usage.storeMibS, allowedMibS: most.storeMibS })
  if (usage.inBytes > measured.inBytes)
    return refusal('IN_BYTES', { claimedBytes: usage.inBytes, allowedBytes: measured.inBytes })
  const outBytes = receipt.final ? (result?.outBytes ?? 0) : 0
  if (usage.outBytes > outBytes) return refusal('OUT_BYTES', { claimedBytes: usage.outBytes, allowedBytes: outBytes })
  const gasMost = Math.min(gasPerMsMax * allowedMs, measured.gasMax === 0 ? Infinity : measured.gasMax)
  if (usage.gas > gasMost) return refusal('GAS_RATE', { claimedGas: usage.gas, allowedGas: gasMost })
  if (!receipt.final) return undefined
  if (receipt.result !== result?.cid) return refusal('RESULT_DIFFERS', { claimed: receipt.result })
  // A meter that began anew does not make a chain fall: what was signed before stands.
  const gas = Math.max(result.gas, before.usage.gas)
  return usage.gas === gas ? undefined : refusal('GAS_DIFFERS', { claimedGas: usage.gas, resultGas: gas })
}

/** Whether the same receipt may be countersigned a moment later, because the requester's own clock goes on. */
export function heals({ code }: Refusal): boolean {
  return code === 'WALL_TIME' || code === 'GAS_RATE' || code === 'ISSUED_AHEAD'
}
