/** Those peers of a live run that this process has, and what happens to them: see parts.ts. */
import { isOver } from '../../../src/node/views.ts'
import { join } from 'node:path'

import type { JobView } from '../../../src/control/api.ts'
import { realClock } from '../../../src/environment.ts'
import { readLedgers, type LedgerOfPeer } from './ledgers.ts'
import { Measures } from '../measures/measures.ts'
import { ProcessTap } from '../measures/process-tap.ts'
import type { ProcessSample } from '../measures/findings.ts'
import { LiveWorld, type Resident } from '../world.ts'
import { Faults } from './faults.ts'
import { Jobs } from './jobs.ts'
import { distancesOf, type Distances } from './distances.ts'
import { modelledExecutor } from './modelled-executor.ts'
import { Objects, type ObjectOutcome } from './objects.ts'
import type { BootFindings, Part, PartFindings, Ties } from './parts.ts'
import type { LivePlan } from './plan.ts'
import { rolesOf } from './roles.ts'

/** What was due while garbage was collected is delivered within this. */
const settledMs = 200
/** gossipsub's Dlo: below it a peer looks for more. */
export const meshDegreeWanted = 4
/** What is not there after this will not come. */
const meshWithinMs = 60_000
const coldMeshWithinMs = 180_000
/** Two cores carry one bid a second among a thousand peers, and six among three hundred. */
const bidMsOfPeer = 2
/** Jobs that are asked for last have this long, beyond the time of the run. */
const jobsWithinMs = 90_000
/** A job is over for its requester before its provider has the last signature. */
const leasesWithinMs = 30_000
const pollMs = 200
/** What was wrong when the last fault was mended has this long to be right again. */
const mendedWithinMs = 20_000

export interface PartOptions {
  readonly plan: LivePlan
  readonly say: (line: string) => void
  /** Between two things that are measured: what is left of the first need not burden the second. */
  readonly onQuiet?: () => void
  readonly onSample?: (sample: ProcessSample) => void
  /** Which peers are in this process, from the first to before the last; all when left out. */
  readonly mine?: readonly [from: number, to: number]
  /** Over TCP: where peers on other machines reach those of this one. */
  readonly host?: string
  /** What this process is called. */
  readonly name?: string
}

export class LivePart implements Part {
  readonly #options: PartOptions
  readonly #plan: LivePlan
  readonly #distances: Distances
  readonly #say: (line: string) => void
  readonly #onQuiet: () => void
  readonly #tap: ProcessTap
  #world: LiveWorld | undefined
  #measures: Measures | undefined
  #jobs: Jobs | undefined
  #objects: Objects | undefined
  #faults: Faults | undefined
  #read: readonly ObjectOutcome[] = []
  #bootedMs = 0
  #startedMs = 0
  #startedAxisMs = 0

  constructor(options: PartOptions) {
    const { plan, say, onQuiet = () => {}, onSample, name = 'all peers' } = options
    this.#options = options
    this.#plan = plan
    this.#distances = distancesOf(plan.scenario, plan.seed)
    this.#say = say
    this.#onQuiet = onQuiet
    this.#tap = new ProcessTap(name, onSample)
  }

  get world(): LiveWorld {
    if (this.#world === undefined) throw new Error('there is no world yet')
    return this.#world
  }

  /** Milliseconds since the jobs and the faults began. */
  get elapsedMs(): number {
    return this.#startedMs === 0 ? 0 : Math.round(realClock.monotonicMs() - this.#startedMs)
  }

  /** Finds places for our own peers. */
  async open(): Promise<Resident[]> {
    const { scenario, seed } = this.#plan
    const { carrier, boot } = scenario.live
    const { mine, host } = this.#options
    this.#bootedMs = realClock.monotonicMs()
    this.#world = await LiveWorld.open({
      peers: rolesOf(this.#plan),
      seed,
      carrier,
      boot,
      link: this.#distances.link,
      ...(scenario.live.execution === 'modelled' ? { executor: modelledExecutor(scenario.live.workMs) } : {}),
      ...(mine === undefined ? {} : { mine }),
      ...(host === undefined ? {} : { host }),
    })
    return this.#world.own
  }

  /** Runs our own peers; `residents` are all there are. */
  async start(residents: readonly Resident[], signal: AbortSignal): Promise<void> {
    const progress = (booted: number): void => {
      if (booted % 50 === 0) this.#say(`  ${booted} of ${this.world.own.length} peers run`)
    }
    await this.world.start(residents, progress, signal)
  }

  /** Once all peers run, here and elsewhere: they join, and it is waited until they are in company. */
  async join(signal: AbortSignal): Promise<BootFindings> {
    const { scenario, seed, peers } = this.#plan
    const { world } = this
    await world.join()
    signal.throwIfAborted()
    const withinMs = scenario.live.boot === 'cold' ? coldMeshWithinMs : meshWithinMs
    const hasMesh = await world.waitForMesh(Math.min(meshDegreeWanted, peers.length - 1), withinMs)
    const meshMs = Math.round(realClock.monotonicMs() - this.#bootedMs)
    const hasRecords = await world.waitForRecords(withinMs)
    const bootMs = Math.round(realClock.monotonicMs() - this.#bootedMs)
    this.#say(`  booted in ${(bootMs / 1000).toFixed(1)} s`)
    const connections = world.peers.reduce((sum, { host }) => sum + host.connections().length, 0)
    const deps = {
      plan: this.#plan,
      isMine: (index: number) => this.#isMine(index),
      peer: (index: number) => world.peer(index),
      elapsedMs: () => this.elapsedMs,
    }
    this.#measures = new Measures(world, {
      seed,
      process: this.#tap,
      regionOf: ({ place }) => this.#distances.regionOf(place.ip),
    })
    this.#faults = new Faults(world, deps.elapsedMs)
    this.#jobs = new Jobs({
      ...deps,
      folder: join(world.folder, 'jobs'),
      onTaken: (requester, id) => void this.#measures!.watchJob(requester, id),
    })
    this.#objects = new Objects({
      ...deps,
      folder: join(world.folder, 'objects'),
      timed: async (kind, work) => this.#measures!.transfer(kind, work),
    })
    this.#onQuiet()
    // What waited meanwhile arrives late, and not on account of what is measured from here on.
    await realClock.sleep(settledMs, signal)
    this.#measures.start()
    return {
      bootMs,
      meshMs,
      meshDegreeMin: world.meshDegreeMin,
      connections,
      isComplete: hasMesh && hasRecords,
    }
  }

  /** A rest, and bids and look-ups that are made in order to be measured. */
  async probe(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { restMs, bids, bidEveryMs, lookUps } = this.#plan.scenario.live.probes
    // What is measured is measured alone.
    await this.world.announced()
    if (restMs > 0) await this.#measures!.rest(restMs, signal)
    if (bids > 0) {
      await this.#measures!.probeBids(bids, Math.max(bidEveryMs, bidMsOfPeer * this.#plan.peers.length))
      this.#say(`  ${bids} bids are measured`)
    }
    if (lookUps > 0) {
      this.#onQuiet()
      await this.#measures!.probeFinds(lookUps)
      this.#say(`  ${lookUps} look-ups are measured`)
    }
  }

  async putObjects(signal: AbortSignal): Promise<void> {
    await this.#objects!.put(signal)
  }

  async getObjects(signal: AbortSignal): Promise<void> {
    this.#read = await this.#objects!.get(signal)
  }

  /** Jobs are asked for and faults happen, each at its time. Resolves when all is over, or time is. */
  async act(signal: AbortSignal): Promise<void> {
    const { faults, scenario } = this.#plan
    const jobs = this.#plan.jobs.filter(({ requester }) => this.#isMine(requester))
    if (this.#plan.jobs.length + faults.length === 0) return
    this.#startedMs = realClock.monotonicMs()
    this.#startedAxisMs = this.#tap.elapsedMs
    using deadline = realClock.deadline(scenario.live.forMs + jobsWithinMs, signal)
    using faultsEnd = realClock.deadline(scenario.live.forMs, signal)
    const at = async (atMs: number, until: AbortSignal, run: () => Promise<void>): Promise<void> => {
      const waited = await realClock.sleep(Math.max(0, atMs - this.elapsedMs), until).then(
        () => true,
        () => false,
      )
      if (waited) await run()
    }
    await Promise.all([
      ...jobs.map(async (job) => at(job.atMs, deadline.signal, async () => this.#jobs!.run(job, deadline.signal))),
      ...faults.map(async (fault, place) =>
        at(fault.atMs, faultsEnd.signal, async () => this.#faults!.run(fault, place, faultsEnd.signal)),
      ),
    ])
  }

  /** Waits for the leases of those that are there to be over. */
  async settle(signal: AbortSignal): Promise<void> {
    if (this.#plan.jobs.length === 0) return
    using deadline = realClock.deadline(leasesWithinMs, signal)
    const lenders = this.world.peers.filter(({ isUp, lends, vice }) => isUp && lends && vice === null)
    for (const { control, life } of lenders) {
      const until = AbortSignal.any([deadline.signal, life])
      while (!until.aborted && (await control.jobs()).some(isAtWork))
        await realClock.sleep(pollMs, until).catch(() => {})
    }
    signal.throwIfAborted()
  }

  /** Waits for the mesh to be whole again after faults. */
  async mend(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#plan.faults.length > 0) await this.world.waitForMesh(meshDegreeWanted, mendedWithinMs)
  }

  async sample(): Promise<ProcessSample | null> {
    return this.#tap.last
  }

  async ties(): Promise<Ties> {
    const { peers, topic } = this.world
    return {
      peers: peers.map(({ index, name, isUp, host, place }) => ({
        index,
        name,
        region: this.#distances.regionOf(place.ip),
        isUp,
        mesh: isUp ? host.meshPeers(topic) : [],
      })),
    }
  }

  async findings(): Promise<PartFindings> {
    const { world } = this
    return {
      findings: this.#measures!.findings(),
      jobs: this.#jobs!.outcomes,
      objects: this.#read,
      faults: this.#faults!.spans,
      lastFaultMs: this.#faults!.lastMs,
      startedMs: this.#startedAxisMs,
      network: world.network,
      rssBytes: process.memoryUsage.rss(),
      errors: world.errors,
    }
  }

  /** Ends all peers, and tells what their disks say. */
  async stop(): Promise<LedgerOfPeer[]> {
    this.#measures?.stop()
    await this.world.stopPeers()
    return readLedgers(this.world.peers)
  }

  async close(): Promise<void> {
    this.#measures?.stop()
    this.#tap.stop()
    await this.#world?.stop()
  }

  #isMine(index: number): boolean {
    const { mine } = this.#options
    return mine === undefined || (index >= mine[0] && index < mine[1])
  }
}

function isAtWork(job: JobView): boolean {
  return job.role === 'provider' && !isOver(job.stage)
}
