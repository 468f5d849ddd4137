/** Keeps a run to its share of the processors: looks what it has used, and holds it until it may go on. */
import { availableParallelism } from 'node:os'

import type { Clock } from '../environment.ts'
import type { Holds } from './holds.ts'
import { treeOf, usageOf } from './process-usage.ts'
import { ProcessorShare } from './share.ts'

export interface PacedRun {
  readonly folder: string
  /** Of its supervisor. */
  readonly pid: number
  readonly cpuMilli: number
}

/** Returns what stops it. Where there is no /proc nothing is seen, and nothing held. */
export function pace(clock: Pick<Clock, 'after' | 'monotonicMs'>, holds: Holds, run: PacedRun): () => void {
  const { folder, pid, cpuMilli } = run
  const usedMs = (): number | undefined => usageOf(treeOf(pid))?.cpuMs
  const share = new ProcessorShare(cpuMilli, availableParallelism(), usedMs() ?? 0, clock.monotonicMs())
  if (!share.binds) return () => {}
  let cancel = (): void => {}
  const look = (): void => {
    const used = usedMs()
    // It has ended, or is about to.
    if (used === undefined) return
    const { holdMs, lookMs } = share.look(used, clock.monotonicMs())
    if (holdMs === 0) {
      cancel = clock.after(lookMs, look)
      return
    }
    holds.hold(folder, 'share')
    cancel = clock.after(holdMs, () => {
      holds.letGo(folder, 'share')
      look()
    })
  }
  look()
  return () => {
    cancel()
    holds.forget(folder)
  }
}
