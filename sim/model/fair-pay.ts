/** Who did the jobs of honest requesters, and to whom went what they signed for: what standing is there to decide. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { ModelPeer } from './peer.ts'
import type { World } from './world.ts'

export interface FairPay {
  /** Of honest requesters, after the warm-up. */
  readonly jobs: number
  /** Those of them of which what was taken was made by an honest provider. */
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
  const leases = new Map<string, { readonly isHonest: boolean; amountMicro: number }>()
  let isPaid = false
  /** By place: whether an honest peer made what was told last. */
  const results = new Map<number, boolean>()
  for (const { event } of jobEvents.get(job) ?? []) {
    if (event.stage === 'matched' || event.stage === 'checking') {
      const peer = event.stage === 'matched' ? event.peer : event.by
      if (!leases.has(event.lease)) leases.set(event.lease, { isHonest: isHonest(world, peer), amountMicro: 0 })
    }
    if (event.stage === 'result') results.set(event.slot, isHonest(world, event.peer))
    if (event.stage === 'receipt') {
      const lease = leases.get(event.lease)
      if (lease !== undefined) lease.amountMicro = Math.max(lease.amountMicro, event.amountMicro)
    }
    if (event.stage === 'ended') isPaid = event.ending.outcome === 'paid'
  }
  const all = [...leases.values()]
  const sum = (which: typeof all): number => which.reduce((micro, { amountMicro }) => micro + amountMicro, 0)
  return {
    jobs: 1,
    done: isPaid && results.size > 0 && [...results.values()].every(Boolean) ? 1 : 0,
    paidMicro: sum(all),
    liarsMicro: sum(all.filter((lease) => !lease.isHonest)),
  }
}

/** A name that is burnt was one of the attacker's. */
function isHonest(world: World, peer: PeerName): boolean {
  return world.peerOf(peer)?.vice === null
}
