/** One container in the engine, and what is asked of it: typed, with the quirks of the two engines taken out. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

import { z } from 'zod'

import type { Clock } from '../../environment.ts'
import { EngineError, type Engine } from './engine.ts'

/** How often an engine is asked whether a container is really gone, once its streams have closed. */
const lookAgainMs = 20
const lookAgainMsMax = 500

const createdSchema = z.object({ Id: z.string().regex(/^[0-9a-f]{12,64}$/) })
const stateSchema = z.object({
  State: z.object({
    // Of one that is paused as well.
    Running: z.boolean(),
    OOMKilled: z.boolean().nullish(),
    ExitCode: z.int(),
    StartedAt: z.string().nullish(),
    FinishedAt: z.string().nullish(),
  }),
  LogPath: z.string().nullish(),
})
const statsSchema = z.object({
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: z.number() }) }),
  memory_stats: z.object({ usage: z.number().nullish(), max_usage: z.number().nullish() }),
})

export interface ContainerEnd {
  readonly exitCode: number
  readonly wasOutOfMemory: boolean
}

/** Of one that is there. */
export interface ContainerState {
  /** By the machine's clock; null: it was made, and never run. */
  readonly startedMs: number | null
  /** Where the engine keeps its log, on the engine's machine; empty where it does not say. */
  readonly logPath: string
  /** Null while it runs. */
  readonly end: (ContainerEnd & { readonly atMs: number }) | null
}

export interface ContainerUsage {
  readonly cpuMs: number
  readonly memoryBytes: number
}

export class Container {
  readonly #engine: Engine
  readonly id: string

  constructor(engine: Engine, id: string) {
    this.#engine = engine
    this.id = id
  }

  static async create(engine: Engine, name: string, body: object, signal: AbortSignal): Promise<Container> {
    const created = await engine.ask('POST', '/containers/create', { query: { name }, body, signal })
    return new Container(engine, createdSchema.parse(created).Id)
  }

  /** Before the start, so that nothing is missed. */
  async attach(withStdin: boolean, signal: AbortSignal): Promise<Duplex> {
    const query = { stream: '1', stdout: '1', stderr: '1', ...(withStdin ? { stdin: '1' } : {}) }
    return this.#engine.attach(`/containers/${this.id}/attach`, { query, signal })
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#engine.ask('POST', `/containers/${this.id}/start`, { signal })
  }

  async state(signal: AbortSignal): Promise<ContainerState> {
    const { State, LogPath } = stateSchema.parse(
      await this.#engine.ask('GET', `/containers/${this.id}/json`, { signal }),
    )
    const { Running, ExitCode, OOMKilled, StartedAt, FinishedAt } = State
    const end = { exitCode: ExitCode, wasOutOfMemory: OOMKilled === true, atMs: Date.parse(FinishedAt ?? '') }
    // Engines say the year 1 for never.
    const startedMs = Date.parse(StartedAt ?? '')
    return { startedMs: startedMs > 0 ? startedMs : null, logPath: LogPath ?? '', end: Running ? null : end }
  }

  /** Null when it is not there. */
  async stateIfThere(signal: AbortSignal): Promise<ContainerState | null> {
    return this.state(signal).catch((error: unknown) => {
      unlessGone(error)
      return null
    })
  }

  /**
   * Resolves when it has ended. `hint` resolves when that is likely: Podman's own word comes up to a second late. Rejects
   * when the engine is gone, or with the signal's reason.
   */
  async ended(hint: Promise<unknown>, clock: Clock, signal: AbortSignal): Promise<ContainerEnd> {
    using told = new Told(signal)
    const waiting = this.#engine.stream('POST', `/containers/${this.id}/wait`, { signal: told.signal })
    // The engine answers with its headers at once, and with a body in the end.
    const said = waiting.then(async (answer) => {
      for await (const _ of answer as AsyncIterable<Uint8Array>) continue
    })
    // Whichever comes first; that one of them fails is found out when the engine is asked.
    const quietly = said.catch(() => {})
    await Promise.race([hint, quietly])
    for (let pauseMs = lookAgainMs; ; pauseMs = Math.min(2 * pauseMs, lookAgainMsMax)) {
      const { end } = await this.state(signal)
      if (end !== null) return end
      await clock.sleep(pauseMs, signal)
    }
  }

  /** Undefined once it does not run. */
  async usage(signal: AbortSignal): Promise<ContainerUsage | undefined> {
    const query = { stream: '0', 'one-shot': '1' }
    try {
      const stats = statsSchema.safeParse(
        await this.#engine.ask('GET', `/containers/${this.id}/stats`, { query, signal }),
      )
      if (!stats.success) return undefined
      const { cpu_stats: cpu, memory_stats: memory } = stats.data
      return {
        cpuMs: Math.ceil(cpu.cpu_usage.total_usage / 1_000_000),
        memoryBytes: Math.max(memory.usage ?? 0, memory.max_usage ?? 0),
      }
    } catch (error) {
      if (error instanceof EngineError) return undefined
      throw error
    }
  }

  /** False when it does not run. */
  async send(name: 'SIGKILL' | 'SIGUSR1' | 'SIGUSR2', signal: AbortSignal): Promise<boolean> {
    return this.#told('kill', { signal: name }, signal)
  }

  /** Its processes are held by the kernel. Harmless when they are, or do not run. */
  async pause(signal: AbortSignal): Promise<void> {
    await this.#told('pause', {}, signal)
  }

  async unpause(signal: AbortSignal): Promise<void> {
    await this.#told('unpause', {}, signal)
  }

  /** What the engine has kept of the log, from its beginning, in frames as of {@link attach}. `follow`: until it ends. */
  async logs(follow: boolean, signal: AbortSignal): Promise<IncomingMessage> {
    const query = { stdout: '1', stderr: '1', follow: follow ? '1' : '0' }
    return this.#engine.stream('GET', `/containers/${this.id}/logs`, { query, signal })
  }

  async put(path: string, tar: AsyncIterable<Uint8Array>, signal: AbortSignal, withinMs: number): Promise<void> {
    await this.#engine.upload('PUT', `/containers/${this.id}/archive`, tar, { query: { path }, signal, withinMs })
  }

  async get(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#engine.stream('GET', `/containers/${this.id}/archive`, { query: { path }, signal })
  }

  async #told(what: string, query: Record<string, string>, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#engine.ask('POST', `/containers/${this.id}/${what}`, { query, signal })
      return true
    } catch (error) {
      // It has ended by itself, or is not there any more.
      if (!(error instanceof EngineError)) throw error
      return false
    }
  }
}

export async function removeContainer(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  // Anonymous volumes go with it.
  await engine.ask('DELETE', `/containers/${id}`, { query: { force: '1', v: '1' }, signal }).catch(unlessGone)
}

export async function removeVolume(engine: Engine, name: string, signal: AbortSignal): Promise<void> {
  await engine.ask('DELETE', `/volumes/${name}`, { query: { force: '1' }, signal }).catch(unlessGone)
}

function unlessGone(error: unknown): void {
  if (!(error instanceof EngineError && error.status === 404)) throw error
}

/** A signal of its own, that fires at the end of its block at the latest. */
class Told implements Disposable {
  readonly #controller = new AbortController()
  readonly signal: AbortSignal

  constructor(parent: AbortSignal) {
    this.signal = AbortSignal.any([parent, this.#controller.signal])
  }

  [Symbol.dispose](): void {
    this.#controller.abort()
  }
}
