/** A clock that stands still until it is told to jump to the next thing that waits. The `Clock` port on virtual time. */
import { DeadlineError, type Clock } from '../src/environment.ts'

interface Timer {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class VirtualClock implements Clock {
  #nowMs: number
  #order = 0
  readonly #timers = new Set<Timer>()

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const cancel = this.after(delayMs, resolve)
    signal.addEventListener(
      'abort',
      () => {
        cancel()
        reject(signal.reason as Error)
      },
      { once: true },
    )
    return promise
  }

  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void } {
    const controller = new AbortController()
    const cancel = this.after(delayMs, () => controller.abort(new DeadlineError(delayMs)))
    const onParent = (): void => controller.abort(parent?.reason)
    if (parent?.aborted === true) onParent()
    parent?.addEventListener('abort', onParent, { once: true })
    return {
      signal: controller.signal,
      [Symbol.dispose]() {
        cancel()
        parent?.removeEventListener('abort', onParent)
      },
    }
  }

  /** When the next timer is due, or undefined when nothing waits. */
  get nextMs(): number | undefined {
    return this.#soonest()?.atMs
  }

  /** Jumps to the next timer and runs it. False when nothing waits. Timers of one moment run in the order they were set. */
  jump(): boolean {
    const timer = this.#soonest()
    if (timer === undefined) return false
    this.#timers.delete(timer)
    this.#nowMs = Math.max(this.#nowMs, timer.atMs)
    timer.run()
    return true
  }

  #soonest(): Timer | undefined {
    let best: Timer | undefined
    for (const timer of this.#timers) {
      if (best === undefined || timer.atMs < best.atMs || (timer.atMs === best.atMs && timer.order < best.order))
        best = timer
    }
    return best
  }
}
