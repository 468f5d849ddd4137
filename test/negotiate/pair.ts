/**
 * Both halves of one negotiation on a clock of their own, joined by a line that the test may cut. It writes down what happens
 * as a play that a person can read. The requester's half is a gang of one.
 */
import {
  decodeNegotiation,
  encodeNegotiation,
  gangWakeAtMs,
  holdWakeAtMs,
  offer,
  openGang,
  stepGang,
  stepHold,
  type AwardState,
  type GangInput,
  type GangState,
  type HoldInput,
  type HoldState,
  type Negotiation,
} from '../../protocols/negotiate/index.ts'
import type { Effect, Fault, Refusal } from '../../protocols/wire/index.ts'
import { asker, awardTerms, checkStep, offerTerms, provider, requester, startMs, worker } from './parties.ts'

export type Side = 'requester' | 'provider'
type Event = { readonly happened: string; readonly because?: Refusal }

export interface Plan {
  /** How long after the OFFER arrived the requester awards. */
  readonly awardAfterMs?: number
  /** The delays of the copies that arrive: none is a loss. Counted per kind of message, from 1. */
  readonly fate?: (say: string, count: number) => readonly number[]
}

interface Due {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

const onTime = (): readonly number[] => [10]

export class Pair {
  readonly lines: string[] = []
  readonly faults: Fault[] = []
  gang: GangState | undefined
  provider: HoldState
  #nowMs = startMs
  #order = 0
  #due: Due[] = []
  readonly #plan: Plan
  readonly #counts = new Map<string, number>()

  constructor(plan: Plan = {}) {
    this.#plan = plan
    const [state, effects] = offer(worker, requester, offerTerms())
    this.provider = state
    this.#act('provider', 'has heard a bid', undefined, state, effects)
  }

  /** The place that it is all about. */
  get requester(): AwardState | undefined {
    return this.gang?.slots[0]
  }

  /** An input of the world: a restart, a cancellation. */
  at(atMs: number, side: 'requester', input: GangInput): void
  at(atMs: number, side: 'provider', input: HoldInput): void
  at(atMs: number, side: Side, input: GangInput | HoldInput): void {
    this.#later(startMs + atMs, () =>
      side === 'requester'
        ? this.#stepRequester(input as GangInput, input.is)
        : this.#stepProvider(input as HoldInput, input.is),
    )
  }

  /** Runs until nothing waits any more. */
  run(): this {
    for (let turns = 0; ; turns++) {
      if (turns > 10_000) throw new Error('it does not come to rest')
      const wakes = [
        { side: 'requester' as const, atMs: this.gang === undefined ? undefined : gangWakeAtMs(this.gang) },
        { side: 'provider' as const, atMs: holdWakeAtMs(this.provider) },
      ]
      const wake = wakes.filter((one) => one.atMs !== undefined).toSorted((left, right) => left.atMs! - right.atMs!)[0]
      const due = this.#due.toSorted((left, right) => left.atMs - right.atMs || left.order - right.order)[0]
      if (wake === undefined && due === undefined) return this
      if (due !== undefined && (wake === undefined || due.atMs <= wake.atMs!)) {
        this.#due = this.#due.filter((one) => one !== due)
        this.#nowMs = Math.max(this.#nowMs, due.atMs)
        due.run()
      } else {
        this.#nowMs = Math.max(this.#nowMs, wake!.atMs!)
        if (wake!.side === 'requester') this.#stepRequester({ is: 'wake' }, 'wakes')
        else this.#stepProvider({ is: 'wake' }, 'wakes')
      }
    }
  }

  #stepRequester(input: GangInput, because: string): void {
    const before = this.gang
    if (before === undefined) return
    const step = stepGang(asker, before, input, this.#nowMs)
    checkStep<GangState>(before, step, provider)
    this.#actRequester(because, step)
  }

  #actRequester(because: string, [after, effects]: ReturnType<typeof stepGang>): void {
    const before = this.requester?.at
    this.gang = after
    const place = after.slots[0]!
    const told = effects.map((effect): Effect<Negotiation, Event> => {
      if (effect.do !== 'tell') return effect
      const { happened } = effect.event
      return { do: 'tell', event: place.at === 'closed' ? { happened, because: place.because } : { happened } }
    })
    this.#act('requester', because, before, place, told)
  }

  #stepProvider(input: HoldInput, because: string): void {
    const before = this.provider
    const step = stepHold(worker, before, input, this.#nowMs)
    checkStep<HoldState>(before, step, requester)
    this.provider = step[0]
    this.#act('provider', because, before.at, step[0], step[1])
  }

  #act(
    side: Side,
    because: string,
    before: string | undefined,
    after: { readonly at: string },
    effects: readonly Effect<Negotiation, Event>[],
  ): void {
    const said = effects.map((effect) => {
      switch (effect.do) {
        case 'record':
          return `writes ${effect.statement.kind}`
        case 'save':
          return 'saves'
        case 'tell':
          return effect.event.because === undefined
            ? `is ${effect.event.happened}`
            : `ends (${effect.event.because.code})`
        case 'blame':
          this.faults.push(effect.fault)
          return `blames ${effect.fault.code}`
        case 'send':
          return `says ${this.#send(side, effect.message)}`
        default:
          return effect satisfies never
      }
    })
    const turn = before === after.at ? after.at : `${before ?? '-'} > ${after.at}`
    const time = String(this.#nowMs - startMs).padStart(6)
    this.lines.push(
      `${time} ms  ${side.padEnd(9)}  ${because.padEnd(16)} ${turn.padEnd(20)}  ${said.join(', ') || '-'}`,
    )
  }

  #send(side: Side, message: Negotiation): string {
    const word = message.say === 'refuse' ? `REFUSE ${message.refusal.code}` : message.say.toUpperCase()
    const count = (this.#counts.get(message.say) ?? 0) + 1
    this.#counts.set(message.say, count)
    const copies = (this.#plan.fate ?? onTime)(message.say.toUpperCase(), count)
    const bytes = encodeNegotiation(message)
    for (const delayMs of copies) this.#later(this.#nowMs + delayMs, () => this.#hear(side, bytes, word))
    return copies.length === 0 ? `${word} (lost)` : word
  }

  #hear(from: Side, bytes: Uint8Array, word: string): void {
    if (from === 'requester') {
      const message = decodeNegotiation(worker, bytes)
      return this.#stepProvider({ is: 'message', from: requester, message }, `hears ${word.split(' ')[0]}`)
    }
    const message = decodeNegotiation(asker, bytes)
    if (message.say === 'offer' && this.gang === undefined) {
      const awardMs = this.#nowMs + (this.#plan.awardAfterMs ?? 0)
      return this.#later(awardMs, () => {
        if (this.gang !== undefined) return
        const terms = awardTerms({ issuedMs: awardMs, acceptByMs: awardMs + 4_000 }, message.offer)
        this.#actRequester('has chosen', openGang(asker, [terms], awardMs))
      })
    }
    this.#stepRequester({ is: 'message', from: provider, message }, `hears ${word.split(' ')[0]}`)
  }

  #later(atMs: number, run: () => void): void {
    this.#due.push({ atMs, order: this.#order++, run })
  }
}
