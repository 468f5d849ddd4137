/**
 * Runs programs in containers of an engine on this machine, Docker or Podman, over its socket. Stands behind the port of
 * executor.ts; what isolates a program is the engine's work, asked for in create-body.ts and tried out by the probe.
 */
import { z } from 'zod'

import type { Clock, Log } from '../../environment.ts'
import type {
  ContainerTask,
  ExecutionLimits,
  ExecutionReason,
  ExecutionResult,
  ExecutionTask,
  ExecutionWatch,
  Executor,
  ExecutorProbe,
  PortConnection,
} from '../executor.ts'
import { checkLimits } from '../check-limits.ts'
import { ContainerRun } from './container-run.ts'
import { removeContainer, removeVolume } from './container.ts'
import { Engine } from './engine.ts'
import { imageBytesMaxDefault, Images } from './images.ts'
import { readKept } from './kept-container.ts'
import { leastImage, type Architecture } from './least-image.ts'
import { connectToPort } from './port-connection.ts'
import { probeContainers } from './probe.ts'
import { factsOf, mayUse, socketPaths, type EngineFacts } from './socket.ts'
import { nameOf, removeRun, type ContainerWorld } from './world.ts'

export const containerEngine = 'oci'
/** What a peer wants that asks for a container, as `--isolation` says it. */
export const containerIsolation = 'container'
const sweepMs = 60_000

export interface ContainerOptions {
  /** Null: wherever an engine of this machine listens. */
  readonly socketPath: string | null
  /** Tells this peer's containers from those of others that use the same engine: letters and digits. */
  readonly owner: string
  /** Whether images are fetched from registries. */
  readonly mayPull: boolean
  /** Whether programs may reach the network. */
  readonly mayEgress: boolean
  /** Of images, unpacked. Left out: 10 GiB. */
  readonly imageBytesMax?: number
}

export interface ContainerExecutorEnvironment {
  readonly clock: Clock
  readonly log: Log
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A container that an earlier life of this peer left. */
export interface LeftContainer {
  readonly id: string
  /** The `id` of its task. */
  readonly task: string
  /** Whether it is the task's own program, or what stands guard over it. */
  readonly isProgram: boolean
  readonly isRunning: boolean
  /** As it was named when the container was made. */
  readonly image: string
}

export interface ContainerExecutor extends Executor {
  /** `keep`: tasks that are attached later. What an earlier life of this peer left for others is swept before. */
  probe(keep?: ReadonlySet<string>): Promise<ExecutorProbe>
  connect(id: string, port: number, signal: AbortSignal): Promise<PortConnection>
  /** What is there under this owner's label, running or not. For whoever attaches to what outlived a peer. */
  left(signal: AbortSignal): Promise<readonly LeftContainer[]>
  /** Removes all of this owner's containers, volumes and images, but those of the tasks named. */
  sweep(keep: ReadonlySet<string>, signal: AbortSignal): Promise<void>
}

const leftSchema = z.array(
  z.object({
    Id: z.string().regex(/^[0-9a-f]{12,64}$/),
    Names: z.array(z.string()),
    State: z.string().nullish(),
    Image: z.string().nullish(),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
)
const volumesSchema = z.object({
  Volumes: z.array(z.object({ Name: z.string(), Labels: z.record(z.string(), z.string()).nullish() })).nullish(),
})

interface Ready {
  readonly world: ContainerWorld
  readonly facts: EngineFacts
}

export function createContainerExecutor(
  options: ContainerOptions,
  environment: ContainerExecutorEnvironment,
): ContainerExecutor {
  const { clock, log, env } = environment
  let ready: Ready | undefined

  /** The engine, with the guard's image in it; throws when there is none. */
  const open = async (signal: AbortSignal): Promise<Ready> => {
    if (ready !== undefined) return ready
    const paths = options.socketPath === null ? socketPaths(env) : [options.socketPath]
    const { engine, facts } = await firstOf(paths, clock, signal)
    const { architecture } = facts
    if (!isKnown(architecture)) throw new Error(`${facts.version} runs on ${architecture}, for which we have no probe`)
    const prefix = `localhost/pleach-${options.owner}`
    const guard = leastImage(architecture, `${prefix}/guard:latest`)
    const images = new Images({
      engine,
      log,
      architecture,
      prefix: `${prefix}/image`,
      bytesMax: options.imageBytesMax ?? imageBytesMaxDefault,
      ownReference: guard.reference,
      mayPull: options.mayPull,
    })
    const tar = async function* (): AsyncGenerator<Uint8Array> {
      yield guard.archive
    }
    await engine.upload('POST', '/images/load', tar(), { query: { quiet: '1' }, signal })
    const { kind } = facts
    const world = { clock, log, engine, kind, owner: options.owner, images, guardReference: guard.reference }
    ready = { world, facts }
    return ready
  }

  /** By the folder of their task: what can be held. */
  const running = new Map<string, ContainerRun>()
  const among = async <Result>(
    task: ExecutionTask,
    one: ContainerRun,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    const { keep } = task
    if (keep !== undefined) running.set(keep.folder, one)
    try {
      return await work()
    } finally {
      if (keep !== undefined) running.delete(keep.folder)
    }
  }

  const run = async (
    task: ExecutionTask,
    limits: ExecutionLimits,
    watch: ExecutionWatch,
    signal: AbortSignal,
  ): Promise<ExecutionResult> => {
    const container = containerOf(task, limits)
    if (container.egress && !options.mayEgress) return notRun('this provider lets no program reach the network')
    let world: ContainerWorld
    try {
      world = (await open(signal)).world
    } catch (error) {
      if (signal.aborted) return notRun('cancelled before it began', 'cancelled')
      return notRun(error instanceof Error ? error.message : String(error))
    }
    const one = new ContainerRun(world, task, container, limits, watch)
    return among(task, one, async () => one.run(signal))
  }

  const attach: Executor['attach'] = async (task, limits, watch, signal) => {
    const container = containerOf(task, limits)
    try {
      const kept = await readKept(task.keep.folder)
      if (kept === undefined) return null
      // Who cancels wants it ended, and for that it must be found.
      using deadline = clock.deadline(sweepMs)
      const { world } = await open(deadline.signal)
      const one = new ContainerRun(world, task, container, limits, watch, Math.max(0, clock.nowMs() - kept.startedMs))
      return await among(task, one, async () => one.attach(kept, signal))
    } catch (error) {
      return notRun(error instanceof Error ? error.message : String(error))
    }
  }

  const end = async (folder: string): Promise<void> => {
    using deadline = clock.deadline(sweepMs)
    try {
      const kept = await readKept(folder)
      if (kept === undefined) return
      const { engine, owner } = (await open(deadline.signal)).world
      await removeRun(engine, owner, kept.task, deadline.signal)
    } catch (error) {
      log('warn', 'what ran in a container could not be ended', { folder, error })
    }
  }

  const left = async (signal: AbortSignal): Promise<LeftContainer[]> => {
    const { engine } = (await open(signal)).world
    const query = { all: '1', filters: labelFilter(options.owner) }
    return leftSchema
      .parse(await engine.ask('GET', '/containers/json', { query, signal }))
      .map(({ Id, Names, State, Labels, Image }) => ({
        id: Id,
        task: Labels?.['pleach.task'] ?? '',
        isProgram: Names.some((name) => name.endsWith('-program')),
        isRunning: State === 'running',
        image: Image ?? '',
      }))
  }

  const sweep = async (keep: ReadonlySet<string>, signal: AbortSignal): Promise<void> => {
    const { engine, images } = (await open(signal)).world
    // A program has the processes of its guard, which cannot go before it.
    const found = (await left(signal)).toSorted((a, b) => Number(b.isProgram) - Number(a.isProgram))
    for (const { id, task } of found) if (!keep.has(task)) await removeContainer(engine, id, signal)
    const volumes = volumesSchema.parse(
      await engine.ask('GET', '/volumes', { query: { filters: labelFilter(options.owner) }, signal }),
    )
    for (const { Name, Labels } of volumes.Volumes ?? [])
      if (!keep.has(Labels?.['pleach.task'] ?? '')) await removeVolume(engine, Name, signal)
    const spared = found.filter(({ task }) => keep.has(task)).map(({ image }) => image)
    await images.sweep(new Set(spared), signal)
  }

  const probe = async (keep: ReadonlySet<string> = new Set()): Promise<ExecutorProbe> => {
    const said = { engine: containerEngine, isolation: containerIsolation }
    using deadline = clock.deadline(sweepMs)
    try {
      const { facts, world } = await open(deadline.signal)
      await sweep(keep, deadline.signal)
      const tried = await probeContainers(run, world.guardReference, deadline.signal)
      return { ...said, version: facts.version, ...tried }
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      return { ...said, usable: false, detail, startMs: null }
    }
  }

  const connect = async (id: string, port: number, signal: AbortSignal): Promise<PortConnection> => {
    const { engine, owner } = (await open(signal)).world
    return connectToPort(engine, `${nameOf(owner, id)}-guard`, port, signal)
  }

  return {
    run,
    probe,
    connect,
    left,
    sweep,
    attach,
    end,
    suspend: (folder) => running.get(folder)?.hold(true),
    resume: (folder) => running.get(folder)?.hold(false),
  }
}

/** Throws for what is our caller's mistake: a task that is none for a container, a limit that is not a whole number of at least 1. */
function containerOf(task: ExecutionTask, limits: ExecutionLimits): ContainerTask {
  if (task.container === undefined) throw new TypeError('the task is none for a container')
  checkLimits(limits)
  return task.container
}

/** The first that answers and can limit what must be limited. A socket file may be there of an engine that is not. */
async function firstOf(
  paths: readonly string[],
  clock: Clock,
  signal: AbortSignal,
): Promise<{ engine: Engine; facts: EngineFacts }> {
  const why: string[] = []
  for (const path of paths) {
    if (!(await mayUse(path))) continue
    const engine = new Engine(path, clock)
    try {
      const facts = await factsOf(engine, signal)
      if (facts.lacks.length === 0) return { engine, facts }
      why.push(`${facts.version} cannot limit ${facts.lacks.join(', ')} here`)
    } catch (error) {
      signal.throwIfAborted()
      why.push(`${path}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new Error(why.length > 0 ? why.join('; ') : `no container engine listens at ${paths.join(', ')}`)
}

function labelFilter(owner: string): string {
  return JSON.stringify({ label: [`pleach.owner=${owner}`] })
}

function isKnown(architecture: string): architecture is Architecture {
  return architecture === 'amd64' || architecture === 'arm64'
}

/** The result of a task that did not come to run here; as a rule it may elsewhere. */
export function notRun(detail: string, reason: ExecutionReason = 'executor-failed'): ExecutionResult {
  const usage = { wallMs: 0, cpuMs: 0, gas: 0, memoryBytesPeak: 0, outputBytes: 0, stdoutBytes: 0, stderrBytes: 0 }
  return { reason, exitCode: null, detail, usage, outputs: null }
}
