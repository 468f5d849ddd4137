/**
 * Makes the sessions of a run yield to the owner's own work and the peer's. Where Linux groups tasks by session (sched(7),
 * autogroup), the niceness of a process counts only within its session, and each session has one of its own.
 */
import { readFileSync, writeFileSync } from 'node:fs'

import { niceness } from './walls.ts'

const groupMax = 256

export class Sessions {
  readonly #told = new Set<string>()

  /** Harmless where there is no such thing. */
  yield(tree: readonly number[]): void {
    for (const pid of tree) {
      const path = `/proc/${pid}/autogroup`
      try {
        const [group = ''] = readFileSync(path, 'latin1').split(' ')
        if (this.#told.has(group) || this.#told.size >= groupMax) continue
        writeFileSync(path, String(niceness))
        this.#told.add(group)
      } catch {
        // It has ended, or the kernel wants to be asked more slowly: the next look asks again.
      }
    }
  }
}
