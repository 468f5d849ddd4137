/** Desks that settle, on one virtual clock, joined by lines that the test may cut. */
import { setImmediate } from 'node:timers/promises'

import type { Notary } from '../../protocols/negotiate/index.ts'
import {
  decodeSettling,
  encodeSettling,
  type Agreed,
  type Evidence,
  type SettleEvent,
  type SettleState,
} from '../../protocols/settle/index.ts'
import type { Fault, PeerName, Statement } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { SeededRandom } from '../../sim/random.ts'
import { silentLog } from '../../src/environment.ts'
import type { JournalEntry } from '../../src/reactor.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import { settlePolicy, type SettlePolicy } from '../../src/settlement/policy.ts'
import { SettleDesk } from '../../src/settlement/settle-desk.ts'
import { StatementBooks } from '../../src/settlement/statement-books.ts'
import { startMs } from '../negotiate/parties.ts'
import { notary } from '../support/peers.ts'
import { recordsOf } from './parties.ts'

const latencyMs = 20

export class DeskPeer {
  readonly notary: Notary
  /** What a crash leaves. */
  readonly states = new Map<string, Uint8Array>()
  readonly statements: Statement[] = []
  readonly events: { readonly peer: PeerName; readonly event: SettleEvent }[] = []
  readonly faults: Fault[] = []
  books: StatementBooks
  desk: SettleDesk
  isFull = false
  commits = 0
  readonly #world: DeskWorld
  readonly #seed: number
  #life = 0

  constructor(world: DeskWorld, seed: number) {
    this.#world = world
    this.#seed = seed
    this.notary = notary(seed)
    this.books = new StatementBooks(this.notary)
    this.desk = this.#open()
  }

  get name(): PeerName {
    return this.notary.signer.peer
  }

  hold(evidence: Evidence): this {
    this.#write(recordsOf(evidence))
    return this
  }

  /** Whatever was in memory is gone; the disk is read. */
  restart(): this {
    this.books = new StatementBooks(this.notary, this.statements)
    this.desk = this.#open()
    for (const state of this.states.values()) this.desk.resume(decodeState<SettleState>(state))
    this.desk.start()
    return this
  }

  crash(): void {
    this.#life++
  }

  agreed(): Agreed[] {
    return this.events.flatMap(({ event }) => (event.happened === 'agreed' ? [event.agreed] : []))
  }

  #open(): SettleDesk {
    const life = ++this.#life
    const { clock, policy } = this.#world
    return new SettleDesk({
      notary: this.notary,
      clock,
      random: SeededRandom.of(this.#seed, 'settle', life),
      log: silentLog,
      journal: { commit: async (entry) => this.#commit(life, entry) },
      books: this.books,
      policy,
      send: (to, message) => {
        if (life === this.#life) this.#world.carry(this, to, encodeSettling(message))
      },
      onFault: (_peer, fault) => void this.faults.push(fault),
      onEvent: (peer, _unit, event) => void this.events.push({ peer, event }),
    })
  }

  async #commit(life: number, { kind, id, state, statements }: JournalEntry): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#world.clock.after(3, () => {
      if (this.isFull) return reject(new Error('no space left on the device'))
      if (life !== this.#life) return
      this.commits++
      if (state !== null) this.states.set(`${kind}/${id}`, encodeState(state))
      this.#write(statements)
      resolve()
    })
    return promise
  }

  #write(statements: readonly Statement[]): void {
    this.statements.push(...statements)
    for (const statement of statements) this.books.add(statement)
  }
}

export class DeskWorld {
  readonly clock = new VirtualClock(startMs)
  readonly policy: SettlePolicy
  readonly peers = new Map<PeerName, DeskPeer>()
  frames = 0
  /** How many copies of the frame arrive. */
  fate: (count: number) => number = () => 1

  constructor(policy: SettlePolicy = settlePolicy) {
    this.policy = policy
  }

  peer(seed: number): DeskPeer {
    const peer = new DeskPeer(this, seed)
    this.peers.set(peer.name, peer)
    peer.desk.start()
    return peer
  }

  carry(from: DeskPeer, to: PeerName, bytes: Uint8Array): void {
    const copies = this.fate(this.frames++)
    for (let copy = 0; copy < copies; copy++) {
      this.clock.after(latencyMs, () => {
        const peer = this.peers.get(to)
        peer?.desk.onSettling(from.name, decodeSettling(peer.notary, bytes))
      })
    }
  }

  /** Lets this much virtual time go by, or less when `done` holds. */
  async pass(ms: number, done: () => boolean = () => false): Promise<boolean> {
    const untilMs = this.clock.nowMs() + ms
    for (;;) {
      await setImmediate()
      if (done()) return true
      const nextMs = this.clock.nextMs
      if (nextMs === undefined || nextMs > untilMs) return false
      this.clock.jump()
    }
  }
}
