/** The world of the model: peers, network, faults and workload from one seed, run until everything is over or time is. */
import { createHash, type Hash } from 'node:crypto'

import type { Bid } from '../../protocols/bid/index.ts'
import type { PeerName, Signed } from '../../protocols/wire/index.ts'
import type { Carry } from '../../src/market/carry.ts'
import type { Lending } from '../../src/market/offer-policy.ts'
import type { JobTerms } from '../../src/market/terms.ts'
import { VirtualClock } from '../clock.ts'
import { SeededRandom } from '../random.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { planFaults } from './faults.ts'
import { ModelNetwork } from './network.ts'
import { ModelPeer, type Vice } from './peer.ts'
import { modelSigner } from './signer.ts'
import { plainLending, plainTerms } from './stand-ins.ts'

const network = 'model'
const startMs = 1_800_000_000_000
/** Turns of the microtask queue after each event: enough for what an event sets off; what is left runs after the next. */
const turnsPerEvent = 12

export interface TraceLine {
  readonly atMs: number
  readonly peer: number
  readonly what: string
}

export class World {
  readonly seed: number
  readonly scenario: Scenario
  readonly clock = new VirtualClock(startMs)
  readonly network: ModelNetwork
  readonly peers: ModelPeer[] = []
  readonly jobs: { readonly requester: ModelPeer; readonly terms: JobTerms; submitted: boolean }[] = []
  readonly trace: TraceLine[] | null
  events = 0
  /** Called after every effect of every peer: for crashes between any two. */
  onEffect: (peer: ModelPeer, count: number) => void = () => {}
  #effects = 0
  readonly #hash: Hash = createHash('sha256')
  readonly #numbers = new Map<PeerName, number>()
  readonly #judged = new WeakMap<Uint8Array, { readonly bid: Signed<Bid> | undefined }>()

  constructor(seed: number, scenario: Scenario, options: { readonly keepTrace: boolean }) {
    this.seed = seed
    this.scenario = scenario
    this.trace = options.keepTrace ? [] : null
    this.network = new ModelNetwork(this.clock, SeededRandom.of(seed, 'network'), scenario.network)
    const random = SeededRandom.of(seed, 'peers')
    for (let number = 0; number < scenario.peers; number++) {
      const notary = { network, signer: modelSigner(number) }
      this.#numbers.set(notary.signer.peer, number)
      const vice: Vice | null = random.chance(scenario.dishonestShare) ? random.pick(scenario.vices) : null
      const skewMs = random.between(-scenario.skewMsMax, scenario.skewMsMax)
      this.peers.push(new ModelPeer(this, number, notary, vice, SeededRandom.of(seed, 'peer', number), skewMs))
    }
    this.#planJobs()
    planFaults(this, SeededRandom.of(seed, 'faults'))
  }

  get traceHash(): string {
    return this.#hash.copy().digest('hex')
  }

  get elapsedMs(): number {
    return this.clock.nowMs() - startMs
  }

  async run(untilMs = this.scenario.virtualMs): Promise<void> {
    for (;;) {
      const nextMs = this.clock.nextMs
      if (nextMs === undefined || nextMs > startMs + untilMs) return
      this.clock.jump()
      this.events++
      for (let turn = 0; turn < turnsPerEvent; turn++) await Promise.resolve()
    }
  }

  numberOf(peer: PeerName): number {
    return this.#numbers.get(peer) ?? -1
  }

  peerOf(name: PeerName): ModelPeer | undefined {
    const number = this.#numbers.get(name)
    return number === undefined ? undefined : this.peers[number]
  }

  note(peer: number, what: string): void {
    const atMs = this.elapsedMs
    this.#hash.update(`${atMs} ${peer} ${what}\n`)
    this.trace?.push({ atMs, peer, what })
  }

  afterEffect(peer: ModelPeer): void {
    this.onEffect(peer, ++this.#effects)
  }

  send(from: ModelPeer, to: PeerName, carry: Carry): void {
    this.network.carry(from.name, to, () => this.peerOf(to)?.receive(from.name, carry))
  }

  gossip(from: ModelPeer, bid: Uint8Array): void {
    for (const peer of this.peers) {
      if (peer !== from) this.network.carry(from.name, peer.name, () => peer.hear(from.name, bid))
    }
  }

  /** Every peer comes to the same verdict about the same bytes: it is worked out once. */
  judged(envelope: Uint8Array, judge: () => Signed<Bid> | undefined): Signed<Bid> | undefined {
    const known = this.#judged.get(envelope)
    if (known !== undefined) return known.bid
    const bid = judge()
    this.#judged.set(envelope, { bid })
    return bid
  }

  /** Two peers in three lend; prices differ, so that there is something to choose from. */
  lendingOf(number: number): Lending | null {
    if (number % 3 === 0) return null
    return plainLending(500_000 + 100_000 * (number % 7))
  }

  #slotsOf(index: number): number {
    const { gangShare, gangSlotsMax } = this.scenario
    const random = SeededRandom.of(this.seed, 'gang', index)
    return random.chance(gangShare) ? random.between(2, gangSlotsMax) : 1
  }

  #planJobs(): void {
    const random = SeededRandom.of(this.seed, 'jobs')
    for (let index = 0; index < this.scenario.jobs; index++) {
      const requester = random.pick(this.peers)
      const atMs = random.between(0, this.scenario.jobsWithinMs)
      this.clock.after(atMs, () => {
        const terms = { ...plainTerms(`${this.seed}/${index}`, this.clock.nowMs()), slots: this.#slotsOf(index) }
        const job = { requester, terms, submitted: false }
        this.jobs.push(job)
        if (!requester.isUp) return
        this.note(requester.number, `submit ${index}`)
        requester.requester.submit(terms).then(
          () => {
            job.submitted = true
          },
          () => {},
        )
      })
    }
  }
}
