/** From the order to run a small program to its first byte, beside a Node that does nothing. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { realClock, silentLog } from '../../src/environment.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import { program, textAt, write } from '../../sim/programs/wasi-program.ts'
import { op, sequence } from '../../sim/programs/wasm-builder.ts'
import type { Part } from '../bench.ts'
import { alternate, pair } from '../paired.ts'
import { pairedRow, type Row } from '../report.ts'
import { ran } from './commands.ts'

/** A start takes some tens of milliseconds: a median wants more of them than of other runs. */
const roundsTimes = 3
const limits = { wallMs: 10_000, memoryBytes: 2 ** 20, outputBytes: 1, logBytes: 16, gas: 1_000_000 }
const hello = program((call) => [sequence(write(call, op.i32(1), textAt, 1), op.drop)], { text: '.' })

export const start: Part = {
  name: 'start',
  about: 'cold start of a small program, to its first byte',
  measure: async ({ rounds, folder, signal }): Promise<Row[]> => {
    const modulePath = join(folder, 'hello.wasm')
    await writeFile(modulePath, hello)
    const executor = createWasiExecutor({ clock: realClock, log: silentLog })
    const firstByteMs = async (): Promise<number> => {
      const beganMs = performance.now()
      let firstMs = NaN
      const task = { modulePath, args: [], env: {}, inputs: [], outputsTarPath: join(folder, 'none.tar') }
      const onLog = (): void => void (firstMs = performance.now() - beganMs)
      const { reason, detail } = await executor.run(task, limits, { onLog }, signal)
      if (reason !== 'exited') throw new Error(`${reason}: ${detail}`)
      return firstMs
    }
    const nodeMs = async (): Promise<number> => (await ran(process.execPath, ['-e', '0'], signal)).wallMs
    const { wasi, node } = await alternate(rounds * roundsTimes, { wasi: firstByteMs, node: nodeMs })
    return [pairedRow('cold start to the first byte, p50', 'ms', 'node -e 0', pair(wasi, node), { most: 2.5 })]
  },
}
