/**
 * Runs one machine: inputs queue up, one step at a time, and what a step must remember is durable before anything it says
 * leaves this peer. A step whose writing fails has not happened.
 */
import type { Statement } from '../protocols/wire/index.ts'
import type { Clock, Log } from './environment.ts'

/** Whose machine it is: a requester's of a job, a provider's of a lease, an account with another peer, promises to it or of it, what it keeps for us or we for it. */
export type MachineKind = 'job' | 'lease' | 'settle' | 'voucher' | 'storage-owner' | 'storage-keeper'

/** What machines need of the ledger. */
export interface Journal {
  /** Resolves once all of it is durable. Rejects when none of it is, or when the disk broke and nobody can tell before the next start. */
  commit(entry: JournalEntry): Promise<void>
}

export interface JournalEntry {
  readonly kind: MachineKind
  readonly id: string
  /** Plain data, for `encodeState` (state-form.ts); null when only statements are to be kept. */
  readonly state: unknown
  readonly final: boolean
  readonly statements: readonly Statement[]
}

/** A machine with everything but its I/O. */
export interface Machine<State, Input, Effect> {
  step(state: State, input: Input, nowMs: number): readonly [State, readonly Effect[]]
  wakeAtMs(state: State): number | undefined
  isFinal(state: State): boolean
  readonly wake: Input
}

type Durable = { readonly do: 'save' } | { readonly do: 'record'; readonly statement: Statement }

/** Inputs that may wait for one machine; beyond, the newest is dropped: the sender repeats what matters. */
const inputsQueuedMax = 1_024
/** Timers of Node fire at once when they are set further ahead than this. */
const timerMsMax = 2 ** 31 - 1
/** A clock that was stepped by less is taken as one that was not. */
const clockStepMsMin = 50

export interface ReactorOptions<State, Input, Effect extends { readonly do: string }> {
  readonly kind: MachineKind
  readonly id: string
  readonly machine: Machine<State, Input, Effect | Durable>
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  /** Carries out what is not durable. Must not throw and must not wait. */
  perform(effect: Exclude<Effect, Durable>): void
  /** The machine could not be written down and stands still. */
  onStuck(error: Error): void
}

export interface Queued {
  readonly now: number
  readonly most: number
}

/** Of several reactors together. */
export function queuedOf(reactors: Iterable<{ readonly queued: Queued }>): Queued {
  let [now, most] = [0, 0]
  for (const { queued } of reactors) {
    now += queued.now
    most = Math.max(most, queued.most)
  }
  return { now, most }
}

export class Reactor<State, Input, Effect extends { readonly do: string }> {
  readonly #options: ReactorOptions<State, Input, Effect>
  readonly #queue: Input[] = []
  #state: State
  #isRunning = false
  /** Who waits for the step under way to end. */
  #onIdle: (() => void)[] = []
  #timer: { readonly atMs: number; readonly stepsMs: number; readonly cancel: () => void } | undefined
  #stopped = false
  #queuedMost = 0

  constructor(options: ReactorOptions<State, Input, Effect>, state: State) {
    this.#options = options
    this.#state = state
  }

  get state(): State {
    return this.#state
  }

  /** Inputs that wait, and the most that ever did. */
  get queued(): Queued {
    return { now: this.#queue.length, most: this.#queuedMost }
  }

  /** Carries out the effects with which the machine was made. */
  async begin(effects: readonly (Effect | Durable)[]): Promise<void> {
    this.#isRunning = true
    try {
      await this.#write(this.#state, effects)
      this.#take(this.#state, effects)
    } catch (error) {
      this.#stopped = true
      this.#queue.length = 0
      this.#rest()
      throw error
    }
    this.#run()
  }

  push(input: Input): void {
    if (this.#stopped) return
    if (this.#queue.length >= inputsQueuedMax) {
      this.#options.log('warn', 'too many inputs wait for a machine', { id: this.#options.id })
      return
    }
    this.#queue.push(input)
    if (this.#queue.length > this.#queuedMost) this.#queuedMost = this.#queue.length
    if (this.#isRunning) return
    this.#isRunning = true
    // Leave the caller's stack first: push() must not run a step inside somebody else's.
    queueMicrotask(() => this.#run())
  }

  /** No further step is begun. Resolves once the one under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#queue.length = 0
    this.#cancelTimer()
    if (!this.#isRunning) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onIdle.push(resolve)
    await promise
  }

  /** Steps through what waits, until it is empty or a step has something to be written down: then it goes on from there. */
  #run(): void {
    const { machine, clock } = this.#options
    try {
      for (let input = this.#queue.shift(); input !== undefined && !this.#stopped; input = this.#queue.shift()) {
        const [next, effects] = machine.step(this.#state, input, clock.nowMs())
        const written = this.#write(next, effects)
        if (written !== undefined) {
          void this.#afterwards(written, next, effects)
          return
        }
        this.#take(next, effects)
      }
      this.#rest()
      if (!this.#stopped) this.#schedule()
    } catch (error) {
      this.#stick(error as Error)
    }
  }

  async #afterwards(written: Promise<void>, next: State, effects: readonly (Effect | Durable)[]): Promise<void> {
    try {
      await written
      this.#take(next, effects)
    } catch (error) {
      return this.#stick(error as Error)
    }
    this.#run()
  }

  /** What must be durable before the step has happened; undefined when nothing must. */
  #write(next: State, effects: readonly (Effect | Durable)[]): Promise<void> | undefined {
    let statements: Statement[] | undefined
    let saves = false
    for (const effect of effects) {
      if (isRecord(effect)) (statements ??= []).push(effect.statement)
      else if (effect.do === 'save') saves = true
    }
    if (!saves && statements === undefined) return undefined
    const { kind, id, machine, journal } = this.#options
    return journal.commit({
      kind,
      id,
      state: saves ? next : null,
      final: machine.isFinal(next),
      statements: statements ?? [],
    })
  }

  #take(next: State, effects: readonly (Effect | Durable)[]): void {
    this.#state = next
    for (const effect of effects) {
      if (effect.do !== 'save' && effect.do !== 'record') this.#options.perform(effect as Exclude<Effect, Durable>)
    }
  }

  #stick(error: Error): void {
    const { log, id } = this.#options
    this.#stopped = true
    this.#queue.length = 0
    this.#cancelTimer()
    log('error', 'a machine stands still', { id, error })
    this.#options.onStuck(error)
    this.#rest()
  }

  #rest(): void {
    this.#isRunning = false
    if (this.#onIdle.length === 0) return
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  /**
   * Machines put off what they wait for with nearly every step. A timer that is set for earlier is left as it is and looks again
   * when it fires; only one that would come too late is set anew, or one set before the machine's clock was stepped.
   */
  #schedule(): void {
    const { machine, clock } = this.#options
    const atMs = machine.wakeAtMs(this.#state)
    if (atMs === undefined) return this.#cancelTimer()
    const nowMs = clock.nowMs()
    const stepsMs = nowMs - clock.monotonicMs()
    const timer = this.#timer
    if (timer !== undefined && timer.atMs <= atMs && Math.abs(timer.stepsMs - stepsMs) < clockStepMsMin) return
    this.#cancelTimer()
    const delayMs = Math.min(Math.max(0, atMs - nowMs), timerMsMax)
    this.#timer = { atMs, stepsMs, cancel: clock.after(delayMs, () => this.#onTimer()) }
  }

  #onTimer(): void {
    this.#timer = undefined
    if (this.#stopped) return
    const { machine, clock } = this.#options
    const atMs = machine.wakeAtMs(this.#state)
    if (atMs !== undefined && atMs <= clock.nowMs()) this.push(machine.wake)
    else if (!this.#isRunning) this.#schedule()
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}

function isRecord(effect: { readonly do: string }): effect is Extract<Durable, { do: 'record' }> {
  return effect.do === 'record'
}
