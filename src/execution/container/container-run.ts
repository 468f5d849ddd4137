/**
 * One run of one task in a container: image, folders, guard, program, outputs, and everything away again. As in run.ts the
 * first cause counts: what we ended it for, then how it ended itself.
 */
import { createReadStream } from 'node:fs'
import { statfs } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { z } from 'zod'

import type { Clock, Log } from '../../environment.ts'
import type {
  ContainerTask,
  ExecutionLimits,
  ExecutionOutputs,
  ExecutionReason,
  ExecutionResult,
  ExecutionTask,
  ExecutionUsage,
  ExecutionWatch,
  LogStream,
} from '../executor.ts'
import { TarError } from '../tar-format.ts'
import { Container, removeContainer, removeVolume, type ContainerEnd, type ContainerUsage } from './container.ts'
import {
  contentAtLeast,
  guardBody,
  inputsVolume,
  networkOf,
  outFilesMax,
  outputsVolume,
  programBody,
  type TaskVolumes,
} from './create-body.ts'
import type { Engine } from './engine.ts'
import { ImageInvalidError } from './image-archive.ts'
import type { Images } from './images.ts'
import { causeOf, isNoProgram, type Cause } from './cause.ts'
import { tend } from './health.ts'
import { LogFrames } from './log-frames.ts'
import { connectToPort } from './port-connection.ts'
import type { EngineKind } from './socket.ts'
import { inputsTar, takeOutputs } from './task-folders.ts'

/** How often /out is looked at (a system call, where it can be seen), and every second time the engine asked for the usage. */
const lookMs = 250
/** After the end: how long a watch may take for the last of the log. */
const drainMs = 5_000
/** After a kill: how long an engine may take to say that the container is gone. */
const goneMs = 10_000
const removeMs = 30_000
/** `TMPFS_MAGIC` (statfs(2)). */
const tmpfsType = 0x0102_1994
const volumeSchema = z.object({ Mountpoint: z.string().min(1) })

/** Of what belongs to a task in the engine; its parts are added. */
export function nameOf(owner: string, task: string): string {
  return `pleach-${owner}-${task.slice(0, 32)}`
}

export interface ContainerWorld {
  readonly clock: Clock
  readonly log: Log
  readonly engine: Engine
  readonly kind: EngineKind
  readonly owner: string
  readonly images: Images
  /** The image of the guard. */
  readonly guardReference: string
}

export class ContainerRun {
  readonly #world: ContainerWorld
  readonly #task: ExecutionTask
  readonly #asked: ContainerTask
  readonly #limits: ExecutionLimits
  readonly #watch: ExecutionWatch
  readonly #startedMs: number
  readonly #logBytes: Record<LogStream, number> = { stdout: 0, stderr: 0 }
  /** Fires when the run is to end, whatever it is at. */
  readonly #ending = new AbortController()
  /** Fires when a container that was to end has not. */
  readonly #gone = new AbortController()
  #cancelGone = (): void => {}
  readonly #name: string
  readonly #volumes: TaskVolumes
  #cause: Cause | undefined
  #program: Container | undefined
  #killed: Promise<void> | undefined
  #usage: ContainerUsage = { cpuMs: 0, memoryBytes: 0 }
  #outputBytes = 0
  #imageDigest: string | undefined

  constructor(
    world: ContainerWorld,
    task: ExecutionTask,
    asked: ContainerTask,
    limits: ExecutionLimits,
    watch: ExecutionWatch,
  ) {
    this.#world = world
    this.#task = task
    this.#asked = asked
    this.#limits = limits
    this.#watch = watch
    this.#startedMs = world.clock.monotonicMs()
    this.#name = nameOf(world.owner, asked.id)
    this.#volumes = { inputs: `${this.#name}-in`, outputs: `${this.#name}-out` }
  }

  async run(signal: AbortSignal): Promise<ExecutionResult> {
    const { clock } = this.#world
    const onAbort = (): void => this.#stop('cancelled', 'cancelled')
    const cancelWall = clock.after(this.#limits.wallMs, () =>
      this.#stop('wall-limit', `it took longer than the ${this.#limits.wallMs} ms allowed`),
    )
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      const { end, outputs, detail } = await this.#work()
      return this.#result(this.#cause ?? causeOf(end, detail), end, outputs)
    } catch (error) {
      return this.#result(this.#cause ?? this.#causeOfFailure(error), null, null)
    } finally {
      cancelWall()
      signal.removeEventListener('abort', onAbort)
      this.#cancelGone()
      await this.#remove()
    }
  }

  async #work(): Promise<{ end: ContainerEnd; outputs: ExecutionOutputs | null; detail: string }> {
    const { engine, owner, guardReference, images } = this.#world
    const { signal } = this.#ending
    using image = await images.ready(this.#asked.image, signal)
    this.#imageDigest = image.digest
    const labels = { owner, task: this.#asked.id }
    const isService = this.#asked.service !== null
    const { inputs, outputs } = this.#volumes
    for (const body of [inputsVolume(inputs, labels), outputsVolume(outputs, this.#limits.outputBytes, labels)])
      await engine.ask('POST', '/volumes/create', { body, signal })
    const guard = await Container.create(
      engine,
      `${this.#name}-guard`,
      guardBody(guardReference, this.#volumes, networkOf(isService && this.#asked.egress), labels),
      signal,
    )
    await guard.start(signal)
    if (this.#task.inputs.length > 0)
      await guard.put('/in', inputsTar(this.#task.inputs, signal), signal, this.#limits.wallMs)
    const body = programBody({
      task: this.#asked,
      args: this.#task.args,
      env: this.#task.env,
      hasStdin: this.#task.stdinPath !== undefined,
      limits: this.#limits,
      reference: image.reference,
      imageVolumes: image.volumes,
      volumes: this.#volumes,
      network: isService ? guard.id : null,
      kind: this.#world.kind,
      labels,
    })
    const program = await Container.create(engine, `${this.#name}-program`, body, signal)
    this.#program = program
    const health = this.#asked.service?.health ?? null
    const connect = async (port: number, until: AbortSignal) => connectToPort(engine, guard.id, port, until)
    const cancelHealth =
      health === null ? () => {} : tend(health, connect, this.#world.clock, (why) => this.#stop('trapped', why))
    let end: ContainerEnd
    try {
      end = await this.#follow(program)
    } finally {
      cancelHealth()
    }
    if (this.#cause !== undefined) return { end, outputs: null, detail: '' }
    return { end, ...(await this.#collect(guard)) }
  }

  /** Starts the program; resolves when it has ended and its log is taken in or given up. */
  async #follow(program: Container): Promise<ContainerEnd> {
    const { clock } = this.#world
    const { signal } = this.#ending
    const streams = await program.attach(this.#task.stdinPath !== undefined, signal)
    const pumping = this.#pump(streams)
    let cancelLooking = (): void => {}
    try {
      await program.start(signal)
      cancelLooking = this.#look(program)
      const feeding = this.#feed(streams)
      // From here on a stop kills the program, and its end is waited for all the same.
      const end = await program.ended(pumping, clock, this.#gone.signal)
      await this.#within(drainMs, pumping)
      streams.destroy()
      await feeding
      return end
    } finally {
      cancelLooking()
      streams.destroy()
    }
  }

  async #pump(streams: Duplex): Promise<void> {
    const frames = new LogFrames()
    try {
      for await (const chunk of streams as AsyncIterable<Uint8Array>) {
        for (const { stream, bytes } of frames.push(chunk)) {
          const left = this.#limits.logBytes - this.#logBytes.stdout - this.#logBytes.stderr
          const taken = bytes.subarray(0, left)
          this.#logBytes[stream] += taken.byteLength
          if (taken.byteLength > 0) await this.#watch.onLog(stream, taken)
          if (taken.byteLength < bytes.byteLength)
            return this.#stop('log-limit', `it wrote more than the ${this.#limits.logBytes} bytes of log allowed`)
        }
      }
    } catch (error) {
      // That the stream was cut is of no interest once the run is over.
      if (!streams.destroyed) this.#fail('the log cannot be delivered', error)
    }
  }

  /** What the program does not read is lost, as with any pipe. */
  async #feed(streams: Duplex): Promise<void> {
    const { stdinPath } = this.#task
    if (stdinPath === undefined) return
    await pipeline(createReadStream(stdinPath), streams).catch(() => {})
  }

  /** Looks at the program again and again. Returns what stops that. */
  #look(program: Container): () => void {
    const { clock, engine } = this.#world
    const ended = new AbortController()
    let mountpoint: string | undefined
    const once = async (round: number): Promise<void> => {
      if (mountpoint === undefined) {
        const volume = await engine.ask('GET', `/volumes/${this.#volumes.outputs}`, { signal: ended.signal })
        mountpoint = volumeSchema.parse(volume).Mountpoint
      }
      await this.#lookAtOutputs(mountpoint)
      if (round % 2 === 1) return
      const seen = await program.usage(ended.signal)
      if (seen === undefined) return
      this.#usage = { cpuMs: seen.cpuMs, memoryBytes: Math.max(this.#usage.memoryBytes, seen.memoryBytes) }
      this.#watch.onUsage?.(this.#usageNow())
    }
    const go = async (): Promise<void> => {
      for (let round = 0; !ended.signal.aborted; round++) {
        await once(round)
        await clock.sleep(lookMs, ended.signal)
      }
    }
    void go().catch((error: unknown) => {
      if (!ended.signal.aborted) this.#fail('the container cannot be watched', error)
    })
    return () => ended.abort()
  }

  /** Where the engine's folders cannot be seen, the kernel's limit on /out is all there is until its content is counted. */
  async #lookAtOutputs(mountpoint: string): Promise<void> {
    const space = await statfs(mountpoint).catch(() => undefined)
    if (space?.type !== tmpfsType) return
    const { bsize, blocks, bfree, files, ffree } = space
    const bytes = contentAtLeast((blocks - bfree) * bsize, files - ffree)
    if (bytes > this.#limits.outputBytes || bfree === 0 || ffree === 0) this.#stop('output-limit', this.#tooMuch())
  }

  async #collect(guard: Container): Promise<{ outputs: ExecutionOutputs | null; detail: string }> {
    const archive = await guard.get('/out', this.#ending.signal)
    try {
      const limits = { entriesMax: outFilesMax, bytesMax: this.#limits.outputBytes }
      const { outputs, skipped } = await takeOutputs(archive, this.#task.outputsTarPath, limits)
      this.#outputBytes = outputs?.bytes ?? 0
      return { outputs, detail: skipped === 0 ? '' : `${skipped} links or devices in /out were left out` }
    } catch (error) {
      if (!(error instanceof TarError)) throw error
      this.#stop('output-limit', `what it left in /out cannot be taken: ${error.message}`)
      return { outputs: null, detail: '' }
    } finally {
      archive.destroy()
    }
  }

  #stop(reason: ExecutionReason, detail: string): void {
    if (this.#cause !== undefined) return
    this.#cause = { reason, detail }
    this.#ending.abort(new Error(detail))
    this.#killed = this.#kill()
    this.#cancelGone = this.#world.clock.after(goneMs, () =>
      this.#gone.abort(new Error(`the engine did not end the container within ${goneMs} ms`)),
    )
  }

  async #kill(): Promise<void> {
    const { clock, log } = this.#world
    using deadline = clock.deadline(goneMs)
    try {
      await this.#program?.kill(deadline.signal)
    } catch (error) {
      log('warn', 'a container could not be killed', { container: this.#name, error })
    }
  }

  #fail(what: string, error: unknown): void {
    this.#stop('executor-failed', `${what}: ${error instanceof Error ? error.message : String(error)}`)
  }

  #tooMuch(): string {
    return `it left more in /out than the ${this.#limits.outputBytes} bytes or ${outFilesMax} files allowed`
  }

  #causeOfFailure(error: unknown): Cause {
    const detail = error instanceof Error ? error.message : String(error)
    const isTheirs = error instanceof ImageInvalidError || error instanceof TarError || isNoProgram(error)
    if (!isTheirs) this.#world.log('warn', 'execution in a container failed', { detail })
    return { reason: isTheirs ? 'module-invalid' : 'executor-failed', detail }
  }

  #result({ reason, detail }: Cause, end: ContainerEnd | null, outputs: ExecutionOutputs | null): ExecutionResult {
    const exited = reason === 'exited' && end !== null
    return {
      reason,
      exitCode: exited ? end.exitCode : null,
      detail,
      usage: this.#usageNow(),
      outputs: exited ? outputs : null,
      ...(this.#imageDigest === undefined ? {} : { imageDigest: this.#imageDigest }),
    }
  }

  #usageNow(): ExecutionUsage {
    return {
      wallMs: Math.ceil(this.#world.clock.monotonicMs() - this.#startedMs),
      cpuMs: this.#usage.cpuMs,
      // Nobody counts the instructions of a processor.
      gas: 0,
      memoryBytesPeak: this.#usage.memoryBytes,
      outputBytes: this.#outputBytes,
      stdoutBytes: this.#logBytes.stdout,
      stderrBytes: this.#logBytes.stderr,
    }
  }

  async #within(delayMs: number, work: Promise<unknown>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = this.#world.clock.after(delayMs, () => {
      this.#stop('executor-failed', `the log was not taken within ${delayMs} ms of the end`)
      resolve()
    })
    try {
      await Promise.race([work, late])
    } finally {
      cancel()
    }
  }

  /** Whatever came to be of it. What cannot be removed now is swept at the next start. */
  async #remove(): Promise<void> {
    const { engine, clock, log } = this.#world
    await this.#killed
    using deadline = clock.deadline(removeMs)
    const { signal } = deadline
    try {
      for (const part of ['program', 'guard']) await removeContainer(engine, `${this.#name}-${part}`, signal)
      for (const volume of Object.values(this.#volumes) as string[]) await removeVolume(engine, volume, signal)
    } catch (error) {
      log('warn', 'a container could not be removed', { container: this.#name, error })
    }
  }
}
