/** One executor for all peers of a process. */
import type { Executor, ExecutorProbe } from '../../src/execution/executor.ts'

/** The machine is the same for all, so it is tried once. */
export function sharedExecutor(executor: Executor): Executor {
  let probe: Promise<ExecutorProbe> | undefined
  return { ...executor, probe: async () => (probe ??= executor.probe()) }
}
