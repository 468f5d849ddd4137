/**
 * Those peers of a live run that one process has, and what happens to them: the boot, the probes, the jobs, the faults, and in the end
 * what was found and what their disks say. A run is one part, or several that are told what to do at the same time.
 */
import { join } from 'node:path'

import type { JobView } from '../../../src/control/api.ts'
import { realClock } from '../../../src/environment.ts'
import { readLedgers, type LedgerOfPeer } from './ledgers.ts'
import { Measures } from '../measures/measures.ts'
import { ProcessTap } from '../measures/process-tap.ts'
import type { LiveFindings, ProcessSample } from '../measures/findings.ts'
import { LiveWorld } from '../world.ts'
import { Faults, type FaultSpan } from './faults.ts'
import { isOver, Jobs, type JobOutcome } from './jobs.ts'
import { linkOf } from './link-of.ts'
import { Objects, type ObjectOutcome } from './objects.ts'
import type { LivePlan } from './plan.ts'

/** gossipsub's Dlo: below it a peer looks for more. */
export const meshDegreeWanted = 4
/** What is not there after this will not come. */
const meshWithinMs = 60_000
const coldMeshWithinMs = 180_000
/** Jobs that are asked for last have this long, beyond the time of the run. */
const jobsWithinMs = 90_000
/** A job is over for its requester before its provider has the last signature. */
const leasesWithinMs = 30_000
const pollMs = 200
/** What was wrong when the last fault was mended has this long to be right again. */
const mendedWithinMs = 20_000

export interface BootFindings {
  readonly bootMs: number
  readonly meshDegreeMin: number
  readonly connectionsMean: number
  /** Whether all that was waited for came. */
  readonly isComplete: boolean
}

/** Who is there, and who is a neighbour of whom in the mesh of the bids. */
export interface Ties {
  readonly peers: readonly {
    readonly index: number
    readonly name: string
    readonly isUp: boolean
    readonly mesh: readonly string[]
  }[]
}

export interface PartFindings {
  readonly findings: LiveFindings
  readonly jobs: readonly JobOutcome[]
  readonly objects: readonly ObjectOutcome[]
  readonly faults: readonly FaultSpan[]
  readonly lastFaultMs: number
  /** On the axis of the samples of the process: when the jobs and the faults began. */
  readonly startedMs: number
  readonly network: string
  readonly rssBytes: number
  /** What peers logged as errors. */
  readonly errors: readonly string[]
}

export interface PartOptions {
  readonly plan: LivePlan
  readonly say: (line: string) => void
  /** What is done from now on. */
  readonly onPhase?: (phase: string) => void
  /** The peers are there, and nothing is measured yet. */
  readonly onBooted?: () => void
  readonly onSample?: (sample: ProcessSample) => void
}

export class LivePart {
  readonly #plan: LivePlan
  readonly #say: (line: string) => void
  readonly #onPhase: (phase: string) => void
  readonly #onBooted: () => void
  readonly #tap: ProcessTap
  #world: LiveWorld | undefined
  #measures: Measures | undefined
  #jobs: Jobs | undefined
  #objects: Objects | undefined
  #faults: Faults | undefined
  #read: readonly ObjectOutcome[] = []
  #startedMs = 0
  #startedAxisMs = 0

  constructor({ plan, say, onPhase = () => {}, onBooted = () => {}, onSample }: PartOptions) {
    this.#plan = plan
    this.#say = say
    this.#onPhase = onPhase
    this.#onBooted = onBooted
    this.#tap = new ProcessTap('all peers', onSample)
  }

  get world(): LiveWorld {
    if (this.#world === undefined) throw new Error('the world has not booted yet')
    return this.#world
  }

  /** Milliseconds since the jobs and the faults began. */
  get elapsedMs(): number {
    return this.#startedMs === 0 ? 0 : Math.round(realClock.monotonicMs() - this.#startedMs)
  }

  async boot(signal: AbortSignal): Promise<BootFindings> {
    const { scenario, seed, peers } = this.#plan
    const { carrier, boot } = scenario.live
    const beganMs = realClock.monotonicMs()
    const world = await LiveWorld.boot(
      {
        peers,
        seed,
        carrier,
        boot,
        link: linkOf(scenario, seed),
      },
      (booted) => {
        if (booted % 50 === 0) this.#say(`  ${booted} of ${peers.length} peers run`)
      },
    )
    this.#world = world
    signal.throwIfAborted()
    const withinMs = boot === 'cold' ? coldMeshWithinMs : meshWithinMs
    const hasMesh = await world.waitForMesh(Math.min(meshDegreeWanted, peers.length - 1), withinMs)
    const hasRecords = await world.waitForRecords(withinMs)
    const bootMs = Math.round(realClock.monotonicMs() - beganMs)
    this.#say(`  booted in ${(bootMs / 1000).toFixed(1)} s`)
    const connections = world.peers.reduce((sum, { host }) => sum + host.connections().length, 0)
    const deps = { plan: this.#plan, peer: (index: number) => world.peer(index), elapsedMs: () => this.elapsedMs }
    this.#measures = new Measures(world, { seed, process: this.#tap })
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
    this.#onBooted()
    this.#measures.start()
    return {
      bootMs,
      meshDegreeMin: world.meshDegreeMin,
      connectionsMean: connections / peers.length,
      isComplete: hasMesh && hasRecords,
    }
  }

  /** Bids and look-ups that are made in order to be measured. */
  async probe(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#onPhase('probes')
    const { bids, lookUps } = this.#plan.scenario.live.probes
    if (bids > 0) {
      await this.#measures!.probeBids(bids)
      this.#say(`  ${bids} bids are measured`)
    }
    if (lookUps > 0) {
      await this.#measures!.probeFinds(lookUps)
      this.#say(`  ${lookUps} look-ups are measured`)
    }
  }

  async putObjects(signal: AbortSignal): Promise<void> {
    this.#onPhase('objects')
    await this.#objects!.put(signal)
  }

  async getObjects(signal: AbortSignal): Promise<void> {
    this.#onPhase('objects')
    this.#read = await this.#objects!.get(signal)
  }

  /** Jobs are asked for and faults happen, each at its time. Resolves when all is over, or time is. */
  async act(signal: AbortSignal): Promise<void> {
    const { jobs, faults, scenario } = this.#plan
    if (jobs.length + faults.length === 0) return
    this.#onPhase(jobs.length > 0 ? 'jobs' : 'faults')
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
      ...faults.map(async (fault) =>
        at(fault.atMs, faultsEnd.signal, async () => this.#faults!.run(fault, faultsEnd.signal)),
      ),
    ])
  }

  /** Waits for the leases of those that are there to be over. */
  async settle(signal: AbortSignal): Promise<void> {
    if (this.#plan.jobs.length === 0) return
    this.#onPhase('settling')
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

  ties(): Ties {
    const { peers, topic } = this.world
    return {
      peers: peers.map(({ index, name, isUp, host }) => ({
        index,
        name,
        isUp,
        mesh: isUp ? host.meshPeers(topic) : [],
      })),
    }
  }

  findings(): PartFindings {
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
    this.#onPhase('stopping')
    this.#measures?.stop()
    await this.world.stopPeers()
    return readLedgers(this.world.peers)
  }

  async close(): Promise<void> {
    this.#measures?.stop()
    this.#tap.stop()
    await this.#world?.stop()
  }
}

function isAtWork(job: JobView): boolean {
  return job.role === 'provider' && !isOver(job)
}
