/** Says done at once, having run nothing, and that it took all the time that it was given. */
import { bendExecutor } from './bent-executor.ts'
import type { Vice } from './vice.ts'

/** What would be believed. */
const gasPerMs = 1_000_000

export const lazy: Vice = {
  bend: (ports) =>
    bendExecutor(ports, async (_run, _task, { wallMs, memoryBytes }) => ({
      reason: 'exited',
      exitCode: 0,
      detail: '',
      usage: {
        wallMs,
        cpuMs: wallMs,
        gas: wallMs * gasPerMs,
        memoryBytesPeak: memoryBytes,
        outputBytes: 0,
        stdoutBytes: 0,
        stderrBytes: 0,
      },
      outputs: null,
    })),
}
