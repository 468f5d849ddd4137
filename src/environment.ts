/**
 * The ports through which a peer meets the world: time, chance, log. The only file of `src` (with the command line) that
 * reads the real clock or dice; everything else is handed these, so that a simulator can hand it others.
 */
import { randomBytes } from 'node:crypto'

export interface Clock {
  /** Milliseconds since the epoch; may step when the machine's clock is set. For statements and expiry. */
  nowMs(): number
  /** Milliseconds since some fixed moment; never steps. For durations and deadlines. */
  monotonicMs(): number
  /** Calls `run` once after `delayMs`. The returned function cancels; cancelling twice is lawful. */
  after(delayMs: number, run: () => void): () => void
  /** Resolves after `delayMs`; rejects with the signal's reason when it fires first. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>
  /** A signal that fires `delayMs` from now, or when `parent` does. Dispose to cancel its timer. */
  deadline(delayMs: number, parent?: AbortSignal): Deadline
}

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
}

export interface Random {
  bytes(count: number): Uint8Array
  /** Uniform in [0, 1). */
  float(): number
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Log {
  (level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>): void
}

/** A wait that crossed its deadline. `what` names what was waited for. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
  readonly delayMs: number

  constructor(delayMs: number) {
    super(`no answer within ${delayMs} ms`)
    this.delayMs = delayMs
  }
}

export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  sleep: async (delayMs, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal.reason as Error)
      }
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      signal.addEventListener('abort', onAbort, { once: true })
    }),
  deadline(delayMs, parent) {
    const controller = new AbortController()
    const onParent = (): void => controller.abort(parent?.reason)
    const timer = setTimeout(() => controller.abort(new DeadlineError(delayMs)), delayMs)
    if (parent?.aborted === true) onParent()
    parent?.addEventListener('abort', onParent, { once: true })
    return {
      signal: controller.signal,
      [Symbol.dispose]() {
        clearTimeout(timer)
        parent?.removeEventListener('abort', onParent)
      },
    }
  },
}

export const realRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  float: () => Math.random(),
}

export const silentLog: Log = () => {}
