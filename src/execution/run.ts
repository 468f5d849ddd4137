/**
 * One run of one task, from the parent's side: takes its logs, its record and its usage, ends it when it must end, and says
 * in the end what became of it. The first cause counts: what we ended it for, then what the child itself says, then how its
 * process died.
 */
import { rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'

import type { Clock, Log } from '../environment.ts'
import type { ChildRecord } from './child-protocol.ts'
import type { SavedOutputs } from './outputs-file.ts'
import { readRecord } from './record.ts'
import type {
  ExecutionLimits,
  ExecutionReason,
  ExecutionResult,
  ExecutionUsage,
  ExecutionWatch,
  LogStream,
} from './executor.ts'
import { heapMiBMax, type Launched } from './launch.ts'
import { processUsage, type ProcessUsage } from './process-usage.ts'

/** How often the process is looked at. Reading /proc takes some 50 µs. */
export const usageIntervalMs = 500
/** After the process has ended: how long a watch may take for the last of the logs before they are given up. */
const drainMs = 5_000
/**
 * The runtime's own memory: node, its heap, and the compiled code, which grows with the module. A process over this and the
 * task's own limit holds memory that none of the finer limits saw.
 */
const runtimeBytesMax = 1_024 * 1_024 * 1_024

const nothingSaved: SavedOutputs = { bytes: 0, sha256: '' }

interface Cause {
  readonly reason: ExecutionReason
  readonly detail: string
}

export class Run {
  readonly #clock: Clock
  readonly #log: Log
  readonly #limits: ExecutionLimits
  readonly #watch: ExecutionWatch
  readonly #startedMs: number
  readonly #logBytes: Record<LogStream, number> = { stdout: 0, stderr: 0 }
  #child: Launched | undefined
  #cause: Cause | undefined
  #seen: ProcessUsage | undefined
  /** What the child has told so far. */
  #gas = 0

  constructor(clock: Clock, log: Log, limits: ExecutionLimits, watch: ExecutionWatch) {
    this.#clock = clock
    this.#log = log
    this.#limits = limits
    this.#watch = watch
    this.#startedMs = clock.monotonicMs()
  }

  /** The result of a task that did not come to run. */
  without(reason: ExecutionReason, detail: string): ExecutionResult {
    return { reason, exitCode: null, detail, usage: this.#usage(undefined), outputs: null }
  }

  /** Resolves when the child is gone and all that it left has been taken in or given up. */
  async follow(
    child: Launched,
    outputs: Promise<SavedOutputs>,
    tarPath: string,
    signal: AbortSignal,
  ): Promise<ExecutionResult> {
    this.#child = child
    const ended = new Promise<Death>((resolve) => {
      child.process.once('exit', (code, by) => resolve({ code, by }))
      child.process.once('error', (error) => resolve({ code: null, by: null, error }))
    })
    const onAbort = (): void => this.#stop('cancelled', 'cancelled')
    const cancelWall = this.#clock.after(this.#limits.wallMs, () =>
      this.#stop('wall-limit', `it took longer than the ${this.#limits.wallMs} ms allowed`),
    )
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const cancelSampling = this.#sample()
    let tar: SavedOutputs = nothingSaved
    let record: ChildRecord | undefined
    const take = async <Value>(what: string, from: Promise<Value>, keep: (value: Value) => void): Promise<void> =>
      from.then(keep, (error: unknown) => this.#fail(what, error))
    try {
      const taking = Promise.all([
        this.#pump('stdout', child.stdout),
        this.#pump('stderr', child.stderr),
        take('the outputs cannot be stored', outputs, (saved) => (tar = saved)),
        take(
          'the child misbehaved',
          readRecord(child.record, (gas) => (this.#gas = gas)),
          (said) => (record = said),
        ),
      ])
      const death = await ended
      // Now only the watchdog is left. The logs may still be on their way to a slow watch.
      child.kill()
      await this.#within(drainMs, taking)
      return await this.#conclude(death, record, tar, tarPath)
    } finally {
      cancelWall()
      cancelSampling()
      signal.removeEventListener('abort', onAbort)
      for (const pipe of [child.stdout, child.stderr, child.record, child.outputs]) pipe.destroy()
    }
  }

  #stop(reason: ExecutionReason, detail: string): void {
    this.#cause ??= { reason, detail }
    this.#look()
    this.#child?.kill()
  }

  #fail(what: string, error: unknown): void {
    const detail = `${what}: ${error instanceof Error ? error.message : String(error)}`
    this.#log('warn', 'execution failed', { detail })
    this.#stop('executor-failed', detail)
  }

  /** Hands a stream to the watch, piece by piece, as far as the limit of both streams together allows. */
  async #pump(stream: LogStream, pipe: Readable): Promise<void> {
    try {
      for await (const chunk of pipe as AsyncIterable<Uint8Array>) {
        const left = this.#limits.logBytes - this.#logBytes.stdout - this.#logBytes.stderr
        const bytes = chunk.subarray(0, left)
        this.#logBytes[stream] += bytes.byteLength
        if (bytes.byteLength > 0) await this.#watch.onLog(stream, bytes)
        if (bytes.byteLength < chunk.byteLength) {
          return this.#stop('log-limit', `it wrote more than the ${this.#limits.logBytes} bytes of log allowed`)
        }
      }
    } catch (error) {
      this.#fail('the log cannot be delivered', error)
    }
  }

  /** Looks at the process again and again. Returns what stops that. */
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
    next()
    return () => cancel()
  }

  #look(): ProcessUsage | undefined {
    const pid = this.#child?.process.pid
    const seen = pid === undefined ? undefined : processUsage(pid)
    if (seen !== undefined) this.#seen = seen
    return seen
  }

  async #conclude(
    death: Death,
    record: ChildRecord | undefined,
    tar: SavedOutputs,
    tarPath: string,
  ): Promise<ExecutionResult> {
    const { reason, detail } = this.#cause ?? record ?? causeOfDeath(death)
    const exited = reason === 'exited' && record !== undefined
    const hasOutputs = exited && record.outputFiles !== null && tar.bytes > 0
    if (tar.bytes > 0 && !hasOutputs) await rm(tarPath, { force: true })
    return {
      reason,
      exitCode: exited ? record.exitCode : null,
      detail,
      usage: this.#usage(record),
      outputs: hasOutputs
        ? { path: tarPath, sha256: tar.sha256, files: record.outputFiles ?? 0, bytes: record.outputBytes }
        : null,
    }
  }

  #usage(record: ChildRecord | undefined): ExecutionUsage {
    return {
      wallMs: Math.ceil(this.#clock.monotonicMs() - this.#startedMs),
      cpuMs: record?.cpuMs ?? this.#seen?.cpuMs ?? 0,
      memoryBytesPeak: record?.memoryBytesPeak ?? this.#seen?.residentBytesPeak ?? 0,
      gas: record?.gas ?? this.#gas,
      outputBytes: record?.outputBytes ?? 0,
      stdoutBytes: this.#logBytes.stdout,
      stderrBytes: this.#logBytes.stderr,
    }
  }

  async #within(delayMs: number, work: Promise<unknown>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.after(delayMs, () => {
      this.#stop('executor-failed', `the log was not taken within ${delayMs} ms of the end`)
      resolve()
    })
    try {
      await Promise.race([work, late])
    } finally {
      cancel()
    }
  }
}

interface Death {
  readonly code: number | null
  readonly by: string | null
  readonly error?: Error
}

/** For a child that ended without a word and without our doing. */
function causeOfDeath({ code, by, error }: Death): Cause {
  if (error !== undefined)
    return { reason: 'executor-failed', detail: `the child could not be started: ${error.message}` }
  // The engine aborts when its heap is full; a program reaches that with tables, objects or names of files.
  if (by === 'SIGABRT' || by === 'SIGTRAP') {
    return { reason: 'memory-limit', detail: `the runtime's own heap of ${heapMiBMax} MiB was full` }
  }
  const how = by === null ? `ended with code ${code}` : `was ended by ${by}`
  return { reason: 'executor-failed', detail: `the child ${how} and left no record` }
}
