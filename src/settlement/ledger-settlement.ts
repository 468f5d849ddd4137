/** Settlement by statements that both sign: the desk, and somebody who waits for what comes of a proposal. */
import type { SettleEvent, SettleState, Settling } from '../../protocols/settle/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Partner } from './books.ts'
import { SettleDesk, type SettleDeps } from './settle-desk.ts'
import type { SettleOutcome, Settlement } from './settlement.ts'

/** Who waits for an account at once; beyond, nobody more may. */
const waitersMax = 1_024

interface Waiter extends Partner {
  readonly done: (outcome: SettleOutcome) => void
}

export class LedgerSettlement implements Settlement {
  readonly method = 'ledger'
  readonly #desk: SettleDesk
  readonly #waiters = new Set<Waiter>()

  constructor(deps: SettleDeps) {
    this.#desk = new SettleDesk({
      ...deps,
      onEvent: (peer, unit, event) => {
        this.#onEvent({ peer, unit }, event)
        deps.onEvent(peer, unit, event)
      },
    })
  }

  start(): void {
    this.#desk.start()
  }

  resume(state: SettleState): void {
    this.#desk.resume(state)
  }

  hear(from: PeerName, message: Settling): void {
    this.#desk.onSettling(from, message)
  }

  async settle({ peer, unit }: Partner, signal: AbortSignal): Promise<SettleOutcome> {
    const worth = this.#desk.worth(peer, unit)
    if (worth === 'nothing' || worth === 'disputed') return worth
    if (signal.aborted || this.#waiters.size >= waitersMax) return 'pending'
    const { promise, resolve } = Promise.withResolvers<SettleOutcome>()
    const waiter: Waiter = { peer, unit, done: resolve }
    const onAbort = (): void => resolve('pending')
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiters.add(waiter)
    try {
      this.#desk.propose(peer, unit)
      return await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#waiters.delete(waiter)
    }
  }

  accounts(): readonly SettleState[] {
    return this.#desk.accounts()
  }

  async stop(): Promise<void> {
    for (const { done } of this.#waiters) done('pending')
    await this.#desk.stop()
  }

  #onEvent({ peer, unit }: Partner, { happened }: SettleEvent): void {
    // The next revision is on its way.
    if (happened === 'differed') return
    for (const waiter of this.#waiters) if (waiter.peer === peer && waiter.unit === unit) waiter.done(happened)
  }
}
