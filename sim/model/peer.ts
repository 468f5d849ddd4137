/**
 * One peer of the model: the desks, machines, codecs and policies of production, on a virtual clock, with a disk, a network and
 * errands that the world controls. A crash takes its memory; what its disk has stays.
 */
import { bidBytesMax, bidTopic, judgeBid, type Bid } from '../../protocols/bid/index.ts'
import {
  nobodyHeard,
  Fault,
  type Gossip,
  type PeerName,
  type Signed,
  type Verdict,
} from '../../protocols/wire/index.ts'
import { Directory } from '../../src/discovery/directory.ts'
import { RecordIndex } from '../../src/discovery/record-index.ts'
import { Publisher } from '../../src/discovery/publisher.ts'
import { silentLog } from '../../src/environment.ts'
import { memorySequenceFloors } from '../../src/host/sequence-floors.ts'
import type { Carry } from '../../src/market/carry.ts'
import { unlimitedCredit } from '../../src/market/exposure.ts'
import type { JobEvent } from '../../src/market/job-events.ts'
import type { JobState } from '../../src/market/job-state.ts'
import type { LeaseEvent, LeaseState } from '../../src/market/lease-machine.ts'
import { ProviderDesk } from '../../src/market/provider-desk.ts'
import { RequesterDesk } from '../../src/market/requester-desk.ts'
import { regardOf } from '../../src/node/regard.ts'
import { decodeCarry, takeCarry } from '../../src/node/routes.ts'
import { asking } from '../../src/reputation/experience.ts'
import type { SettleState, Settling } from '../../protocols/settle/index.ts'
import { Accounts, frameOf, takeClaim, type Claim } from './accounts.ts'
import type { Member, Shelf } from './bulletin.ts'
import { Disk, type Books, type OpenBooks } from './disk.ts'
import { modelErrands, modelWorkshop, refusalOf, type ModelRun } from './errands.ts'
import { LifeClock } from './life.ts'
import type { PeerPlan, Told } from './peer-plan.ts'
import { PoisonedAnswers } from './poison.ts'
import { ModelRegard } from './regard.ts'
import { factsOf } from './stand-ins.ts'
import { viceOf, type Trick } from './sybils.ts'
import { Dishonesty, type Parcel, type Vice } from './vices.ts'
import type { World } from './world.ts'

export class ModelPeer implements Member {
  plan: PeerPlan
  disk: Books
  readonly shelf: Shelf = { values: new Map(), adverts: new Map(), floors: memorySequenceFloors() }
  dishonesty: Dishonesty | null
  readonly jobEvents = new Map<string, Told<JobEvent>[]>()
  readonly leaseEvents: Told<LeaseEvent>[] = []
  readonly claims: Claim[] = []
  readonly blamed: { readonly peer: PeerName; readonly fault: Fault }[] = []
  /** How long it hung, in all. */
  frozenMs = 0
  requester!: RequesterDesk
  provider!: ProviderDesk
  index!: RecordIndex
  directory!: Directory
  /** Null in a world that does not settle. */
  accounts: Accounts | null = null
  #life!: LifeClock
  #books!: OpenBooks
  #regard!: ModelRegard
  /** Of a name of the clique: what it does with work. */
  #trick: Trick | null = null
  #gossip!: Gossip
  readonly #world: World
  /** What runs on its machine: a crash of the peer does not end it. */
  readonly #machine = new Map<string, ModelRun>()
  readonly #poison: PoisonedAnswers | null
  /** A bid of another that was heard. */
  #cried: Uint8Array | undefined

  constructor(world: World, plan: PeerPlan) {
    this.#world = world
    this.plan = plan
    this.disk = plan.books
    const { vice, notary, random } = plan
    const others = (): PeerName[] => world.peers.filter((peer) => peer !== this).map(({ name }) => name)
    this.dishonesty = vice === null || vice === 'sybil' ? null : new Dishonesty(vice, notary, random, others)
    this.#poison = vice === 'poison' ? new PoisonedAnswers(notary, random, others) : null
    world.dht.join(this)
  }

  get number(): number {
    return this.plan.number
  }

  get name(): PeerName {
    return this.plan.notary.signer.peer
  }

  get vice(): Vice | null {
    return this.plan.vice
  }

  get isUp(): boolean {
    return !this.#life.isOver
  }

  get nowMs(): number {
    return this.#life.nowMs()
  }

  /** The first life begins. */
  start(): void {
    if (this.vice === 'sybil') this.#beBorn()
    this.#boot(this.plan.skewMs)
  }

  /** The name is burnt: the same machine goes on under another, of which nobody knows anything. */
  rename(): void {
    this.#life.isOver = true
    this.#books.crash()
    this.#machine.clear()
    this.#beBorn()
    this.#note('renamed')
    this.#boot(this.plan.skewMs)
  }

  #beBorn(): void {
    const { notary, trick } = this.#world.clique.born()
    const { random } = this.plan
    this.#trick = trick
    this.disk.close()
    const books = new Disk(random)
    this.plan = { ...this.plan, notary, books }
    this.disk = books
    const vice = viceOf(trick)
    this.dishonesty = vice === null ? null : new Dishonesty(vice, notary, random, () => [])
    this.#world.named(this)
  }

  get trick(): Trick | null {
    return this.#trick
  }

  /** Another asks for whom it worked. */
  showReferences(answer: (frame: Uint8Array) => void): void {
    this.#life.live(() => {
      answer(this.#regard.shown(this.#trick === null ? [] : this.#world.cliqueReferences(this)))
    })
  }

  crash(): void {
    if (this.#life.isOver) return
    this.#life.isOver = true
    this.#books.crash()
    this.#note('crash')
  }

  restart(): void {
    if (!this.#life.isOver) return
    this.#boot(this.#life.skewMs)
    this.#note('restart')
    for (const { kind, state } of this.#books.unfinished()) {
      if (kind === 'job') this.requester.resume(state as JobState)
      else if (kind === 'lease') this.provider.resume(state as LeaseState)
      else this.accounts?.resume(state as SettleState)
    }
  }

  freeze(forMs: number): void {
    this.#life.frozenUntilMs = this.#world.clock.nowMs() + forMs
    this.frozenMs += forMs
    this.#note('freeze', forMs)
  }

  jumpClock(byMs: number): void {
    this.#life.skewMs += byMs
    this.#note('clock', byMs)
  }

  /** A frame of an honest peer: what came out of its desk. The codecs are tried with the frames of the dishonest. */
  receive(from: PeerName, carry: Carry): void {
    this.#life.live(() => {
      this.#note(carry.message.say, this.#world.numberOf(from))
      this.dishonesty?.hear(carry)
      takeCarry(this, from, carry, (answer) => this.#send(from, answer))
    })
  }

  /** A frame of a dishonest peer, as bytes. */
  receiveBytes(from: PeerName, { protocol, frame }: Parcel): void {
    this.#life.live(() => {
      try {
        this.receive(from, decodeCarry(this.plan.notary, protocol, frame))
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        this.#note(`fault ${error.code}`, this.#world.numberOf(from))
        this.#onFault(from, error)
      }
    })
  }

  receiveSettling(from: PeerName, frame: Uint8Array): void {
    this.#life.live(() => {
      this.#note('settling', this.#world.numberOf(from))
      const fault = this.accounts?.hear(this.plan.notary, from, frame)
      if (fault !== undefined) this.#onFault(from, fault)
    })
  }

  answerGet(key: string, value: Uint8Array | undefined): Uint8Array | undefined {
    return this.#poison === null ? value : this.#poison.get(key, value, this.#life.nowMs())
  }

  answerFind(_name: string, providers: readonly PeerName[]): readonly PeerName[] {
    return this.#poison === null ? providers : this.#poison.find(providers)
  }

  standing(of: PeerName): number {
    return this.#regard.reputation.standing(of)
  }

  #boot(skewMs: number): void {
    const { notary, random, lending, number } = this.plan
    const world = this.#world
    const life = new LifeClock(world.clock, skewMs)
    this.#life = life
    const books = this.disk.open(life, (when) => world.onEffect(this, when))
    this.#books = books
    const regard = new ModelRegard({
      plan: this.plan,
      life,
      said: world.said,
      open: books,
      stateOf: (job) => this.requester.state(job),
      ask: (peer, hear) => world.askReferences(this, peer, hear),
      onFault: (peer, fault) => this.#onFault(peer, fault),
      trickOf: (peer) => world.peerOf(peer)?.trick ?? null,
    })
    const { reputation } = regard
    this.#regard = regard
    this.#gossip = world.gossip.portOf(number, this.name, (run) => life.live(run))
    const bulletin = world.dht.portOf(this, life)
    this.index = new RecordIndex({
      notary,
      clock: life,
      floor: {
        raise: (key, sequence, hash) => {
          const accepted = books.accepts(key, sequence, hash)
          if (accepted) world.onAccepted(this, key, sequence)
          return accepted
        },
      },
    })
    this.directory = new Directory({ bulletin, self: notary.signer.peer, index: this.index, log: silentLog })
    this.accounts = world.settles
      ? new Accounts({
          notary,
          clock: life,
          random,
          journal: books,
          statements: this.disk.statements,
          claims: this.claims,
          send: (to, message) => this.#sendSettling(life, to, message),
          onFault: (peer, fault) => this.#onFault(peer, fault),
        })
      : null
    const shared = {
      notary,
      clock: life,
      random,
      log: (_level: string, message: string, facts?: Readonly<Record<string, unknown>>) => {
        if (message === 'a machine stands still') world.onStuck(this, facts?.['error'])
      },
      journal: this.accounts?.journal ?? books,
      send: (to: PeerName, carry: Carry) => {
        if (!life.isOver) this.#send(to, carry)
      },
      onFault: (peer: PeerName, fault: Fault) => this.#onFault(peer, fault),
    }
    this.provider = new ProviderDesk({
      ...shared,
      standing: { of: (peer) => reputation.standing(peer, asking) },
      credit: unlimitedCredit,
      workshop: modelWorkshop(life, random, this.#machine, {
        meterFactor: this.dishonesty?.meterFactor ?? 1,
        exitCode: this.#trick === 'wrong-result' ? 1 : 0,
        onRunning: (leases) => world.onRunning(this, leases),
      }),
      onEvent: (event, state) => {
        if (life.isOver) return
        this.leaseEvents.push({ atMs: world.elapsedMs, event })
        this.#note(`lease ${event.stage}`)
        regard.outcomes.onLease(event, state)
        // A name that somebody signed for is worth keeping.
        if (event.stage === 'ended' && event.ending.outcome !== 'paid' && this.vice === 'sybil') world.onMisdeed(this)
      },
    })
    this.provider.bids.lend(lending)
    this.requester = new RequesterDesk({
      ...shared,
      acquaint: (peer, runtime) => ({
        ...regardOf(reputation, peer, runtime),
        rttMs: undefined,
        evidence: undefined,
        house: undefined,
        operator: '',
      }),
      company: reputation,
      commitCap: () => BigInt(Number.MAX_SAFE_INTEGER),
      errands: modelErrands(
        life,
        random,
        (topic, bid) => this.#announce(topic, bid),
        (job) => regard.inspect(job),
      ),
      refusalOf,
      onEvent: (job, event) => {
        if (!life.isOver) this.#onJob(job, event)
      },
    })
    this.#hearBids(life)
    this.accounts?.desk.start()
    if (lending === null) return
    const publisher = new Publisher({
      bulletin,
      signer: notary.signer,
      network: notary.network,
      clock: life,
      log: silentLog,
      nextSequence: async () => books.nextSequence(),
    })
    publisher.publish(factsOf(lending))
  }

  #hearBids(life: LifeClock): void {
    const { class: bidClass, notary, lending } = this.plan
    if (lending === null) return
    let filter = nobodyHeard
    const accepted = new WeakMap<Uint8Array, Signed<Bid>>()
    this.#gossip.subscribe(bidTopic(notary.network, bidClass), {
      messageBytesMax: bidBytesMax,
      judge: (author, envelope): Verdict => {
        const input = { author, envelope, class: bidClass }
        const [next, { verdict, bid }] = judgeBid(filter, input, life.nowMs(), this.#world.openBid)
        filter = next
        if (bid !== undefined) accepted.set(envelope, bid)
        return verdict
      },
      deliver: (author, envelope) => {
        const bid = accepted.get(envelope)
        if (bid === undefined) return
        this.#cried ??= envelope.slice()
        this.#world.onBid(this, author, bid.by, bid.body.expiresMs)
        this.provider.bids.onBid(bid)
      },
    })
  }

  #announce(topic: string, bid: Uint8Array): void {
    if (this.#life.isOver) return
    void this.#gossip.publish(topic, bid)
    if (this.vice !== 'flood') return
    if (this.#cried !== undefined) void this.#gossip.publish(topic, this.#cried)
    for (const more of this.dishonesty!.bids(this.#world.openBid(bid).body)) void this.#gossip.publish(topic, more)
  }

  #onJob(job: string, event: JobEvent): void {
    const told = this.jobEvents.get(job) ?? []
    told.push({ atMs: this.#world.elapsedMs, event })
    this.jobEvents.set(job, told)
    this.#note(`job ${event.stage}`)
    this.#regard.onJob(job, event)
  }

  #onFault(peer: PeerName, fault: Fault): void {
    this.blamed.push({ peer, fault })
    takeClaim(this, this.plan.notary, fault)
    this.#regard.outcomes.onFault(peer, fault)
  }

  #send(to: PeerName, carry: Carry): void {
    const world = this.#world
    world.onEffect(this, 'before')
    if (this.#life.isOver) return
    if (this.#trick === 'no-show' && carry.message.say === 'accept') world.onMisdeed(this)
    if (this.dishonesty === null) world.send(this, to, carry)
    else for (const parcel of this.dishonesty.parcels(carry)) world.sendBytes(this, to, parcel)
    world.onEffect(this, 'after')
  }

  #sendSettling(life: LifeClock, to: PeerName, message: Settling): void {
    if (life.isOver) return
    const world = this.#world
    world.onEffect(this, 'before')
    if (life.isOver) return
    if (this.vice === null) world.onSettling(this, message)
    const frame = frameOf(message)
    for (const sent of this.dishonesty?.frames(frame) ?? [frame]) world.sendSettling(this, to, sent)
    world.onEffect(this, 'after')
  }

  #note(what: string, about = -1): void {
    this.#world.note(this.number, what, about)
  }
}
