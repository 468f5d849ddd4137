/**
 * A run is one part, or several that are told the same at the same time: each has some of the peers, in a process of its own, on this
 * machine or on others. What a part is told and what it answers is plain data.
 */
import { merge, type LiveFindings, type ProcessSample } from '../measures/findings.ts'
import { mergeSamples } from '../measures/merge-samples.ts'
import type { Resident } from '../world.ts'
import type { FaultSpan } from './faults.ts'
import type { JobOutcome } from './jobs.ts'
import type { LedgerOfPeer } from './ledgers.ts'
import type { ObjectOutcome } from './objects.ts'

export interface BootFindings {
  readonly bootMs: number
  /** Of that, until everybody was in the mesh. */
  readonly meshMs: number
  readonly meshDegreeMin: number
  /** Of all peers; each has two ends. */
  readonly connections: number
  /** Whether all that was waited for came. */
  readonly isComplete: boolean
}

/** Who is there, and who is a neighbour of whom in the mesh of the bids. */
export interface Ties {
  readonly peers: readonly {
    readonly index: number
    readonly name: string
    readonly region: string | null
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

/** In the order in which they are called, each when all parts are done with the one before. */
export interface Part {
  /** Finds places for its own peers. */
  open(): Promise<readonly Resident[]>
  /** Runs them; `residents` are all there are. */
  start(residents: readonly Resident[], signal: AbortSignal): Promise<void>
  /** They join, and it is waited until they are in company. */
  join(signal: AbortSignal): Promise<BootFindings>
  /** Bids and look-ups that are made in order to be measured. */
  probe(signal: AbortSignal): Promise<void>
  putObjects(signal: AbortSignal): Promise<void>
  getObjects(signal: AbortSignal): Promise<void>
  /** Jobs are asked for and faults happen, each at its time. Resolves when all is over, or time is. */
  act(signal: AbortSignal): Promise<void>
  /** Waits for the leases of those that are there to be over. */
  settle(signal: AbortSignal): Promise<void>
  /** Waits for the mesh to be whole again after faults. */
  mend(signal: AbortSignal): Promise<void>
  /** At any time: what its process did in the last second; null before there was one. */
  sample(): Promise<ProcessSample | null>
  ties(): Promise<Ties>
  findings(): Promise<PartFindings>
  /** Ends all its peers, and tells what their disks say. */
  stop(): Promise<readonly LedgerOfPeer[]>
  /** Leaves nothing behind. */
  close(): Promise<void>
}

/** Several parts as one. */
export class PartGroup implements Part {
  readonly #parts: readonly Part[]

  constructor(parts: readonly Part[]) {
    this.#parts = parts
  }

  async open(): Promise<readonly Resident[]> {
    return (await this.#all(async (part) => part.open())).flat()
  }

  async start(residents: readonly Resident[], signal: AbortSignal): Promise<void> {
    await this.#all(async (part) => part.start(residents, signal))
  }

  async join(signal: AbortSignal): Promise<BootFindings> {
    const found = await this.#all(async (part) => part.join(signal))
    return {
      bootMs: Math.max(...found.map(({ bootMs }) => bootMs)),
      meshMs: Math.max(...found.map(({ meshMs }) => meshMs)),
      meshDegreeMin: Math.min(...found.map(({ meshDegreeMin }) => meshDegreeMin)),
      connections: found.reduce((sum, { connections }) => sum + connections, 0),
      isComplete: found.every(({ isComplete }) => isComplete),
    }
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#all(async (part) => part.probe(signal))
  }

  async putObjects(signal: AbortSignal): Promise<void> {
    await this.#all(async (part) => part.putObjects(signal))
  }

  async getObjects(signal: AbortSignal): Promise<void> {
    await this.#all(async (part) => part.getObjects(signal))
  }

  async act(signal: AbortSignal): Promise<void> {
    await this.#all(async (part) => part.act(signal))
  }

  async settle(signal: AbortSignal): Promise<void> {
    await this.#all(async (part) => part.settle(signal))
  }

  async mend(signal: AbortSignal): Promise<void> {
    await this.#all(async (part) => part.mend(signal))
  }

  async sample(): Promise<ProcessSample | null> {
    return mergeSamples((await this.#all(async (part) => part.sample())).filter((sample) => sample !== null))
  }

  async ties(): Promise<Ties> {
    return { peers: (await this.#all(async (part) => part.ties())).flatMap(({ peers }) => peers) }
  }

  async findings(): Promise<PartFindings> {
    const found = await this.#all(async (part) => part.findings())
    const [first] = found
    return {
      findings: merge(found.map(({ findings }) => findings)),
      jobs: found.flatMap(({ jobs }) => jobs),
      objects: found.flatMap(({ objects }) => objects),
      faults: mergeSpans(found.flatMap(({ faults }) => faults)),
      lastFaultMs: Math.max(...found.map(({ lastFaultMs }) => lastFaultMs)),
      startedMs: first!.startedMs,
      network: first!.network,
      rssBytes: found.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
      errors: found.flatMap(({ errors }) => errors),
    }
  }

  async stop(): Promise<readonly LedgerOfPeer[]> {
    const ledgers = (await this.#all(async (part) => part.stop())).flat()
    return ledgers.toSorted((left, right) => left.index - right.index)
  }

  /** All are told, whatever becomes of the others. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#parts.map(async (part) => part.close()))
  }

  async #all<Result>(call: (part: Part) => Promise<Result>): Promise<Result[]> {
    return Promise.all(this.#parts.map(call))
  }
}

/** A fault that several parts had is one: from when it began anywhere until it was mended everywhere. */
function mergeSpans(spans: readonly FaultSpan[]): FaultSpan[] {
  return [...Map.groupBy(spans, ({ fault }) => fault)].map(([fault, same]) => ({
    fault,
    atMs: Math.min(...same.map(({ atMs }) => atMs)),
    untilMs: same.some(({ untilMs }) => untilMs === null) ? null : Math.max(...same.map(({ untilMs }) => untilMs!)),
  }))
}
