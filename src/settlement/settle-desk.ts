/**
 * A desk for settling: one machine for every peer and unit, the books looked at every so often, and a proposal when a period is
 * over or much is unsettled. What is owed in the end is in `onEvent`; no money moves here.
 */
import type { Notary } from '../../protocols/negotiate/index.ts'
import {
  drawEntries,
  drawForfeits,
  openSettling,
  pairOf,
  settleWakeAtMs,
  stepSettle,
  unitOf,
  type BooksView,
  type LeaseBook,
  type SettleEffect,
  type SettleEvent,
  type SettleInput,
  type SettleState,
  type Settling,
} from '../../protocols/settle/index.ts'
import type { Fault, PeerName } from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import { Reactor, type Journal } from '../reactor.ts'
import type { Books } from './books.ts'
import { isDue, settlePolicy, unsettledOf, type SettlePolicy } from './policy.ts'

export interface SettleDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** What it commits must show in `books` before it resolves. */
  readonly journal: Journal
  readonly books: Books
  readonly policy?: SettlePolicy
  send(to: PeerName, message: Settling): void
  onFault(peer: PeerName, fault: Fault): void
  onEvent(peer: PeerName, unit: string, event: SettleEvent): void
}

type Account = Reactor<SettleState, SettleInput, SettleEffect>

/** Accounts that a desk keeps in memory; beyond, no new one is opened until the peer is started again. */
export const accountsMax = 4_096

export class SettleDesk {
  readonly #deps: SettleDeps
  readonly #policy: SettlePolicy
  readonly #accounts = new Map<string, Account>()
  /** By account, in the time that never steps. */
  readonly #triedMs = new Map<string, number>()
  #cancelLook: () => void = () => {}
  #stopped = false

  constructor(deps: SettleDeps) {
    this.#deps = deps
    this.#policy = deps.policy ?? settlePolicy
  }

  /** Begins to look at the books, at a moment of its own: peers that start together do not propose together. */
  start(): void {
    this.#lookIn(Math.floor(this.#deps.random.float() * this.#policy.lookEveryMs))
  }

  onSettling(from: PeerName, message: Settling): void {
    const unit = unitOf(message)
    const known = this.#accounts.get(keyOf(from, unit))
    // A stranger's proposal opens no account: whoever has a lease with us is in our books.
    // So is whoever has two signatures of ours that exclude each other, under a lease of which there is no receipt.
    const isPartner =
      message.say === 'propose' &&
      (this.#deps.books.totalsWith(from, unit).length > 0 ||
        message.forfeits.some(
          ({ award }) => award.by === from && award.body.provider === this.#deps.notary.signer.peer,
        ))
    const account = known ?? (isPartner ? this.#open(openSettling(from, unit)) : undefined)
    account?.push({ is: 'message', from, message })
  }

  /** Settles with this peer now, if anything is unsettled. */
  propose(peer: PeerName, unit: string): void {
    const key = keyOf(peer, unit)
    this.#triedMs.set(key, this.#deps.clock.monotonicMs())
    const account = this.#accounts.get(key) ?? this.#open(openSettling(peer, unit))
    account?.push({ is: 'propose' })
  }

  /** Whether a proposal would say anything: `nothing` is unsettled, or all that is is `disputed` as it was. */
  worth(peer: PeerName, unit: string): 'something' | 'nothing' | 'disputed' {
    const { books, notary } = this.#deps
    const state = this.#accounts.get(keyOf(peer, unit))?.state ?? openSettling(peer, unit)
    if (state.at !== 'resting') return 'something'
    const pair = { ...pairOf(notary.signer.peer, peer), unit }
    const view = viewOf(books, peer, unit)
    const entries = drawEntries(pair, view, state.head)
    if (entries.length > 0 || drawForfeits(notary, pair, entries, view, state.head).length > 0) return 'something'
    return unsettledOf(notary.signer.peer, books.unsettledWith(peer, unit)).leases === 0 ? 'nothing' : 'disputed'
  }

  /** Takes up again what a restart interrupted. */
  resume(state: SettleState): void {
    this.#open(state)?.push({ is: 'restarted' })
  }

  accounts(): SettleState[] {
    return Array.from(this.#accounts.values(), ({ state }) => state)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelLook()
    await Promise.all(Array.from(this.#accounts.values(), async (account) => account.stop()))
  }

  #lookIn(delayMs: number): void {
    this.#cancelLook = this.#deps.clock.after(delayMs, () => {
      if (this.#stopped) return
      this.#look()
      this.#lookIn(this.#policy.lookEveryMs)
    })
  }

  #look(): void {
    const { books, clock, notary, random } = this.#deps
    const nowMs = clock.monotonicMs()
    for (const { peer, unit } of books.partners()) {
      const key = keyOf(peer, unit)
      const at = this.#accounts.get(key)?.state.at ?? 'resting'
      // Nobody knows when the last try was, after a start: somewhere within a period.
      const triedMs = this.#triedMs.get(key) ?? nowMs - random.float() * this.#policy.periodMs
      this.#triedMs.set(key, triedMs)
      const forfeits = books.forfeitsWith(peer, unit).length
      const unsettled = unsettledOf(notary.signer.peer, books.unsettledWith(peer, unit), forfeits)
      if (isDue(this.#policy, at, unsettled, nowMs - triedMs)) this.propose(peer, unit)
    }
  }

  #open(state: SettleState): Account | undefined {
    const { notary, books, journal, clock, log } = this.#deps
    const key = keyOf(state.other, state.unit)
    if (this.#accounts.size >= accountsMax) {
      log('warn', 'too many accounts to settle', { accountsMax })
      return undefined
    }
    const account: Account = new Reactor(
      {
        kind: 'settle',
        id: key,
        journal,
        clock,
        log,
        machine: {
          // The books as they are when the step is made, not when its input came: the step before may have settled something.
          step: (from, input: SettleInput, nowMs) =>
            stepSettle(notary, from, input, viewOf(books, from.other, from.unit), nowMs),
          wakeAtMs: settleWakeAtMs,
          isFinal: () => false,
          wake: { is: 'wake' },
        },
        perform: (effect) => this.#perform(state, effect),
        onStuck: () => {},
      },
      state,
    )
    this.#accounts.set(key, account)
    return account
  }

  #perform({ other, unit }: SettleState, effect: Exclude<SettleEffect, { do: 'save' | 'record' }>): void {
    switch (effect.do) {
      case 'send':
        return this.#deps.send(effect.to, effect.message)
      case 'blame':
        return this.#deps.onFault(effect.peer, effect.fault)
      case 'tell':
        return this.#deps.onEvent(other, unit, effect.event)
      default:
        return effect satisfies never
    }
  }
}

/** One account of the books. They are read when a step asks, and once in it. */
function viewOf(books: Books, peer: PeerName, unit: string): BooksView {
  let byLease: ReadonlyMap<string, LeaseBook> | undefined
  const leases = (): ReadonlyMap<string, LeaseBook> =>
    (byLease ??= new Map(books.totalsWith(peer, unit).map((book) => [book.lease, book])))
  return {
    unsettled: () => books.unsettledWith(peer, unit),
    lease: (lease) => leases().get(lease),
    evidence: (lease, sequence) => books.evidence(lease, sequence),
    forfeits: () => books.forfeitsWith(peer, unit),
    isForfeited: (lease) => books.isForfeited(lease),
    agreed: (number) => books.agreed(peer, unit, number),
  }
}

function keyOf(peer: PeerName, unit: string): string {
  return `${peer}/${unit}`
}
