/** What a job's requester will agree to, and what the halves of the protocols must know of a lease. */
import { bidTermMsMax, type Bid, type Requirements } from '../../protocols/bid/index.ts'
import type { WatchedLease, WorkedLease } from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import type { BilledLease } from '../../protocols/receipt/index.ts'
import type { Micro } from '../../protocols/wire/index.ts'
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
  readonly paymentIntervalMs: number
  readonly paymentIntervalMsMax: number
  readonly reclaimMs: number
  /** How long the fetching of outputs may take. */
  readonly collectWithinMs: number
  readonly retriesMax: number
  readonly bidFromMs: number
  readonly bidUntilMs: number
}

/** The call for this job. The same until the job is bid for anew, so that repeating it says nothing new. */
export function bidOf(terms: JobTerms): Bid {
  return {
    job: terms.job,
    class: terms.class,
    issuedMs: terms.bidFromMs,
    expiresMs: Math.min(terms.bidUntilMs, terms.bidFromMs + bidTermMsMax),
    requirements: terms.requirements,
    unit: terms.unit,
    ceilingMicro: terms.ceilingMicro,
    cpuHourMicroMax: terms.cpuHourMicroMax,
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
  const { job, slot, epoch, unit, cpuHourMicro, cpuMilli, ceilingMicro, paymentIntervalMs, paymentIntervalMsMax } =
    lease.award.body
  return {
    id: lease.id,
    job,
    slot,
    epoch,
    requester: lease.requester,
    provider: lease.provider,
    unit,
    cpuHourMicro,
    cpuMilli,
    ceilingMicro,
    paymentIntervalMs,
    paymentIntervalMsMax,
  }
}
