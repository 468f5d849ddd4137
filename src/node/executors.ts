/** What runs programs here: WebAssembly always, containers where the owner lends them. A job says which of them it is for. */
import { createHash } from 'node:crypto'

import type { OfferOptions } from '../config/options.ts'
import type { Clock, Log } from '../environment.ts'
import { createContainerExecutor, notRun } from '../execution/container/container-executor.ts'
import type { ExecutionTask, Executor, ExecutorProbe } from '../execution/executor.ts'
import { createWasiExecutor } from '../execution/wasi-executor.ts'
import type { LeaseState } from '../market/lease-machine.ts'

export interface Executors {
  /** Runs a task by the engine that it is for. */
  readonly executor: Executor
  /** Of each engine that could be here: WebAssembly first. `leases`: what may run for them since before a restart stays. */
  probe(leases: readonly LeaseState[]): Promise<readonly ExecutorProbe[]>
}

export interface ExecutorsDeps {
  /** In the place of ours, for WebAssembly. */
  readonly wasi: Executor | undefined
  readonly offer: OfferOptions | null
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Log
  readonly env: Readonly<Record<string, string | undefined>>
}

export function createExecutors({ offer, dataDir, clock, log, env, ...ports }: ExecutorsDeps): Executors {
  const wasi = ports.wasi ?? createWasiExecutor({ clock, log })
  const policy = offer?.containers
  if (policy === undefined) return { executor: withoutContainers(wasi), probe: async () => [await wasi.probe()] }
  // Several peers may use one engine; each cleans up after itself alone.
  const owner = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  const containers = createContainerExecutor({ ...policy, owner }, { clock, log, env })
  const engineOf = ({ container }: ExecutionTask): Executor => (container === undefined ? wasi : containers)
  return {
    executor: {
      probe: async () => wasi.probe(),
      run: async (task, ...rest) => engineOf(task).run(task, ...rest),
      attach: async (task, ...rest) => engineOf(task).attach(task, ...rest),
      end: async (folder) => void (await Promise.all([wasi.end(folder), containers.end(folder)])),
      suspend: (folder) => [wasi, containers].forEach((one) => one.suspend(folder)),
      resume: (folder) => [wasi, containers].forEach((one) => one.resume(folder)),
      connect: async (...asked) => containers.connect(...asked),
    },
    probe: async (leases) => Promise.all([wasi.probe(), containers.probe(tasksOf(leases))]),
  }
}

/** Of those that ran. A task in a container has the id of its lease. */
function tasksOf(leases: readonly LeaseState[]): ReadonlySet<string> {
  return new Set(leases.flatMap(({ task }) => (task?.at === 'running' ? task.lease.id : [])))
}

function withoutContainers(wasi: Executor): Executor {
  const refused = notRun('this provider runs no containers')
  return {
    ...wasi,
    attach: async (task, ...rest) => (task.container === undefined ? wasi.attach(task, ...rest) : refused),
    run: async (task, ...rest) => (task.container === undefined ? wasi.run(task, ...rest) : refused),
  }
}
