/**
 * Runs a WASI preview 1 program in a child process of its own. This side never touches the program's bytes: it has the
 * child started under its supervisor, takes what comes out of it within the limits, and ends it when time or patience is over.
 */
import { rm } from 'node:fs/promises'

import type { Clock, Log } from '../environment.ts'
import type { Executor, ExecutionLimits, ExecutionResult, ExecutionTask } from './executor.ts'
import { Holds } from './holds.ts'
import { launch, wasiProgram, type ChildProgram, type Running } from './launch.ts'
import { probeExecutor } from './probe.ts'
import { checkLimits } from './check-limits.ts'
import { Run, type RunPlace } from './run.ts'
import { claimRun, isRunning, killGroup, readEnding, readRun } from './supervisor.ts'
import { TaskFiles, TaskInvalidError } from './task-files.ts'
import { findWalls, type Walls } from './walls.ts'

export interface WasiExecutorEnvironment {
  readonly clock: Clock
  readonly log: Log
  /** What is put around children instead of what this machine has. */
  readonly walls?: Walls
  /** What runs in the child instead of what runs WASI programs. */
  readonly program?: ChildProgram
}

/** For a run that ends with its peer: the supervisor looks once in a second. */
const aloneMsMin = 1
/** How often it is looked whether a run that another peer started has ended. */
const lookMs = 25
const endWithinMs = 2_000

/** The same for all peers of a process. */
let wallsHere: Promise<Walls> | undefined

export function createWasiExecutor(environment: WasiExecutorEnvironment): Executor {
  const { clock, log } = environment
  const wallsOf = async (): Promise<Walls> => environment.walls ?? (wallsHere ??= findWalls(process.execPath))
  const holds = new Holds()
  const run: Executor['run'] = async (task, limits, watch, signal) => {
    checkLimits(limits)
    const attempt = new Run(clock, log, limits, watch)
    if (signal.aborted) return attempt.without('cancelled', 'cancelled before it began')
    const folder = task.keep?.folder ?? `${task.outputsTarPath}.run`
    try {
      const { program = await wasiProgram() } = environment
      const walls = await wallsOf()
      const running = await started(task, limits, { program, walls, folder })
      return await attempt.follow(running, { folder, tarPath: task.outputsTarPath, holds }, signal)
    } catch (error) {
      const reason = error instanceof TaskInvalidError ? 'module-invalid' : 'executor-failed'
      return attempt.without(reason, messageOf(error))
    } finally {
      if (task.keep === undefined) await rm(folder, { recursive: true, force: true })
    }
  }
  const until = async (holds: () => boolean, withinMs = Infinity): Promise<void> => {
    const endMs = clock.monotonicMs() + withinMs
    const never = new AbortController().signal
    while (!holds() && clock.monotonicMs() < endMs) await clock.sleep(lookMs, never)
  }
  return {
    run,
    probe: async () => probeExecutor(run, await wallsOf()),
    async attach(task, limits, watch, signal) {
      checkLimits(limits)
      const { folder } = task.keep
      const facts = readRun(folder)
      if (facts === undefined) return null
      claimRun(folder)
      // The peer that held it may have died.
      holds.letGoOfAll(folder)
      const { supervisor, startedMs } = facts
      const untilMs = readEnding(folder)?.endedMs ?? clock.nowMs()
      const attempt = new Run(clock, log, limits, watch, Math.max(0, untilMs - startedMs))
      const running = { supervisor, ended: until(() => !isRunning(supervisor)) }
      return goOn(attempt, running, { folder, tarPath: task.outputsTarPath, holds }, signal)
    },
    async end(folder) {
      const facts = readRun(folder)
      if (facts === undefined) return
      killGroup(facts.supervisor)
      await until(() => !isRunning(facts.supervisor), endWithinMs)
    },
    suspend: (folder) => holds.hold(folder, 'owner'),
    resume: (folder) => holds.letGo(folder, 'owner'),
  }
}

async function goOn(attempt: Run, running: Running, place: RunPlace, signal: AbortSignal): Promise<ExecutionResult> {
  try {
    return await attempt.follow(running, place, signal)
  } catch (error) {
    return attempt.without('executor-failed', messageOf(error))
  }
}

/** The child has its own copies of the descriptors once it runs; ours are closed. */
async function started(
  task: ExecutionTask,
  limits: ExecutionLimits,
  where: { readonly program: ChildProgram; readonly walls: Walls; readonly folder: string },
): Promise<Running> {
  await using files = await TaskFiles.open(task, limits)
  const { outputsTarPath, keep } = task
  const { child, descriptors } = files
  return await launch({
    ...where,
    task: child,
    limits,
    outputsTarPath,
    aloneMs: keep?.aloneMs ?? aloneMsMin,
    descriptors,
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
