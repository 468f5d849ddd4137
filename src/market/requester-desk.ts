/**
 * A requester's desk: a machine for every job of this peer, its log read while it runs, and its errands sent to whoever
 * does the carrying (`JobErrands`).
 */
import { bidTopic, sealBid } from '../../protocols/bid/index.ts'
import {
  logWakeAtMs,
  openLog,
  stepLog,
  type Execution,
  type ExecutionBody,
  type LogReaderState,
  type LogReaderStep,
} from '../../protocols/execute/index.ts'
import type { Lease, Negotiation, Notary } from '../../protocols/negotiate/index.ts'
import { disputeOf, type Billing, type Receipt } from '../../protocols/receipt/index.ts'
import { formatMicro, type Fault, type PeerName, type Refusal, type Signed } from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import type { Carry } from './carry.ts'
import { committedTo, mayCommit, type CommitCap } from './commitment.ts'
import { crowdAtFirst, expected, learn } from './crowd.ts'
import type { JobErrands } from './job-errands.ts'
import type { JobEvent } from './job-events.ts'
import { openJob, stepJob } from './job-machine.ts'
import { endingOf, jobWakeAtMs, placesOf, type JobEffect, type JobInput, type JobState } from './job-state.ts'
import { contextOf } from './job-context.ts'
import type { Acquaint, Company } from './rank.ts'
import { Reactor, queuedOf, type Journal, type Queued } from '../reactor.ts'
import { workOf } from './slot-state.ts'
import { bidOf, spreadMsOf, type JobTerms } from './terms.ts'

export interface RequesterDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly journal: Journal
  readonly acquaint: Acquaint
  readonly commitCap: CommitCap
  readonly company: Company
  readonly errands: JobErrands
  send(to: PeerName, carry: Carry): void
  onFault(peer: PeerName, fault: Fault): void
  onEvent(job: string, event: JobEvent): void
  refusalOf(error: unknown): Refusal
  /** Why nothing is countersigned in a lease, though the receipt may be right. Left out: nothing is in the way. */
  whyNotPay?(lease: string): Refusal | null
}

interface Reading {
  readonly slot: number
  readonly lease: string
  readonly provider: PeerName
  state: LogReaderState
  cancelWake: () => void
  /** Who waits for the whole log. */
  waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
}

interface Folder {
  readonly reactor: Reactor<JobState, JobInput, JobEffect>
  readonly abort: AbortController
  /** Of the work that is done here as well. */
  redo: AbortController | undefined
  /** The logs that are read, by the number of the place. */
  readonly readings: Map<number, Reading>
}

/** Jobs of this peer that are not over. */
export const jobsOpenMax = 256
/** Ended jobs that are still answered for. */
const jobsEndedMax = 256

export class RequesterDesk {
  readonly #deps: RequesterDeps
  readonly #folders = new Map<string, Folder>()
  readonly #byLease = new Map<string, string>()
  readonly #ended: string[] = []
  #crowd = crowdAtFirst
  #stopped = false

  constructor(deps: RequesterDeps) {
    this.#deps = deps
  }

  get openJobs(): number {
    return this.#folders.size - this.#ended.length
  }

  /** Inputs that wait for a machine. */
  get queued(): Queued {
    return queuedOf(this.#folders.values().map(({ reactor }) => reactor))
  }

  state(job: string): JobState | undefined {
    return this.#folders.get(job)?.reactor.state
  }

  /**
   * Durable when it resolves: from here on the job ends in exactly one of paid, refused, expired. When it rejects there is no such
   * job; but for a disk that broke in the middle: then the next start knows.
   */
  async submit(asked: JobTerms): Promise<void> {
    const terms = { ...asked, fitting: expected(this.#crowd, asked.fitting) }
    const [state, effects] = openJob(terms, this.#deps.clock.nowMs())
    const folder = this.#folder(terms.job, state)
    try {
      await folder.reactor.begin(effects)
    } catch (error) {
      this.#folders.delete(terms.job)
      throw error
    }
  }

  resume(state: JobState): void {
    const folder = this.#folder(state.terms.job, state)
    for (const lease of leasesOf(state)) this.#byLease.set(lease, state.terms.job)
    folder.reactor.push({ is: 'restarted' })
  }

  cancel(job: string): void {
    this.#folders.get(job)?.reactor.push({ is: 'cancel' })
  }

  onNegotiation(from: PeerName, message: Negotiation): void {
    if (message.say === 'offer')
      return this.#push(message.offer.body.job, { is: 'message', protocol: 'negotiate', from, message })
    if (message.say === 'refuse')
      return this.#push(message.place.job, { is: 'message', protocol: 'negotiate', from, message })
    if (message.say !== 'accept') return
    // An ACCEPT names its lease only: every job that has to do with that provider looks whether it is meant.
    for (const { reactor } of this.#folders.values()) {
      if (isAwardedTo(reactor.state, from)) reactor.push({ is: 'message', protocol: 'negotiate', from, message })
    }
  }

  /** True when the message is for a lease of one of our jobs. */
  onExecution(from: PeerName, message: Execution): boolean {
    const job = this.#byLease.get(message.lease)
    const folder = job === undefined ? undefined : this.#folders.get(job)
    if (job === undefined || folder === undefined || !leasesOf(folder.reactor.state).includes(message.lease))
      return false
    if (message.say === 'log') {
      const reading = [...folder.readings.values()].find(({ lease }) => lease === message.lease)
      if (reading?.provider === from) {
        const { channel, offset, bytes } = message
        this.#read(job, reading, (state, nowMs) => stepLog(state, { is: 'chunk', channel, offset, bytes }, nowMs))
      }
      return true
    }
    folder.reactor.push({ is: 'message', protocol: 'execute', from, message })
    return true
  }

  onBilling(from: PeerName, message: Billing): void {
    if (message.say !== 'receipt') return
    const { lease } = message.receipt.body
    const job = this.#byLease.get(lease)
    const because = job === undefined ? null : (this.#deps.whyNotPay?.(lease) ?? null)
    if (because !== null) return this.#refuseToPay(from, message.receipt, because)
    if (job !== undefined) this.#push(job, { is: 'message', protocol: 'receipt', from, message })
  }

  /** It is not written down here: the ledger is what cannot be relied on. */
  #refuseToPay(from: PeerName, receipt: Signed<Receipt>, because: Refusal): void {
    const { notary, clock } = this.#deps
    const dispute = disputeOf(notary, receipt, because, clock.nowMs())
    this.#deps.send(from, { protocol: 'receipt', message: { say: 'dispute', dispute } })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(
      [...this.#folders.values()].map(async (folder) => {
        this.#closeLogs(folder)
        folder.abort.abort(new Error('the peer is stopping'))
        await folder.reactor.stop()
      }),
    )
  }

  #push(job: string, input: JobInput): void {
    this.#folders.get(job)?.reactor.push(input)
  }

  #folder(job: string, state: JobState): Folder {
    const { clock, log, journal } = this.#deps
    const context = contextOf(this.#deps, state.terms, (by) => this.#mayCommit(by, state.terms))
    const folder: Folder = {
      abort: new AbortController(),
      redo: undefined,
      readings: new Map(),
      reactor: new Reactor<JobState, JobInput, JobEffect>(
        {
          kind: 'job',
          id: job,
          journal,
          clock,
          log,
          machine: {
            step: (from, input: JobInput, nowMs) => stepJob(context, from, input, nowMs),
            wakeAtMs: jobWakeAtMs,
            isFinal: (at) => endingOf(at) !== null,
            wake: { is: 'wake' },
          },
          perform: (effect) => this.#perform(job, folder, effect),
          onStuck: () => this.#deps.onEvent(job, { stage: 'stalled', code: 'LEDGER_FAILED' }),
        },
        state,
      ),
    }
    this.#folders.set(job, folder)
    return folder
  }

  #mayCommit(provider: PeerName, { unit, ceilingMicro }: JobTerms): boolean {
    const states = this.#folders.values().map(({ reactor }) => reactor.state)
    const committedMicro = committedTo(states, provider, unit)
    const capMicro = this.#deps.commitCap(provider, unit)
    const may = mayCommit(committedMicro, ceilingMicro, capMicro)
    if (!may) {
      const facts = { provider, unit, committed: formatMicro(committedMicro), cap: formatMicro(capMicro) }
      this.#deps.log('info', 'an offer is passed over: as much is committed to its provider as may be', facts)
    }
    return may
  }

  #perform(job: string, folder: Folder, effect: Exclude<JobEffect, { do: 'save' | 'record' }>): void {
    switch (effect.do) {
      case 'send':
        return this.#deps.send(effect.to, effect.message)
      case 'blame':
        return this.#deps.onFault(effect.peer, effect.fault)
      case 'tell':
        return this.#onEvent(job, folder, effect.event)
      case 'errand':
        return this.#errand(job, folder, effect)
      default:
        return effect satisfies never
    }
  }

  #onEvent(job: string, folder: Folder, event: JobEvent): void {
    if (event.stage === 'matched' || event.stage === 'checking') this.#byLease.set(event.lease, job)
    if (event.stage === 'choosing') this.#learn(folder.reactor.state.terms, event)
    if (event.stage === 'replacing') this.#closeLog(folder, event.slot)
    if (event.stage === 'ended') {
      this.#closeLogs(folder)
      this.#ended.push(job)
      while (this.#ended.length > jobsEndedMax) this.#forget(this.#ended.shift()!)
    }
    this.#deps.onEvent(job, event)
  }

  #learn(terms: JobTerms, { offers, withinMs }: Extract<JobEvent, { stage: 'choosing' }>): void {
    const fitting = terms.fitting / this.#crowd
    this.#crowd = learn(this.#crowd, { fitting, offers, withinMs, spreadMs: spreadMsOf(terms) / 2 })
  }

  #forget(job: string): void {
    this.#folders.delete(job)
    for (const [lease, owner] of this.#byLease) if (owner === job) this.#byLease.delete(lease)
  }

  #errand(job: string, folder: Folder, effect: Extract<JobEffect, { do: 'errand' }>): void {
    const { errands, notary } = this.#deps
    const { signal } = folder.abort
    switch (effect.errand) {
      case 'announce': {
        const { terms, call } = folder.reactor.state
        return errands.announce(
          bidTopic(notary.network, terms.class),
          sealBid(notary.signer, notary.network, bidOf(terms, call)),
          !call.enough,
        )
      }
      case 'stage':
        if (folder.reactor.state.order !== null) return
        return this.#answer(
          folder,
          async () => ({ is: 'staged', order: await errands.stage(job, signal) }),
          (because) => ({ is: 'staging-failed', because }),
        )
      case 'redo':
        return this.#redo(folder, effect.lease)
      case 'redo-end':
        return folder.redo?.abort()
      case 'follow':
        this.#openLog(job, folder, effect)
        return
      case 'collect':
        return this.#answer(
          folder,
          async () => {
            await this.#wholeLog(job, folder, effect)
            await errands.collect(job, effect.document, effect.outputs, signal)
            return { is: 'collected', lease: effect.lease }
          },
          (because) => ({ is: 'collecting-failed', lease: effect.lease, because }),
        )
      default:
        return effect satisfies never
    }
  }

  #redo(folder: Folder, lease: Lease): void {
    const { order } = folder.reactor.state
    if (order === null) return
    folder.redo = new AbortController()
    const signal = AbortSignal.any([folder.abort.signal, folder.redo.signal])
    this.#answer(
      folder,
      async () => ({ is: 'redone', outcome: await this.#deps.errands.redo(lease, order, signal) }),
      () => ({ is: 'redone', outcome: null }),
    )
  }

  #answer(folder: Folder, work: () => Promise<JobInput>, failed: (because: Refusal) => JobInput): void {
    void work()
      .catch((error: unknown) => {
        this.#deps.log('warn', 'an errand of a job failed', { job: folder.reactor.state.terms.job, error })
        return failed(this.#deps.refusalOf(error))
      })
      .then((input) => folder.reactor.push(input))
  }

  #openLog(
    job: string,
    folder: Folder,
    { slot, lease, provider }: Pick<Reading, 'slot' | 'lease' | 'provider'>,
  ): Reading {
    const known = folder.readings.get(slot)
    if (known?.lease === lease) return known
    this.#closeLog(folder, slot)
    const first = openLog(this.#deps.errands.openLog(job, slot, lease), this.#deps.clock.nowMs())
    const reading: Reading = { slot, lease, provider, state: first.state, cancelWake: () => {}, waiting: undefined }
    folder.readings.set(slot, reading)
    this.#read(job, reading, () => first)
    return reading
  }

  #closeLogs(folder: Folder): void {
    for (const slot of folder.readings.keys()) this.#closeLog(folder, slot)
  }

  #closeLog(folder: Folder, slot: number): void {
    const reading = folder.readings.get(slot)
    folder.readings.delete(slot)
    reading?.cancelWake()
    reading?.waiting?.reject(new Error('the lease is over'))
  }

  #read(job: string, reading: Reading, step: (state: LogReaderState, nowMs: number) => LogReaderStep): void {
    if (this.#folders.get(job)?.readings.get(reading.slot) !== reading || this.#stopped) return
    const { clock, errands } = this.#deps
    const { state, say, fresh } = step(reading.state, clock.nowMs())
    reading.state = state
    if (fresh !== null) errands.appendLog(job, reading.slot, fresh.channel, fresh.bytes)
    if (say !== null) this.#deps.send(reading.provider, inLease(reading.lease, say))
    reading.cancelWake()
    const wakeMs = logWakeAtMs(state)
    if (wakeMs === undefined) return reading.waiting?.resolve()
    reading.cancelWake = clock.after(Math.max(0, wakeMs - clock.nowMs()), () =>
      this.#read(job, reading, (at, nowMs) => stepLog(at, { is: 'wake' }, nowMs)),
    )
  }

  /** The machine bounds this wait: when it gives the lease up, the log is closed and the wait ends. */
  async #wholeLog(job: string, folder: Folder, effect: Extract<JobEffect, { errand: 'collect' }>): Promise<void> {
    const reading = this.#openLog(job, folder, effect)
    const { stdout, stderr } = effect.document
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    reading.waiting = { resolve, reject }
    this.#read(job, reading, (state, nowMs) =>
      stepLog(state, { is: 'ends', ends: { stdout: stdout.bytes, stderr: stderr.bytes } }, nowMs),
    )
    await promise
    reading.waiting = undefined
  }
}

function inLease(lease: string, body: ExecutionBody): Carry {
  return { protocol: 'execute', message: { lease, ...body } }
}

/** Leases that the job still answers for. */
function leasesOf(state: JobState): string[] {
  return placesOf(state).flatMap((slot) => workOf(slot)?.lease.id ?? [])
}

function isAwardedTo(state: JobState, peer: PeerName): boolean {
  const { hunt, spent } = state
  const gangs = [hunt?.at === 'awarding' ? hunt.gang : null, spent]
  const places = [
    ...gangs.flatMap((gang) => gang?.slots ?? []),
    ...placesOf(state).flatMap((slot) => workOf(slot)?.award ?? []),
  ]
  return places.some((place) => (place.at === 'leased' ? place.lease.provider : place.award.body.provider) === peer)
}
