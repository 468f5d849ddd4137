/**
 * Machines of one protocol on one line, each with a clock of its own, as a play that a person can read. The test says what is
 * lost, late or doubled, and when somebody is restarted; a restart goes back to what was saved last.
 */
import type { Effect, Fault, PeerName, Refusal, Step } from '../../protocols/wire/index.ts'
import { checkStep } from '../negotiate/parties.ts'

interface Told {
  readonly happened: string
  readonly because?: Refusal
  readonly code?: string
}

/** One machine of one peer. */
export interface Role<State extends { readonly at: string }, Input extends { readonly is: string }, Message, Event> {
  readonly peer: PeerName
  /** The other peer of this machine. */
  readonly other: PeerName
  readonly step: (state: State, input: Input, nowMs: number) => Step<State, Message, Event>
  readonly wakeAtMs?: (state: State) => number | undefined
  readonly wake?: (nowMs: number) => Input
  readonly hear: (message: Message, from: PeerName, nowMs: number) => Input
  readonly restarted?: Input
  /** How far this peer's clock is ahead. */
  readonly skewMs?: number
  /** What the peer does when its machine tells it something. */
  readonly told?: (event: Event, actor: Actor<Input>) => void
}

export interface Actor<Input> {
  /** Gives the machine an input, so long from now. A restart forgets it. */
  readonly later: (delayMs: number, because: string, input: Input) => void
  /** Forgets what was to come. */
  readonly drop: () => void
}

/** The same in any play: what a protocol's messages look like. */
export interface Language<Message> {
  readonly encode: (message: Message) => Uint8Array
  readonly decode: (bytes: Uint8Array) => Message
  /** For example `REFUSE CLOSED`. */
  readonly wordOf: (message: Message) => string
}

/** The delays of the copies that arrive: none is a loss. Counted for each first word of a message, from 1. */
export type Fate = (say: string, count: number) => readonly number[]

interface Performer {
  readonly peer: PeerName
  wakeAtMs(): number | undefined
  wake(): void
  hear(bytes: Uint8Array, from: PeerName, word: string): void
  restart(): void
}

interface Due {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

const turnsMax = 10_000

export class Play<Message extends { readonly say: string }> {
  readonly lines: string[] = []
  readonly faults: Fault[] = []
  readonly beginMs: number
  readonly #language: Language<Message>
  readonly #fate: Fate
  readonly #counts = new Map<string, number>()
  readonly #performers = new Map<string, Performer>()
  #nowMs: number
  #order = 0
  #due: Due[] = []

  constructor(language: Language<Message>, beginMs: number, fate: Fate = () => [10]) {
    this.#language = language
    this.#fate = fate
    this.beginMs = beginMs
    this.#nowMs = beginMs
  }

  /** Somebody enters, so long after the beginning; `begin` is its first step, by its own clock. */
  enter<State extends { readonly at: string }, Input extends { readonly is: string }, Event extends Told>(
    name: string,
    atMs: number,
    because: string,
    role: Role<State, Input, Message, Event>,
    begin: (nowMs: number) => Step<State, Message, Event>,
  ): { state: () => State | undefined; input: (atMs: number, because: string, input: Input) => void } {
    const { skewMs = 0 } = role
    let state: State | undefined
    let saved: State | undefined
    let life = 0
    const clock = () => this.#nowMs + skewMs
    const actor: Actor<Input> = {
      later: (delayMs, why, input) => {
        const lived = life
        this.#later(delayMs, () => lived === life && take(input, why))
      },
      drop: () => void life++,
    }
    const act = (why: string, before: State | undefined, [next, effects]: Step<State, Message, Event>) => {
      state = next
      const told: Event[] = []
      const said = effects.map((effect) => {
        if (effect.do === 'save') saved = next
        if (effect.do === 'tell') told.push(effect.event)
        return this.#carryOut(role.peer, effect)
      })
      this.#write(name, why, before?.at, next.at, said)
      for (const event of told) role.told?.(event, actor)
    }
    const take = (input: Input, why: string): void => {
      if (state === undefined) return
      const before = state
      const step = role.step(before, input, clock())
      // One step may be two: the answer to what was asked for is kept and told, and then the next is written down and sent.
      if (step[1].filter((effect) => effect.do === 'save').length < 2) checkStep(before, step as never, role.other)
      act(why, before, step)
    }
    this.#performers.set(name, {
      peer: role.peer,
      wakeAtMs: () => {
        const atClock = state === undefined ? undefined : role.wakeAtMs?.(state)
        return atClock === undefined ? undefined : atClock - skewMs
      },
      wake: () => take(role.wake!(clock()), 'wakes'),
      hear: (bytes, from, word) => take(role.hear(this.#language.decode(bytes), from, clock()), `hears ${word}`),
      restart: () => {
        life++
        state = saved ?? state
        if (role.restarted === undefined) this.#write(name, 'restarted', state?.at, state?.at ?? '-', [])
        else take(role.restarted, 'restarted')
      },
    })
    this.at(atMs, () => act(because, undefined, begin(clock())))
    return {
      state: () => state,
      input: (inputMs, why, input) => this.at(inputMs, () => take(input, why)),
    }
  }

  at(atMs: number, run: () => void): this {
    this.#due.push({ atMs: this.beginMs + atMs, order: this.#order++, run })
    return this
  }

  restart(atMs: number, name: string): this {
    return this.at(atMs, () => this.#performers.get(name)!.restart())
  }

  /** Somebody says what its machine did not: a desk that knows no such lease, a peer that cheats. */
  say(atMs: number, from: PeerName, to: PeerName, make: () => Message): this {
    return this.at(atMs, () => this.#send(from, to, make()))
  }

  /** Runs until nothing waits any more. */
  run(): this {
    for (let turns = 0; turns < turnsMax; turns++) {
      const wake = [...this.#performers.values()]
        .map((who) => ({ who, atMs: who.wakeAtMs() ?? Infinity }))
        .reduce((one, other) => (other.atMs < one.atMs ? other : one))
      const due = this.#due.toSorted((left, right) => left.atMs - right.atMs || left.order - right.order)[0]
      if (wake.atMs === Infinity && due === undefined) return this
      this.#nowMs = Math.max(this.#nowMs, Math.min(due?.atMs ?? Infinity, wake.atMs))
      if (due !== undefined && due.atMs <= wake.atMs) {
        this.#due = this.#due.filter((one) => one !== due)
        due.run()
      } else wake.who.wake()
    }
    throw new Error(`it does not come to rest:\n${this.lines.slice(0, 60).join('\n')}`)
  }

  #carryOut(from: PeerName, effect: Effect<Message, Told>): string {
    switch (effect.do) {
      case 'record':
        return `writes ${effect.statement.kind}`
      case 'save':
        return 'saves'
      case 'tell': {
        const code = effect.event.because?.code ?? effect.event.code
        return code === undefined ? effect.event.happened : `${effect.event.happened} (${code})`
      }
      case 'blame':
        this.faults.push(effect.fault)
        return `blames ${effect.fault.code}`
      case 'send':
        return `says ${this.#send(from, effect.to, effect.message)}`
      default:
        return effect satisfies never
    }
  }

  #send(from: PeerName, to: PeerName, message: Message): string {
    const word = this.#language.wordOf(message)
    const say = word.split(' ')[0]!
    const count = (this.#counts.get(say) ?? 0) + 1
    this.#counts.set(say, count)
    const bytes = this.#language.encode(message)
    const copies = this.#fate(say, count)
    for (const delayMs of copies)
      this.#later(delayMs, () => {
        for (const who of this.#performers.values()) if (who.peer === to) who.hear(bytes, from, word)
      })
    return copies.length === 0 ? `${word} (lost)` : word
  }

  #later(delayMs: number, run: () => void): void {
    this.#due.push({ atMs: this.#nowMs + delayMs, order: this.#order++, run })
  }

  #write(name: string, because: string, before: string | undefined, after: string, said: readonly string[]): void {
    const turn = before === after ? after : `${before ?? '-'} > ${after}`
    const time = String(this.#nowMs - this.beginMs).padStart(6)
    this.lines.push(`${time} ms  ${name.padEnd(11)} ${because.padEnd(28)} ${turn.padEnd(21)} ${said.join(', ') || '-'}`)
  }
}

/** Loses the first so many messages of this word. */
export function lose(say: string, first: number): Fate {
  return (word, count) => (word === say && count <= first ? [] : [10])
}

export interface Scene {
  readonly title: string
  readonly lines: readonly string[]
}

/** The scenes as one text. */
export function playText(scenes: readonly Scene[]): string {
  return scenes.map(({ title, lines }) => `# ${title}\n\n${lines.join('\n')}\n`).join('\n')
}
