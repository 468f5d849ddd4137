/** The wish that a peer in the foreground should stop: the first signal asks, the second does not wait for an answer. */
import { constants } from 'node:os'

const stopping = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface StopWish {
  /** Fires at the first signal, or when somebody calls `ask`. */
  readonly signal: AbortSignal
  /** Resolves then. */
  readonly asked: Promise<void>
  ask(): void
}

export function listenForStop(): StopWish {
  const controller = new AbortController()
  const { promise, resolve } = Promise.withResolvers<void>()
  const ask = (): void => {
    controller.abort(new Error('asked to stop'))
    resolve()
  }
  for (const name of stopping) {
    process.on(name, () => {
      // As after a kill -9, which is lawful at any time.
      if (controller.signal.aborted) process.exit(128 + constants.signals[name])
      ask()
    })
  }
  return { signal: controller.signal, asked: promise, ask }
}
