/** The clock of a machine that is wrong by so much. Durations are as long as anywhere. */
import type { Clock } from '../../src/environment.ts'

export class SkewedClock implements Clock {
  /** How far it is ahead; may change while peers use it, as when somebody sets it. */
  aheadMs: number
  readonly #clock: Clock

  constructor(clock: Clock, aheadMs: number) {
    this.#clock = clock
    this.aheadMs = aheadMs
  }

  readonly nowMs = (): number => this.#clock.nowMs() + this.aheadMs
  readonly monotonicMs = (): number => this.#clock.monotonicMs()
  readonly after: Clock['after'] = (delayMs, run) => this.#clock.after(delayMs, run)
  readonly sleep: Clock['sleep'] = async (delayMs, signal) => this.#clock.sleep(delayMs, signal)
  readonly deadline: Clock['deadline'] = (delayMs, parent) => this.#clock.deadline(delayMs, parent)
}
