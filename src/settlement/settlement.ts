/**
 * The port of settlement: how what both have signed becomes a debt that both have agreed on. `none`: it does not, and each
 * receipt stands for itself. `ledger`: net statements that both sign (`LedgerSettlement`).
 * `vouchers`: the same, and what a statement says is promised in a form that others can redeem (`VoucherDesk`, beside it).
 */
import type { SettleState, Settling } from '../../protocols/settle/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Partner } from './books.ts'

/**
 * `agreed`: there is a new statement. `nothing`: all is settled. `disputed`: what is left is disputed, and nobody has anything new to say of it.
 * `unanswered`: the other is not there, or does not settle. `stalled`: it differs again and again. `pending`: the two are still at it.
 */
export type SettleOutcome = 'agreed' | 'nothing' | 'disputed' | 'unanswered' | 'stalled' | 'pending'

export interface Settlement {
  readonly method: 'none' | 'ledger'
  start(): void
  /** Takes up again what a restart interrupted. */
  resume(state: SettleState): void
  hear(from: PeerName, message: Settling): void
  /** Settles now, and waits for what comes of it until the signal fires. */
  settle(partner: Partner, signal: AbortSignal): Promise<SettleOutcome>
  accounts(): readonly SettleState[]
  stop(): Promise<void>
}

/** Nothing is proposed, and nothing is heard: whoever has this method does not offer the protocol. */
export const noSettlement: Settlement = {
  method: 'none',
  start: () => {},
  resume: () => {},
  hear: () => {},
  settle: async () => 'nothing',
  accounts: () => [],
  stop: async () => {},
}
