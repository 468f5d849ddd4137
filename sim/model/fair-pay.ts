/** Who did the jobs of honest requesters, and to whom went what they signed for: what standing is there to decide. */
import type { ModelPeer } from './peer.ts'
import type { World } from './world.ts'

export interface FairPay {
  /** Of honest requesters, after the warm-up. */
  readonly jobs: number
  /** Those of them that an honest provider did, and was paid for. */
  readonly done: number
  /** What was signed for them, and what of it to the dishonest. */
  readonly paidMicro: number
  readonly liarsMicro: number
}

export const nobodyPaid: FairPay = { jobs: 0, done: 0, paidMicro: 0, liarsMicro: 0 }

export function fairPayOf(world: World): FairPay {
  const { warmUpJobs } = world.scenario.workload
  const asked = world.jobs.filter(({ submitted, requester }) => submitted && requester.vice === null)
  const judged = asked.toSorted((left, right) => left.submittedMs - right.submittedMs).slice(warmUpJobs)
  return judged
    .map(({ requester, terms }) => ofJob(world, requester, terms.job))
    .reduce((sum, one) => plus(sum, one), nobodyPaid)
}

export function plus(left: FairPay, right: FairPay): FairPay {
  return {
    jobs: left.jobs + right.jobs,
    done: left.done + right.done,
    paidMicro: left.paidMicro + right.paidMicro,
    liarsMicro: left.liarsMicro + right.liarsMicro,
  }
}

function ofJob(world: World, { jobEvents }: ModelPeer, job: string): FairPay {
  /** By lease: whether an honest peer has it, and what was signed for it; receipts are cumulative. */
  const leases = new Map<string, { readonly isHonest: boolean; amountMicro: number; isFinal: boolean }>()
  let isPaid = false
  for (const { event } of jobEvents.get(job) ?? []) {
    if (event.stage === 'matched')
      leases.set(event.lease, { isHonest: world.peerOf(event.peer)?.vice === null, amountMicro: 0, isFinal: false })
    if (event.stage === 'receipt') {
      const lease = leases.get(event.lease)
      if (lease !== undefined) {
        lease.amountMicro = Math.max(lease.amountMicro, event.amountMicro)
        lease.isFinal ||= event.final
      }
    }
    if (event.stage === 'ended') isPaid = event.ending.outcome === 'paid'
  }
  const all = [...leases.values()]
  const finals = all.filter(({ isFinal }) => isFinal)
  const sum = (which: typeof all): number => which.reduce((micro, { amountMicro }) => micro + amountMicro, 0)
  return {
    jobs: 1,
    done: isPaid && finals.length > 0 && finals.every(({ isHonest }) => isHonest) ? 1 : 0,
    paidMicro: sum(all),
    liarsMicro: sum(all.filter(({ isHonest }) => !isHonest)),
  }
}
