/**
 * One run of one task in a container: image, folders, guard, program, outputs, and everything away again. As in run.ts the
 * first cause counts: what we ended it for, then what its guard did, then how it ended itself.
 */
import { createReadStream, promises as files } from 'node:fs'
import type { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import type {
  ContainerTask,
  ExecutionLimits,
  ExecutionOutputs,
  ExecutionReason,
  ExecutionResult,
  ExecutionTask,
  ExecutionUsage,
  ExecutionWatch,
} from '../executor.ts'
import { TarError } from '../tar-format.ts'
import { causeOf, causeOfGuard, isNoProgram, type Cause } from './cause.ts'
import { LogIntake } from './container-log.ts'
import { Container, type ContainerEnd, type ContainerUsage } from './container.ts'
import { outFilesMax, type TaskVolumes } from './create-body.ts'
import { reassure } from './guard.ts'
import { tend } from './health.ts'
import { Hold } from './hold.ts'
import { ImageInvalidError } from './image-archive.ts'
import type { ReadyImage } from './images.ts'
import { isCut, writeKept, type KeptContainer } from './kept-container.ts'
import { look } from './look.ts'
import { connectToPort } from './port-connection.ts'
import { prepare, type Made } from './prepare.ts'
import { takeOutputs } from './task-folders.ts'
import { nameOf, removeRun, type ContainerWorld } from './world.ts'

/** After the end: how long a watch may take for the last of the log. */
const drainMs = 5_000
/** After a kill: how long an engine may take to say that the container is gone. */
const goneMs = 10_000
const removeMs = 30_000

interface Over {
  readonly cause: Cause
  readonly end: ContainerEnd
  readonly outputs: ExecutionOutputs | null
}

export class ContainerRun {
  readonly #world: ContainerWorld
  readonly #task: ExecutionTask
  readonly #asked: ContainerTask
  readonly #limits: ExecutionLimits
  readonly #watch: ExecutionWatch
  readonly #log: LogIntake
  readonly #hold: Hold
  /** By the monotonic clock; before now for a run that is gone on with. */
  readonly #startedMs: number
  /** Fires when the run is to end, whatever it is at. */
  readonly #ending = new AbortController()
  /** Fires when a container that was to end has not. */
  readonly #gone = new AbortController()
  #cancelGone = (): void => {}
  readonly #name: string
  readonly #volumes: TaskVolumes
  #cause: Cause | undefined
  #guard: Container | undefined
  #killed: Promise<void> | undefined
  #usage: ContainerUsage = { cpuMs: 0, memoryBytes: 0 }
  /** How long it ran, of one that ended when no peer was there. */
  #ranMs: number | undefined
  #outputBytes = 0
  #imageDigest: string | undefined

  /** `agoMs`: how long ago it began. */
  constructor(
    world: ContainerWorld,
    task: ExecutionTask,
    asked: ContainerTask,
    limits: ExecutionLimits,
    watch: ExecutionWatch,
    agoMs = 0,
  ) {
    this.#world = world
    this.#task = task
    this.#asked = asked
    this.#limits = limits
    this.#watch = watch
    this.#log = new LogIntake(limits.logBytes, watch)
    this.#hold = new Hold(world.clock)
    this.#startedMs = world.clock.monotonicMs() - agoMs
    this.#name = nameOf(world.owner, asked.id)
    this.#volumes = { inputs: `${this.#name}-in`, outputs: `${this.#name}-out` }
  }

  /** Holds the program, or lets it go on. Its time goes on meanwhile. */
  hold(isHeld: boolean): void {
    this.#hold.want(isHeld)
  }

  async run(signal: AbortSignal): Promise<ExecutionResult> {
    return this.#contained(signal, async () => {
      await this.#keep(null)
      using image = await this.#world.images.ready(this.#asked.image, this.#ending.signal)
      this.#imageDigest = image.digest
      const made = await this.#prepare(image)
      return await this.#follow(made, async () => this.#start(made.program), false)
    })
  }

  /** Goes on with what an earlier peer started, or takes in how it ended. Null when it never came to be started. */
  async attach(kept: KeptContainer, signal: AbortSignal): Promise<ExecutionResult | null> {
    const { engine, images, clock } = this.#world
    const { image } = kept
    const program = new Container(engine, `${this.#name}-program`)
    using looking = clock.deadline(goneMs)
    const state = image === null ? null : await program.stateIfThere(looking.signal)
    if (image === null || (state !== null && state.startedMs === null)) {
      await this.#remove()
      return null
    }
    this.#imageDigest = image.digest
    if (state?.end != null) this.#ranMs = Math.max(0, state.end.atMs - kept.startedMs)
    const result = await this.#contained(signal, async () => {
      if (state === null) throw new Error('its container is gone')
      this.#guard = new Container(engine, `${this.#name}-guard`)
      if (await isCut(state.logPath, state.startedMs ?? 0)) this.#tooLong()
      // Who held it may have died, and so may who was taking its outputs.
      await program.unpause(this.#ending.signal)
      for (const part of ['', '.raw']) await files.rm(`${this.#task.outputsTarPath}${part}`, { force: true })
      const opened = async (): Promise<Readable> => program.logs(true, this.#ending.signal)
      return this.#follow({ guard: this.#guard, program }, opened, true)
    })
    using deadline = clock.deadline(removeMs)
    await images.drop(image.reference, deadline.signal).catch(() => {})
    return result
  }

  async #contained(signal: AbortSignal, work: () => Promise<Over>): Promise<ExecutionResult> {
    const { clock } = this.#world
    const { wallMs } = this.#limits
    const onAbort = (): void => this.#stop('cancelled', 'cancelled')
    const cancelWall =
      this.#ranMs === undefined
        ? clock.after(Math.max(0, wallMs - this.#elapsedMs()), () =>
            this.#stop('wall-limit', `it took longer than the ${wallMs} ms allowed`),
          )
        : () => {}
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      const { cause, end, outputs } = await work()
      return this.#result(this.#cause ?? cause, end, outputs)
    } catch (error) {
      return this.#result(this.#cause ?? this.#causeOfFailure(error), null, null)
    } finally {
      cancelWall()
      signal.removeEventListener('abort', onAbort)
      this.#cancelGone()
      await this.#remove()
    }
  }

  async #prepare(image: ReadyImage): Promise<Made> {
    const made = await prepare(
      {
        ...this.#world,
        name: this.#name,
        volumes: this.#volumes,
        task: this.#task,
        asked: this.#asked,
        limits: this.#limits,
        leftMs: Math.max(1, this.#limits.wallMs - this.#elapsedMs()),
        image,
        onGuard: (guard) => (this.#guard = guard),
      },
      this.#ending.signal,
    )
    await this.#keep(image)
    return made
  }

  async #keep(image: ReadyImage | null): Promise<void> {
    const { keep } = this.#task
    if (keep === undefined) return
    const startedMs = this.#world.clock.nowMs() - this.#elapsedMs()
    const { reference, digest } = image ?? {}
    await writeKept(keep.folder, {
      task: this.#asked.id,
      startedMs,
      image: reference === undefined || digest === undefined ? null : { reference, digest },
    })
  }

  /** The streams are there before it runs, so that nothing is missed. */
  async #start(program: Container): Promise<Readable> {
    const { signal } = this.#ending
    const streams = await program.attach(this.#task.stdinPath !== undefined, signal)
    try {
      await program.start(signal)
    } catch (error) {
      streams.destroy()
      throw error
    }
    void this.#feed(streams)
    return streams
  }

  /** Until the program has ended and all that it left is taken in or given up. `isKept`: its log can be read again. */
  async #follow({ guard, program }: Made, open: () => Promise<Readable>, isKept: boolean): Promise<Over> {
    const { clock, engine, log } = this.#world
    const { outputBytes, wallMs: wallMsMax } = this.#limits
    const ends = new DisposableStack()
    try {
      ends.defer(
        reassure(guard, this.#task.keep?.aloneMs, clock, (error) =>
          log('warn', 'a guard could not be told that its peer is there', { container: this.#name, error }),
        ),
      )
      const stream = await open()
      ends.defer(() => stream.destroy())
      this.#hold.begin(program)
      ends.defer(this.#tend(guard))
      ends.defer(
        look({
          clock,
          engine,
          program,
          volume: this.#volumes.outputs,
          outputBytes,
          onUsage: (seen) => this.#onUsage(seen),
          onTooMuch: () => this.#stop('output-limit', this.#tooMuch()),
          onError: (error) => this.#fail('the container cannot be watched', error),
        }),
      )
      const taking = this.#take(stream)
      // From here on a stop kills the program, and its end is waited for all the same.
      const end = await program.ended(taking, clock, this.#gone.signal)
      if (this.#cause !== undefined) return { cause: this.#cause, end, outputs: null }
      // What it left running ends with it.
      const isGuarded = await guard.send('SIGUSR2', this.#ending.signal)
      const wallMs = this.#elapsedMs()
      // An engine may be slow to say that a log which it reads out has no more.
      if (isKept) stream.destroy()
      await this.#withinTime(taking)
      if (isKept) await this.#withinTime(this.#take(await program.logs(false, this.#ending.signal)))
      this.#cause ??= causeOfGuard({ end, isGuarded, wallMs, wallMsMax }) ?? undefined
      if (this.#cause !== undefined) return { cause: this.#cause, end, outputs: null }
      const { outputs, detail } = await this.#collect(guard)
      return { cause: causeOf(end, detail), end, outputs }
    } finally {
      ends.dispose()
    }
  }

  #tend(guard: Container): () => void {
    const { engine, clock } = this.#world
    const health = this.#asked.service?.health ?? null
    if (health === null) return () => {}
    return tend(
      health,
      async (port, until) => connectToPort(engine, guard.id, port, until),
      clock,
      () => this.#hold.isWanted,
      (seen) => this.#watch.onHealth?.(seen),
      (why) => this.#stop('trapped', why),
    )
  }

  async #take(stream: Readable): Promise<void> {
    try {
      const isAll = await this.#log.take(stream as AsyncIterable<Uint8Array>)
      if (!isAll) this.#tooLong()
    } catch (error) {
      // That the stream was cut is of no interest once the run is over.
      if (!stream.destroyed) this.#fail('the log cannot be delivered', error)
    }
  }

  /** What the program does not read is lost, as with any pipe. */
  async #feed(streams: Duplex): Promise<void> {
    const { stdinPath } = this.#task
    if (stdinPath === undefined) return
    await pipeline(createReadStream(stdinPath), streams).catch(() => {})
  }

  #onUsage({ cpuMs, memoryBytes }: ContainerUsage): void {
    this.#usage = { cpuMs, memoryBytes: Math.max(this.#usage.memoryBytes, memoryBytes) }
    this.#watch.onUsage?.(this.#usageNow())
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

  /** With the guard all end that share its processes, at once: whatever they start meanwhile. */
  async #kill(): Promise<void> {
    const { clock, log } = this.#world
    using deadline = clock.deadline(goneMs)
    try {
      await this.#guard?.send('SIGKILL', deadline.signal)
      await this.#hold.release()
    } catch (error) {
      log('warn', 'a container could not be killed', { container: this.#name, error })
    }
  }

  #fail(what: string, error: unknown): void {
    this.#stop('executor-failed', `${what}: ${error instanceof Error ? error.message : String(error)}`)
  }

  #tooLong(): void {
    this.#stop('log-limit', `it wrote more than the ${this.#limits.logBytes} bytes of log allowed`)
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

  #elapsedMs(): number {
    return this.#ranMs ?? this.#world.clock.monotonicMs() - this.#startedMs
  }

  #usageNow(): ExecutionUsage {
    return {
      wallMs: Math.ceil(this.#elapsedMs()),
      cpuMs: this.#usage.cpuMs,
      gas: 0,
      memoryBytesPeak: this.#usage.memoryBytes,
      outputBytes: this.#outputBytes,
      stdoutBytes: this.#log.bytes.stdout,
      stderrBytes: this.#log.bytes.stderr,
    }
  }

  async #withinTime(work: Promise<unknown>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = this.#world.clock.after(drainMs, () => {
      this.#stop('executor-failed', `the log was not taken within ${drainMs} ms of the end`)
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
    const { engine, clock, log, owner } = this.#world
    await this.#killed
    using deadline = clock.deadline(removeMs)
    try {
      await removeRun(engine, owner, this.#asked.id, deadline.signal)
    } catch (error) {
      log('warn', 'a container could not be removed', { container: this.#name, error })
    }
  }
}
