/**
 * Runs one machine: inputs queue up, one step at a time, and what a step must remember is durable before anything it says
 * leaves this peer. A step whose writing fails has not happened.
 */
import * as dagCbor from '@ipld/dag-cbor'

import type { Statement } from '../protocols/wire/index.ts'
import type { Clock, Log } from './environment.ts'

/** Whose machine it is: a requester's of a job, a provider's of a lease, an account with another peer. */
export type MachineKind = 'job' | 'lease' | 'settle'

/** What machines need of the ledger. */
export interface Journal {
  /** Resolves once all of it is durable; rejects when none of it is. */
  commit(entry: JournalEntry): Promise<void>
}

export interface JournalEntry {
  readonly kind: MachineKind
  readonly id: string
  /** Plain data, for `encodeState`; null when only statements are to be kept. */
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

export class Reactor<State, Input, Effect extends { readonly do: string }> {
  readonly #options: ReactorOptions<State, Input, Effect>
  readonly #queue: Input[] = []
  #state: State
  #running: Promise<void> | undefined
  #cancelWake: () => void = () => {}
  #stopped = false

  constructor(options: ReactorOptions<State, Input, Effect>, state: State) {
    this.#options = options
    this.#state = state
  }

  get state(): State {
    return this.#state
  }

  /** Carries out the effects with which the machine was made. */
  async begin(effects: readonly (Effect | Durable)[]): Promise<void> {
    await this.#carryOut(this.#state, effects)
    this.#schedule()
  }

  push(input: Input): void {
    if (this.#stopped) return
    if (this.#queue.length >= inputsQueuedMax) {
      this.#options.log('warn', 'too many inputs wait for a machine', { id: this.#options.id })
      return
    }
    this.#queue.push(input)
    this.#running ??= this.#run()
  }

  /** No further step is begun. Resolves once the one under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelWake()
    this.#queue.length = 0
    await this.#running
  }

  async #run(): Promise<void> {
    const { machine, clock, log, id } = this.#options
    // Leave the caller's stack first: push() must not run a step inside somebody else's.
    await Promise.resolve()
    try {
      for (let input = this.#queue.shift(); input !== undefined && !this.#stopped; input = this.#queue.shift()) {
        const [next, effects] = machine.step(this.#state, input, clock.nowMs())
        await this.#carryOut(next, effects)
      }
    } catch (error) {
      this.#stopped = true
      this.#queue.length = 0
      log('error', 'a machine stands still', { id, error })
      this.#options.onStuck(error as Error)
    } finally {
      this.#running = undefined
      if (!this.#stopped) this.#schedule()
    }
  }

  async #carryOut(next: State, effects: readonly (Effect | Durable)[]): Promise<void> {
    const { kind, id, machine, journal } = this.#options
    const statements: Statement[] = []
    let saves = false
    for (const effect of effects) {
      if (isRecord(effect)) statements.push(effect.statement)
      else if (effect.do === 'save') saves = true
    }
    if (saves || statements.length > 0) {
      const state = saves ? next : null
      await journal.commit({ kind, id, state, final: machine.isFinal(next), statements })
    }
    this.#state = next
    for (const effect of effects) {
      if (effect.do !== 'save' && effect.do !== 'record') this.#options.perform(effect as Exclude<Effect, Durable>)
    }
  }

  #schedule(): void {
    this.#cancelWake()
    const { machine, clock } = this.#options
    const atMs = machine.wakeAtMs(this.#state)
    if (atMs === undefined) return
    const delayMs = Math.min(Math.max(0, atMs - clock.nowMs()), timerMsMax)
    this.#cancelWake = clock.after(delayMs, () => this.push(machine.wake))
  }
}

function isRecord(effect: { readonly do: string }): effect is Extract<Durable, { do: 'record' }> {
  return effect.do === 'record'
}

/** States are plain data of DAG-CBOR's kinds: text, bytes, integers, booleans, null, lists and maps. */
export function encodeState(state: unknown): Uint8Array {
  return dagCbor.encode(state)
}

export function decodeState<State>(bytes: Uint8Array): State {
  return dagCbor.decode<State>(bytes)
}
