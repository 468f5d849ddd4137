/**
 * Desks of several peers on one virtual clock, joined by a network that the test controls, with an errand boy in place of
 * storage and execution. The machines, desks, codecs and signatures are the real ones.
 */
import { judgeBid, openBid } from '../../protocols/bid/index.ts'
import { decodeExecution, encodeExecution, outcomeOf, type Exit } from '../../protocols/execute/index.ts'
import { decodeNegotiation, encodeNegotiation, type Notary } from '../../protocols/negotiate/index.ts'
import { decodeBilling, encodeBilling } from '../../protocols/receipt/index.ts'
import {
  nobodyHeard,
  RefusedError,
  sha256,
  type Fault,
  type PeerName,
  type Refusal,
} from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { emptyOrder, plainExit, plainLending, plainTerms } from '../../sim/model/stand-ins.ts'
import { LifeClock } from '../../sim/model/life.ts'
import { SeededRandom } from '../../sim/random.ts'
import { silentLog } from '../../src/environment.ts'
import { createSigner } from '../../src/host/signer.ts'
import type { Carry } from '../../src/market/carry.ts'
import { unlimitedCredit, type Credit } from '../../src/market/exposure.ts'
import type { JobEvent } from '../../src/market/job-events.ts'
import type { JobState } from '../../src/market/job-state.ts'
import type { LeaseEvent, LeaseState } from '../../src/market/lease-machine.ts'
import { ProviderDesk, type Workshop } from '../../src/market/provider-desk.ts'
import type { JournalEntry } from '../../src/reactor.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import type { JobErrands } from '../../src/market/job-errands.ts'
import { RequesterDesk } from '../../src/market/requester-desk.ts'
import { checkShareOf } from '../../src/reputation/reputation.ts'
import type { JobTerms } from '../../src/market/terms.ts'

export const network = 'test'
const startMs = 1_700_000_000_000
const messageMs = 5

export interface Frame {
  readonly from: PeerName
  readonly to: PeerName
  readonly protocol: Carry['protocol']
  readonly bytes: Uint8Array
  readonly say: string
}

export class World {
  readonly clock = new VirtualClock(startMs)
  readonly peers = new Map<PeerName, Peer>()
  readonly frames: Frame[] = []
  /** What becomes of a frame: how many copies arrive. The default is one. */
  fate: (frame: Frame) => number = () => 1

  delayMs: (frame: Frame) => number = () => messageMs
  /** Sees the output key of every START. */
  onStart: (to: PeerName, outputKey: Uint8Array) => void = () => {}

  peer(seed: number, options: Partial<PeerOptions> = {}): Peer {
    const peer = new Peer(this, seed, { ...defaults, ...options })
    this.peers.set(peer.name, peer)
    return peer
  }

  send(frame: Frame): void {
    this.frames.push(frame)
    for (let copies = this.fate(frame); copies > 0; copies--) {
      this.clock.after(this.delayMs(frame), () => this.peers.get(frame.to)?.receive(frame))
    }
  }

  gossip(from: PeerName, bid: Uint8Array): void {
    for (const peer of this.peers.values()) {
      if (peer.name !== from) this.clock.after(messageMs, () => peer.hear(from, bid))
    }
  }

  /** Runs until `done`, or throws when nothing waits any more or the time is over. */
  async until(done: () => boolean, withinMs = 120_000): Promise<void> {
    const endMs = this.clock.nowMs() + withinMs
    for (;;) {
      await settle()
      if (done()) return
      const nextMs = this.clock.nextMs
      if (nextMs === undefined || nextMs > endMs)
        throw new Error(`nothing more happens within ${withinMs} ms; ${this.story()}`)
      this.clock.jump()
    }
  }

  async idle(forMs: number): Promise<void> {
    const endMs = this.clock.nowMs() + forMs
    for (;;) {
      await settle()
      const nextMs = this.clock.nextMs
      if (nextMs === undefined || nextMs > endMs) return
      this.clock.jump()
    }
  }

  story(): string {
    return this.frames.map((frame) => frame.say).join(' ')
  }
}

/** Promises that are ready have run when the event loop comes round. */
async function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

export interface PeerOptions {
  readonly cpuHourMicro: number
  readonly lends: boolean
  readonly workMs: number
  readonly stageMs: number
  readonly exit: Partial<Exit>
  /** How long it takes to do the work of another once more; null: it cannot. */
  readonly redoMs: number | null
  /** How far the peer's clock is ahead of the world's. */
  readonly skewMs: number
}

const defaults: PeerOptions = {
  cpuHourMicro: 1_000_000,
  lends: true,
  workMs: 3_000,
  stageMs: 0,
  exit: {},
  redoMs: 3_000,
  skewMs: 0,
}

export class Peer {
  readonly notary: Notary
  readonly name: PeerName
  readonly provider: ProviderDesk
  readonly requester: RequesterDesk
  readonly journal: JournalEntry[] = []
  readonly jobEvents: JobEvent[] = []
  readonly leaseEvents: LeaseEvent[] = []
  readonly faults: { peer: PeerName; fault: Fault }[] = []
  /** What it thinks of others; 0.5 of the rest. */
  readonly standings = new Map<PeerName, number>()
  /** Whom it knows, and how many jobs they did well for it. */
  readonly jobsFor = new Map<PeerName, number>()
  onJob: (job: string, event: JobEvent) => void = () => {}
  /** Leases of which it read the log, or what came of them. */
  readonly read = new Set<string>()
  /** How often it does the work of others once more. */
  redosLeft = 0
  /** … and how often it did. */
  redos = 0
  /** Where it sees others. */
  readonly houses = new Map<PeerName, string>()
  readonly operators = new Map<PeerName, string>()
  readonly rttsMs = new Map<PeerName, number>()
  /** Why it countersigns nothing, if it does not. */
  doesNotPay: Refusal | null = null
  /** What requesters owe it by its ledger. */
  credit: Credit = unlimitedCredit
  /** What it commits to one provider. */
  commitCapMicro = BigInt(Number.MAX_SAFE_INTEGER)
  /** The next write fails, as on a full disk. */
  diskFull = false
  readonly #world: World
  readonly #clock: LifeClock
  #down = false

  constructor(world: World, seed: number, options: PeerOptions) {
    this.#world = world
    this.#clock = new LifeClock(world.clock, options.skewMs)
    this.notary = { network, signer: createSigner(sha256(Uint8Array.of(seed))) }
    this.name = this.notary.signer.peer
    const shared = {
      notary: this.notary,
      clock: this.#clock,
      random: SeededRandom.of(seed, 'bench'),
      log: silentLog,
      journal: {
        commit: async (entry: JournalEntry) => {
          if (this.diskFull) throw new Error('no space left')
          this.journal.push(entry)
        },
      },
      send: (to: PeerName, carry: Carry) => this.#send(to, carry),
      onFault: (peer: PeerName, fault: Fault) => void this.faults.push({ peer, fault }),
      standing: { of: (peer: PeerName) => this.standings.get(peer) ?? 0.5 },
    }
    this.provider = new ProviderDesk({
      ...shared,
      credit: {
        of: (by, unit) => this.credit.of(by, unit),
        short: (by, unit) => this.credit.short(by, unit),
        earned: (unit) => this.credit.earned(unit),
        changed: () => {},
      },
      workshop: this.#workshop(options),
      onEvent: (event) => void this.leaseEvents.push(event),
    })
    if (options.lends) {
      this.provider.bids.lend(plainLending(options.cpuHourMicro))
    }
    this.requester = new RequesterDesk({
      ...shared,
      acquaint: (peer) => ({
        standing: shared.standing.of(peer),
        familiarity: this.jobsFor.has(peer) ? 'known' : 'stranger',
        jobs: this.jobsFor.get(peer) ?? 0,
        checkShare: checkShareOf(this.jobsFor.get(peer) ?? 0),
        cooling: undefined,
        startMs: undefined,
        rttMs: this.rttsMs.get(peer),
        evidence: undefined,
        house: this.houses.get(peer),
        operator: this.operators.get(peer) ?? '',
      }),
      commitCap: () => this.commitCapMicro,
      company: { trustInStrangers: () => 0.5, knowsAnybody: () => false, takeRedo: () => this.redosLeft-- > 0 },
      errands: this.#errands(options),
      onEvent: (job, event) => {
        this.jobEvents.push(event)
        this.onJob(job, event)
      },
      whyNotPay: () => this.doesNotPay,
      refusalOf: (error) =>
        error instanceof RefusedError ? { code: error.code, facts: error.facts } : { code: 'FAILED', facts: {} },
    })
  }

  /** As after kill -9: memory is gone, what was written is there. The new peer takes the old one's place in the world. */
  restart(seed: number, options: Partial<PeerOptions> = {}): Peer {
    this.#down = true
    void this.requester.stop()
    void this.provider.stop()
    const next = this.#world.peer(seed, options)
    const last = new Map<string, JournalEntry>()
    for (const entry of this.journal) if (entry.state !== null) last.set(`${entry.kind}/${entry.id}`, entry)
    next.journal.push(...this.journal)
    for (const { kind, state } of last.values()) {
      if (kind === 'job') next.requester.resume(decodeState<JobState>(encodeState(state)))
      else next.provider.resume(decodeState<LeaseState>(encodeState(state)))
    }
    return next
  }

  silence(): void {
    this.#down = true
  }

  receive({ from, protocol, bytes }: Frame): void {
    if (this.#down) return
    switch (protocol) {
      case 'negotiate': {
        const message = decodeNegotiation(this.notary, bytes)
        this.provider.onNegotiation(from, message)
        return this.requester.onNegotiation(from, message)
      }
      case 'execute': {
        const message = decodeExecution(bytes)
        const known = this.provider.onExecution(from, message) || this.requester.onExecution(from, message)
        if (!known && message.say !== 'unknown')
          this.#send(from, { protocol, message: { lease: message.lease, say: 'unknown' } })
        return
      }
      case 'receipt': {
        const message = decodeBilling(this.notary, bytes)
        this.provider.onBilling(from, message)
        return this.requester.onBilling(from, message)
      }
      default:
        return protocol satisfies never
    }
  }

  hear(author: PeerName, envelope: Uint8Array): void {
    if (this.#down) return
    const [, { verdict, bid }] = judgeBid(
      nobodyHeard,
      { author, envelope, class: 'compute' },
      this.#clock.nowMs(),
      (bytes) => openBid(this.notary.signer, this.notary.network, bytes),
    )
    if (verdict === 'accept') this.provider.bids.onBid(bid!)
  }

  terms(overrides: Partial<JobTerms> = {}): JobTerms {
    return {
      ...plainTerms(String(this.jobEvents.length), this.#clock.nowMs()),
      paymentIntervalMs: 1_000,
      paymentIntervalMsMax: 4_000,
      reclaimMs: 10_000,
      ...overrides,
    }
  }

  #send(to: PeerName, carry: Carry): void {
    if (this.#down) return
    const say = carry.message.say.toUpperCase()
    if (carry.protocol === 'execute' && carry.message.say === 'start')
      this.#world.onStart(to, carry.message.order.outputKey)
    this.#world.send({ from: this.name, to, protocol: carry.protocol, bytes: encode(carry), say })
  }

  #errands({ stageMs, redoMs }: PeerOptions): JobErrands {
    return {
      redo: async ({ award }, _order, signal) => {
        this.redos++
        if (redoMs === null) throw new Error('it cannot be run here')
        await this.#world.clock.sleep(redoMs, signal)
        return outcomeOf({ ...plainExit(0, false), job: award.body.job })
      },
      announce: (_topic, bid) => {
        if (!this.#down) this.#world.gossip(this.name, bid)
      },
      stage: async (_job, signal) => {
        if (stageMs > 0) await this.#world.clock.sleep(stageMs, signal)
        return emptyOrder
      },
      openLog: (_job, _slot, lease) => {
        this.read.add(lease)
        return { stdout: 0, stderr: 0 }
      },
      appendLog: () => {},
      collect: async (_job, { lease }) => void this.read.add(lease),
    }
  }

  #workshop({ workMs, exit }: PeerOptions): Workshop {
    const { clock } = this.#world
    return {
      stage: async () => ({ inBytes: 1 }),
      run: async (_lease, _order, onMeter, signal) => {
        const beganMs = clock.nowMs()
        const cancelled = await clock.sleep(workMs, signal).then(
          () => false,
          () => true,
        )
        const wallMs = clock.nowMs() - beganMs
        onMeter({ wallMs, cpuMs: wallMs, memoryBytes: 0, gas: 0 })
        return { hasOutputs: false, exit: { ...plainExit(wallMs, cancelled), ...exit } }
      },
      attach: async () => {
        throw new Error('the program is gone')
      },
      seal: async () => {
        throw new Error('there are no outputs')
      },
      follow: () => {},
      clear: () => {},
    }
  }
}

function encode(carry: Carry): Uint8Array {
  switch (carry.protocol) {
    case 'negotiate':
      return encodeNegotiation(carry.message)
    case 'execute':
      return encodeExecution(carry.message)
    case 'receipt':
      return encodeBilling(carry.message)
    default:
      return carry satisfies never
  }
}
