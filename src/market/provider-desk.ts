/**
 * A provider's desk: hears bids, offers where policy and free capacity fit, and keeps a machine for every offer that was
 * made. The work itself (fetching, running, sealing) is somebody else's: `Workshop`.
 */
import type { Bid } from '../../protocols/bid/index.ts'
import type { Exit, Execution, Grant, Meter, StartOrder } from '../../protocols/execute/index.ts'
import {
  leaseIdOf,
  offerHoldMsMax,
  type Lease,
  type Negotiation,
  type Notary,
} from '../../protocols/negotiate/index.ts'
import type { Billing } from '../../protocols/receipt/index.ts'
import { hashOfEnvelope, type Fault, type Micro, type PeerName, type Signed } from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import { BidDesk, type BidDeskDeps, type Offered } from './bid-desk.ts'
import { jobOf, type Carry } from './carry.ts'
import {
  isHolding,
  leaseWakeAtMs,
  openLease,
  stepLease,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseInput,
  type LeaseState,
} from './lease-machine.ts'
import { exposureTo, isUnpaid, roomOf, type Credit, type Exposure } from './exposure.ts'
import type { InUse } from './offer-policy.ts'
import type { Standing } from './rank.ts'
import { Reactor, queuedOf, type Journal, type Queued } from '../reactor.ts'

/** Does the work of one lease. Every call ends in an answer or a rejection; `kill` makes the others end soon. */
export interface Workshop {
  /** Fetches module and inputs; resolves with how much that was. */
  stage(lease: Lease, order: StartOrder, signal: AbortSignal): Promise<{ readonly inBytes: number }>
  run(
    lease: Lease,
    order: StartOrder,
    onMeter: (meter: Meter) => void,
    signal: AbortSignal,
  ): Promise<{ readonly exit: Exit; readonly hasOutputs: boolean }>
  /** As `run`, of what was run before a restart of the peer. Rejects when it is gone. */
  attach(
    lease: Lease,
    order: StartOrder,
    onMeter: (meter: Meter) => void,
    signal: AbortSignal,
  ): Promise<{ readonly exit: Exit; readonly hasOutputs: boolean }>
  seal(lease: Lease, order: StartOrder, signal: AbortSignal): Promise<{ readonly cid: string; readonly outputs: Grant }>
  /** Sends what there is of the log, from an offset, within a credit. */
  follow(lease: string, from: PeerName, request: Extract<Execution, { say: 'follow' }>): void
  /** The lease is over: whatever was kept for it may go. */
  clear(lease: string): void
}

export interface ProviderDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly journal: Journal
  readonly workshop: Workshop
  readonly standing: Standing
  /** What requesters owe us by the ledger. */
  readonly credit: Credit
  readonly admit?: BidDeskDeps['admit']
  send(to: PeerName, carry: Carry): void
  onFault(peer: PeerName, fault: Fault): void
  onEvent(event: LeaseEvent, state: LeaseState): void
}

type Bench = Reactor<LeaseState, LeaseInput, LeaseEffect>

/** Offers and leases that a desk keeps in memory; beyond, bids are not answered. */
const benchesMax = 512
/** How long an offer binds our capacity. Longer than a requester's window, shorter than its patience. */
const offerHoldMs = 6_000
/** Ended leases that are still answered for: a requester may have missed the last word. */
const endedMax = 256

export class ProviderDesk {
  readonly bids: BidDesk
  readonly #deps: ProviderDeps
  /** By `requester/job`: one live offer to one requester for one job. */
  readonly #byBid = new Map<string, Bench>()
  readonly #byLease = new Map<string, Bench>()
  readonly #work = new Map<string, AbortController>()
  readonly #ended: string[] = []
  readonly #early = new Map<Bench, Execution>()
  /** What each offer came to for one processor. Forgotten with it: offers do not outlive a restart. */
  readonly #rates = new WeakMap<Bench, Micro>()

  constructor(deps: ProviderDeps) {
    this.#deps = deps
    const { notary, clock, random, log, standing, admit } = deps
    this.bids = new BidDesk({
      self: notary.signer.peer,
      clock,
      random,
      log,
      standing,
      admit,
      capacity: {
        inUse: () => this.inUse(),
        unanswered: (by) => this.#unanswered(by),
        unpaid: (by) => this.#byRequester(by).filter(({ state }) => isUnpaid(state)).length,
        credit: (by, unit) => this.#exposure(by, unit),
        earned: (unit) => this.#deps.credit.earned(unit),
        isAnswered: (by, job) => this.#byBid.get(keyOf(by, job))?.state.ending === null,
        isFull: () => this.#byBid.size >= benchesMax,
      },
      offer: (bid, decision) => this.#offer(bid, decision),
    })
  }

  onNegotiation(from: PeerName, message: Negotiation): void {
    // What a provider says is for the desk of requesters.
    if (message.say === 'offer' || message.say === 'accept') return
    const job = jobOf(message)
    const benches = job === undefined ? this.#byRequester(from) : [this.#byBid.get(keyOf(from, job))]
    for (const bench of benches) bench?.push({ is: 'message', protocol: 'negotiate', from, message })
    if (message.say === 'award' && benches[0] === undefined) this.#refuseUnknown(from, message.award.body)
  }

  /** True when the message is for a lease that is worked here. */
  onExecution(from: PeerName, message: Execution): boolean {
    const bench = this.#byLease.get(message.lease)
    if (bench === undefined) return this.#keepEarly(from, message)
    if (message.say === 'follow') {
      const { hold } = bench.state
      if (hold.at === 'leased' && hold.requester === from) this.#deps.workshop.follow(message.lease, from, message)
      return true
    }
    bench.push({ is: 'message', protocol: 'execute', from, message })
    return true
  }

  onBilling(from: PeerName, message: Billing): void {
    if (message.say === 'receipt') return
    const { lease } = (message.say === 'dispute' ? message.dispute : message.countersignature).body
    this.#byLease.get(lease)?.push({ is: 'message', protocol: 'receipt', from, message })
  }

  /** Takes up again what a restart interrupted. */
  resume(state: LeaseState): void {
    // An offer that was not accepted was never written down; what was accepted binds us, lease or not.
    const key = keyOf(state.hold.requester, state.hold.offer.body.job)
    const bench = this.#bench(key, state)
    this.#byBid.set(key, bench)
    if (state.task !== null) this.#byLease.set(state.task.lease.id, bench)
    bench.push({ is: 'restarted' })
    this.#limit(bench)
  }

  /** Inputs that wait for a machine. */
  get queued(): Queued {
    return queuedOf(this.#byBid.values())
  }

  /** Leases that are not over. */
  get openLeases(): number {
    let count = 0
    for (const { state } of this.#byLease.values()) if (state.ending === null) count++
    return count
  }

  leases(): LeaseState[] {
    return [...this.#byLease.values()].map((bench) => bench.state)
  }

  inUse(): InUse {
    let cpuMilli = 0
    let memoryBytes = 0
    let diskBytes = 0
    let gpus = 0
    for (const { state } of this.#byBid.values()) {
      if (!isHolding(state)) continue
      const { body } = state.hold.offer
      cpuMilli += body.cpuMilli
      memoryBytes += body.memoryBytes
      diskBytes += body.diskBytes
      gpus += body.gpus
    }
    return { cpuMilli, memoryBytes, diskBytes, gpus }
  }

  /** Evicts all work: each lease reports that it was stopped. */
  evict(): void {
    for (const bench of this.#byBid.values()) bench.push({ is: 'stop' })
  }

  async stop(): Promise<void> {
    this.bids.stop()
    for (const controller of this.#work.values()) controller.abort(new Error('the peer is stopping'))
    await Promise.all([...this.#byBid.values()].map(async (bench) => bench.stop()))
  }

  #offer(bid: Signed<Bid>, { tariff, cpuHourMicro, bondMicro }: Offered): void {
    const key = keyOf(bid.by, bid.body.job)
    const nowMs = this.#deps.clock.nowMs()
    const { requirements, job, unit } = bid.body
    const [state, effects] = openLease(this.#deps.notary, bid.by, {
      job,
      bid: hashOfEnvelope(bid.envelope),
      unit,
      ...tariff,
      cpuMilli: requirements.cpuMilli,
      memoryBytes: requirements.memoryBytes,
      diskBytes: requirements.diskBytes,
      gpus: requirements.gpus?.count ?? 0,
      issuedMs: nowMs,
      holdUntilMs: nowMs + Math.min(offerHoldMs, offerHoldMsMax),
      bondMicro,
    })
    const bench = this.#bench(key, state)
    this.#byBid.set(key, bench)
    this.#rates.set(bench, cpuHourMicro)
    void bench.begin(effects)
  }

  #bench(key: string, state: LeaseState): Bench {
    const { notary, journal, clock, log } = this.#deps
    const bench: Bench = new Reactor(
      {
        kind: 'lease',
        id: key,
        journal,
        clock,
        log,
        machine: {
          step: (from, input: LeaseInput, nowMs) => stepLease(notary, from, input, nowMs),
          wakeAtMs: leaseWakeAtMs,
          isFinal: (at) => at.ending !== null,
          wake: { is: 'wake' },
        },
        perform: (effect) => this.#perform(key, bench, effect),
        onStuck: () => {
          this.bids.ledgerFailed()
          // What was not accepted was never written down, and binds nobody: it must not bind capacity either.
          if (bench.state.hold.at === 'offered') this.#byBid.delete(key)
          this.#work.get(key)?.abort(new Error('the ledger cannot be written'))
        },
      },
      state,
    )
    return bench
  }

  #perform(key: string, bench: Bench, effect: Exclude<LeaseEffect, { do: 'save' | 'record' }>): void {
    switch (effect.do) {
      case 'send':
        return this.#deps.send(effect.to, effect.message)
      case 'blame':
        return this.#deps.onFault(effect.peer, effect.fault)
      case 'tell':
        return this.#onEvent(key, bench, effect.event)
      case 'errand':
        return this.#errand(key, bench, effect)
      default:
        return effect satisfies never
    }
  }

  #onEvent(key: string, bench: Bench, event: LeaseEvent): void {
    if (event.stage === 'leased') {
      this.bids.tally.won()
      this.#byLease.set(event.lease, bench)
      const early = this.#early.get(bench)
      if (early !== undefined) bench.push({ is: 'message', protocol: 'execute', from: event.requester, message: early })
    }
    this.#early.delete(bench)
    if (event.stage === 'released') {
      this.#byBid.delete(key)
      const { hold } = bench.state
      const ours = this.#rates.get(bench) ?? hold.offer.body.cpuHourMicro
      this.bids.tally.lost(event.because, ours, this.#deps.clock.nowMs())
    }
    if (event.stage === 'ended') this.#retire(key, event.lease)
    // With its result a lease gives back what it bound; with its first receipt its requester is no stranger any more.
    const isFirstPaid = event.stage === 'countersigned' && event.sequence === 1
    if (isFirstPaid || (event.stage !== 'leased' && event.stage !== 'running' && event.stage !== 'countersigned'))
      this.bids.somethingIsFree()
    this.#deps.credit.changed(bench.state.hold.requester, bench.state.hold.offer.body.unit)
    this.#deps.onEvent(event, bench.state)
    if (event.stage === 'running' || event.stage === 'countersigned') this.#limit(bench)
  }

  #exposure(by: PeerName, unit: string, without?: LeaseState): Exposure {
    const { credit, clock } = this.#deps
    const states = this.#byRequester(by).map(({ state }) => state)
    return exposureTo(credit, { by, unit, states, without }, clock.nowMs())
  }

  /** The next interval of a lease goes as far as its requester's credit does. */
  #limit(bench: Bench): void {
    const room = roomOf(bench.state, (by, unit) => this.#exposure(by, unit, bench.state))
    if (room !== undefined) bench.push({ is: 'room', ...room })
  }

  #retire(key: string, lease: string): void {
    this.#work.get(key)?.abort(new Error('the lease has ended'))
    this.#work.delete(key)
    this.#deps.workshop.clear(lease)
    this.#ended.push(key, lease)
    while (this.#ended.length > endedMax * 2) {
      const [oldKey, oldLease] = this.#ended.splice(0, 2)
      if (this.#byBid.get(oldKey!)?.state.ending !== null) this.#byBid.delete(oldKey!)
      this.#byLease.delete(oldLease!)
    }
  }

  #errand(key: string, bench: Bench, effect: Extract<LeaseEffect, { do: 'errand' }>): void {
    if (effect.errand === 'kill') return this.#work.get(key)?.abort(new Error('stopped'))
    const { hold } = bench.state
    if (hold.at !== 'leased') throw new Error('an errand without a lease')
    const controller = this.#work.get(key) ?? new AbortController()
    this.#work.set(key, controller)
    void this.#doErrand(bench, hold.lease, effect, controller.signal)
  }

  async #doErrand(
    bench: Bench,
    lease: Lease,
    effect: Exclude<Extract<LeaseEffect, { do: 'errand' }>, { errand: 'kill' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { workshop, log } = this.#deps
    try {
      switch (effect.errand) {
        case 'stage':
          return bench.push({ is: 'staged', ...(await workshop.stage(lease, effect.order, signal)) })
        case 'run':
        case 'attach': {
          const onMeter = (meter: Meter): void => bench.push({ is: 'metered', meter })
          const done = await workshop[effect.errand](lease, effect.order, onMeter, signal)
          return bench.push({ is: 'exited', ...done })
        }
        case 'seal': {
          const sealed = await workshop.seal(lease, effect.order, signal)
          return bench.push({ is: 'sealed', ...sealed })
        }
        default:
          return effect satisfies never
      }
    } catch (error) {
      log('warn', `could not ${effect.errand}`, { lease: lease.id, error })
      bench.push({
        is: 'failed',
        reason: effect.errand === 'stage' ? 'inputs-missing' : 'provider-failed',
        detail: (error as Error).message,
      })
    }
  }

  /**
   * START may overtake its COMMIT, since they come on different streams: it waits for the lease, of which an accepted award
   * already has the id. False when there is no such award.
   */
  #keepEarly(from: PeerName, message: Execution): boolean {
    for (const bench of this.#byBid.values()) {
      const { hold } = bench.state
      if (hold.at !== 'accepted' || hold.requester !== from) continue
      if (leaseIdOf(hold.award.envelope) !== message.lease) continue
      if (message.say === 'start') this.#early.set(bench, message)
      return true
    }
    return false
  }

  /** What was offered to a requester and waits for its award. */
  #unanswered(by: PeerName): InUse[] {
    return this.#byRequester(by)
      .filter(({ state }) => state.ending === null && state.hold.at === 'offered')
      .map(({ state }) => state.hold.offer.body)
  }

  #byRequester(from: PeerName): Bench[] {
    return [...this.#byBid.values()].filter((bench) => bench.state.hold.requester === from)
  }

  #refuseUnknown(to: PeerName, place: { job: string; slot: number; epoch: number }): void {
    const { job, slot, epoch } = place
    const refusal = { code: 'NO_SUCH_OFFER', facts: {} }
    this.#deps.send(to, { protocol: 'negotiate', message: { say: 'refuse', place: { job, slot, epoch }, refusal } })
  }
}

function keyOf(requester: PeerName, job: string): string {
  return `${requester}/${job}`
}
