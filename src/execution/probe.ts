/** Whether this machine can run programs at all: runs the least one. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Executor, ExecutorProbe } from './executor.ts'
import type { Walls } from './walls.ts'

const engine = 'wasi-preview1'
const probeMs = 10_000
const probeGas = 1_000
const oneProcessor = 1_000
const probeMemoryBytes = 1_024 * 1_024
const noBytes = 1

/** `(module (memory (export "memory") 1) (func (export "_start")))` */
const leastModule = Buffer.from(
  [
    '0061736d01000000',
    '010401600000',
    '03020100',
    '0503010001',
    '071302066d656d6f72790200065f73746172740000',
    '0a040102000b',
  ].join(''),
  'hex',
)

export async function probeExecutor(run: Executor['run'], walls: Walls): Promise<ExecutorProbe> {
  const probe = { engine, isolation: walls.isolation }
  if (process.platform === 'win32') return { ...probe, usable: false, detail: 'needs a POSIX system', startMs: null }
  let folder: string | undefined
  try {
    folder = await mkdtemp(join(tmpdir(), 'pleach-probe-'))
    const modulePath = join(folder, 'least.wasm')
    await writeFile(modulePath, leastModule)
    const { reason, exitCode, detail, usage } = await run(
      { modulePath, args: [], env: {}, inputs: [], outputsTarPath: join(folder, 'outputs.tar') },
      {
        wallMs: probeMs,
        cpuMilli: oneProcessor,
        memoryBytes: probeMemoryBytes,
        outputBytes: noBytes,
        logBytes: noBytes,
        gas: probeGas,
      },
      { onLog: () => {} },
      new AbortController().signal,
    )
    const usable = reason === 'exited' && exitCode === 0
    return {
      ...probe,
      usable,
      detail: usable ? walls.detail : `${reason}: ${detail}`,
      startMs: usable ? usage.wallMs : null,
    }
  } catch (error) {
    return { ...probe, usable: false, detail: error instanceof Error ? error.message : String(error), startMs: null }
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}
