/**
 * The bids that a provider has heard lately and what it made of them: to look again at those that it was too busy for, and to be
 * able to say why it did not answer.
 */
import { isBidOver, type Bid } from '../../protocols/bid/index.ts'
import { refusal, type PeerName, type Refusal, type Signed } from '../../protocols/wire/index.ts'
import { mayPass } from './decline.ts'

/** A kilobyte each; the one that was heard first goes first. */
const bidsMax = 512
/** Whoever waits for an answer says one of its bids again each second: who has not been heard for so long is not there any more. */
const silentMs = 5_000

interface Heard {
  readonly bid: Signed<Bid>
  /** Null: an offer was made. */
  readonly declined: Refusal | null
  /** By our own clock, however far its author's is from it: from when it was heard first, as long as it is open at all. */
  readonly untilMs: number
}

export class OpenBids {
  /** By `requester/job`, in the order in which they were heard. */
  readonly #heard = new Map<string, Heard>()
  /** When each requester was heard last, the one that has been silent for longest first. */
  readonly #lastMs = new Map<PeerName, number>()

  /** It was said, for the first time or once more. */
  hear({ by }: Signed<Bid>, nowMs: number): void {
    this.#lastMs.delete(by)
    this.#lastMs.set(by, nowMs)
    const [quietest] = this.#lastMs.keys()
    if (this.#lastMs.size > bidsMax && quietest !== undefined) this.#lastMs.delete(quietest)
  }

  /** There are enough answers to it. Whatever was wrong with it before is still the reason why there is none of ours. */
  close(bid: Signed<Bid>, nowMs: number): void {
    const known = this.#heard.get(keyOf(bid))
    this.note(bid, known === undefined ? refusal('ENOUGH') : known.declined, nowMs)
  }

  /** A copy of what needs no more answers, late on its way. */
  isClosed(bid: Signed<Bid>): boolean {
    const known = this.#heard.get(keyOf(bid))?.bid.body
    return known?.enough === true && bid.body.issuedMs <= known.issuedMs
  }

  /** Whether it was heard before. */
  has(bid: Signed<Bid>): boolean {
    return this.#heard.has(keyOf(bid))
  }

  note(bid: Signed<Bid>, declined: Refusal | null, nowMs: number): void {
    const key = keyOf(bid)
    // What is heard again keeps its place in the line: it has waited for longest.
    const known = this.#heard.get(key)
    const { issuedMs, expiresMs } = bid.body
    const isSame = known?.bid.body.issuedMs === issuedMs && known.bid.body.expiresMs === expiresMs
    this.#heard.set(key, { bid, declined, untilMs: isSame ? known.untilMs : nowMs + termMs(bid) })
    const [oldest] = this.#heard.keys()
    if (this.#heard.size > bidsMax && oldest !== undefined) this.#heard.delete(oldest)
  }

  /** What was declined for a reason that may have passed, and is still open; those that have waited longest first. */
  waiting(nowMs: number): Signed<Bid>[] {
    const waiting: Signed<Bid>[] = []
    // What has ended stays, as long as there is room: whoever asks why is told so later too.
    for (const { bid, declined, untilMs } of this.#heard.values()) {
      const isOpen = nowMs < untilMs && !isBidOver(bid.body, nowMs) && !bid.body.enough
      if (isOpen && declined !== null && mayPass(declined) && this.#isThere(bid.by, nowMs)) waiting.push(bid)
    }
    return waiting
  }

  #isThere(by: PeerName, nowMs: number): boolean {
    const lastMs = this.#lastMs.get(by)
    return lastMs !== undefined && nowMs < lastMs + silentMs
  }

  /** Why this requester's bid was not answered; null when it was; undefined when it was not heard, or long ago. */
  verdictOn(by: PeerName, job: string): Refusal | null | undefined {
    return this.#heard.get(`${by}/${job}`)?.declined
  }
}

function keyOf({ by, body }: Signed<Bid>): string {
  return `${by}/${body.job}`
}

function termMs({ body }: Signed<Bid>): number {
  return body.expiresMs - body.issuedMs
}
