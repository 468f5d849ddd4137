/**
 * What the counter of gas costs, and canonical NaNs: each program as it comes, with the counter, and with both, by the processor time
 * of the thread that runs it, from the first instruction to the last.
 */
import { fileURLToPath } from 'node:url'

import type { Part } from '../bench.ts'
import { alternate, pair } from '../paired.ts'
import { missingRow, pairedRow, valueRow, type Row } from '../report.ts'
import { ran } from './commands.ts'
import { programs, type Program } from './programs.ts'

type Mode = 'raw' | 'metered' | 'canonical'

const runner = fileURLToPath(new URL('run-module.ts', import.meta.url))
const baseline = 'the same without'

export const counter: Part = {
  name: 'counter',
  about: 'what the counter of gas costs, and canonical NaNs',
  measure: async (circumstances): Promise<Row[]> => {
    const { rounds, say, signal } = circumstances
    const { all, missing } = await programs(circumstances)
    const rows: Row[] = missing.map(({ name, why }) => missingRow(`${name}: counted`, 'ms', baseline, why))
    const ratios: Record<'metered' | 'canonical', number[]> = { metered: [], canonical: [] }
    for (const program of all) {
      const run = (mode: Mode) => async (): Promise<number> => ranMs(program, mode, signal)
      const modes = { raw: run('raw'), metered: run('metered'), canonical: run('canonical') }
      const { raw, metered, canonical } = await alternate(rounds, modes)
      const [counted, both] = [pair(metered, raw), pair(canonical, raw)]
      ratios.metered.push(counted.ratio)
      ratios.canonical.push(both.ratio)
      rows.push(pairedRow(`${program.name}: counted`, 'ms', baseline, counted))
      rows.push(pairedRow(`${program.name}: counted, NaNs canonical`, 'ms', baseline, both))
      say(`${program.name} is measured`)
    }
    if (all.length === 0) return rows
    const note = `of ${all.map(({ name }) => name).join(', ')}`
    return [
      ...rows,
      valueRow('counted, geometric mean', '× without', [geometricMean(ratios.metered)], { most: 1.15 }, note),
      valueRow(
        'counted, NaNs canonical, geometric mean',
        '× without',
        [geometricMean(ratios.canonical)],
        undefined,
        note,
      ),
    ]
  },
}

async function ranMs({ modulePath, args, inputPath }: Program, mode: Mode, signal: AbortSignal): Promise<number> {
  const input = inputPath === undefined ? [] : [inputPath]
  const { stderr } = await ran(process.execPath, [runner, mode, modulePath, ...input, '--', ...args], signal)
  const said = JSON.parse(stderr.trim().split('\n').at(-1)!) as { readonly code: number; readonly ranMs: number }
  if (said.code !== 0) throw new Error(`${modulePath} exited with ${said.code}`)
  return said.ranMs
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
