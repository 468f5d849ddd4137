/** The clock of one life of a peer: skewed against the world's, and dead with the peer: what was set then never fires. */
import { DeadlineError, type Clock, type Deadline } from '../../src/environment.ts'
import type { VirtualClock } from '../clock.ts'
import { LightSignal } from './light-signal.ts'

export class LifeClock implements Clock {
  readonly #world: VirtualClock
  /** How far this peer's clock is ahead of the world's, in milliseconds. */
  skewMs: number
  isOver = false
  /** Until then nothing happens at this peer: it hangs, and goes on as if nothing had been. */
  frozenUntilMs = 0

  constructor(world: VirtualClock, skewMs: number) {
    this.#world = world
    this.skewMs = skewMs
  }

  /** Whole, as a real clock's, though what was waited for was not. */
  nowMs(): number {
    return Math.floor(this.#world.nowMs()) + this.skewMs
  }

  monotonicMs(): number {
    return this.#world.nowMs()
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#world.after(delayMs, () => this.live(run))
  }

  /** As `after`, for what nobody takes back. */
  post(delayMs: number, run: () => void): void {
    this.#world.post(delayMs, () => this.live(run))
  }

  /** Runs this now, later when the peer hangs, and not at all when this life is over. */
  live(run: () => void): void {
    if (this.isOver) return
    const restMs = this.frozenUntilMs - this.#world.nowMs()
    if (restMs > 0) this.#world.post(restMs, () => this.live(run))
    else run()
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => {
      cancel()
      reject(signal.reason as Error)
    }
    const cancel = this.after(delayMs, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
    return promise
  }

  /** Not the world's: a deadline of a peer that hangs passes when it wakes up, and one of a life that is over never. */
  deadline(delayMs: number, parent?: AbortSignal): Deadline {
    const signal = new LightSignal()
    const onParent = (): void => signal.fire(parent?.reason)
    const cancel = this.after(delayMs, () => signal.fire(new DeadlineError(delayMs)))
    if (parent?.aborted === true) onParent()
    else parent?.addEventListener('abort', onParent, { once: true })
    return {
      signal: signal.asSignal,
      [Symbol.dispose]() {
        cancel()
        parent?.removeEventListener('abort', onParent)
      },
    }
  }
}
