/**
 * Runs a WASI preview 1 program in a child process of its own. This side never touches the program's bytes: it starts the
 * child, takes what comes out of it within the limits, and kills it when time or patience is over.
 */
import type { Clock, Log } from '../environment.ts'
import { nodesMax } from './child/budget.ts'
import type { Executor, ExecutionLimits, ExecutionResult, ExecutionTask } from './executor.ts'
import { launch, type Launched } from './launch.ts'
import { saveOutputs } from './outputs-file.ts'
import { probeExecutor } from './probe.ts'
import { Run } from './run.ts'
import { tarBytesMax } from './tar-format.ts'
import { TaskFiles, TaskInvalidError } from './task-files.ts'

export interface WasiExecutorEnvironment {
  readonly clock: Clock
  readonly log: Log
}

export function createWasiExecutor({ clock, log }: WasiExecutorEnvironment): Executor {
  const run: Executor['run'] = async (task, limits, watch, signal) => {
    checkLimits(limits)
    const attempt = new Run(clock, log, limits, watch)
    if (signal.aborted) return attempt.without('cancelled', 'cancelled before it began')
    try {
      return await runTask(attempt, task, limits, signal)
    } catch (error) {
      const reason = error instanceof TaskInvalidError ? 'module-invalid' : 'executor-failed'
      return attempt.without(reason, error instanceof Error ? error.message : String(error))
    }
  }
  return { run, probe: async () => probeExecutor(run) }
}

async function runTask(
  attempt: Run,
  task: ExecutionTask,
  limits: ExecutionLimits,
  signal: AbortSignal,
): Promise<ExecutionResult> {
  const child = await started(task, limits)
  const outputs = saveOutputs(child.outputs, task.outputsTarPath, tarBytesMax(limits.outputBytes, nodesMax))
  return attempt.follow(child, outputs, task.outputsTarPath, signal)
}

/** The child has its own copies of the descriptors once it runs; ours are closed. */
async function started(task: ExecutionTask, limits: ExecutionLimits): Promise<Launched> {
  await using files = await TaskFiles.open(task, limits)
  return await launch(files.child, limits.wallMs, files.descriptors)
}

/** A limit that is not a whole number of at least 1 is our caller's mistake, not the task's. */
function checkLimits(limits: ExecutionLimits): void {
  for (const [name, value] of Object.entries(limits) as [string, number][]) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`the limit ${name} is ${value}`)
  }
}
