/** What the peers of one life want of each other, drawn from the seed before it begins. */
import { runtimeAdvert } from '../../protocols/capability/index.ts'
import type { JobTerms } from '../../src/market/terms.ts'
import type { SeededRandom } from '../random.ts'
import type { ModelPeer } from './peer.ts'
import { classOf, cpuHourMicroMin, cpuHourMicroStep, plainTerms, priceSteps } from './stand-ins.ts'
import type { World } from './world.ts'

export interface PlannedJob {
  readonly index: number
  readonly requester: ModelPeer
  readonly terms: JobTerms
  readonly submittedMs: number
  /** Whether the requester said that it is written down. */
  submitted: boolean
}

const lookUpWithinMs = 3_000
const providersWanted = 20
const cancelWithinMs = 20_000

export function planJobs(world: World, random: SeededRandom): void {
  const { workload } = world.scenario
  // The attacker asks for nothing: what it would be paid with costs it nothing.
  const wanting = world.peers.filter(({ vice }) => vice !== 'sybil')
  const askers = workload.askers === 0 ? wanting : wanting.slice(0, workload.askers)
  for (let index = 0; index < workload.jobs; index++) {
    const requester = random.pick(askers)
    const atMs = random.between(0, workload.jobsWithinMs)
    const bidClass = classOf(random.between(0, workload.classes - 1))
    const slots = random.chance(workload.gangShare) ? random.between(2, workload.gangSlotsMax) : 1
    // Some pay too little for most, and few for none: half of what is called is answered.
    const steps = random.between(2, priceSteps)
    const cpuHourMicroMax = cpuHourMicroMin + cpuHourMicroStep * (workload.paysAll ? priceSteps : steps)
    const looksUp = random.chance(workload.lookUpShare)
    const cancelMs = random.chance(workload.cancelShare) ? random.between(0, cancelWithinMs) : null
    const checksStrangers = workload.comparedShare > 0 && random.chance(workload.comparedShare)
    if (index >= world.jobsMax) continue
    world.clock.after(atMs, () => {
      if (!requester.isUp) return
      const fitting = fittingOf(world, bidClass, cpuHourMicroMax)
      const options = { class: bidClass, slots, cpuHourMicroMax, fitting, checksStrangers }
      const terms = plainTerms(`${world.seed}/${index}`, world.clock.nowMs(), options)
      const job: PlannedJob = { index, requester, terms, submittedMs: world.elapsedMs, submitted: false }
      world.jobs.push(job)
      world.note(requester.number, 'submit', index)
      if (looksUp) void lookUp(world, requester)
      requester.requester.submit(terms).then(
        () => {
          job.submitted = true
        },
        () => world.note(requester.number, 'not submitted', index),
      )
      if (cancelMs !== null) world.clock.after(cancelMs, () => requester.isUp && requester.requester.cancel(terms.job))
    })
  }
}

/** As one that has read all records knows. */
function fittingOf({ peers }: World, bidClass: string, cpuHourMicroMax: number): number {
  let fitting = 0
  for (const { plan } of peers) {
    const price = plan.class === bidClass ? plan.lending?.facts.price : undefined
    if (price !== undefined && price !== null && price.cpuHourMicro <= cpuHourMicroMax) fitting++
  }
  return fitting
}

async function lookUp(world: World, { plan, directory, number }: ModelPeer): Promise<void> {
  using deadline = world.clock.deadline(lookUpWithinMs)
  const found = await directory.find(
    runtimeAdvert(plan.notary.network, 'wasi-preview1'),
    providersWanted,
    deadline.signal,
  )
  world.note(number, 'found', found.length)
}
