/** Takes ten times as long as the program does, and bills it: less than nothing is wrong with what it says. */
import { bendExecutor } from './bent-executor.ts'
import type { Vice } from './vice.ts'

const factor = 10

export const slow: Vice = {
  bend: (ports, { clock }) =>
    bendExecutor(ports, async (run, task, limits, watch, signal) => {
      const startedMs = clock.monotonicMs()
      const result = await run(task, limits, watch, signal)
      const tookMs = clock.monotonicMs() - startedMs
      const restMs = Math.min((factor - 1) * tookMs, limits.wallMs - tookMs)
      try {
        if (restMs > 0) await clock.sleep(restMs, signal)
      } catch {
        return { ...result, reason: 'cancelled', exitCode: null, outputs: null }
      }
      const wallMs = Math.min(limits.wallMs, Math.round(factor * result.usage.wallMs))
      return { ...result, usage: { ...result.usage, wallMs } }
    }),
}
