/**
 * A desk for vouchers: for every account two machines, one a direction. What is owed is asked for when a statement is agreed, and
 * looked at again every so often.
 */
import type { Notary } from '../../protocols/negotiate/index.ts'
import {
  openGiving,
  openTaking,
  stepGive,
  stepTake,
  takeWakeAtMs,
  unitOfVouching,
  type GiveEffect,
  type GiveEvent,
  type GiveInput,
  type GiveState,
  type Purse,
  type Redeemer,
  type TakeEffect,
  type TakeEvent,
  type TakeInput,
  type TakeState,
  type Vouching,
} from '../../protocols/voucher/index.ts'
import { microMax, type Fault, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'
import { Reactor, type Journal } from '../reactor.ts'
import type { Partner } from './books.ts'

/** What agreed statements say of an account, a direction at a time. */
export interface Owed {
  readonly byUs: bigint
  readonly toUs: bigint
  /** SHA-256 of the last one's envelope; null before the first. */
  readonly statement: Uint8Array | null
}

export interface VoucherDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly log: Log
  readonly journal: Journal
  readonly purse: Purse
  /** Where what we are owed is redeemed; null: nowhere, and nothing is asked for. */
  readonly redeemer: Redeemer | null
  partners(): Iterable<Partner>
  owed(peer: PeerName, unit: string): Owed
  send(to: PeerName, message: Vouching): void
  onFault(peer: PeerName, fault: Fault): void
  onEvent(partner: Partner, event: GiveEvent | TakeEvent): void
}

interface Saved {
  readonly give?: GiveState
  readonly take?: TakeState
}

interface Account extends Partner {
  readonly give: Reactor<GiveState, GiveInput, GiveEffect>
  readonly take: Reactor<TakeState, TakeInput, TakeEffect>
}

const lookEveryMs = 600_000
/** Accounts that a desk keeps in memory. */
const accountsMax = 4_096

export class VoucherDesk {
  readonly #deps: VoucherDeps
  readonly #accounts = new Map<string, Account>()
  /** What was written down before this start, by account. */
  readonly #saved = new Map<string, Saved>()
  #cancelLook: () => void = () => {}
  #stopped = false

  constructor(deps: VoucherDeps) {
    this.#deps = deps
  }

  /** Takes up what a restart interrupted. */
  start(states: readonly (GiveState | TakeState)[]): void {
    for (const state of states) {
      const key = keyOf(state.other, state.unit)
      const direction = state.at === 'owing' || state.at === 'given' ? { give: state } : { take: state }
      this.#saved.set(key, { ...this.#saved.get(key), ...direction })
    }
    for (const { other, unit } of states) this.#open(other, unit)
    this.#look()
  }

  hear(from: PeerName, message: Vouching): void {
    const unit = unitOfVouching(message)
    const known = this.#accounts.get(keyOf(from, unit))
    // A stranger opens no account: whoever may owe, or be owed, has agreed to a statement.
    const isPartner = known !== undefined || this.#deps.owed(from, unit).statement !== null
    const account = known ?? (isPartner ? this.#open(from, unit) : undefined)
    if (message.say === 'ask' || message.say === 'taken') account?.give.push({ is: 'message', from, message })
    else account?.take.push({ is: 'message', from, message })
  }

  /** Something may be owed that is not promised. */
  ask(peer: PeerName, unit: string): void {
    if (this.#deps.redeemer === null || this.#deps.owed(peer, unit).toUs === 0n) return
    const account = this.#accounts.get(keyOf(peer, unit)) ?? this.#open(peer, unit)
    account?.take.push({ is: 'ask' })
  }

  states(): { readonly give: GiveState; readonly take: TakeState }[] {
    return Array.from(this.#accounts.values(), ({ give, take }) => ({ give: give.state, take: take.state }))
  }

  /** All that is promised to us by this peer. */
  promisedMicro(peer: PeerName, unit: string): bigint {
    return BigInt(this.#accounts.get(keyOf(peer, unit))?.take.state.last?.cumulativeMicro ?? 0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelLook()
    await Promise.all(
      Array.from(this.#accounts.values(), async ({ give, take }) => Promise.all([give.stop(), take.stop()])),
    )
  }

  #look(): void {
    if (this.#stopped) return
    for (const { peer, unit } of this.#deps.partners()) this.ask(peer, unit)
    this.#cancelLook = this.#deps.clock.after(lookEveryMs, () => this.#look())
  }

  #open(peer: PeerName, unit: string): Account | undefined {
    const key = keyOf(peer, unit)
    const known = this.#accounts.get(key)
    if (known !== undefined) return known
    const { notary, journal, clock, log, purse, redeemer } = this.#deps
    if (this.#accounts.size >= accountsMax) {
      log('warn', 'too many accounts with vouchers', { accountsMax })
      return undefined
    }
    const { give = openGiving(peer, unit), take = openTaking(peer, unit) } = this.#saved.get(key) ?? {}
    const partner = { peer, unit }
    const shared = { kind: 'voucher' as const, journal, clock, log, onStuck: () => {} }
    const account: Account = {
      ...partner,
      give: new Reactor<GiveState, GiveInput, GiveEffect>(
        {
          ...shared,
          id: `give/${key}`,
          machine: {
            // The books as they are when the step is made: a statement may have been agreed since its input came.
            step: (from, input, nowMs) => {
              const { byUs, statement } = this.#deps.owed(peer, unit)
              return stepGive({ notary, purse, owedMicro: amountOf(byUs), statement }, from, input, nowMs)
            },
            wakeAtMs: () => undefined,
            isFinal: () => false,
            wake: { is: 'message', from: notary.signer.peer, message: { say: 'taken', unit, sequence: 0 } },
          },
          perform: (effect) => this.#perform(partner, effect),
        },
        give,
      ),
      take: new Reactor<TakeState, TakeInput, TakeEffect>(
        {
          ...shared,
          id: `take/${key}`,
          machine: {
            step: (from, input, nowMs) => {
              if (redeemer === null) return [from, []]
              const { toUs } = this.#deps.owed(peer, unit)
              return stepTake({ notary, redeemer, owedMicro: amountOf(toUs) }, from, input, nowMs)
            },
            wakeAtMs: takeWakeAtMs,
            isFinal: () => false,
            wake: { is: 'wake' },
          },
          perform: (effect) => this.#perform(partner, effect),
        },
        take,
      ),
    }
    this.#accounts.set(key, account)
    return account
  }

  #perform(partner: Partner, effect: Exclude<GiveEffect | TakeEffect, { do: 'save' | 'record' }>): void {
    switch (effect.do) {
      case 'send':
        return this.#deps.send(effect.to, effect.message)
      case 'blame':
        return this.#deps.onFault(effect.peer, effect.fault)
      case 'tell':
        return this.#deps.onEvent(partner, effect.event)
      default:
        return effect satisfies never
    }
  }
}

function keyOf(peer: PeerName, unit: string): string {
  return `${peer}/${unit}`
}

/** One promise is one amount: what is beyond waits for ever, and nobody here will owe nine thousand million. */
function amountOf(micro: bigint): number {
  return micro > BigInt(microMax) ? microMax : Number(micro)
}
