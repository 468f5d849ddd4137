/**
 * The bids that a provider has heard lately and what it made of them: to look again at those that it was too busy for, and to be
 * able to say why it did not answer.
 */
import type { Bid } from '../../protocols/bid/index.ts'
import type { PeerName, Refusal, Signed } from '../../protocols/wire/index.ts'
import { mayPass } from './decline.ts'

/** A kilobyte each; the one that was heard first goes first. */
const bidsMax = 512

interface Heard {
  readonly bid: Signed<Bid>
  /** Null: an offer was made. */
  readonly declined: Refusal | null
}

export class OpenBids {
  /** By `requester/job`, in the order in which they were heard. */
  readonly #heard = new Map<string, Heard>()

  /** Whether it was heard before. */
  has({ by, body }: Signed<Bid>): boolean {
    return this.#heard.has(`${by}/${body.job}`)
  }

  note(bid: Signed<Bid>, declined: Refusal | null): void {
    const key = `${bid.by}/${bid.body.job}`
    // What is heard again keeps its place in the line: it has waited for longest.
    this.#heard.set(key, { bid, declined })
    const [oldest] = this.#heard.keys()
    if (this.#heard.size > bidsMax && oldest !== undefined) this.#heard.delete(oldest)
  }

  /** What was declined for a reason that may have passed, and is still open; those that have waited longest first. */
  waiting(nowMs: number): Signed<Bid>[] {
    const waiting: Signed<Bid>[] = []
    // What has ended stays, as long as there is room: whoever asks why is told so later too.
    for (const { bid, declined } of this.#heard.values()) {
      if (bid.body.expiresMs > nowMs && declined !== null && mayPass(declined)) waiting.push(bid)
    }
    return waiting
  }

  /** Why this requester's bid was not answered; null when it was; undefined when it was not heard, or long ago. */
  verdictOn(by: PeerName, job: string): Refusal | null | undefined {
    return this.#heard.get(`${by}/${job}`)?.declined
  }
}
