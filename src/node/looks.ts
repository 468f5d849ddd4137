/** Looks from time to time who is there, so that it is known of how many looks a peer was: an uptime without a sample size is a rumour. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'
import type { Outcomes } from './outcomes.ts'

export interface LooksDeps {
  readonly clock: Pick<Clock, 'after'>
  readonly index: { isAlive(peer: PeerName): boolean; alive(): readonly { readonly peer: PeerName }[] }
  readonly outcomes: Pick<Outcomes, 'onLook'>
  /** Peers that were looked for before, those most often there first: who is gone is forgotten with its record, and would not be missed. */
  readonly known: (most: number) => readonly PeerName[]
}

/** Six an hour: a restart is not seen, a night is. */
export const lookEveryMs = 10 * 60_000
/** Each is a row that is written: some fifty a minute. */
export const lookedForMax = 512

export class Looks {
  readonly #deps: LooksDeps
  #cancel: (() => void) | undefined

  constructor(deps: LooksDeps) {
    this.#deps = deps
  }

  begin(): void {
    this.#cancel = this.#deps.clock.after(lookEveryMs, () => {
      this.look()
      this.begin()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** One look at all. While nobody is there at all it is we who are not. */
  look(): void {
    const { index, outcomes, known } = this.#deps
    const alive = index.alive().map(({ peer }) => peer)
    if (alive.length === 0) return
    const all = [...new Set([...known(lookedForMax), ...alive])].slice(0, lookedForMax)
    for (const peer of all) outcomes.onLook(peer, index.isAlive(peer))
  }
}
