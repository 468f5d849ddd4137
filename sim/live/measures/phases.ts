/** What a process and its peers took while one kind of thing was done, or nothing. */
import type { ProcessTap } from './process-tap.ts'
import { carriedSince, type Carried } from './traffic.ts'

/** A time in which one kind of thing was done, or nothing, and what that took. */
export interface PhaseFindings {
  readonly name: string
  /** How often it was done; 0 where nothing was. */
  readonly count: number
  readonly forMs: number
  /** Of the processor. */
  readonly cpuMs: number
  /** Of the processor, since the process began to be watched until it began. */
  readonly cpuBeforeMs: number
  /** When it began. */
  readonly rssBytes: number
  readonly heapBytes: number
  /** What was sent in it, by protocol. */
  readonly traffic: Readonly<Record<string, Carried>>
}

export class Phases {
  readonly #process: ProcessTap
  /** What was sent so far. */
  readonly #carried: () => Record<string, Carried>
  readonly #over: PhaseFindings[] = []

  constructor(watched: ProcessTap, carried: () => Record<string, Carried>) {
    this.#process = watched
    this.#carried = carried
  }

  /** Does this, and notes what it took. What fails is not noted. */
  async run(name: string, count: number, work: () => Promise<void>): Promise<void> {
    const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage()
    const [beganMs, cpuBeforeMs, before] = [performance.now(), this.#process.cpuMs, this.#carried()]
    await work()
    this.#over.push({
      name,
      count,
      forMs: performance.now() - beganMs,
      cpuMs: this.#process.cpuMs - cpuBeforeMs,
      cpuBeforeMs,
      rssBytes,
      heapBytes,
      traffic: carriedSince(before, this.#carried()),
    })
  }

  findings(): PhaseFindings[] {
    return [...this.#over]
  }
}
