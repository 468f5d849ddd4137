/** Runs the program and gives back something else: other words on its output, and other bytes in the files that it made. */
import { open } from 'node:fs/promises'

import { bendExecutor } from './bent-executor.ts'
import type { Vice } from './vice.ts'

/** Where the content of the first file of a tar begins. */
const contentAt = 512

export const lie: Vice = {
  bend: (ports) =>
    bendExecutor(ports, async (run, task, limits, watch, signal) => {
      const onLog: typeof watch.onLog = async (stream, bytes) =>
        watch.onLog(
          stream,
          bytes.map((byte) => byte ^ 1),
        )
      const result = await run(task, limits, { ...watch, onLog }, signal)
      if (result.outputs !== null && result.outputs.bytes > 0) await spoil(result.outputs.path)
      return result
    }),
}

async function spoil(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { buffer } = await file.read(new Uint8Array(1), 0, 1, contentAt)
    buffer[0]! ^= 1
    await file.write(buffer, 0, 1, contentAt)
  } finally {
    await file.close()
  }
}
