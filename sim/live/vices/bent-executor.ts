/** An executor that runs a program otherwise than it was asked to. */
import type { Executor } from '../../../src/execution/executor.ts'
import type { PeerPorts } from '../../../src/node/ports.ts'

type Run = Executor['run']

export function bendExecutor(
  ports: PeerPorts,
  run: (honest: Run, ...asked: Parameters<Run>) => ReturnType<Run>,
): PeerPorts {
  const { executor } = ports
  if (executor === undefined) throw new Error('a peer that runs programs otherwise needs an executor that runs them')
  return {
    ...ports,
    executor: {
      ...executor,
      run: async (...asked) => run(async (...same) => executor.run(...same), ...asked),
    },
  }
}
