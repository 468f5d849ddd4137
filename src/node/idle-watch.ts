/** Looks how busy the machine is with what is not ours, and says when that changes. */
import { cpus } from 'node:os'

import type { Clock } from '../environment.ts'
import { idleAtFirst, stepIdle } from '../market/idle-policy.ts'

const lookEveryMs = 2_000

export interface IdleWatchDeps {
  readonly clock: Clock
  /** Processors that are at work for others, in thousandths: not the owner's doing. */
  readonly lentMilli: () => number
  readonly onChange: (isIdle: boolean) => void
  /** Ticks of all processors since the system began. */
  readonly ticks?: () => Ticks
}

export interface Ticks {
  readonly busy: number
  readonly all: number
  readonly cores: number
}

/** The returned function ends it. */
export function watchIdleness({ clock, lentMilli, onChange, ticks = systemTicks }: IdleWatchDeps): () => void {
  let state = idleAtFirst
  let before = ticks()
  let cancel = (): void => {}
  const look = (): void => {
    const now = ticks()
    const all = now.all - before.all
    const used = all === 0 ? 0 : (now.busy - before.busy) / all
    before = now
    const ours = lentMilli() / 1_000 / Math.max(1, now.cores)
    const next = stepIdle(state, Math.max(0, used - ours), clock.monotonicMs())
    if (next.isIdle !== state.isIdle) onChange(next.isIdle)
    state = next
    cancel = clock.after(lookEveryMs, look)
  }
  cancel = clock.after(lookEveryMs, look)
  return () => cancel()
}

function systemTicks(): Ticks {
  const each = cpus()
  let [busy, all] = [0, 0]
  for (const { times } of each) {
    const sum = times.user + times.nice + times.sys + times.irq + times.idle
    all += sum
    busy += sum - times.idle
  }
  return { busy, all, cores: each.length }
}
