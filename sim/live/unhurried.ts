/**
 * Lets one thing after another begin, and only while the event loop comes round in time. What is begun while it does not
 * makes everything wait longer that is under way, until it runs out of time and is done again: on a machine that others use
 * too, a boot of a thousand peers spent more on that than on peers.
 */
import { performance } from 'node:perf_hooks'

import { pause } from './waits.ts'

/** Later than this, nothing more is begun: the latency of a link. */
const lateMsMax = 40
const lookEveryMs = 1

export class Unhurried {
  #before: Promise<void> = Promise.resolve()

  /** Resolves when it is the caller's turn to begin. */
  async turn(): Promise<void> {
    const turn = this.#before.then(async () => {
      while ((await lateMs()) > lateMsMax);
    })
    this.#before = turn
    return turn
  }
}

async function lateMs(): Promise<number> {
  const beforeMs = performance.now()
  await pause(lookEveryMs)
  return performance.now() - beforeMs - lookEveryMs
}
