/** The world of the model: peers, network, faults and workload from one seed, run until everything is over or time is. */
import { bidWindowMs, bidsPerAuthorMax, isBidOver, openBid, type Bid } from '../../protocols/bid/index.ts'
import { capabilityRules } from '../../protocols/capability/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import type { Settling } from '../../protocols/settle/index.ts'
import type { ShownReference } from '../../protocols/references/index.ts'
import { Fault, type PeerName, type Signed } from '../../protocols/wire/index.ts'
import type { Carry } from '../../src/market/carry.ts'
import { whatIsUnwritten } from '../checkers/durable-before-said.ts'
import { checkSaid, type Violation } from '../checkers/index.ts'
import { VirtualClock } from '../clock.ts'
import { SeededRandom } from '../random.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { Trace } from '../trace.ts'
import { ModelDht } from './bulletin.ts'
import { Disk } from './disk.ts'
import { writeFast } from './fast-writer.ts'
import { planFaults } from './faults.ts'
import { GossipNet } from './gossip.ts'
import { LedgerBooks } from './ledger-books.ts'
import { ModelNetwork } from './network.ts'
import { ModelPeer } from './peer.ts'
import { untilSettled } from './settled.ts'
import { modelSigner, realSigner } from './signer.ts'
import { bytesOf, classOf, cpuHourMicroMin, lendingOf, plainLending } from './stand-ins.ts'
import { Clique } from './sybils.ts'
import type { Parcel } from './vices.ts'
import { planJobs, type PlannedJob } from './workload.ts'

writeFast()

const network = 'model'
export const startMs = 1_800_000_000_000
/** How often it is looked whether everything is over, and how long is waited then for what is still under way. */
const quietCheckMs = 1_000
const quietForMs = 10_000
/** Accounts are settled when there is nothing new in them: a period, a look, and a few rounds. */
const settledWithinMs = 50_000
/** Events for each peer and job of a life; a machine that wakes itself without end is found by it. Storms have some 50. */
const eventsPerActorMax = 2_000

export interface WorldOptions {
  readonly keepTrace?: boolean
  /** Mischief ends no later than this: for the shortest prefix of a life that still fails. */
  readonly mischiefUntilMs?: number
  /** Only so many of the jobs. */
  readonly jobsMax?: number
  readonly signatures?: 'model' | 'real'
}

/** Whoever means to deliver nothing can always be the cheapest. */
const lowest = plainLending(cpuHourMicroMin - 1)
const questionBytes = 50
/** A name that failed somebody is given up by its owner this often. */
const renameProbability = 0.5

interface PlannedCrash {
  readonly peer: ModelPeer
  readonly downMs: number
  effects: number
  readonly when: 'before' | 'after'
}

export class World {
  readonly seed: number
  readonly scenario: Scenario
  readonly clock = new VirtualClock(startMs)
  readonly trace: Trace
  readonly network: ModelNetwork
  readonly gossip: GossipNet
  readonly dht: ModelDht
  readonly peers: ModelPeer[] = []
  readonly jobs: PlannedJob[] = []
  readonly jobsMax: number
  readonly mischiefUntilMs: number
  /** Whether the peers of this life settle their accounts. */
  readonly settles: boolean
  /** Found while it ran. */
  readonly violations: Violation[] = []
  /** Statements by their envelopes, as they were when they were said: opening them again would cost more than the life. */
  readonly said = new Map<Uint8Array, Signed<unknown>>()
  /** By peer and key: the highest sequence that was accepted. */
  readonly accepted = new Map<string, number>()
  events = 0
  effects = 0
  /** When the last fault was over. */
  lastFaultMs = 0
  /** Called around every effect of every peer, for faults at exactly one of them. */
  atEffect: ((peer: ModelPeer, effect: number, when: 'before' | 'after') => void) | undefined
  /** Behind all names of the attacker, if there is one. */
  readonly clique: Clique
  readonly openBid: (envelope: Uint8Array) => Signed<Bid>
  #crashes: PlannedCrash[] = []
  /** By peer, author and minute. */
  readonly #bids = new Map<string, number>()
  readonly #numbers = new Map<PeerName, number>()
  readonly #renames: SeededRandom

  constructor(seed: number, scenario: Scenario, options: WorldOptions = {}) {
    this.seed = seed
    this.scenario = scenario
    this.trace = new Trace({ keepLines: options.keepTrace ?? false })
    this.jobsMax = options.jobsMax ?? Infinity
    this.mischiefUntilMs = Math.min(scenario.faultsUntilMs, options.mischiefUntilMs ?? Infinity)
    this.settles = SeededRandom.of(seed, 'settles').chance(scenario.workload.settleShare)
    const isMischief = (): boolean => this.elapsedMs < this.mischiefUntilMs
    this.network = new ModelNetwork(this.clock, SeededRandom.of(seed, 'network'), scenario.network, isMischief)
    this.gossip = new GossipNet(this.clock, SeededRandom.of(seed, 'gossip'), this.network)
    const signerOf = options.signatures === 'real' ? realSigner : modelSigner
    const anybody = signerOf(0)
    this.dht = new ModelDht(this.network, SeededRandom.of(seed, 'dht'), capabilityRules(anybody, network))
    this.openBid = memoized((envelope) => openBid(anybody, network, envelope))
    this.clique = new Clique(SeededRandom.of(seed, 'sybils'), network, scenario, signerOf)
    this.#renames = SeededRandom.of(seed, 'renames')
    const honestPeers = scenario.peers - Math.floor(scenario.peers * scenario.sybilShare)
    const random = SeededRandom.of(seed, 'peers')
    const ledgers = SeededRandom.of(seed, 'ledgers')
    for (let number = 0; number < scenario.peers; number++) {
      const notary = { network, signer: signerOf(number) }
      const ownRandom = SeededRandom.of(seed, 'peer', number)
      this.#numbers.set(notary.signer.peer, number)
      const peer = new ModelPeer(this, {
        number,
        notary,
        vice:
          number >= honestPeers ? 'sybil' : random.chance(scenario.dishonestShare) ? random.pick(scenario.vices) : null,
        skewMs: random.between(-scenario.skewMsMax, scenario.skewMsMax),
        random: ownRandom,
        books: ledgers.chance(scenario.ledgerShare)
          ? new LedgerBooks(notary, SeededRandom.of(seed, 'ledger', number))
          : new Disk(ownRandom),
        lending: number >= honestPeers ? lowest : lendingOf(number, scenario.lendShare),
        class: classOf(random.between(0, scenario.workload.classes - 1)),
      })
      this.peers.push(peer)
    }
    for (const peer of this.peers) peer.start()
    planJobs(this, SeededRandom.of(seed, 'jobs'))
    planFaults(this, SeededRandom.of(seed, 'faults'))
  }

  get traceHash(): string {
    return this.trace.hash
  }

  get elapsedMs(): number {
    return this.clock.nowMs() - startMs
  }

  /** Lives until everything is over, or until then. Rejects when the program breaks: that is a bug of ours. */
  async run(untilMs = this.scenario.virtualMs): Promise<void> {
    const { peers, workload } = this.scenario
    const eventsMax = eventsPerActorMax * (peers + workload.jobs)
    let endMs = startMs + untilMs
    let checkMs = startMs + Math.max(this.mischiefUntilMs, workload.jobsWithinMs)
    let isQuiet = false
    /** False when nothing more is to happen. */
    const next = (): boolean => {
      const nextMs = this.clock.nextMs
      if (nextMs === undefined || nextMs > endMs) return false
      if (!isQuiet && nextMs >= checkMs) {
        isQuiet = nextMs - startMs >= this.lastFaultMs && this.#isOver()
        if (isQuiet) endMs = Math.min(endMs, this.clock.nowMs() + (this.settles ? settledWithinMs : quietForMs))
        checkMs += quietCheckMs
        if (nextMs > endMs) return false
      }
      this.clock.jump()
      if (++this.events <= eventsMax) return true
      this.violate('life-is-bounded', `${this.events} events, and no end of them`)
      return false
    }
    await untilSettled(next)
  }

  /** Lets go of memory that would otherwise be held until it is collected. Nothing can be asked of the life afterwards. */
  close(): void {
    for (const { disk } of this.peers) disk.close()
  }

  numberOf(peer: PeerName): number {
    return this.#numbers.get(peer) ?? -1
  }

  peerOf(name: PeerName): ModelPeer | undefined {
    const number = this.#numbers.get(name)
    return number === undefined ? undefined : this.peers[number]
  }

  /** A peer has this name from now on. */
  named(peer: ModelPeer): void {
    this.#numbers.set(peer.name, peer.number)
  }

  /** A name of the clique has failed somebody. */
  onMisdeed(peer: ModelPeer): void {
    const { name } = peer
    if (!this.#renames.chance(renameProbability)) return
    this.clock.post(0, () => {
      if (peer.name === name) peer.rename()
    })
  }

  cliqueReferences(shower: ModelPeer): ShownReference[] {
    return this.clique.references(shower.plan.notary, this.peers[0]!.name, this.clock.nowMs())
  }

  /** A question, and what is answered to it. */
  askReferences(from: ModelPeer, to: PeerName, hear: (frame: Uint8Array) => void): void {
    const other = this.peerOf(to)
    if (other === undefined) return
    this.network.carry(from.number, other.number, questionBytes, () => {
      if (other.name !== to) return
      other.showReferences((frame) =>
        this.network.carry(other.number, from.number, frame.byteLength, () => hear(frame)),
      )
    })
  }

  note(peer: number, what: string, about = -1): void {
    this.trace.add(this.elapsedMs, peer, what, about)
  }

  violate(checker: string, what: string): void {
    this.note(-1, `VIOLATED ${checker}: ${what}`)
    this.violations.push({ checker, what, atMs: this.elapsedMs })
  }

  /** A fault is under way for so long. */
  faultLasts(forMs: number): void {
    this.lastFaultMs = Math.max(this.lastFaultMs, this.elapsedMs + forMs)
  }

  /** Now, or right before or after the next effects of the peer; and back again after a while. */
  crash(
    peer: ModelPeer,
    downMs: number,
    at: { readonly effects: number; readonly when: 'before' | 'after' } | null,
  ): void {
    if (at !== null) {
      this.#crashes.push({ peer, downMs, ...at })
      return
    }
    if (!peer.isUp) return
    peer.crash()
    this.faultLasts(downMs)
    this.clock.after(downMs, () => peer.restart())
  }

  onEffect(peer: ModelPeer, when: 'before' | 'after'): void {
    if (when === 'before') this.effects++
    this.atEffect?.(peer, this.effects, when)
    if (this.#crashes.length === 0) return
    for (const planned of this.#crashes) {
      if (planned.peer !== peer || planned.when !== when || --planned.effects > 0) continue
      this.#crashes = this.#crashes.filter((other) => other !== planned)
      if (this.elapsedMs < this.mischiefUntilMs) this.crash(peer, planned.downMs, null)
    }
  }

  send(from: ModelPeer, to: PeerName, carry: Carry): void {
    const wrong = checkSaid(from, carry)
    if (wrong !== undefined) this.violate(wrong.checker, wrong.what)
    this.#remember(carry)
    const receiver = this.peerOf(to)
    if (receiver?.name !== to) return
    this.network.carry(from.number, receiver.number, bytesOf(carry), () => receiver.receive(from.name, carry))
  }

  sendBytes(from: ModelPeer, to: PeerName, parcel: Parcel): void {
    const receiver = this.peerOf(to)
    if (receiver?.name !== to) return
    this.network.carry(from.number, receiver.number, parcel.frame.byteLength, () =>
      receiver.receiveBytes(from.name, parcel),
    )
  }

  sendSettling(from: ModelPeer, to: PeerName, frame: Uint8Array): void {
    const receiver = this.peerOf(to)
    if (receiver?.name !== to) return
    this.network.carry(from.number, receiver.number, frame.byteLength, () => receiver.receiveSettling(from.name, frame))
  }

  /** An honest peer says something about an account. */
  onSettling(from: ModelPeer, message: Settling): void {
    const wrong = whatIsUnwritten(from, message)
    if (wrong !== undefined) this.violate('durable-before-said', wrong)
  }

  /** A machine cannot go on: lawful when its disk is full, and a bug of ours otherwise. */
  onStuck({ number, disk }: ModelPeer, error: unknown): void {
    if (!disk.isFull) this.violate('machines-go-on', `peer ${number}: ${String(error)}`)
  }

  /** A provider has so many programs running. */
  onRunning({ number, plan, vice }: ModelPeer, leases: ReadonlySet<Lease>): void {
    let cpuMilli = 0
    for (const { award } of leases) cpuMilli += award.body.cpuMilli
    const lent = plan.lending?.facts.compute?.cpuMilli.value
    if (vice === null && lent !== undefined && cpuMilli > lent)
      this.violate('capacity-is-kept', `peer ${number} runs ${cpuMilli} of ${lent} cpu-milli`)
  }

  /** A peer takes a bid to be answered. */
  onBid(peer: ModelPeer, author: PeerName, by: PeerName, expiresMs: number): void {
    if (peer.vice !== null) return
    const wrong = (what: string): void => this.violate('bids-are-filtered', `peer ${peer.number} ${what}`)
    if (author !== by) wrong(`took a bid of ${this.numberOf(by)} from ${this.numberOf(author)}`)
    if (isBidOver({ expiresMs }, peer.nowMs)) wrong(`took an expired bid of ${this.numberOf(by)}`)
    const minute = `${peer.number} ${author} ${Math.floor(this.elapsedMs / bidWindowMs)}`
    const count = (this.#bids.get(minute) ?? 0) + 1
    this.#bids.set(minute, count)
    // Their minute need not begin with ours.
    if (count === 2 * bidsPerAuthorMax + 1) wrong(`took ${count} bids of ${this.numberOf(by)} in a minute`)
  }

  /** A peer takes a record for true. */
  onAccepted(peer: ModelPeer, key: string, sequence: number): void {
    const name = `${peer.number} ${key}`
    const highest = this.accepted.get(name) ?? 0
    if (sequence < highest && peer.vice === null)
      this.violate('sequence-never-falls', `peer ${peer.number} took record ${sequence} after ${highest}`)
    this.accepted.set(name, Math.max(highest, sequence))
  }

  #remember({ message }: Carry): void {
    if (message.say === 'award') this.said.set(message.award.envelope, message.award)
    else if (message.say === 'receipt') this.said.set(message.receipt.envelope, message.receipt)
    else if (message.say === 'countersignature')
      this.said.set(message.countersignature.envelope, message.countersignature)
  }

  #isOver(): boolean {
    return this.peers.every(
      ({ isUp, requester, provider }) =>
        isUp && requester.openJobs === 0 && provider.inUse().cpuMilli === 0 && provider.openLeases === 0,
    )
  }
}

/** Every peer comes to the same verdict about the same bytes: it is worked out once, lawful or not. */
function memoized(open: (envelope: Uint8Array) => Signed<Bid>): (envelope: Uint8Array) => Signed<Bid> {
  const known = new WeakMap<Uint8Array, Signed<Bid> | Fault>()
  return (envelope) => {
    let verdict = known.get(envelope)
    if (verdict === undefined) {
      try {
        verdict = open(envelope)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        verdict = error
      }
      known.set(envelope, verdict)
    }
    if (verdict instanceof Fault) throw verdict
    return verdict
  }
}
