/** How long the least program takes from its start to its first byte, beside a node that does nothing, with and without namespaces. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { op, sequence } from '../../sim/programs/wasm-builder.ts'
import { program, textAt, write } from '../../sim/programs/wasi-program.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { bareWalls, findWalls, type Walls } from '../../src/execution/walls.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import type { Part } from '../bench.ts'
import { alternate, pair, type Measure } from '../paired.ts'
import { missingRow, pairedRow } from '../report.ts'

const ratioMost = 2.5
const limits = { wallMs: 20_000, memoryBytes: 2 ** 20, outputBytes: 1, logBytes: 1 }
const baseline = 'node -e 0'

export const coldStart: Part = {
  name: 'cold-start',
  about: 'the least program, from its start to its first byte',
  async measure({ rounds, folder, signal }) {
    const says = program((call) => [sequence(write(call, op.i32(1), textAt, 1), op.drop)], { text: '!' })
    const modulePath = join(folder, 'says.wasm')
    await writeFile(modulePath, says)
    const firstByte = (walls: Walls): Measure => {
      const executor = createWasiExecutor({ clock: realClock, log: silentLog, walls })
      return async () => {
        const outputsTarPath = join(folder, 'outputs.tar')
        const startMs = performance.now()
        let firstMs = NaN
        const task = { modulePath, args: [], env: {}, inputs: [], outputsTarPath }
        await executor.run(task, limits, { onLog: () => void (firstMs = performance.now() - startMs) }, signal)
        await rm(outputsTarPath, { force: true })
        return firstMs
      }
    }
    const found = await findWalls(process.execPath)
    const bare = firstByte(await bareWalls(process.execPath))
    const nothing = async (): Promise<number> => {
      const startMs = performance.now()
      await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
      return performance.now() - startMs
    }
    const isWalled = found.isolation === 'bubblewrap'
    // Without namespaces what is measured in their place is measured twice, and not told.
    const figures = await alternate(rounds, { nothing, bare, walled: isWalled ? firstByte(found) : bare })
    const target = { most: ratioMost }
    const walled = 'cold start with bubblewrap'
    return [
      pairedRow('cold start without namespaces', 'ms', baseline, pair(figures.bare, figures.nothing), target),
      isWalled
        ? pairedRow(walled, 'ms', baseline, pair(figures.walled, figures.nothing), target)
        : missingRow(walled, 'ms', baseline, found.detail, target),
    ]
  },
}
