/** An executor that runs nothing: the work is a wait, and the output is what the simulator's program would have left. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { realClock } from '../../../src/environment.ts'
import type { ExecutionResult, Executor } from '../../../src/execution/executor.ts'
import { packFolder } from '../../../src/execution/tar-write.ts'
import { digestOf, digestPath } from '../../programs/digest.ts'

const tarLimits = { entriesMax: 8, bytesMax: 2 ** 20 }

export function modelledExecutor(workMs: number): Executor {
  return {
    probe: async () => ({
      usable: true,
      engine: 'wasi-preview1',
      isolation: 'none: nothing is run',
      detail: 'a stand-in of the simulator',
      startMs: 0,
    }),

    // A wait ends with its peer: whoever comes back waits again.
    attach: async () => null,
    end: async () => {},
    suspend: () => {},
    resume: () => {},

    async run({ stdinPath, outputsTarPath }, { wallMs }, _watch, signal) {
      const startedMs = realClock.monotonicMs()
      const resultOf = (reason: ExecutionResult['reason'], outputs: ExecutionResult['outputs']): ExecutionResult => ({
        reason,
        exitCode: reason === 'exited' ? 0 : null,
        detail: '',
        usage: {
          wallMs: Math.ceil(realClock.monotonicMs() - startedMs),
          cpuMs: 1,
          gas: 1,
          memoryBytesPeak: 65_536,
          outputBytes: outputs?.bytes ?? 0,
          stdoutBytes: 0,
          stderrBytes: 0,
        },
        outputs,
      })
      const isDone = await realClock.sleep(Math.min(workMs, wallMs), signal).then(
        () => true,
        () => false,
      )
      if (!isDone) return resultOf('cancelled', null)
      if (workMs > wallMs) return resultOf('wall-limit', null)
      const input = stdinPath === undefined ? new Uint8Array() : await readFile(stdinPath)
      const folder = join(dirname(outputsTarPath), 'out.modelled')
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, digestPath), digestOf(input))
      const { files, bytes } = await packFolder(folder, outputsTarPath, tarLimits)
      await rm(folder, { recursive: true })
      return resultOf('exited', { path: outputsTarPath, files, bytes })
    },
  }
}
