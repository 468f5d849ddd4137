/**
 * The bids that a provider has heard lately and what it made of them: to look again at those that it was too busy for, and to be
 * able to say why it did not answer.
 */
import { isBidOver, type Bid } from '../../protocols/bid/index.ts'
import { refusal, type PeerName, type Refusal, type Signed } from '../../protocols/wire/index.ts'
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

  /** There are enough answers to it. Whatever was wrong with it before is still the reason why there is none of ours. */
  close(bid: Signed<Bid>): void {
    const known = this.#heard.get(`${bid.by}/${bid.body.job}`)
    this.note(bid, known === undefined ? refusal('ENOUGH') : known.declined)
  }

  /** A copy of what needs no more answers, late on its way. */
  isClosed({ by, body }: Signed<Bid>): boolean {
    const known = this.#heard.get(`${by}/${body.job}`)?.bid.body
    return known?.enough === true && body.issuedMs <= known.issuedMs
  }

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
    for (const [key, { bid, declined }] of this.#heard) {
      if (isBidOver(bid.body, nowMs)) this.#heard.delete(key)
      else if (!bid.body.enough && declined !== null && mayPass(declined)) waiting.push(bid)
    }
    return waiting
  }

  /** Why this requester's bid was not answered; null when it was; undefined when it was not heard, or long ago. */
  verdictOn(by: PeerName, job: string): Refusal | null | undefined {
    return this.#heard.get(`${by}/${job}`)?.declined
  }
}
