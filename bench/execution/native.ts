/** A whole task in WebAssembly, from its start to its result, beside the native program from its start to its end. */
import { closeSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { realClock, silentLog } from '../../src/environment.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import type { Part } from '../bench.ts'
import { alternate, pair } from '../paired.ts'
import { missingRow, pairedRow, type Row } from '../report.ts'
import { ran } from './commands.ts'
import { programs, type Program } from './programs.ts'

const mib = 2 ** 20
const limits = {
  wallMs: 120_000,
  memoryBytes: 512 * mib,
  outputBytes: mib,
  logBytes: 256 * mib,
  cpuMilli: 1_000_000,
  gas: Number.MAX_SAFE_INTEGER,
}
const baseline = 'native'

export const native: Part = {
  name: 'native',
  about: 'whole tasks beside the same programs without WebAssembly',
  measure: async (circumstances): Promise<Row[]> => {
    const { rounds, folder, say, signal } = circumstances
    const { all, missing } = await programs(circumstances)
    const executor = createWasiExecutor({ clock: realClock, log: silentLog })
    const rows: Row[] = missing.map(({ name, why }) => missingRow(name, 'ms', baseline, why))
    for (const program of all) {
      const { name, modulePath, args, inputPath } = program
      const outputsTarPath = join(folder, 'out.tar')
      const wasiMs = async (): Promise<number> => {
        const task = { modulePath, args, env: {}, inputs: [], outputsTarPath }
        const { reason, exitCode, detail, usage } = await executor.run(
          inputPath === undefined ? task : { ...task, stdinPath: inputPath },
          limits,
          { onLog: () => {} },
          signal,
        )
        await rm(outputsTarPath, { force: true })
        if (exitCode !== 0) throw new Error(`${name}: ${reason} ${exitCode} ${detail}`)
        return usage.wallMs
      }
      try {
        const figures = await alternate(rounds, { wasi: wasiMs, native: async () => nativeMs(program, signal) })
        rows.push(pairedRow(`${name}: whole task`, 'ms', baseline, pair(figures.wasi, figures.native)))
      } catch (error) {
        signal.throwIfAborted()
        rows.push(missingRow(name, 'ms', baseline, error instanceof Error ? error.message : String(error)))
      }
      say(`${name} is measured`)
    }
    return rows
  },
}

async function nativeMs({ native: [command, ...args], inputPath }: Program, signal: AbortSignal): Promise<number> {
  const stdin = inputPath === undefined ? undefined : openSync(inputPath, 'r')
  try {
    return (await ran(command, args, signal, stdin ?? 'ignore')).wallMs
  } finally {
    if (stdin !== undefined) closeSync(stdin)
  }
}
