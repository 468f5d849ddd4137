/**
 * How much of the processors a run may have: a bucket of processor time, filled at its share and no fuller than a burst. Pure:
 * whoever looks brings what was used and the time.
 */

/** What a run may use at once after it has waited: a program that starts is compiled, and that cannot be spread. */
export const burstMs = 1_000
/** So much that a hold is worth two signals to each process. */
const heldMsMin = 20
/** A run is let go on after this at the latest, and looked at again. */
const heldMsMax = 1_000
const lookMsMin = 25
const milli = 1_000

export interface Pace {
  /** For how long the run is to be held now; 0: it goes on. */
  readonly holdMs: number
  /** When to look again, counted from now or from the end of the hold: before that it cannot have used up what it has. */
  readonly lookMs: number
}

export class ProcessorShare {
  readonly #cpuMilli: number
  readonly #processors: number
  #creditMs = burstMs
  #usedMs = 0
  #atMs: number

  /** `processors`: of the machine, so many it can use at one time. `usedMs`: what it had used at `nowMs`. */
  constructor(cpuMilli: number, processors: number, usedMs: number, nowMs: number) {
    this.#cpuMilli = cpuMilli
    this.#processors = processors
    this.#usedMs = usedMs
    this.#atMs = nowMs
  }

  /** Whether anything need be looked at: who may have all of the machine cannot have more. */
  get binds(): boolean {
    return this.#cpuMilli < this.#processors * milli
  }

  /** `usedMs`: processor time since the beginning. A process that ended takes its time with it, so it may fall; that is no gain. */
  look(usedMs: number, nowMs: number): Pace {
    const gained = ((nowMs - this.#atMs) * this.#cpuMilli) / milli
    this.#creditMs = Math.min(burstMs, this.#creditMs + gained) - Math.max(0, usedMs - this.#usedMs)
    this.#usedMs = usedMs
    this.#atMs = nowMs
    const owedMs = -this.#creditMs * (milli / this.#cpuMilli)
    return {
      holdMs: owedMs < heldMsMin ? 0 : Math.min(heldMsMax, Math.ceil(owedMs)),
      lookMs: Math.max(lookMsMin, Math.floor(this.#creditMs / this.#processors)),
    }
  }
}
