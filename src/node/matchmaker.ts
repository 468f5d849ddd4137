/**
 * Who could do a job, before it is asked for and after nobody took it: from the records that are known, and by asking those that
 * would fit what they would answer, or why they did not.
 */
import { cpuHourMicroOf, lacksOf, sealBid, type Bid } from '../../protocols/bid/index.ts'
import type { KnownCapability } from '../../protocols/capability/index.ts'
import type { InquireService, Quote } from '../../protocols/inquire/index.ts'
import { Fault, RefusedError, type Notary, type PeerName, type Refusal } from '../../protocols/wire/index.ts'
import type { MatchExplanation, ProviderVerdict } from '../control/api.ts'
import type { Clock, Log, Random } from '../environment.ts'
import { dearness, type Acquaint } from '../market/rank.ts'
import type { JobState } from '../market/job-state.ts'
import { bidOf, type JobTerms } from '../market/terms.ts'
import { objectionsTo } from '../market/wishes.ts'
import { explainNoMatch, quoteVerdict, recordVerdict } from './explain.ts'
import { peerView } from './views.ts'

export interface MatchmakerDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly inquire: InquireService
  /** Records of those that run programs. */
  readonly known: () => readonly KnownCapability[]
  readonly acquaint: Acquaint
  isReachable(peer: PeerName): boolean
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

/** What a job would come to. */
export interface Estimate {
  readonly known: number
  readonly reachable: number
  /** Those that would fit by their records, or by their own word when they were asked. */
  readonly pass: number
  readonly asked: number
  /** In time. */
  readonly answered: number
  /** Those that said that they would take it now. */
  readonly ready: number
  /** Of these, and by their records of those that did not say; empty when all that were asked said no. */
  readonly cpuHourMicro: readonly number[]
  /** The way there and back to the one in the middle of them, as far as it was measured. */
  readonly rttMs: number
  readonly explanation: MatchExplanation
}

/** Providers that are asked why they made no offer, and how long that may take. */
const whyMax = 32
const whyWithinMs = 800
/** Before a job is asked for: a few of the best, and no longer than a person hardly notices. */
const probesMax = 8
const probeWithinMs = 200

export class Matchmaker {
  readonly #deps: MatchmakerDeps

  constructor(deps: MatchmakerDeps) {
    this.#deps = deps
  }

  /** How many of those that are known would fit by their records. */
  fitting(terms: JobTerms): number {
    return this.#passing(terms).length
  }

  /** Why nobody took a job of ours; null when it is not known. */
  async explainJob(state: JobState | undefined, signal: AbortSignal): Promise<MatchExplanation | null> {
    if (state === undefined) return null
    const answered = state.slots.reduce((sum, { epoch }) => sum + epoch, 0)
    return this.explain(state.terms, answered, signal)
  }

  /** Why nobody took it. `answered`: how many offers there were. */
  async explain(terms: JobTerms, answered: number, signal: AbortSignal): Promise<MatchExplanation> {
    const asked = this.#sample(this.#passing(terms), whyMax)
    const quotes = await this.#ask(terms, asked, whyWithinMs, signal)
    const declined = new Map<PeerName, Refusal>()
    for (const [peer, { heard, now }] of quotes) {
      if (heard?.offered === false) declined.set(peer, heard.because)
      else if (!now.offers) declined.set(peer, now.because)
    }
    return this.#explained(terms, declined, answered)
  }

  /** Those that would fit by their records, best first, and why the others do not. Nobody is asked. */
  find(terms: JobTerms): { readonly fitting: readonly KnownCapability[]; readonly explanation: MatchExplanation } {
    return { fitting: this.#bestFirst(terms), explanation: this.#explained(terms, new Map(), 0) }
  }

  /** What came of each that is known and a job of ours, or would now. `taker`: who works at it, or did. */
  async verdicts(terms: JobTerms, taker: PeerName | undefined, signal: AbortSignal): Promise<ProviderVerdict[]> {
    const { known, acquaint, clock } = this.#deps
    const passing = this.#passing(terms).filter(({ peer }) => peer !== taker)
    const reachable = passing.filter(({ peer }) => this.#deps.isReachable(peer))
    const asked = this.#sample(reachable, whyMax)
    const quotes = await this.#ask(terms, asked, whyWithinMs, signal)
    const plain = (peer: PeerName, verdict: ProviderVerdict['verdict'], reason: string): ProviderVerdict => ({
      ...peerView(peer),
      verdict,
      code: null,
      reasons: [reason],
    })
    return known().map((record) => {
      const { peer } = record
      const quote = quotes.get(peer)
      if (peer === taker) return plain(peer, 'took', 'took it')
      if (quote !== undefined) return quoteVerdict(peer, quote)
      const lacking = recordVerdict(terms, record, { acquaint, nowMs: clock.nowMs() })
      if (lacking !== undefined) return lacking
      if (!this.#deps.isReachable(peer)) return plain(peer, 'silent', 'fits, and cannot be reached')
      if (asked.includes(peer)) return plain(peer, 'unanswered', 'fits, and did not say why when it was asked')
      return plain(peer, 'unasked', `fits; ${whyMax} others were asked`)
    })
  }

  /** What the job would cost, and whether somebody could begin now. */
  async estimate(terms: JobTerms, signal: AbortSignal): Promise<Estimate> {
    const { known } = this.#deps
    const passing = this.#bestFirst(terms)
    const near = passing.filter(({ peer }) => this.#deps.isReachable(peer)).slice(0, probesMax)
    const asked = near.map(({ peer }) => peer)
    const quotes = await this.#ask(terms, asked, probeWithinMs, signal)
    const declined = new Map<PeerName, Refusal>()
    const cpuHourMicro: number[] = []
    let ready = 0
    // Of who did not say, what its record says: that it is busy is not known.
    for (const { peer, capability } of near.length > 0 ? near : passing.slice(0, probesMax)) {
      const now = quotes.get(peer)?.now
      if (now?.offers === false) declined.set(peer, now.because)
      else if (now?.offers === true) cpuHourMicro.push(now.cpuHourMicro)
      else if (capability.price !== null) cpuHourMicro.push(cpuHourMicroOf(capability.price, terms.requirements))
      if (now?.offers === true) ready++
    }
    return {
      known: known().length,
      reachable: known().filter(({ peer }) => this.#deps.isReachable(peer)).length,
      pass: passing.length - declined.size,
      asked: asked.length,
      answered: quotes.size,
      ready,
      cpuHourMicro: cpuHourMicro.toSorted((left, right) => left - right),
      rttMs: median(asked.map((peer) => this.#deps.acquaint(peer).rttMs ?? 0)) ?? 0,
      explanation: this.#explained(terms, declined, 0),
    }
  }

  #passing(terms: JobTerms): readonly KnownCapability[] {
    const { known, acquaint, clock } = this.#deps
    const nowMs = clock.nowMs()
    return known().filter(
      ({ peer, capability }) =>
        objectionsTo(terms.wishes, peer, acquaint(peer, terms.requirements.runtime)).length === 0 &&
        lacksOf(terms, capability, nowMs).length === 0,
    )
  }

  #bestFirst(terms: JobTerms): readonly KnownCapability[] {
    const cost = ({ peer, capability: { price } }: KnownCapability): number =>
      ((price === null ? 0 : cpuHourMicroOf(price, terms.requirements)) + 1) *
      dearness(this.#deps.acquaint(peer, terms.requirements.runtime))
    return this.#passing(terms)
      .map((record) => ({ record, cost: cost(record) }))
      .toSorted((left, right) => left.cost - right.cost)
      .map(({ record }) => record)
  }

  #sample(records: readonly KnownCapability[], most: number): PeerName[] {
    const { random } = this.#deps
    return records
      .map(({ peer }) => ({ peer, dice: random.float() }))
      .toSorted((left, right) => left.dice - right.dice)
      .slice(0, most)
      .map(({ peer }) => peer)
  }

  #explained(terms: JobTerms, declined: ReadonlyMap<PeerName, Refusal>, answered: number): MatchExplanation {
    const { known, acquaint, clock } = this.#deps
    return explainNoMatch(terms, {
      known: known(),
      isReachable: (peer) => this.#deps.isReachable(peer),
      acquaint,
      declined,
      answered,
      nowMs: clock.nowMs(),
    })
  }

  /** Whoever does not answer in time has not answered. */
  async #ask(
    terms: JobTerms,
    peers: readonly PeerName[],
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Map<PeerName, Quote>> {
    const { notary, clock, inquire, log, onFault } = this.#deps
    const quotes = new Map<PeerName, Quote>()
    if (peers.length === 0) return quotes
    const body: Bid = bidOf(terms, { fromMs: terms.bidFromMs, enough: false })
    const bid = { by: notary.signer.peer, body, envelope: sealBid(notary.signer, notary.network, body) }
    using deadline = clock.deadline(withinMs, signal)
    await Promise.all(
      peers.map(async (peer) => {
        try {
          quotes.set(peer, (await inquire.ask(peer, bid, deadline.signal)).body)
        } catch (error) {
          if (error instanceof Fault) onFault(peer, error)
          else if (!(error instanceof RefusedError)) log('debug', 'an inquiry was not answered', { peer, error })
        }
      }),
    )
    return quotes
  }
}

/** The lower one of two in the middle; undefined of none. */
export function median(numbers: readonly number[]): number | undefined {
  return numbers.toSorted((left, right) => left - right)[Math.floor((numbers.length - 1) / 2)]
}
