/**
 * Receipts of storage and of carrying in a running peer: what audits have shown and relays carried is written down and asked for, and what is
 * asked of us is signed.
 */
import type { Notary } from '../../protocols/negotiate/index.ts'
import {
  byPeriod,
  carriedAccountsMax,
  countedUntilMs,
  isOwnDue,
  noStorage,
  openKeep,
  openOwn,
  periodOf,
  relayBytesMin,
  spanOf,
  stepKeep,
  stepOwn,
  storageAccount,
  type KeepEvent,
  type KeepState,
  type OwnEvent,
  type OwnInput,
  type OwnState,
  type StorageExchange,
  type StorageMessage,
  type StorageUsage,
} from '../../protocols/storage/index.ts'
import { Fault, RefusedError, refusal, type Effect, type PeerName, type Statement } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'
import type { MachineStates } from '../ledger/machine-states.ts'
import type { Shards } from '../ledger/shards.ts'
import type { Journal, MachineKind } from '../reactor.ts'
import { decodeState } from '../state-form.ts'
import { keptBetween, keptMibS, type Kept } from '../storage/kept.ts'
import { Turns } from '../storage/turns.ts'
import type { RelayedBytes } from './byte-tally.ts'
import type { Carried } from './carried-bytes.ts'

/** What one round of audits has shown of one shard at one keeper. */
export interface AuditShown {
  readonly keeper: PeerName
  readonly kept: Kept | undefined
}

export interface StorageAccountsDeps {
  readonly notary: Notary
  readonly clock: Pick<Clock, 'nowMs'>
  readonly log: Log
  readonly journal: Journal
  readonly machines: Pick<MachineStates, 'open' | 'all' | 'get' | 'storageStatements'>
  readonly exchange: StorageExchange
  readonly shards: Pick<Shards, 'of'>
  /** What was carried since this was asked last. */
  readonly carried: { take(peer: PeerName): Carried }
  readonly relayed: RelayedBytes
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

/** What both have signed of an account, as one of the two has it. */
export interface StorageAccountView {
  readonly role: 'owner' | 'keeper'
  readonly account: string
  readonly other: PeerName
  readonly period: string
  readonly receipts: number
  readonly usage: StorageUsage
}

export interface StorageReceiptRow {
  readonly receipt: Uint8Array
  readonly countersignature: Uint8Array | null
}

/** STATED, RECEIPT, COUNTERSIGNATURE, SIGNED. */
const questionsMax = 2
/** How long after the end of its period an account is asked for, and answered. */
const closesAfterMs = 7 * 24 * 60 * 60_000

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

export class StorageAccounts {
  readonly #deps: StorageAccountsDeps
  readonly #turns = new Turns()

  constructor(deps: StorageAccountsDeps) {
    this.#deps = deps
  }

  async serve(): Promise<void> {
    await this.#deps.exchange.serve(async (question, from) => this.#answer(question, from))
  }

  /** Of the owner: one audit each. It is written down when this resolves. */
  async shown(audits: readonly AuditShown[]): Promise<void> {
    const { notary, clock, carried } = this.#deps
    const now = periodOf(clock.nowMs())
    for (const [keeper, found] of Map.groupBy(audits, (audit) => audit.keeper)) {
      if (keeper === notary.signer.peer) continue
      const parts = found.flatMap(({ kept }) =>
        kept === undefined ? [] : byPeriod(kept.fromMs, kept.untilMs).map((part) => ({ ...part, bytes: kept.bytes })),
      )
      const bytes = carried.take(keeper)
      for (const period of new Set([now, ...parts.map((part) => part.period)])) {
        const more: StorageUsage = {
          ...noStorage,
          storeMibS: keptMibS(parts.filter((part) => part.period === period)),
          ...(period === now ? { auditsPassed: found.length, ...bytes } : {}),
        }
        await this.#stepOwn(keeper, period, { is: 'shown', more })
      }
    }
  }

  /** Of the owner: asks each keeper for a receipt of what was shown since the last one. Who does not answer is asked the next time. */
  async settle(signal: AbortSignal): Promise<void> {
    await this.#close()
    await this.takeUp()
    for (const state of this.#open<OwnState>('storage-owner')) {
      if (!isOwnDue(state)) continue
      const { keeper, period } = state.account
      try {
        await this.#settleOne(keeper, period, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof Fault) this.#deps.onFault(keeper, error)
        this.#deps.log('info', 'no receipt of storage', { keeper, period, error })
      }
    }
  }

  /** Writes down what relays carried for us, and we for others, since this was done last; where there is no account yet, once it is worth one. */
  async takeUp(): Promise<void> {
    const { notary, clock, machines, relayed } = this.#deps
    const { network } = notary
    const self = notary.signer.peer
    const period = periodOf(clock.nowMs())
    for (const relay of relayed.served.peers()) {
      const known = machines.get('storage-owner', storageAccount(self, relay, period, network).id)
      if (known === undefined && relayed.served.of(relay) < relayBytesMin) continue
      const more: StorageUsage = { ...noStorage, relayBytes: relayed.served.take(relay) }
      await this.#stepOwn(relay, period, { is: 'shown', more })
    }
    for (const holder of relayed.carried.peers()) {
      const { id } = storageAccount(holder, self, period, network)
      await this.#turns.take(`keeper ${id}`, async () => {
        const known = machines.get('storage-keeper', id)
        // Of others it is known once they ask: whoever is carried a little for opens no account.
        if (known !== undefined) await this.#addCarried(decodeState<KeepState>(known))
      })
    }
  }

  /** Of all periods, the newest first. */
  list(): StorageAccountView[] {
    const views = (role: StorageAccountView['role']) =>
      this.#deps.machines.all(`storage-${role}`).map((bytes): StorageAccountView => {
        const { account, sequence, usage } = decodeState<OwnState | KeepState>(bytes)
        const other = role === 'owner' ? account.keeper : account.owner
        return { role, account: account.id, other, period: account.period, receipts: sequence, usage }
      })
    return [...views('owner'), ...views('keeper')].toSorted((one, two) => compare(two.period, one.period))
  }

  /** The receipts of an account, from the first on, each with the owner's answer. */
  receipts({ role, account }: Pick<StorageAccountView, 'role' | 'account'>): StorageReceiptRow[] {
    const rows: { receipt: Uint8Array; countersignature: Uint8Array | null }[] = []
    // One is under way at a time: what the owner signs is the one before it.
    for (const { kind, envelope } of this.#deps.machines.storageStatements(`storage-${role}`, account)) {
      const last = rows.at(-1)
      if (kind === 'storage-receipt') rows.push({ receipt: envelope, countersignature: null })
      else if (last !== undefined) last.countersignature = envelope
    }
    return rows
  }

  #open<State>(kind: MachineKind): State[] {
    return this.#deps.machines.open(kind).map(({ state }) => decodeState<State>(state))
  }

  /** Accounts that nobody answers for any more. What was signed stays in the chain. */
  async #close(): Promise<void> {
    const { clock, journal } = this.#deps
    for (const kind of ['storage-owner', 'storage-keeper'] as const) {
      for (const state of this.#open<OwnState | KeepState>(kind)) {
        const { id, period } = state.account
        if (clock.nowMs() > spanOf(period).untilMs + closesAfterMs)
          await journal.commit({ kind, id, state, final: true, statements: [] })
      }
    }
  }

  async #settleOne(keeper: PeerName, period: string, signal: AbortSignal): Promise<void> {
    let question = await this.#stepOwn(keeper, period, { is: 'ask' })
    for (let asked = 0; question !== undefined && asked < questionsMax; asked++) {
      const message = await this.#deps.exchange.ask(keeper, question, signal)
      question = await this.#stepOwn(keeper, period, { is: 'message', from: keeper, message })
    }
  }

  /** Resolves with what is to be asked. Rejects with the keeper's Fault. */
  async #stepOwn(keeper: PeerName, period: string, input: OwnInput): Promise<StorageMessage | undefined> {
    const { notary, clock, machines, log } = this.#deps
    const account = storageAccount(notary.signer.peer, keeper, period, notary.network)
    return this.#turns.take(`owner ${account.id}`, async () => {
      const known = machines.get('storage-owner', account.id)
      const before = known === undefined ? openOwn(account) : decodeState<OwnState>(known)
      const nowMs = clock.nowMs()
      const [next, effects] = stepOwn(notary, before, input, nowMs)
      for (const effect of effects) {
        if (effect.do !== 'tell' || effect.event.happened !== 'refused') continue
        log('info', 'a keeper gives no receipt of storage', { keeper, period, code: effect.event.because.code })
      }
      return this.#perform('storage-owner', account.id, next, effects)
    })
  }

  async #answer(question: StorageMessage, from: PeerName): Promise<StorageMessage> {
    const { notary, clock, machines, shards, onFault } = this.#deps
    try {
      const period = this.#periodOf(question, from)
      const account = storageAccount(from, notary.signer.peer, period, notary.network)
      return await this.#turns.take(`keeper ${account.id}`, async () => {
        const known = machines.get('storage-keeper', account.id)
        const kept = shards.of(from)
        if (known === undefined && kept.length === 0) this.#checkCarried(from)
        const before = await this.#addCarried(known === undefined ? openKeep(account) : decodeState<KeepState>(known))
        const nowMs = clock.nowMs()
        const stretches = keptBetween(kept, before.countedMs, countedUntilMs(before, nowMs))
        const input = { is: 'message', from, message: question, keptMibS: keptMibS(stretches) } as const
        const [next, effects] = stepKeep(notary, before, input, nowMs)
        const answer = await this.#perform('storage-keeper', account.id, next, effects)
        if (answer === undefined) throw new Fault('OUT_OF_TURN', 'nothing to answer', { said: question.say })
        return answer
      })
    } catch (error) {
      if (error instanceof RefusedError) return { say: 'refused', refusal: { code: error.code, facts: error.facts } }
      if (error instanceof Fault) onFault(from, error)
      throw error
    }
  }

  /** Whoever never put anything here, and was never carried for, opens no account. */
  #checkCarried(owner: PeerName): void {
    const { relayed, machines } = this.#deps
    if (relayed.carried.of(owner) < relayBytesMin) throw new RefusedError(refusal('NOT_FOUND'))
    if (machines.open('storage-keeper').length >= carriedAccountsMax)
      throw new RefusedError(refusal('BUSY', { carriedAccountsMax }))
  }

  /** Of the keeper: what was carried since the last time is of the month in which it is written down. */
  async #addCarried(state: KeepState): Promise<KeepState> {
    const { notary, clock, relayed } = this.#deps
    const { id, owner, period } = state.account
    const nowMs = clock.nowMs()
    const bytes = period === periodOf(nowMs) ? relayed.carried.take(owner) : 0
    if (bytes === 0) return state
    const [next, effects] = stepKeep(notary, state, { is: 'carried', bytes }, nowMs)
    await this.#perform('storage-keeper', id, next, effects)
    return next
  }

  /** A countersignature names its account alone: it is of one of the periods that are answered for. */
  #periodOf(question: StorageMessage, from: PeerName): string {
    const { notary, clock } = this.#deps
    const nowMs = clock.nowMs()
    const answered = new Set([periodOf(nowMs), periodOf(nowMs - closesAfterMs)])
    if (question.say === 'stated') {
      if (answered.has(question.period)) return question.period
      throw new RefusedError(refusal('PERIOD_OVER', { period: question.period, now: periodOf(nowMs) }))
    }
    if (question.say !== 'countersignature')
      throw new Fault('OUT_OF_TURN', 'STATED or COUNTERSIGNATURE was due', { said: question.say })
    const { account } = question.countersignature.body
    const ofPeriod = (period: string) => storageAccount(from, notary.signer.peer, period, notary.network).id
    const period = [...answered].find((one) => ofPeriod(one) === account)
    if (period === undefined) throw new RefusedError(refusal('PERIOD_OVER', { now: periodOf(nowMs) }))
    return period
  }

  /** What is to be remembered is durable before anything is said. Rejects with the Fault of who is blamed. */
  async #perform(
    kind: MachineKind,
    id: string,
    state: OwnState | KeepState,
    effects: readonly Effect<StorageMessage, OwnEvent | KeepEvent>[],
  ): Promise<StorageMessage | undefined> {
    const statements: Statement[] = []
    let saves = false
    let said: StorageMessage | undefined
    let fault: Fault | undefined
    for (const effect of effects) {
      if (effect.do === 'record') statements.push(effect.statement)
      else if (effect.do === 'save') saves = true
      else if (effect.do === 'send') said = effect.message
      else if (effect.do === 'blame') fault = effect.fault
    }
    if (saves || statements.length > 0)
      await this.#deps.journal.commit({ kind, id, state: saves ? state : null, final: false, statements })
    if (fault !== undefined) throw fault
    return said
  }
}
