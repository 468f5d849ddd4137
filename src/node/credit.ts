/** What the ledger says of a requester's credit, remembered until something of it changes: every bid that is heard asks for it. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'
import type { Exposures } from '../ledger/exposures.ts'
import type { Credit, CreditLine } from '../market/exposure.ts'
import { capOf, type CreditPolicy } from '../settlement/credit.ts'

/** Requesters that are remembered; the one that was asked for least recently is read again. */
const linesMax = 4_096

/** It is not asked for more often, of one requester. */
const askEveryMs = 5_000
/** What was earned in all is read again after this. */
const earnedAgainMs = 60_000

export interface CreditDeps {
  readonly exposures: Exposures
  readonly policy: CreditPolicy
  /** Null: nothing is settled, and what is signed by both counts no more. */
  readonly settle: ((requester: PeerName, unit: string) => void) | null
  /** What a requester has come to owe us by agreed statements, and what of it it has promised; null: a statement is enough. */
  readonly promised: ((requester: PeerName, unit: string) => { owedMicro: bigint; promisedMicro: bigint }) | null
  readonly clock: Pick<Clock, 'monotonicMs'>
}

export class OwnCredit implements Credit {
  readonly #deps: CreditDeps
  readonly #lines = new Map<string, CreditLine>()
  readonly #askedMs = new Map<string, number>()
  /** Of the unit that was asked for last. */
  readonly #earned = new Map<string, { readonly micro: bigint; readonly readMs: number }>()

  constructor(deps: CreditDeps) {
    this.#deps = deps
  }

  of(requester: PeerName, unit: string): CreditLine {
    const key = `${requester}/${unit}`
    const known = this.#lines.get(key)
    this.#lines.delete(key)
    const line = known ?? this.#read(requester, unit)
    this.#lines.set(key, line)
    if (this.#lines.size > linesMax) this.#lines.delete(this.#lines.keys().next().value!)
    return line
  }

  /** It is the sum of all leases, and a bid need not wait for it: what was read a minute ago will do. */
  earned(unit: string): bigint {
    const nowMs = this.#deps.clock.monotonicMs()
    const known = this.#earned.get(unit)
    if (known !== undefined && nowMs < known.readMs + earnedAgainMs) return known.micro
    const micro = this.#deps.exposures.earned(unit)
    this.#earned.clear()
    this.#earned.set(unit, { micro, readMs: nowMs })
    return micro
  }

  short(requester: PeerName, unit: string): void {
    const { settle, clock } = this.#deps
    const key = `${requester}/${unit}`
    const nowMs = clock.monotonicMs()
    if (settle === null || nowMs < (this.#askedMs.get(key) ?? -Infinity) + askEveryMs) return
    this.#askedMs.delete(key)
    this.#askedMs.set(key, nowMs)
    if (this.#askedMs.size > linesMax) this.#askedMs.delete(this.#askedMs.keys().next().value!)
    settle(requester, unit)
  }

  /** A receipt was written down, or a statement agreed. */
  changed(requester: PeerName, unit: string): void {
    this.#lines.delete(`${requester}/${unit}`)
  }

  #read(requester: PeerName, unit: string): CreditLine {
    const { exposures, policy, settle, promised } = this.#deps
    const { countersignedMicro, settledMicro, unsigned } = exposures.of(requester, unit)
    if (settle === null) return { capMicro: capOf(policy, countersignedMicro), unsettledMicro: 0n, unsigned }
    const openMicro = countersignedMicro - settledMicro
    if (promised === null) return { capMicro: capOf(policy, settledMicro), unsettledMicro: openMicro, unsigned }
    const { owedMicro, promisedMicro } = promised(requester, unit)
    const unpromisedMicro = owedMicro > promisedMicro ? owedMicro - promisedMicro : 0n
    return { capMicro: capOf(policy, promisedMicro), unsettledMicro: openMicro + unpromisedMicro, unsigned }
  }
}
