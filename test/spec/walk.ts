/**
 * Walks through a machine: from every state that can be reached, every kind of input, before and after each deadline. What
 * happens on the way is what the table in its README has to say, no more and no less.
 */
import assert from 'node:assert/strict'

import type { Fault } from '../../protocols/wire/index.ts'
import { checkStep } from '../negotiate/parties.ts'

/** An effect as any machine gives it. */
export interface Done {
  readonly do: string
  readonly message?: { readonly say: string; readonly refusal?: { readonly code: string } }
  readonly event?: {
    readonly happened: string
    readonly because?: { readonly code: string }
    readonly code?: string
    readonly failed?: readonly { readonly because: { readonly code: string } }[]
  }
  readonly fault?: Fault
}

export type Stepped<State> = readonly [State, readonly Done[]]

export interface Machine<State extends object, Input> {
  readonly protocol: string
  /** The name of the step function, which stands in the heading of the table. */
  readonly name: string
  /** How it begins; the rows of the state `–`. */
  readonly begins: readonly { readonly on: string; readonly step: Stepped<State>; readonly atMs: number }[]
  /** States further on, which a walk from the beginning would take long to come to. */
  readonly further?: readonly State[]
  readonly nameOf: (state: State) => string
  /** Two states with one key go on alike. What `shapeOf` says is enough for most. */
  readonly keyOf?: (state: State) => string
  /** How many states with one key are gone on from. */
  readonly placesPerKeyMax?: number
  readonly inputs: (state: State, nowMs: number) => Iterable<readonly [on: string, input: Input]>
  readonly step: (state: State, input: Input, nowMs: number) => Stepped<State>
  readonly wakeAtMs?: (state: State) => number | undefined
  readonly wake?: Input
  readonly final: readonly string[]
  /** The other side: who is blamed, and who is spoken to. Several when one machine speaks to several. */
  readonly other: string | readonly string[] | undefined
}

export interface Observed {
  readonly protocol: string
  readonly name: string
  readonly states: ReadonlySet<string>
  /** `state | on | next` */
  readonly transitions: ReadonlySet<string>
  /** By `state | on`: the codes and the messages that came out. */
  readonly codes: ReadonlyMap<string, ReadonlySet<string>>
  readonly words: ReadonlyMap<string, ReadonlySet<string>>
  readonly steps: number
}

/** Codes that the other side, or the owner, chose: what passes through says nothing of the machine. */
export const passedOn = 'AS_THE_OTHER_SAID'

const placesPerKeyMaxDefault = 5
const farMs = 10 * 60_000

export function walk<State extends object, Input>(machine: Machine<State, Input>): Observed {
  const transitions = new Set<string>()
  const states = new Set<string>()
  const codes = new Map<string, Set<string>>()
  const words = new Map<string, Set<string>>()
  const places = new Map<string, number>()
  const placesPerKeyMax = machine.placesPerKeyMax ?? placesPerKeyMaxDefault
  const queue: { state: State; nowMs: number }[] = []
  let steps = 0

  const note = (from: string, on: string, [state, effects]: Stepped<State>) => {
    transitions.add(`${from} | ${on} | ${machine.nameOf(state)}`)
    const row = `${from} | ${on}`
    for (const effect of effects) {
      const code =
        effect.fault?.code ?? effect.message?.refusal?.code ?? effect.event?.because?.code ?? effect.event?.code
      const failures = effect.event?.failed?.map(({ because }) => because.code) ?? []
      for (const one of [code, ...failures]) if (one !== undefined && one !== passedOn) add(codes, row, one)
      if (effect.message !== undefined) add(words, row, effect.message.say.toUpperCase().replaceAll('-', '_'))
    }
  }
  const reach = (state: State, nowMs: number) => {
    states.add(machine.nameOf(state))
    const key = `${machine.nameOf(state)} ${(machine.keyOf ?? shapeOf)(state)}`
    const seen = places.get(key) ?? 0
    if (seen >= placesPerKeyMax) return
    places.set(key, seen + 1)
    queue.push({ state, nowMs })
  }

  for (const { on, step, atMs } of machine.begins) {
    note('–', on, step)
    reach(step[0], atMs)
  }
  for (const state of machine.further ?? []) reach(state, machine.begins[0]!.atMs)
  for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
    const { state, nowMs } = place
    const from = machine.nameOf(state)
    const before = asText(state)
    for (const atMs of timesOf(state, nowMs)) {
      for (const [on, input] of machine.inputs(state, atMs)) {
        const step = machine.step(state, input, atMs)
        const [next, effects] = step
        steps++
        const where = `${machine.name}: ${from}, ${on}`
        assert.equal(asText(state), before, `${where}: the state before is not touched`)
        const blamed = effects.some((effect) => effect.do === 'blame')
        if (blamed) assert.equal(asText(next), before, `${where}: a fault changes nothing`)
        if (machine.other !== undefined && !isAnswerAndMore(effects))
          checkStep(before as never, [blamed ? before : asText(next), effects] as never, machine.other)
        if (machine.final.includes(from))
          assert.equal(machine.nameOf(next), from, `${where}: what has ended stays ended`)
        if (asText(next) === before && effects.length === 0) continue
        note(from, on, step)
        if (!blamed) reach(next, atMs)
      }
    }
    checkWake(machine, state, nowMs)
  }
  return { protocol: machine.protocol, name: machine.name, states, transitions, codes, words, steps }
}

/** Walks through one machine that begins in several ways, as one. */
export function together(walks: readonly Observed[]): Observed {
  const { protocol, name } = walks[0]!
  const transitions = new Set<string>()
  const states = new Set<string>()
  const codes = new Map<string, Set<string>>()
  const words = new Map<string, Set<string>>()
  let steps = 0
  for (const one of walks) {
    for (const transition of one.transitions) transitions.add(transition)
    for (const state of one.states) states.add(state)
    for (const [row, found] of one.codes) for (const code of found) add(codes, row, code)
    for (const [row, found] of one.words) for (const word of found) add(words, row, word)
    steps += one.steps
  }
  return { protocol, name, states, transitions, codes, words, steps }
}

/** Two steps in one: what was asked for is written down and told, and the next is written down and sent. */
function isAnswerAndMore(effects: readonly Done[]): boolean {
  return effects.filter((effect) => effect.do === 'save').length > 1
}

/** Who is woken at the time that a state names gets on: it waits for something later, or for nothing. */
function checkWake<State extends object, Input>(machine: Machine<State, Input>, state: State, nowMs: number): void {
  const { wakeAtMs, wake } = machine
  const name = machine.nameOf(state)
  const at = wakeAtMs?.(state)
  if (machine.final.includes(name)) assert.equal(at, undefined, `${machine.name}: ${name} waits for nothing`)
  if (at === undefined || wake === undefined || wakeAtMs === undefined) return
  const atMs = Math.max(at, nowMs)
  const again = wakeAtMs(machine.step(state, wake, atMs)[0])
  assert.ok(again === undefined || again > atMs, `${machine.name}: ${name} is woken for ever`)
}

/** Now, and just before and at each time that stands in the state, and long after all of them. */
function timesOf(state: object, nowMs: number): number[] {
  const times = new Set([nowMs, nowMs + 10, nowMs + farMs])
  for (const atMs of datesIn(state)) {
    if (atMs - 1 >= nowMs) times.add(atMs - 1)
    if (atMs >= nowMs) times.add(atMs)
  }
  return [...times].toSorted((left, right) => left - right)
}

function datesIn(value: unknown): number[] {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'number' ? (key.endsWith('Ms') && inner > 1e12 ? [inner] : []) : datesIn(inner),
  )
}

/** What of a state decides where it may go: its flags, what it has and has not, and small counts up to 2. */
function shapeOf(state: object): string {
  return Object.entries(state)
    .map(([key, value]) => {
      if (typeof value === 'boolean' || value === null) return `${key} ${String(value)}`
      if (typeof value === 'number') return value < 1e6 ? `${key} ${Math.min(value, 2)}` : key
      return key
    })
    .join(', ')
}

function asText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner instanceof Uint8Array ? Buffer.from(inner).toString('base64') : inner,
  )
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key) ?? new Set()
  set.add(value)
  map.set(key, set)
}
