/**
 * One peer of the model: the desks, machines and codecs of production, on a virtual clock, with a disk, a network and errands that
 * the world controls. A crash takes its memory; what its disk has stays.
 */
import { emptyBidFilter, judgeBid, type Bid } from '../../protocols/bid/index.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import type { Fault, PeerName, Signed, Statement } from '../../protocols/wire/index.ts'
import { silentLog } from '../../src/environment.ts'
import type { Carry } from '../../src/market/carry.ts'
import type { JobEvent } from '../../src/market/job-events.ts'
import type { JobState } from '../../src/market/job-state.ts'
import type { LeaseEvent, LeaseState } from '../../src/market/lease-machine.ts'
import { ProviderDesk, type Workshop } from '../../src/market/provider-desk.ts'
import type { JournalEntry } from '../../src/reactor.ts'
import { RequesterDesk, type JobErrands } from '../../src/market/requester-desk.ts'
import type { SeededRandom } from '../random.ts'
import { LifeClock } from './life.ts'
import { emptyOrder, plainExit } from './stand-ins.ts'
import type { World } from './world.ts'

/** How a peer may be dishonest. Each is tried against honest others. */
export type Vice = 'over-meter' | 'withhold-result' | 'no-countersign' | 'replay'

/** What survives a crash. */
export class Disk {
  readonly states = new Map<string, { readonly kind: JournalEntry['kind']; readonly state: unknown }>()
  readonly statements: { readonly machine: string; readonly statement: Statement }[] = []
  isFull = false

  write(entry: JournalEntry): void {
    if (entry.state !== null) this.states.set(`${entry.kind}/${entry.id}`, { kind: entry.kind, state: entry.state })
    for (const statement of entry.statements) this.statements.push({ machine: `${entry.kind}/${entry.id}`, statement })
  }
}

export interface Told<Event> {
  readonly atMs: number
  readonly event: Event
}

export class ModelPeer {
  readonly number: number
  readonly notary: Notary
  readonly vice: Vice | null
  readonly disk = new Disk()
  readonly jobEvents = new Map<string, Told<JobEvent>[]>()
  readonly leaseEvents: Told<LeaseEvent>[] = []
  readonly blamed: { readonly peer: PeerName; readonly fault: Fault }[] = []
  requester!: RequesterDesk
  provider!: ProviderDesk
  #life!: LifeClock
  readonly #world: World
  readonly #random: SeededRandom
  readonly #heard: Carry[] = []

  constructor(world: World, number: number, notary: Notary, vice: Vice | null, random: SeededRandom, skewMs: number) {
    this.#world = world
    this.number = number
    this.notary = notary
    this.vice = vice
    this.#random = random
    this.#boot(skewMs)
  }

  get name(): PeerName {
    return this.notary.signer.peer
  }

  get isUp(): boolean {
    return !this.#life.isOver
  }

  crash(): void {
    this.#life.isOver = true
    this.#world.note(this.number, 'crash')
  }

  restart(): void {
    const { skewMs } = this.#life
    this.#boot(skewMs)
    this.#world.note(this.number, 'restart')
    for (const { kind, state } of Array.from(this.disk.states.values())) {
      if (kind === 'job') this.requester.resume(state as JobState)
      else if (kind === 'lease') this.provider.resume(state as LeaseState)
    }
  }

  freeze(forMs: number): void {
    this.#life.frozenUntilMs = this.#world.clock.nowMs() + forMs
    this.#world.note(this.number, `freeze ${forMs}`)
  }

  jumpClock(byMs: number): void {
    this.#life.skewMs += byMs
    this.#world.note(this.number, `clock ${byMs}`)
  }

  hear(author: PeerName, envelope: Uint8Array): void {
    this.#life.live(() => {
      const bid = this.#world.judged(envelope, () => this.#judge(author, envelope))
      if (bid !== undefined && bid.body.expiresMs > this.#life.nowMs()) this.provider.onBid(bid)
    })
  }

  receive(from: PeerName, carry: Carry): void {
    this.#life.live(() => {
      this.#world.note(this.number, `${carry.message.say} from ${this.#world.numberOf(from)}`)
      this.#dispatch(from, carry)
    })
  }

  #dispatch(from: PeerName, carry: Carry): void {
    if (this.vice === 'replay' && this.#heard.length < heardMax) this.#heard.push(carry)
    switch (carry.protocol) {
      case 'negotiate':
        this.provider.onNegotiation(from, carry.message)
        return this.requester.onNegotiation(from, carry.message)
      case 'execute': {
        const { message } = carry
        const isKnown = this.provider.onExecution(from, message) || this.requester.onExecution(from, message)
        if (!isKnown && message.say !== 'unknown')
          this.#send(from, { protocol: 'execute', message: { lease: message.lease, say: 'unknown' } })
        return
      }
      case 'receipt':
        this.provider.onBilling(from, carry.message)
        return this.requester.onBilling(from, carry.message)
      default:
        return carry satisfies never
    }
  }

  #boot(skewMs: number): void {
    const life = new LifeClock(this.#world.clock, skewMs)
    this.#life = life
    const random = this.#random
    const shared = {
      notary: this.notary,
      clock: life,
      random,
      log: silentLog,
      journal: { commit: async (entry: JournalEntry) => this.#commit(life, entry) },
      send: (to: PeerName, carry: Carry) => {
        if (!life.isOver) this.#send(to, carry)
      },
      onFault: (peer: PeerName, fault: Fault) => void this.blamed.push({ peer, fault }),
    }
    this.provider = new ProviderDesk({
      ...shared,
      workshop: this.#workshop(life),
      onEvent: (event) => {
        this.leaseEvents.push({ atMs: this.#world.clock.nowMs(), event })
        this.#world.note(this.number, `lease ${event.stage}`)
      },
    })
    this.provider.lend(this.#world.lendingOf(this.number))
    this.requester = new RequesterDesk({
      ...shared,
      standing: { of: () => 0.5 },
      errands: this.#errands(life),
      refusalOf: (error) => ({ code: 'FAILED', facts: { reason: String(error) } }),
      onEvent: (job, event) => {
        if (life.isOver) return
        const told = this.jobEvents.get(job) ?? []
        told.push({ atMs: this.#world.clock.nowMs(), event })
        this.jobEvents.set(job, told)
        this.#world.note(this.number, `job ${event.stage}`)
      },
    })
  }

  /** A write takes its time; a crash meanwhile takes the write. */
  async #commit(life: LifeClock, entry: JournalEntry): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    life.after(this.#random.between(1, 6), () => {
      if (this.disk.isFull) return reject(new Error('no space left on the device'))
      this.disk.write(entry)
      this.#world.afterEffect(this)
      // A peer that crashed right after the write is dead before it can say anything of it.
      if (!life.isOver) resolve()
    })
    return promise
  }

  #send(to: PeerName, carry: Carry): void {
    const { message } = carry
    if (this.vice === 'withhold-result' && carry.protocol === 'execute' && message.say === 'result') return
    if (this.vice === 'no-countersign' && carry.protocol === 'receipt' && message.say === 'countersignature') return
    this.#world.send(this, to, carry)
    this.#world.afterEffect(this)
    if (this.vice === 'replay' && this.#heard.length > 0 && this.#random.chance(replayProbability)) {
      this.#world.send(this, to, this.#random.pick(this.#heard))
    }
  }

  #judge(author: PeerName, envelope: Uint8Array): Signed<Bid> | undefined {
    const input = { author, envelope, class: 'compute' }
    const [, { bid }] = judgeBid(emptyBidFilter, input, this.#life.nowMs(), this.notary)
    return bid
  }

  #errands(life: LifeClock): JobErrands {
    const never = new AbortController().signal
    return {
      announce: (_topic, bid) => {
        if (!life.isOver) this.#world.gossip(this, bid)
      },
      stage: async () => {
        await life.sleep(this.#random.between(5, 800), never)
        return emptyOrder
      },
      openLog: () => ({ stdout: 0, stderr: 0 }),
      appendLog: () => {},
      collect: async () => life.sleep(this.#random.between(5, 300), never),
    }
  }

  #workshop(life: LifeClock): Workshop {
    const sleep = async (low: number, high: number, signal: AbortSignal): Promise<void> =>
      life.sleep(this.#random.between(low, high), signal)
    return {
      stage: async (_lease, _order, signal) => sleep(10, 500, signal),
      run: async (_lease, _order, onMeter, signal) => {
        const beganMs = life.monotonicMs()
        const isCancelled = await sleep(200, 12_000, signal).then(
          () => false,
          () => true,
        )
        const wallMs = Math.round((life.monotonicMs() - beganMs) * (this.vice === 'over-meter' ? 3 : 1))
        onMeter({ wallMs, cpuMs: wallMs, memoryBytes: 0 })
        return { exit: plainExit(wallMs, isCancelled), hasOutputs: false }
      },
      seal: async () => {
        throw new Error('the model has no outputs')
      },
      follow: () => {},
      clear: () => {},
    }
  }
}

/** Frames that a replaying peer remembers, and how often it sends one of them again. */
const heardMax = 64
const replayProbability = 0.1
