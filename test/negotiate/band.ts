/**
 * A gang: one requester and as many providers as there are places, on one clock, joined by lines that the test may cut. Each
 * has a disk: a restart takes up what was saved, and a death right after a write takes what would have been said. It writes
 * down what happens as a play that a person can read.
 */
import assert from 'node:assert/strict'

import {
  acceptWindowMs,
  decodeNegotiation,
  encodeNegotiation,
  gangWakeAtMs,
  holdWakeAtMs,
  offer,
  openGang,
  stepGang,
  stepHold,
  type Award,
  type GangInput,
  type GangState,
  type HoldInput,
  type HoldState,
  type Negotiation,
  type Notary,
} from '../../protocols/negotiate/index.ts'
import type { Effect, Fault, Signed } from '../../protocols/wire/index.ts'
import { notary } from '../support/peers.ts'
import { asker, awardTerms, offerTerms, requester, startMs } from './parties.ts'

/** The requester, or the place of a provider. */
export type Side = 'requester' | number
export const workers: readonly Notary[] = [2, 4, 5, 6].map((seed) => notary(seed))

export interface BandPlan {
  readonly places: number
  /** How far the clock of a provider is ahead of the requester's. */
  readonly skewMs?: readonly number[]
  /** The delays of the copies that arrive: none is a loss. Counted per kind of message and place, from 1. */
  readonly fate?: (say: string, place: number, count: number) => readonly number[]
  /** A side that dies right after it has written these, before it says anything; how long it is down. */
  readonly dies?: (side: Side, written: string) => number | undefined
}

interface Provider {
  readonly notary: Notary
  state: HoldState
  saved: HoldState | undefined
  freeAtMs: number | undefined
}

/** What the requester awards to these offers in one round. */
export function gangTerms(offers: readonly Parameters<typeof awardTerms>[1][], nowMs = startMs): Award[] {
  return offers.map((one, slot) =>
    awardTerms(
      { slot, provider: one!.by, issuedMs: nowMs, acceptByMs: nowMs + acceptWindowMs(offers.length) },
      one as Signed<never>,
    ),
  )
}

export class Band {
  readonly lines: string[] = []
  readonly faults: Fault[] = []
  readonly providers: readonly Provider[]
  gang!: GangState
  #savedGang: GangState | undefined
  readonly #plan: BandPlan
  readonly #down = new Set<Side>()
  readonly #counts = new Map<string, number>()
  #due: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = []
  #order = 0
  #nowMs = startMs

  constructor(plan: BandPlan) {
    this.#plan = plan
    this.providers = workers.slice(0, plan.places).map((who, place) => {
      const atMs = this.#clockOf(place)
      const [state] = offer(who, requester, offerTerms({ issuedMs: atMs, holdUntilMs: atMs + 6_000 }))
      return { notary: who, state, saved: undefined, freeAtMs: undefined }
    })
    const opened = openGang(asker, gangTerms(this.providers.map(({ state }) => state.offer)), startMs)
    this.#take('requester', 'has chosen', '-', opened[0], opened[1])
  }

  at(atMs: number, side: 'requester', input: GangInput): void
  at(atMs: number, side: number, input: HoldInput): void
  at(atMs: number, side: Side, input: GangInput | HoldInput): void {
    this.#later(startMs + atMs, () => {
      if (input.is === 'restarted') this.#restart(side)
      else this.#step(side, input, input.is)
    })
  }

  /** Runs until nothing waits any more. */
  run(): this {
    for (let turns = 0; ; turns++) {
      if (turns > 20_000) throw new Error('it does not come to rest')
      const wakes = [
        { side: 'requester' as Side, atMs: gangWakeAtMs(this.gang) },
        ...this.providers.map(({ state }, place) => {
          const wakeMs = holdWakeAtMs(state)
          return { side: place, atMs: wakeMs === undefined ? undefined : wakeMs - (this.#plan.skewMs?.[place] ?? 0) }
        }),
      ]
      const wake = wakes
        .filter(({ side, atMs }) => atMs !== undefined && !this.#down.has(side))
        .toSorted((left, right) => left.atMs! - right.atMs!)[0]
      const due = this.#due.toSorted((left, right) => left.atMs - right.atMs || left.order - right.order)[0]
      if (wake === undefined && due === undefined) return this
      if (due !== undefined && (wake === undefined || due.atMs <= wake.atMs!)) {
        this.#due = this.#due.filter((one) => one !== due)
        this.#nowMs = Math.max(this.#nowMs, due.atMs)
        due.run()
      } else {
        this.#nowMs = Math.max(this.#nowMs, wake!.atMs!)
        this.#step(wake!.side, { is: 'wake' }, 'wakes')
      }
    }
  }

  #clockOf(side: Side): number {
    return this.#nowMs + (side === 'requester' ? 0 : (this.#plan.skewMs?.[side] ?? 0))
  }

  /** What was not saved is gone: an offer, but nothing else. */
  #restart(side: Side): void {
    this.#down.delete(side)
    if (side === 'requester') {
      assert.deepEqual(this.#savedGang!.at, this.gang.at, 'a turn of the gang was not saved')
      this.gang = this.#savedGang!
    } else {
      const provider = this.providers[side]!
      provider.state = provider.saved ?? provider.state
    }
    this.#step(side, { is: 'restarted' }, 'restarts')
  }

  #step(side: Side, input: GangInput | HoldInput, because: string): void {
    if (this.#down.has(side)) return
    if (side === 'requester') {
      const before = this.gang
      const [after, effects] = stepGang(asker, before, input as GangInput, this.#nowMs)
      return this.#take(side, because, before.at, after, effects)
    }
    const provider = this.providers[side]!
    const before = provider.state
    const [after, effects] = stepHold(provider.notary, before, input as HoldInput, this.#clockOf(side))
    if (after.at === 'leased' && before.at !== 'leased')
      assert.equal(this.#savedGang?.at, 'committed', 'a lease that the requester has not decided')
    if (after.at === 'closed') provider.freeAtMs ??= this.#nowMs
    this.#take(side, because, before.at, after, effects)
  }

  #take(
    side: Side,
    because: string,
    before: string,
    after: GangState | HoldState,
    effects: readonly Effect<Negotiation, { readonly happened: string }>[],
  ): void {
    const firstSend = effects.findIndex((effect) => effect.do === 'send')
    const lastWrite = effects.findLastIndex((effect) => effect.do === 'record' || effect.do === 'save')
    assert.ok(firstSend < 0 || lastWrite < firstSend, 'said before it was written')
    if (side === 'requester') this.gang = after as GangState
    else this.providers[side]!.state = after as HoldState
    const written = effects.flatMap((effect) => (effect.do === 'record' ? [effect.statement.kind] : []))
    if (effects.some((effect) => effect.do === 'save')) {
      if (side === 'requester') this.#savedGang = this.gang
      else this.providers[side]!.saved = this.providers[side]!.state
    }
    const downMs = lastWrite < 0 ? undefined : this.#plan.dies?.(side, written.join(' '))
    const said = effects.flatMap((effect) => (effect.do === 'send' || effect.do === 'tell' ? [effect] : []))
    const words = [
      ...(written.length === 0 ? [] : [`writes ${written.join(' ')}`]),
      ...(effects.some((effect) => effect.do === 'save') ? ['saves'] : []),
      ...effects.flatMap((effect) => (effect.do === 'blame' ? [`blames ${effect.fault.code}`] : [])),
      ...(downMs === undefined ? said.map((effect) => this.#say(side, effect)) : ['dies']),
    ]
    for (const effect of effects) if (effect.do === 'blame') this.faults.push(effect.fault)
    if (downMs !== undefined) {
      this.#down.add(side)
      this.#later(this.#nowMs + downMs, () => this.#restart(side))
    }
    const turn = before === after.at ? after.at : `${before} > ${after.at}`
    const name = side === 'requester' ? side : `provider ${side}`
    const time = String(this.#nowMs - startMs).padStart(6)
    this.lines.push(
      `${time} ms  ${name.padEnd(10)}  ${because.padEnd(14)} ${turn.padEnd(20)}  ${words.join(', ') || '-'}`,
    )
  }

  #say(side: Side, effect: Extract<Effect<Negotiation, unknown>, { do: 'send' | 'tell' }>): string {
    if (effect.do === 'tell') return toldAs(effect.event as Told)
    const { message } = effect
    const place = side === 'requester' ? this.providers.findIndex((one) => one.notary.signer.peer === effect.to) : side
    assert.ok(place >= 0)
    const word = message.say === 'refuse' ? `REFUSE ${message.refusal.code}` : message.say.toUpperCase()
    const key = `${message.say} ${place}`
    const count = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, count)
    const copies = this.#plan.fate?.(message.say.toUpperCase(), place, count) ?? [10]
    const bytes = encodeNegotiation(message)
    for (const delayMs of copies) this.#later(this.#nowMs + delayMs, () => this.#hear(side, place, bytes, word))
    return `says ${word}${side === 'requester' ? ` to ${place}` : ''}${copies.length === 0 ? ' (lost)' : ''}`
  }

  #hear(from: Side, place: number, bytes: Uint8Array, word: string): void {
    const to = from === 'requester' ? place : 'requester'
    const { notary: who } = this.providers[place]!
    const message = decodeNegotiation(to === 'requester' ? asker : who, bytes)
    const peer = from === 'requester' ? requester : who.signer.peer
    this.#step(to, { is: 'message', from: peer, message }, `hears ${word.split(' ')[0]}`)
  }

  #later(atMs: number, run: () => void): void {
    this.#due.push({ atMs, order: this.#order++, run })
  }
}

interface Told {
  readonly happened: string
  readonly because?: { readonly code: string }
  readonly failed?: readonly { readonly slot: number; readonly because: { readonly code: string } }[]
}

function toldAs({ happened, because, failed }: Told): string {
  if (because !== undefined) return `is ${happened} (${because.code})`
  if (failed === undefined) return `is ${happened}`
  return `is ${happened} (${failed.map((one) => `${one.slot}: ${one.because.code}`).join(', ') || 'cancelled'})`
}
