/** Asks peers that are new to us for whom they worked, when they offer to work for us, and remembers what they showed. */
import { referencesWithinMs, type Reference } from '../../protocols/references/index.ts'
import { Fault, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'
import type { Reputation } from '../reputation/reputation.ts'
import { shownPeersMax, type ShownReferences } from '../reputation/shown-references.ts'

export interface IntroductionsDeps {
  readonly clock: Pick<Clock, 'nowMs' | 'deadline'>
  readonly log: Log
  readonly reputation: Pick<Reputation, 'assess'>
  readonly references: ShownReferences
  /** Rejects with a Fault when what is shown does not hold. */
  ask(peer: PeerName, signal: AbortSignal): Promise<readonly Reference[]>
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

/** Questions under way; beyond, who offers is asked the next time. A popular bid brings some dozen offers. */
const asksMax = 16
/** Whoever did not convince is asked again after this: somebody may have signed for it since. */
const askAgainMs = 5 * 60_000

export class Introductions {
  readonly #deps: IntroductionsDeps
  /** When each was asked last, in the order of asking. */
  readonly #askedMs = new Map<PeerName, number>()
  #asking = 0

  constructor(deps: IntroductionsDeps) {
    this.#deps = deps
  }

  /** A peer offers to work for us. Those that did so before need no references. */
  onOffer(peer: PeerName, signal: AbortSignal): void {
    const { clock, reputation } = this.#deps
    const askedMs = this.#askedMs.get(peer)
    if (this.#asking >= asksMax || (askedMs !== undefined && clock.nowMs() - askedMs < askAgainMs)) return
    if (reputation.assess(peer).familiarity === 'known') return
    void this.ask(peer, signal)
  }

  /** Resolves when its references are here, or when there are none to be had. */
  async ask(peer: PeerName, signal: AbortSignal): Promise<void> {
    const { clock, log, references, onFault } = this.#deps
    this.#askedMs.delete(peer)
    this.#askedMs.set(peer, clock.nowMs())
    const [oldest] = this.#askedMs.keys()
    if (this.#askedMs.size > shownPeersMax) this.#askedMs.delete(oldest!)
    this.#asking++
    using deadline = clock.deadline(referencesWithinMs, signal)
    try {
      references.put(peer, await this.#deps.ask(peer, deadline.signal), clock.nowMs())
    } catch (error) {
      // Who shows what does not hold has nothing to show.
      if (error instanceof Fault) {
        references.forget(peer)
        onFault(peer, error)
      } else log('debug', 'no references were shown', { peer, error })
    } finally {
      this.#asking--
    }
  }
}
