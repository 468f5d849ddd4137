/** Whether the engine of this machine runs programs within walls: the least program runs, and is ended where it must be. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { ExecutionResult, Executor, ExecutorProbe } from '../executor.ts'
import { hogBytes } from './least-image.ts'

const probeMs = 20_000
const noBytes = 1

/** `reference`: the least image, in the engine already. */
export async function probeContainers(
  run: Executor['run'],
  reference: string,
  signal: AbortSignal,
): Promise<Pick<ExecutorProbe, 'usable' | 'detail' | 'startMs'>> {
  const folder = await mkdtemp(join(tmpdir(), 'pleach-probe-'))
  const least = async (id: string, args: readonly string[], memoryBytes: number): Promise<ExecutionResult> =>
    run(
      {
        modulePath: '',
        args,
        env: {},
        inputs: [],
        outputsTarPath: join(folder, 'outputs.tar'),
        container: {
          id,
          image: { archivePath: null, reference, digest: null },
          entrypoint: null,
          egress: false,
          gpus: 0,
          service: null,
        },
      },
      {
        wallMs: probeMs,
        cpuMilli: 1_000,
        memoryBytes,
        outputBytes: noBytes,
        logBytes: noBytes,
        gas: Number.MAX_SAFE_INTEGER,
      },
      { onLog: () => {} },
      signal,
    )
  try {
    const ran = await least('probe', [], hogBytes / 2)
    if (ran.reason !== 'exited' || ran.exitCode !== 0) return refused(`the least program: ${said(ran)}`)
    // An engine that cannot limit memory often says nothing of it, and runs the program all the same.
    const hog = await least('probehog', ['use', 'memory'], hogBytes / 2)
    if (hog.reason !== 'memory-limit') return refused(`a program that needs twice its memory: ${said(hog)}`)
    const { wallMs } = ran.usage
    return { usable: true, detail: `the least program took ${wallMs} ms`, startMs: wallMs }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function refused(detail: string) {
  return { usable: false, detail, startMs: null }
}

function said({ reason, exitCode, detail }: ExecutionResult): string {
  return reason === 'exited' ? `exited with ${exitCode}` : `${reason}: ${detail}`
}
