/** What a job's requester will agree to, and what the halves of the protocols must know of a lease. */
import { bidSpreadMsMax, bidTermMsMax, type Bid, type Requirements } from '../../protocols/bid/index.ts'
import type { WatchedLease, WorkedLease } from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import { expiryOf, type BilledLease } from '../../protocols/receipt/index.ts'
import { tariffOf, type Micro } from '../../protocols/wire/index.ts'
import type { Wishes } from './wishes.ts'

export interface JobTerms {
  readonly job: string
  readonly manifest: Uint8Array
  readonly unit: string
  readonly cpuHourMicroMax: Micro
  readonly ceilingMicro: Micro
  /** Names the topic on which the bid is gossiped. */
  readonly class: string
  /** Places that are needed at the same time, each at another provider: requirements and prices are those of one of them. */
  readonly slots: number
  readonly requirements: Requirements
  readonly wishes: Wishes
  /** All make the same of it, and what those on probation make of it may be compared (probation.ts). */
  readonly checksStrangers: boolean
  readonly paymentIntervalMs: number
  readonly paymentIntervalMsMax: number
  readonly reclaimMs: number
  /** How long the fetching of outputs may take. */
  readonly collectWithinMs: number
  readonly retriesMax: number
  /** Providers that would fit, as far as they are known; 0: not known. */
  readonly fitting: number
  readonly bidFromMs: number
  readonly bidUntilMs: number
}

/** How long an answer may come after another, in the mean, when they are dear; cheap ones come twice as fast. */
const spreadPerAnswerMs = 40
/** Those that are not known answer too. */
const spreadMsMin = 100

/** The more would answer, the longer they take, so that word that there are enough reaches most of them before they have. */
export function spreadMsOf({ fitting, slots, bidFromMs, bidUntilMs }: JobTerms): number {
  const wantedMs = Math.ceil((fitting * spreadPerAnswerMs) / slots)
  return Math.min(Math.max(spreadMsMin, wantedMs), Math.floor((bidUntilMs - bidFromMs) / 2), bidSpreadMsMax)
}

/** When the call that stands was made, and whether it has been answered often enough. */
export interface Call {
  readonly fromMs: number
  readonly enough: boolean
}

/** The call for this job. The same until the job is bid for anew, so that repeating it says nothing new. */
export function bidOf(terms: JobTerms, { fromMs, enough }: Call): Bid {
  return {
    job: terms.job,
    class: terms.class,
    issuedMs: fromMs,
    expiresMs: Math.max(fromMs + 1, Math.min(terms.bidUntilMs, fromMs + bidTermMsMax)),
    requirements: terms.requirements,
    unit: terms.unit,
    ceilingMicro: terms.ceilingMicro,
    cpuHourMicroMax: terms.cpuHourMicroMax,
    spreadMs: spreadMsOf(terms),
    enough,
  }
}

export function watchedLease(lease: Lease): WatchedLease {
  const { job, slot, epoch, reclaimMs } = lease.award.body
  return { id: lease.id, provider: lease.provider, job, slot, epoch, reclaimMs }
}

export function workedLease(lease: Lease): WorkedLease {
  const { job, slot, epoch, reclaimMs } = lease.award.body
  return { id: lease.id, requester: lease.requester, job, slot, epoch, reclaimMs }
}

export function billedLease(lease: Lease): BilledLease {
  const { body } = lease.award
  const { job, slot, epoch, unit, cpuMilli, memoryBytes, diskBytes, gpus, ceilingMicro } = body
  return {
    ...tariffOf(body),
    id: lease.id,
    job,
    slot,
    epoch,
    requester: lease.requester,
    provider: lease.provider,
    unit,
    cpuMilli,
    memoryBytes,
    diskBytes,
    gpus,
    ceilingMicro,
    paymentIntervalMs: body.paymentIntervalMs,
    paymentIntervalMsMax: body.paymentIntervalMsMax,
    expiresMs: expiryOf(body),
  }
}
