/** Holds a program in its container, and lets it go on: in the order in which that was wanted, however slow the engine is. */
import type { Clock } from '../../environment.ts'
import type { Container } from './container.ts'

const answerMs = 10_000

export class Hold {
  readonly #clock: Clock
  #program: Container | undefined
  #isWanted = false
  #isHeld = false
  #turn: Promise<void> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isWanted(): boolean {
    return this.#isWanted
  }

  /** From now on there is something to hold. */
  begin(program: Container): void {
    this.#program = program
    this.want(this.#isWanted)
  }

  want(isHeld: boolean): void {
    this.#isWanted = isHeld
    this.#turn = this.#turn.then(async () => this.#apply()).catch(() => {})
  }

  /** What is held cannot end everywhere (cgroups v1): it is let go on, to die. */
  async release(): Promise<void> {
    this.want(false)
    await this.#turn
  }

  async #apply(): Promise<void> {
    const isHeld = this.#isWanted
    if (this.#program === undefined || isHeld === this.#isHeld) return
    using deadline = this.#clock.deadline(answerMs)
    if (isHeld) await this.#program.pause(deadline.signal)
    else await this.#program.unpause(deadline.signal)
    this.#isHeld = isHeld
  }
}
