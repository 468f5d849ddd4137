/** Says that a program ran three times as long as it did. */
import type { ExecutionUsage } from '../../../src/execution/executor.ts'
import { bendExecutor } from './bent-executor.ts'
import type { Vice } from './vice.ts'

const factor = 3

const more = (usage: ExecutionUsage): ExecutionUsage => ({
  ...usage,
  wallMs: factor * usage.wallMs,
  cpuMs: factor * usage.cpuMs,
})

export const overMeter: Vice = {
  bend: (ports) =>
    bendExecutor(ports, async (run, task, limits, watch, signal) => {
      const onUsage = (usage: ExecutionUsage): void => watch.onUsage?.(more(usage))
      const result = await run(task, limits, { ...watch, onUsage }, signal)
      return { ...result, usage: more(result.usage) }
    }),
}
