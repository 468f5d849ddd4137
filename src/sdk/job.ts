/** A job that was asked for, as an object: how it goes, what it printed, what it left, what was paid. */
import * as Digest from 'multiformats/hashes/digest'
import { CID } from 'multiformats/cid'
import { concat, fromString } from 'uint8arrays'

import { sha256 } from '../../protocols/wire/index.ts'
import {
  ControlError,
  type JobStreamEvent,
  type JobView,
  type MatchExplanation,
  type PeerControl,
} from '../control/api.ts'
import { badEndingOf } from '../control/endings.ts'

export interface Cancellable {
  /** Ends the waiting; what was waited for goes on. */
  readonly signal?: AbortSignal
}

/** What happened: `stage` is a word for it, and the last is `paid`, `refused` or `expired`. */
export type JobEvent = { readonly stage: string } & (
  | Exclude<JobStreamEvent, { readonly type: 'log' }>
  | { readonly type: 'log'; readonly channel: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
)

export interface Receipt {
  /** Of the last receipt, as it was signed: CIDv1, raw, SHA-256. */
  readonly cid: string
  readonly lease: string
  readonly amount: string
  readonly unit: string
  /** Receipts of the lease, and how many are signed by both sides. */
  readonly receipts: number
  readonly bothSigned: number
}

export interface Outputs {
  /** Where they are. */
  readonly folder: string
  readonly files: number
  readonly bytes: number
}

/** A job that gave no result. Its code is that of its ending: `NO_MATCH`, `CANCELLED`, `WALL_LIMIT`, … */
export class JobError extends ControlError {
  readonly job: JobView
  readonly explanation: MatchExplanation | null

  constructor(
    fields: ConstructorParameters<typeof ControlError>[0],
    job: JobView,
    explanation: MatchExplanation | null,
  ) {
    super(fields)
    this.job = job
    this.explanation = explanation
  }

  /** Of NO_MATCH: how many providers fail at what first, and what would have to give. */
  get excluded(): MatchExplanation['excluded'] {
    return this.explanation?.excluded ?? []
  }
}

const rawCode = 0x55
const sha256Code = 0x12

export class Job {
  readonly id: string
  readonly #control: PeerControl
  readonly #peerEnds: AbortSignal
  #done: Promise<JobView> | undefined
  #ended: { readonly view: JobView; readonly receipt: Receipt | undefined } | undefined

  /** `peerEnds` fires when the peer stops. */
  constructor(id: string, control: PeerControl, peerEnds: AbortSignal) {
    this.id = id
    this.#control = control
    this.#peerEnds = peerEnds
  }

  /** From the beginning to the end of the job, or until the signal fires. With `logs` also what the program prints. */
  async *events({ logs = false, signal }: Cancellable & { readonly logs?: boolean } = {}): AsyncGenerator<JobEvent> {
    const until = this.#until(signal)
    for await (const event of this.#control.jobEvents(this.id, { logs, follow: true }, until)) {
      if (event.type === 'log')
        yield { type: 'log', stage: 'log', channel: event.channel, bytes: fromString(event.base64, 'base64pad') }
      else yield { ...event, stage: stageOf(event) }
      if (event.type === 'end') return
    }
    until.throwIfAborted()
    throw this.#broken()
  }

  /** Resolves with the job once its program has ended by itself, whatever its exit code; rejects with a JobError otherwise. */
  get done(): Promise<JobView> {
    if (this.#done === undefined) {
      this.#done = this.#follow()
      // Whoever never looks at it must not be told of it.
      this.#done.catch(() => {})
    }
    return this.#done
  }

  /** What the program wrote to its standard output. Rejects as `done` does. */
  async bytes({ signal }: Cancellable = {}): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    for await (const event of this.events({ logs: true, ...(signal === undefined ? {} : { signal }) })) {
      if (event.type === 'log' && event.channel === 'stdout') pieces.push(event.bytes)
    }
    await this.done
    return concat(pieces)
  }

  /** The same as UTF-8. */
  async text(options?: Cancellable): Promise<string> {
    return new TextDecoder().decode(await this.bytes(options))
  }

  async view(): Promise<JobView> {
    return this.#control.job(this.id)
  }

  /** Tells the provider to stop; what was done is paid. Resolves before it has stopped: `done` then rejects with CANCELLED. */
  async cancel(): Promise<void> {
    await this.#control.cancel(this.id)
  }

  /**
   * The same work again, as another job: of one that is over. Its outputs go to `out`, or stay with the peer. Throws a
   * ControlError AT_WORK, or INPUTS_GONE when what it read is not here any more.
   */
  async rerun({ out, signal }: Cancellable & { readonly out?: string } = {}): Promise<Job> {
    const until = this.#until(signal)
    const { id } = await this.#control.rerun(this.id, out === undefined ? {} : { out }, until)
    return new Job(id, this.#control, this.#peerEnds)
  }

  /** The last receipt. Throws a ControlError NOT_DONE before the job is done, and NO_RECEIPT when nobody signed one. */
  get receipt(): Receipt {
    const { receipt, view } = this.#over()
    if (receipt !== undefined) return receipt
    throw new ControlError({
      code: 'NO_RECEIPT',
      what: 'there is no receipt of this job',
      why: `it ended as ${view.stage} (${view.code})`,
      cure: 'pleach receipts',
      exit: 1,
    })
  }

  /** What the program left in /out; null when that was nothing. Throws a ControlError NOT_DONE before the job is done. */
  get outputs(): Outputs | null {
    const { out, outputFiles, outputBytes } = this.#over().view
    return out === null ? null : { folder: out, files: outputFiles, bytes: outputBytes }
  }

  /** Of the program; null when it has none. Throws a ControlError NOT_DONE before the job is done. */
  get exitCode(): number | null {
    return this.#over().view.exitCode
  }

  #over(): { readonly view: JobView; readonly receipt: Receipt | undefined } {
    if (this.#ended !== undefined) return this.#ended
    throw new ControlError({
      code: 'NOT_DONE',
      what: 'the job is not known to be done',
      why: 'this is known once job.done, job.text() or job.bytes() has been awaited',
      cure: 'await job.done',
      exit: 1,
    })
  }

  async #follow(): Promise<JobView> {
    for await (const event of this.events()) {
      if (event.type !== 'end') continue
      const { job, explanation } = event
      this.#ended = { view: job, receipt: await this.#receiptOf(job) }
      const bad = badEndingOf(job)
      if (bad === undefined) return job
      const { code, exit, why, cure } = bad
      const what = code === 'NO_MATCH' ? 'no provider matches' : `the job ended without a result: ${code}`
      const fields = { code, what, why: job.detail === '' ? why : `${why}: ${job.detail}`, exit }
      throw new JobError({ ...fields, cure: cure.replace('JOB', job.id).replace('CODE', code) }, job, explanation)
    }
    throw this.#broken()
  }

  async #receiptOf({ lease }: JobView): Promise<Receipt | undefined> {
    if (lease === null) return undefined
    const total = (await this.#control.receipts()).find((one) => one.lease === lease)
    if (total === undefined || total.receipts === 0) return undefined
    const file = (await this.#control.receiptFile(lease)) as { receipts: { receipt: string | null }[] }
    const last = file.receipts.at(-1)?.receipt
    if (last === undefined || last === null) return undefined
    const cid = CID.createV1(rawCode, Digest.create(sha256Code, sha256(fromString(last, 'base64pad')))).toString()
    const { amount, unit, receipts, bothSigned } = total
    return { cid, lease, amount, unit, receipts, bothSigned }
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#peerEnds : AbortSignal.any([signal, this.#peerEnds])
  }

  #broken(): ControlError {
    return new ControlError({
      code: 'PEER_GONE',
      what: 'the peer tells no more of this job',
      why: 'its events ended before the job did',
      cure: 'start the peer again with the same dataDir: the job goes on',
      exit: 5,
    })
  }
}

function stageOf(event: Exclude<JobStreamEvent, { readonly type: 'log' }>): string {
  switch (event.type) {
    case 'job':
    case 'end':
      return event.job.stage
    case 'bid':
      return 'bidding'
    case 'offer':
      return 'offered'
    default:
      return event.type
  }
}
