/**
 * Who could do a job, before it is asked for and after nobody took it: from the records that are known, and by asking those that
 * would fit what they would answer, or why they did not.
 */
import { lacksOf, sealBid, type Bid } from '../../protocols/bid/index.ts'
import type { KnownCapability } from '../../protocols/capability/index.ts'
import type { InquireService, Quote } from '../../protocols/inquire/index.ts'
import { Fault, RefusedError, type Notary, type PeerName, type Refusal } from '../../protocols/wire/index.ts'
import type { MatchExplanation } from '../control/api.ts'
import type { Clock, Log, Random } from '../environment.ts'
import { dearness, type Acquaint } from '../market/rank.ts'
import { bidOf, type JobTerms } from '../market/terms.ts'
import { objectionsTo } from '../market/wishes.ts'
import { explainNoMatch } from './explain.ts'

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
  /** Of those that would take it now; empty when nobody would. */
  readonly cpuHourMicro: readonly number[]
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

  /** What the job would cost, and whether somebody could begin now. */
  async estimate(terms: JobTerms, signal: AbortSignal): Promise<Estimate> {
    const { known } = this.#deps
    const passing = this.#passing(terms)
    const best = passing.toSorted((left, right) => this.#cost(left) - this.#cost(right)).map(({ peer }) => peer)
    const asked = best.filter((peer) => this.#deps.isReachable(peer)).slice(0, probesMax)
    const quotes = await this.#ask(terms, asked, probeWithinMs, signal)
    const declined = new Map<PeerName, Refusal>()
    const cpuHourMicro: number[] = []
    for (const [peer, { now }] of quotes) {
      if (now.offers) cpuHourMicro.push(now.cpuHourMicro)
      else declined.set(peer, now.because)
    }
    return {
      known: known().length,
      reachable: known().filter(({ peer }) => this.#deps.isReachable(peer)).length,
      pass: passing.length - declined.size,
      asked: asked.length,
      cpuHourMicro: cpuHourMicro.toSorted((left, right) => left - right),
      explanation: this.#explained(terms, declined, 0),
    }
  }

  #passing(terms: JobTerms): readonly KnownCapability[] {
    const { known, acquaint, clock } = this.#deps
    const nowMs = clock.nowMs()
    return known().filter(
      ({ peer, capability }) =>
        objectionsTo(terms.wishes, peer, acquaint(peer)).length === 0 && lacksOf(terms, capability, nowMs).length === 0,
    )
  }

  #cost({ peer, capability }: KnownCapability): number {
    return ((capability.price?.cpuHourMicro ?? 0) + 1) * dearness(this.#deps.acquaint(peer))
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
