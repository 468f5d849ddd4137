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
  type Grant,
  type LogChannel,
  type LogReaderState,
  type LogReaderStep,
  type ResultDocument,
  type StartOrder,
} from '../../protocols/execute/index.ts'
import type { Negotiation, Notary } from '../../protocols/negotiate/index.ts'
import type { Billing } from '../../protocols/receipt/index.ts'
import type { Fault, PeerName, Refusal } from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import type { Carry } from './carry.ts'
import type { JobEvent } from './job-events.ts'
import { openJob, stepJob } from './job-machine.ts'
import { jobWakeAtMs, type JobEffect, type JobInput, type JobState } from './job-state.ts'
import { rankOffers, type Standing } from './rank.ts'
import { Reactor, type Journal } from '../reactor.ts'
import { bidOf, type JobTerms } from './terms.ts'

/** I/O for jobs of our own. Each call ends in an answer or a rejection; a `RefusedError` carries a code of its own. */
export interface JobErrands {
  announce(topic: string, bid: Uint8Array): void
  stage(job: string, signal: AbortSignal): Promise<StartOrder>
  /** Where the log of this lease stands; begins anew when the last one was another lease's. */
  openLog(job: string, lease: string): Readonly<Record<LogChannel, number>>
  appendLog(job: string, channel: LogChannel, bytes: Uint8Array): void
  /** The whole log is here: check it against the result, and fetch the outputs. */
  collect(job: string, document: ResultDocument, outputs: Grant | null, signal: AbortSignal): Promise<void>
}

export interface RequesterDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly journal: Journal
  readonly standing: Standing
  readonly errands: JobErrands
  send(to: PeerName, carry: Carry): void
  onFault(peer: PeerName, fault: Fault): void
  onEvent(job: string, event: JobEvent): void
  refusalOf(error: unknown): Refusal
}

type Folder = {
  readonly reactor: Reactor<JobState, JobInput, JobEffect>
  readonly abort: AbortController
  reading:
    | { readonly lease: string; readonly provider: PeerName; state: LogReaderState; cancelWake: () => void }
    | undefined
  /** Who waits for the whole log. */
  waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
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
  #stopped = false

  constructor(deps: RequesterDeps) {
    this.#deps = deps
  }

  get openJobs(): number {
    return this.#folders.size - this.#ended.length
  }

  state(job: string): JobState | undefined {
    return this.#folders.get(job)?.reactor.state
  }

  /** Durable when it resolves: from here on the job ends in exactly one of paid, refused, expired. */
  async submit(terms: JobTerms): Promise<void> {
    const [state, effects] = openJob(terms, this.#deps.clock.nowMs())
    const folder = this.#folder(terms.job, state)
    await folder.reactor.begin(effects)
  }

  resume(state: JobState): void {
    const folder = this.#folder(state.terms.job, state)
    const lease = leaseOf(state)
    if (lease !== undefined) this.#byLease.set(lease, state.terms.job)
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
      if (awardedTo(reactor.state) === from) reactor.push({ is: 'message', protocol: 'negotiate', from, message })
    }
  }

  /** True when the message is for a lease of one of our jobs. */
  onExecution(from: PeerName, message: Execution): boolean {
    const job = this.#byLease.get(message.lease)
    const folder = job === undefined ? undefined : this.#folders.get(job)
    if (job === undefined || folder === undefined || leaseOf(folder.reactor.state) !== message.lease) return false
    if (message.say === 'log') {
      const { reading } = folder
      if (reading?.lease === message.lease && reading.provider === from) {
        const { channel, offset, bytes } = message
        this.#read(job, folder, (state, nowMs) => stepLog(state, { is: 'chunk', channel, offset, bytes }, nowMs))
      }
      return true
    }
    folder.reactor.push({ is: 'message', protocol: 'execute', from, message })
    return true
  }

  onBilling(from: PeerName, message: Billing): void {
    if (message.say !== 'receipt') return
    const job = this.#byLease.get(message.receipt.body.lease)
    if (job !== undefined) this.#push(job, { is: 'message', protocol: 'receipt', from, message })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(
      [...this.#folders.values()].map(async (folder) => {
        this.#closeLog(folder)
        folder.abort.abort(new Error('the peer is stopping'))
        await folder.reactor.stop()
      }),
    )
  }

  #push(job: string, input: JobInput): void {
    this.#folders.get(job)?.reactor.push(input)
  }

  #folder(job: string, state: JobState): Folder {
    const { notary, clock, log, journal, standing, random } = this.#deps
    const context = {
      notary,
      rank: (offers: JobState['offers'], failed: readonly PeerName[]) =>
        rankOffers(offers, failed, standing, () => random.float()),
    }
    const folder: Folder = {
      abort: new AbortController(),
      reading: undefined,
      waiting: undefined,
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
            isFinal: (at) => at.phase.at === 'ended',
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
    if (event.stage === 'matched') this.#byLease.set(event.lease, job)
    if (event.stage === 'replacing' || event.stage === 'ended') this.#closeLog(folder)
    if (event.stage === 'ended') {
      this.#ended.push(job)
      while (this.#ended.length > jobsEndedMax) this.#forget(this.#ended.shift()!)
    }
    this.#deps.onEvent(job, event)
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
        const { terms } = folder.reactor.state
        return errands.announce(
          bidTopic(notary.network, terms.class),
          sealBid(notary.signer, notary.network, bidOf(terms)),
        )
      }
      case 'stage':
        if (folder.reactor.state.order !== null) return
        return this.#answer(
          folder,
          async () => ({ is: 'staged', order: await errands.stage(job, signal) }),
          (because) => ({ is: 'staging-failed', because }),
        )
      case 'follow':
        return this.#openLog(job, folder, effect.lease, effect.provider)
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

  #answer(folder: Folder, work: () => Promise<JobInput>, failed: (because: Refusal) => JobInput): void {
    void work()
      .catch((error: unknown) => {
        this.#deps.log('warn', 'an errand of a job failed', { job: folder.reactor.state.terms.job, error })
        return failed(this.#deps.refusalOf(error))
      })
      .then((input) => folder.reactor.push(input))
  }

  #openLog(job: string, folder: Folder, lease: string, provider: PeerName): void {
    if (folder.reading?.lease === lease) return
    this.#closeLog(folder)
    const first = openLog(this.#deps.errands.openLog(job, lease), this.#deps.clock.nowMs())
    folder.reading = { lease, provider, state: first.state, cancelWake: () => {} }
    this.#read(job, folder, () => first)
  }

  #closeLog(folder: Folder): void {
    folder.reading?.cancelWake()
    folder.reading = undefined
    folder.waiting?.reject(new Error('the lease is over'))
  }

  #read(job: string, folder: Folder, step: (state: LogReaderState, nowMs: number) => LogReaderStep): void {
    const { reading } = folder
    if (reading === undefined || this.#stopped) return
    const { clock, errands } = this.#deps
    const { state, say, fresh } = step(reading.state, clock.nowMs())
    reading.state = state
    if (fresh !== null) errands.appendLog(job, fresh.channel, fresh.bytes)
    if (say !== null) this.#deps.send(reading.provider, inLease(reading.lease, say))
    reading.cancelWake()
    const wakeMs = logWakeAtMs(state)
    if (wakeMs === undefined) return folder.waiting?.resolve()
    reading.cancelWake = clock.after(Math.max(0, wakeMs - clock.nowMs()), () =>
      this.#read(job, folder, (at, nowMs) => stepLog(at, { is: 'wake' }, nowMs)),
    )
  }

  /** The machine bounds this wait: when it gives the lease up, the log is closed and the wait ends. */
  async #wholeLog(job: string, folder: Folder, effect: Extract<JobEffect, { errand: 'collect' }>): Promise<void> {
    this.#openLog(job, folder, effect.lease, effect.provider)
    const { stdout, stderr } = effect.document
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    folder.waiting = { resolve, reject }
    this.#read(job, folder, (state, nowMs) =>
      stepLog(state, { is: 'ends', ends: { stdout: stdout.bytes, stderr: stderr.bytes } }, nowMs),
    )
    await promise
    folder.waiting = undefined
  }
}

function inLease(lease: string, body: ExecutionBody): Carry {
  return { protocol: 'execute', message: { lease, ...body } }
}

function leaseOf({ phase }: JobState): string | undefined {
  if (phase.at === 'leased' || phase.at === 'collecting') return phase.lease.id
  if (phase.at === 'ended') return phase.watch?.lease.id ?? phase.pay?.lease.id
  return undefined
}

function awardedTo({ phase }: JobState): PeerName | undefined {
  const award = 'award' in phase ? phase.award : null
  if (award === null) return undefined
  return award.at === 'leased' ? award.lease.provider : award.award.body.provider
}
