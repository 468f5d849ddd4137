/** How long the least program takes from its start to its first byte, beside a node that does nothing, with and without namespaces. */
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
import { ran } from './commands.ts'

const ratioMost = 2.5
/** A start takes some tens of milliseconds: a median wants more of them than of other runs. */
const roundsTimes = 3
const limits = {
  wallMs: 20_000,
  cpuMilli: 1_000_000,
  memoryBytes: 2 ** 20,
  outputBytes: 1,
  logBytes: 1,
  gas: 1_000_000,
}
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
        const onLog = (): void => void (firstMs = performance.now() - startMs)
        const { reason, detail } = await executor.run(task, limits, { onLog }, signal)
        await rm(outputsTarPath, { force: true })
        if (reason !== 'exited') throw new Error(`${reason}: ${detail}`)
        return firstMs
      }
    }
    const found = await findWalls(process.execPath)
    const bare = firstByte(await bareWalls(process.execPath))
    const nothing = async (): Promise<number> => (await ran(process.execPath, ['-e', '0'], signal)).wallMs
    const isWalled = found.isolation === 'bubblewrap'
    // Without namespaces what is measured in their place is measured twice, and not told.
    const figures = await alternate(rounds * roundsTimes, { nothing, bare, walled: isWalled ? firstByte(found) : bare })
    const target = { most: ratioMost }
    const walled = 'cold start to the first byte, with bubblewrap'
    return [
      pairedRow(
        'cold start to the first byte, without namespaces',
        'ms',
        baseline,
        pair(figures.bare, figures.nothing),
        target,
      ),
      isWalled
        ? pairedRow(walled, 'ms', baseline, pair(figures.walled, figures.nothing), target)
        : missingRow(walled, 'ms', baseline, found.detail, target),
    ]
  },
}
