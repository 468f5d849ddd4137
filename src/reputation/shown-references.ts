/** What peers showed of what others signed for their work: as much of it as a flow needs, and no more than so much. */
import type { PeerName } from '../../protocols/wire/index.ts'
import { halfLifeMs } from './experience.ts'

/** One signed for another's work; both signatures were checked. */
export interface Reference {
  readonly by: PeerName
  readonly unit: string
  readonly amountMicro: number
  readonly issuedMs: number
}

/** Peers of whom references are kept; who showed them longest ago is forgotten. */
export const shownPeersMax = 1_024

export class ShownReferences {
  readonly #unit: string
  /** By whose work, then by who signed for it: micro-units, the older the fewer. In the order in which they were shown. */
  readonly #shown = new Map<PeerName, ReadonlyMap<PeerName, number>>()
  /** By who signed: of all that is shown. */
  readonly #signed = new Map<PeerName, number>()

  /** `unit`: amounts in another are not comparable, and count nothing. */
  constructor(unit: string) {
    this.#unit = unit
  }

  /** In the place of what this peer showed before. */
  put(peer: PeerName, references: readonly Reference[], nowMs: number): void {
    this.forget(peer)
    const sums = new Map<PeerName, number>()
    for (const { by, unit, amountMicro, issuedMs } of references) {
      if (unit !== this.#unit || by === peer) continue
      const left = 2 ** (-Math.max(0, nowMs - issuedMs) / halfLifeMs)
      sums.set(by, (sums.get(by) ?? 0) + amountMicro * left)
    }
    this.#shown.set(peer, sums)
    for (const [by, amount] of sums) this.#signed.set(by, (this.#signed.get(by) ?? 0) + amount)
    const [oldest] = this.#shown.keys()
    if (this.#shown.size > shownPeersMax) this.forget(oldest!)
  }

  forget(peer: PeerName): void {
    for (const [by, amount] of this.#shown.get(peer) ?? []) {
      const left = (this.#signed.get(by) ?? 0) - amount
      if (left > 0.5) this.#signed.set(by, left)
      else this.#signed.delete(by)
    }
    this.#shown.delete(peer)
  }

  of(peer: PeerName): ReadonlyMap<PeerName, number> {
    return this.#shown.get(peer) ?? none
  }

  allSignedBy(by: PeerName): number {
    return this.#signed.get(by) ?? 0
  }
}

const none: ReadonlyMap<PeerName, number> = new Map()
