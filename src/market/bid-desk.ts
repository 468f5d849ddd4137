/**
 * What a provider makes of the bids that it hears: an offer, after a while in which others may have made enough of them, where its rules, its free capacity and its owner's own word allow;
 * otherwise a reason, kept for whoever asks. What it was too busy for is looked at again when something is free.
 */
import { isBidOver, type Bid } from '../../protocols/bid/index.ts'
import type { Quote } from '../../protocols/inquire/index.ts'
import { refusal, type Micro, type PeerName, type Refusal, type Signed } from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import type { Exposure } from './exposure.ts'
import { decideOffer, offerDelayMs, type InUse, type Lending, type OfferDecision } from './offer-policy.ts'
import { OpenBids } from './open-bids.ts'
import type { Standing } from './rank.ts'
import { Tally } from './tally.ts'

export interface BidDeskDeps {
  readonly self: PeerName
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly standing: Standing
  /** The owner's own word on a bid that all else speaks for: null admits it. It may take its time. */
  readonly admit?: ((bid: Signed<Bid>, signal: AbortSignal) => Promise<Refusal | null>) | undefined
  readonly capacity: {
    inUse(): InUse
    /** What was offered to a requester and waits for its award. */
    unanswered(by: PeerName): readonly InUse[]
    /** Leases of a requester for which it has signed nothing yet. */
    unpaid(by: PeerName): number
    /** What a requester owes or may come to owe, and how much it may. */
    credit(by: PeerName, unit: string): Exposure
    /** What all requesters together have signed for us. */
    earned(unit: string): bigint
    /** Whether an offer to it for this job is on its way, or was taken. */
    isAnswered(by: PeerName, job: string): boolean
    /** No more offers can be kept track of. */
    isFull(): boolean
  }
  offer(bid: Signed<Bid>, decision: Offered): void
}

export type Offered = Extract<OfferDecision, { answer: true }>

/** Nothing is promised for so long after a promise could not be written down: on a full disk the next could not either. */
const ledgerRestMs = 60_000
/** Bids that wait for the owner's own word at once. */
const admissionsMax = 8
/** Bids that are to be answered, when their time comes. */
const dueMax = 512
/**
 * An answer whose time came so long ago was held up with all that came meanwhile, and so were those of others on the same machine: what
 * was said is heard first, and the answers are spread again.
 */
const lateMs = 100

interface Due {
  readonly bid: Signed<Bid>
  readonly cancel: () => void
}

export class BidDesk {
  readonly tally = new Tally()
  readonly #deps: BidDeskDeps
  readonly #heard = new OpenBids()
  readonly #beingAdmitted = new Set<string>()
  /** By `requester/job`. Nothing is bound for what is only due. */
  readonly #due = new Map<string, Due>()
  readonly #ending = new AbortController()
  #lending: Lending | null = null
  #resting: Refusal | null = null
  #ledgerFailedMs = -Infinity
  #looksAgain = false

  constructor(deps: BidDeskDeps) {
    this.#deps = deps
  }

  /** Null: nothing is lent, no bid is answered; what is leased goes on. */
  lend(lending: Lending | null): void {
    this.#lending = lending
    this.somethingIsFree()
  }

  /** While there is a reason, no bid is answered with an offer. */
  rest(because: Refusal | null): void {
    this.#resting = because
    this.somethingIsFree()
  }

  ledgerFailed(): void {
    this.#ledgerFailedMs = this.#deps.clock.monotonicMs()
  }

  onBid(bid: Signed<Bid>): void {
    const { self, clock } = this.#deps
    if (this.#ending.signal.aborted || bid.by === self) return
    if (bid.body.enough) return this.#hush(bid)
    this.#heard.hear(bid, clock.nowMs())
    this.#look(bid)
  }

  #look(bid: Signed<Bid>): void {
    const { capacity } = this.#deps
    if (this.#ending.signal.aborted) return
    // A bid is repeated until it is answered: our offer may have been lost, or not be out yet.
    if (capacity.isAnswered(bid.by, bid.body.job)) return
    if (this.#heard.isClosed(bid)) return
    const due = this.#due.get(keyOf(bid))
    if (due !== undefined) return void this.#due.set(keyOf(bid), { ...due, bid })
    if (!this.#heard.has(bid)) this.tally.seen()
    void this.#consider(bid)
  }

  /** For whoever asks: what this job's bid was answered when it was heard, and would be answered now. */
  quote(bid: Signed<Bid>): Pick<Quote, 'heard' | 'now'> {
    const then = this.#heard.verdictOn(bid.by, bid.body.job)
    const now = this.wouldAnswer(bid)
    return {
      heard: then === undefined ? null : then === null ? { offered: true } : { offered: false, because: then },
      now: now.answer ? { offers: true, cpuHourMicro: now.cpuHourMicro } : { offers: false, because: now.because },
    }
  }

  /** What a bid would be answered now. */
  wouldAnswer(bid: Pick<Signed<Bid>, 'by' | 'body'>): OfferDecision {
    const no = (because: Refusal): OfferDecision => ({ answer: false, because })
    const { clock, standing, capacity } = this.#deps
    if (this.#lending === null) return no(refusal('NOT_LENDING'))
    if (this.#resting !== null) return no(this.#resting)
    if (clock.monotonicMs() < this.#ledgerFailedMs + ledgerRestMs) return no(refusal('LEDGER_FAILED'))
    if (capacity.isFull()) return no(refusal('OFFERS_FULL'))
    return decideOffer(bid, this.#lending, {
      inUse: capacity.inUse(),
      unanswered: capacity.unanswered(bid.by),
      unpaid: capacity.unpaid(bid.by),
      ...capacity.credit(bid.by, bid.body.unit),
      earnedMicro: this.#lending.rules.bond.grows ? capacity.earned(bid.body.unit) : 0n,
      standing: standing.of(bid.by),
      nowMs: clock.nowMs(),
    })
  }

  /** What we were too busy for may fit now. Once for all that is freed together. */
  somethingIsFree(): void {
    if (this.#looksAgain) return
    this.#looksAgain = true
    this.#deps.clock.after(0, () => {
      this.#looksAgain = false
      for (const bid of this.#heard.waiting(this.#deps.clock.nowMs())) this.#look(bid)
    })
  }

  stop(): void {
    this.#ending.abort(new Error('the peer is stopping'))
    for (const { cancel } of this.#due.values()) cancel()
    this.#due.clear()
  }

  async #consider(bid: Signed<Bid>): Promise<void> {
    const { admit, log, clock } = this.#deps
    const decision = this.wouldAnswer(bid)
    if (!decision.answer) return this.#decline(bid, decision.because)
    if (admit === undefined) return this.#offerSoon(bid, decision.cpuHourMicro)
    const key = keyOf(bid)
    if (this.#beingAdmitted.has(key)) return
    if (this.#beingAdmitted.size >= admissionsMax) return this.#decline(bid, refusal('OFFERS_FULL', { admissionsMax }))
    this.#beingAdmitted.add(key)
    const objection = await admit(bid, this.#ending.signal).catch((error: unknown) => {
      log('warn', 'the admission program failed', { error })
      return refusal('NOT_ADMITTED', { why: 'the admission program failed' })
    })
    this.#beingAdmitted.delete(key)
    if (this.#ending.signal.aborted || this.#heard.isClosed(bid) || isBidOver(bid.body, clock.nowMs())) return
    if (objection !== null) return this.#decline(bid, objection)
    this.#offerSoon(bid, decision.cpuHourMicro)
  }

  #offerSoon(bid: Signed<Bid>, cpuHourMicro: Micro): void {
    const key = keyOf(bid)
    if (this.#due.has(key)) return
    if (this.#due.size >= dueMax) return this.#decline(bid, refusal('OFFERS_FULL', { dueMax }))
    this.#answerAfter(bid, offerDelayMs(bid.body, cpuHourMicro, this.#deps.random.float()), true)
  }

  #answerAfter(bid: Signed<Bid>, delayMs: number, mayBeLate: boolean): void {
    const { clock, random } = this.#deps
    const key = keyOf(bid)
    const dueMs = clock.monotonicMs() + delayMs
    const cancel = clock.after(delayMs, () => {
      const due = this.#due.get(key)
      if (due === undefined) return
      const behindMs = clock.monotonicMs() - dueMs
      if (mayBeLate && behindMs > lateMs) {
        this.#answerAfter(due.bid, Math.floor(random.float() * Math.min(behindMs, bid.body.spreadMs)), false)
        return
      }
      this.#due.delete(key)
      this.#answer(due.bid)
    })
    this.#due.set(key, { bid, cancel })
  }

  /** Meanwhile others may have come. */
  #answer(bid: Signed<Bid>): void {
    if (this.#deps.capacity.isAnswered(bid.by, bid.body.job) || isBidOver(bid.body, this.#deps.clock.nowMs())) return
    const decision = this.wouldAnswer(bid)
    if (decision.answer) this.#offer(bid, decision)
    else this.#decline(bid, decision.because)
  }

  /** There are enough answers: what is not out yet is not said. An offer that is stands until it is released. */
  #hush(bid: Signed<Bid>): void {
    const key = keyOf(bid)
    const due = this.#due.get(key)
    if (due !== undefined && due.bid.body.issuedMs > bid.body.issuedMs) return
    due?.cancel()
    this.#due.delete(key)
    const isNew = !this.#heard.has(bid)
    if (isNew && due === undefined) this.tally.seen()
    if (isNew) this.tally.declined(refusal('ENOUGH'))
    this.#heard.close(bid, this.#deps.clock.nowMs())
  }

  #offer(bid: Signed<Bid>, decision: Offered): void {
    this.#heard.note(bid, null, this.#deps.clock.nowMs())
    this.tally.answered()
    this.#deps.offer(bid, decision)
  }

  #decline(bid: Signed<Bid>, because: Refusal): void {
    // A bid that is repeated counts once, under what was wrong with it first.
    if (!this.#heard.has(bid)) this.tally.declined(because)
    this.#heard.note(bid, because, this.#deps.clock.nowMs())
  }
}

function keyOf({ by, body }: Signed<Bid>): string {
  return `${by}/${body.job}`
}
