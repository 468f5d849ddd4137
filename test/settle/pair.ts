/**
 * Both sides of an account on a clock of their own, joined by a line that the test may cut. It writes down what happens as a
 * play that a person can read.
 */
import {
  decodeSettling,
  encodeSettling,
  settleLimits,
  settleWakeAtMs,
  type SettleEvent,
  type SettleStep,
  type Settling,
} from '../../protocols/settle/index.ts'
import type { Fault } from '../../protocols/wire/index.ts'
import { startMs } from '../negotiate/parties.ts'
import { Trade, type Side } from './parties.ts'

export type Name = 'low' | 'high'

export interface Plan {
  /** The delays of the copies that arrive: none is a loss. Counted per kind of message, from 1. */
  readonly fate?: (say: string, count: number, by: Name) => readonly number[]
}

interface Due {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export const onTime = (): readonly number[] => [10]

export class Pair extends Trade {
  readonly lines: string[] = []
  readonly faults: Fault[] = []
  fate: NonNullable<Plan['fate']>
  nowMs = startMs
  /** How far the clock of `high` is ahead. */
  skewMs = 0
  #order = 0
  #due: Due[] = []
  readonly #counts = new Map<string, number>()

  constructor(plan: Plan = {}) {
    super()
    this.fate = plan.fate ?? onTime
  }

  at(afterMs: number, run: (pair: this) => void): this {
    this.#later(startMs + afterMs, () => run(this))
    return this
  }

  propose(name: Name): this {
    return this.#act(name, 'wants to settle', (side) => side.step({ is: 'propose' }, this.#clock(name)))
  }

  restart(name: Name): this {
    return this.#act(name, 'is restarted', (side) => side.restart(this.#clock(name)))
  }

  /** Runs until nothing waits any more. */
  run(): this {
    for (let turns = 0; ; turns++) {
      if (turns > 10_000) throw new Error('it does not come to rest')
      const wake = (['low', 'high'] as const)
        .map((name) => ({ name, atMs: this.#wakeAtMs(name) }))
        .filter((one) => one.atMs !== undefined)
        .toSorted((one, other) => one.atMs! - other.atMs!)[0]
      const due = this.#due.toSorted((one, other) => one.atMs - other.atMs || one.order - other.order)[0]
      if (wake === undefined && due === undefined) return this
      if (due !== undefined && (wake === undefined || due.atMs <= wake.atMs!)) {
        this.#due = this.#due.filter((one) => one !== due)
        this.nowMs = Math.max(this.nowMs, due.atMs)
        due.run()
      } else {
        this.nowMs = Math.max(this.nowMs, wake!.atMs!)
        this.#act(wake!.name, 'wakes', (side) => side.step({ is: 'wake' }, this.#clock(wake!.name)))
      }
    }
  }

  #clock(name: Name): number {
    return name === 'high' ? this.nowMs + this.skewMs : this.nowMs
  }

  #wakeAtMs(name: Name): number | undefined {
    const atMs = settleWakeAtMs(this[name].state)
    return atMs === undefined || name === 'low' ? atMs : atMs - this.skewMs
  }

  #act(name: Name, because: string, run: (side: Side) => SettleStep): this {
    const side = this[name]
    const before = side.state.at
    const [after, effects] = run(side)
    const said = effects.map((effect) => {
      switch (effect.do) {
        case 'record':
          return `writes ${effect.statement.kind}`
        case 'save':
          return 'saves'
        case 'tell':
          return tellOf(effect.event)
        case 'blame':
          this.faults.push(effect.fault)
          return `blames ${effect.fault.code}`
        case 'send':
          return `says ${this.#send(name, effect.message)}`
        default:
          return effect satisfies never
      }
    })
    const turn = before === after.at ? after.at : `${before} > ${after.at}`
    const time = String(this.nowMs - startMs).padStart(6)
    this.lines.push(
      `${time} ms  ${name.padEnd(5)} ${because.padEnd(16)} ${turn.padEnd(22)}  ${said.join(', ') || '-'}`.trimEnd(),
    )
    return this
  }

  #send(by: Name, message: Settling): string {
    const say = message.say.toUpperCase()
    const count = (this.#counts.get(say) ?? 0) + 1
    this.#counts.set(say, count)
    const bytes = encodeSettling(message)
    if (bytes.byteLength > settleLimits.frameBytesMax) throw new Error(`${say} has ${bytes.byteLength} bytes`)
    const copies = this.fate(say, count, by)
    const to = by === 'low' ? 'high' : 'low'
    for (const delayMs of copies) this.#later(this.nowMs + delayMs, () => this.#hear(to, bytes, say))
    return `${wordsOf(message)}${copies.length === 0 ? ' (lost)' : ''}`
  }

  #hear(to: Name, bytes: Uint8Array, say: string): void {
    this.#act(to, `hears ${say}`, (side) => {
      const message = decodeSettling(side.notary, bytes)
      return side.step({ is: 'message', from: side.other, message }, this.#clock(to))
    })
  }

  #later(atMs: number, run: () => void): void {
    this.#due.push({ atMs, order: this.#order++, run })
  }
}

function wordsOf(message: Settling): string {
  switch (message.say) {
    case 'propose':
    case 'agreed': {
      const { number, revision, entries, disputed, forfeits, netMicro } = message.statement.body
      const proofs =
        message.say === 'propose' && message.evidence.length > 0 ? `, ${message.evidence.length} proved` : ''
      const lost = forfeits.length > 0 ? `, ${forfeits.length} forfeited` : ''
      const left = disputed.length > 0 ? `, ${disputed.length} disputed` : ''
      return `${message.say.toUpperCase()} ${number}.${revision} (${entries.length} leases${proofs}${left}${lost}, net ${netMicro})`
    }
    case 'agree':
      return `AGREE ${message.agreement.body.number}.${message.agreement.body.revision}`
    case 'differ': {
      const { number, revision, objections } = message.difference.body
      return `DIFFER ${number}.${revision} (${objections.map(({ code }) => code).join(', ')})`
    }
    default:
      return message satisfies never
  }
}

function tellOf(event: SettleEvent): string {
  switch (event.happened) {
    case 'agreed':
      return `has agreed ${event.agreed.statement.body.number}`
    case 'differed':
      return 'tells of a difference'
    case 'unanswered':
    case 'stalled':
      return `is ${event.happened}`
    default:
      return event satisfies never
  }
}
