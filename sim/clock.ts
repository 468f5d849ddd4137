/** A clock that stands still until it is told to jump to the next thing that waits. The `Clock` port on virtual time. */
import { DeadlineError, type Clock } from '../src/environment.ts'
import { Heap, type Due } from './heap.ts'

interface Timer extends Due {
  readonly run: () => void
  isCancelled: boolean
}

export class VirtualClock implements Clock {
  #nowMs: number
  #order = 0
  readonly #timers = new Heap<Timer>()

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
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run, isCancelled: false }
    this.#timers.push(timer)
    return () => {
      timer.isCancelled = true
    }
  }

  /** As `after`, for what nobody takes back. */
  post(delayMs: number, run: () => void): void {
    this.#timers.push({ atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run, isCancelled: false })
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
    this.#timers.pop()
    this.#nowMs = Math.max(this.#nowMs, timer.atMs)
    timer.run()
    return true
  }

  /** What was cancelled is thrown away when it comes to the top. */
  #soonest(): Timer | undefined {
    for (let timer = this.#timers.peek(); timer !== undefined; timer = this.#timers.peek()) {
      if (!timer.isCancelled) return timer
      this.#timers.pop()
    }
    return undefined
  }
}
