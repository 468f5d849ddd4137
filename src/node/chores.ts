/** What a peer does for what it keeps, and for what others keep for it, while it is up and nobody asks. */
import type { Clock, Log, Random } from '../environment.ts'

export interface Chore {
  readonly name: string
  /** Until the first time, and between two: of that, up to `jitter` more or less, so that peers that begin together do not go on so. */
  readonly firstMs: number
  readonly everyMs: number
  readonly run: (signal: AbortSignal) => Promise<void>
}

const jitter = 0.25

/** Each chore at its own pace, never twice at once. `stop` ends what is under way. */
export class Chores {
  readonly #deps: { readonly clock: Clock; readonly random: Random; readonly log: Log }
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []

  constructor(deps: { readonly clock: Clock; readonly random: Random; readonly log: Log }) {
    this.#deps = deps
  }

  start(chores: readonly Chore[]): void {
    for (const chore of chores) this.#running.push(this.#repeat(chore))
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the peer stops'))
    await Promise.all(this.#running)
  }

  async #repeat({ name, firstMs, everyMs, run }: Chore): Promise<void> {
    const { clock, random, log } = this.#deps
    const { signal } = this.#stop
    const around = (ms: number): number => ms * (1 + jitter * (2 * random.float() - 1))
    try {
      await clock.sleep(around(firstMs), signal)
      for (;;) {
        try {
          await run(signal)
        } catch (error) {
          signal.throwIfAborted()
          log('warn', `${name} failed`, { error })
        }
        await clock.sleep(around(everyMs), signal)
      }
    } catch {
      // Only the end of the peer comes here.
    }
  }
}
