/**
 * One run of one task, from the peer's side: takes its logs, its record and its usage, ends it when it must end, and says
 * in the end what became of it. The first cause counts: what we ended it for, then what the child itself says, then what its
 * supervisor does.
 */
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

import type { Clock, Log } from '../environment.ts'
import type { ChildRecord } from './child-protocol.ts'
import { nodesMax } from './child/budget.ts'
import type { ExecutionLimits, ExecutionReason, ExecutionResult, ExecutionUsage, ExecutionWatch } from './executor.ts'
import type { Holds } from './holds.ts'
import { heapMiBMax, runtimeBytesMax, type Running } from './launch.ts'
import { lookMsMax, lookMsMin, LogTail } from './log-tail.ts'
import { pace } from './pace.ts'
import { treeOf, usageOf, type ProcessUsage } from './process-usage.ts'
import { readGas, readRecord } from './record.ts'
import { Sessions } from './sessions.ts'
import { killGroup, processNamed, readEnding, runFiles, type ProcessName, isRunning } from './supervisor.ts'
import { tarBytesMax } from './tar-format.ts'

/** How often the processes are looked at. Reading /proc takes some 50 µs for each. */
export const usageIntervalMs = 500
/** The first look tells nobody: it makes the run's sessions yield. */
const firstLookMs = 100
/** After the process has ended: how long a watch may take for the last of the logs before they are given up. */
const drainMs = 5_000
/** Until what was killed is gone: the kernel takes namespaces down by itself, some milliseconds later. */
const goneWithinMs = 400
const goneLookMs = 5

interface Cause {
  readonly reason: ExecutionReason
  readonly detail: string
}

/** Where a run is, and who may hold it. */
export interface RunPlace {
  readonly folder: string
  readonly tarPath: string
  readonly holds: Holds
}

export class Run {
  readonly #clock: Clock
  readonly #log: Log
  readonly #limits: ExecutionLimits
  readonly #watch: ExecutionWatch
  /** By the monotonic clock; before now for a run that is gone on with. */
  readonly #startedMs: number
  #logBytes = { stdout: 0, stderr: 0 }
  #running: (Running & { readonly recordPath: string }) | undefined
  #cause: Cause | undefined
  #seen: ProcessUsage | undefined
  /** What the child had told when it was last looked at. */
  #gas = 0
  #killed: ProcessName[] = []
  readonly #sessions = new Sessions()

  /** `agoMs`: how long ago it began. */
  constructor(clock: Clock, log: Log, limits: ExecutionLimits, watch: ExecutionWatch, agoMs = 0) {
    this.#clock = clock
    this.#log = log
    this.#limits = limits
    this.#watch = watch
    this.#startedMs = clock.monotonicMs() - agoMs
  }

  /** The result of a task that did not come to run. */
  without(reason: ExecutionReason, detail: string): ExecutionResult {
    return { reason, exitCode: null, detail, usage: this.#usage(undefined), outputs: null }
  }

  /** Resolves when the child is gone and all that it left has been taken in or given up. */
  async follow(running: Running, { folder, tarPath, holds }: RunPlace, signal: AbortSignal): Promise<ExecutionResult> {
    this.#running = { ...running, recordPath: join(folder, runFiles.record) }
    const onAbort = (): void => this.#stop('cancelled', 'cancelled')
    const cancelWall = this.#clock.after(Math.max(0, this.#limits.wallMs - this.#elapsedMs()), () => this.#onWall())
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const cancelSampling = this.#sample()
    const { pid } = running.supervisor
    const cancelPace = pace(this.#clock, holds, { folder, pid, cpuMilli: this.#limits.cpuMilli })
    let over = false
    const ended = running.ended.then(async () => {
      cancelWall()
      cancelSampling()
      cancelPace()
      await this.#untilGone()
      over = true
    })
    try {
      await using tail = await LogTail.open(folder, this.#limits.logBytes)
      const taking = this.#takeLogs(tail, () => over, ended)
      await ended
      await this.#within(drainMs, taking)
      return await this.#conclude(folder, tarPath)
    } finally {
      // When its files cannot be read, nobody would end it any more.
      if (!over) killGroup(running.supervisor)
      over = true
      cancelWall()
      cancelSampling()
      cancelPace()
      signal.removeEventListener('abort', onAbort)
    }
  }

  #onWall(): void {
    this.#stop('wall-limit', `it took longer than the ${this.#limits.wallMs} ms allowed`)
  }

  #stop(reason: ExecutionReason, detail: string): void {
    this.#cause ??= { reason, detail }
    this.#look()
    if (this.#running === undefined) return
    const { supervisor } = this.#running
    this.#killed = treeOf(supervisor.pid).flatMap((pid) => processNamed(pid) ?? [])
    killGroup(supervisor)
  }

  #fail(what: string, error: unknown): void {
    const detail = `${what}: ${error instanceof Error ? error.message : String(error)}`
    this.#log('warn', 'execution failed', { detail })
    this.#stop('executor-failed', detail)
  }

  /** Until it is over and nothing is left, or more came than is allowed. */
  async #takeLogs(tail: LogTail, isOver: () => boolean, ended: Promise<unknown>): Promise<void> {
    let waitMs = lookMsMin
    try {
      for (;;) {
        const wasOver = isOver()
        const { took, over } = await tail.take((stream, bytes) => {
          this.#logBytes[stream] += bytes.byteLength
          return this.#watch.onLog(stream, bytes)
        })
        if (over) return this.#stop('log-limit', `it wrote more than the ${this.#limits.logBytes} bytes of log allowed`)
        if (took) waitMs = lookMsMin
        else if (wasOver) return
        else waitMs = Math.min(lookMsMax, waitMs * 2)
        if (!took) await this.#either(ended, waitMs)
      }
    } catch (error) {
      this.#fail('the log cannot be delivered', error)
    }
  }

  /** Looks at the processes again and again. Returns what stops that. */
  #sample(): () => void {
    let cancel = (): void => {}
    const next = (): void => {
      cancel = this.#clock.after(usageIntervalMs, () => {
        const seen = this.#look()
        if (seen === undefined) return
        this.#watch.onUsage?.(this.#usage(undefined))
        const bytesMax = this.#limits.memoryBytes + runtimeBytesMax
        if (seen.residentBytes > bytesMax) {
          this.#stop('memory-limit', `its process has ${seen.residentBytes} bytes resident, more than ${bytesMax}`)
        } else next()
      })
    }
    cancel = this.#clock.after(firstLookMs, () => {
      this.#look()
      next()
    })
    return () => cancel()
  }

  #look(): ProcessUsage | undefined {
    if (this.#running === undefined) return undefined
    const tree = treeOf(this.#running.supervisor.pid)
    this.#sessions.yield(tree)
    const seen = usageOf(tree)
    if (seen !== undefined) this.#seen = seen
    this.#readGas(this.#running.recordPath)
    return seen
  }

  /** While it is written half of each count may be seen; the next look is right. */
  #readGas(path: string): void {
    try {
      this.#gas = readGas(path) ?? this.#gas
    } catch {
      // The folder was removed: whoever did that has ended the run.
    }
  }

  /** What we killed takes a moment to go, and must not write any more when its files are looked at. */
  async #untilGone(): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + goneWithinMs
    const never = new AbortController().signal
    while (this.#killed.some(isRunning) && this.#clock.monotonicMs() < untilMs)
      await this.#clock.sleep(goneLookMs, never)
  }

  async #conclude(folder: string, tarPath: string): Promise<ExecutionResult> {
    const record = this.#readRecord(join(folder, runFiles.record))
    const tarBytes = await stat(tarPath).then(
      ({ size }) => size,
      () => 0,
    )
    const tarMax = tarBytesMax(this.#limits.outputBytes, nodesMax)
    if (tarBytes > tarMax) this.#fail('the outputs cannot be kept', `the archive has more than ${tarMax} bytes`)
    const { reason, detail } = this.#cause ?? record ?? this.#causeOfDeath(folder)
    const exited = reason === 'exited' && record !== undefined
    const hasOutputs = exited && record.outputFiles !== null && tarBytes > 0
    if (!hasOutputs) await rm(tarPath, { force: true })
    return {
      reason,
      exitCode: exited ? record.exitCode : null,
      detail,
      usage: this.#usage(record),
      outputs: hasOutputs ? { path: tarPath, files: record.outputFiles ?? 0, bytes: record.outputBytes } : null,
    }
  }

  #readRecord(path: string): ChildRecord | undefined {
    this.#readGas(path)
    try {
      return readRecord(path)
    } catch (error) {
      // What we ended may be half written, or be removed already.
      if (this.#cause === undefined) this.#fail('the child misbehaved', error)
      return undefined
    }
  }

  /** For a child that ended without a word and without our doing. */
  #causeOfDeath(folder: string): Cause {
    const said = readEnding(folder)?.said
    if (said === 'wall-limit')
      return { reason: 'wall-limit', detail: `it took longer than the ${this.#limits.wallMs} ms allowed` }
    if (said === 'alone') return { reason: 'executor-failed', detail: 'its peer was away for too long' }
    if (said === undefined) return { reason: 'executor-failed', detail: 'it was ended together with its supervisor' }
    // The engine aborts when its heap is full; a program reaches that with tables, objects or names of files.
    if (said === signalBase + sigAbort || said === signalBase + sigTrap)
      return { reason: 'memory-limit', detail: `the runtime's own heap of ${heapMiBMax} MiB was full` }
    const how = said > signalBase ? `was ended by signal ${said - signalBase}` : `ended with code ${said}`
    return { reason: 'executor-failed', detail: `the child ${how} and left no record` }
  }

  #elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#startedMs
  }

  #usage(record: ChildRecord | undefined): ExecutionUsage {
    return {
      wallMs: Math.ceil(this.#elapsedMs()),
      cpuMs: record?.cpuMs ?? this.#seen?.cpuMs ?? 0,
      memoryBytesPeak: record?.memoryBytesPeak ?? this.#seen?.residentBytesPeak ?? 0,
      gas: this.#gas,
      outputBytes: record?.outputBytes ?? 0,
      stdoutBytes: this.#logBytes.stdout,
      stderrBytes: this.#logBytes.stderr,
    }
  }

  /** Resolves with what comes first. */
  async #either(work: Promise<unknown>, delayMs: number, onLate?: () => void): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.after(delayMs, () => {
      onLate?.()
      resolve()
    })
    try {
      await Promise.race([work, late])
    } finally {
      cancel()
    }
  }

  async #within(delayMs: number, work: Promise<unknown>): Promise<void> {
    await this.#either(work, delayMs, () =>
      this.#stop('executor-failed', `the log was not taken within ${delayMs} ms of the end`),
    )
  }
}

/** What a shell says of a child that a signal ended is this and the signal's number. */
const signalBase = 128
const sigTrap = 5
const sigAbort = 6
