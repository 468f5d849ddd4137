/** Turns what the machines tell into what is shown: the views of jobs and their events. */
import { isDeepStrictEqual } from 'node:util'

import { formatCode } from '../../protocols/erasure/index.ts'
import { decodeJobManifest } from '../../protocols/execute/index.ts'
import { formatMicro, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'
import type { CheckView, JobView, MatchExplanation } from '../control/api.ts'
import type { JobEvent } from '../market/job-events.ts'
import type { LeaseEvent, LeaseState } from '../market/lease-machine.ts'
import type { JobTerms } from '../market/terms.ts'
import type { CollectReport, StageReport } from './errands.ts'
import type { JobBook } from './job-book.ts'
import { estimateOf, isOver, newJobView, peerView } from './views.ts'

export interface ReporterDeps {
  readonly clock: Clock
  readonly book: JobBook
  readonly self: PeerName
  termsOf(job: string): JobTerms | undefined
  explain(job: string): Promise<MatchExplanation | null>
}

export class JobReporter {
  readonly #deps: ReporterDeps

  constructor(deps: ReporterDeps) {
    this.#deps = deps
  }

  onStaged(job: string, { bytes, shards, keepers }: StageReport): void {
    const terms = this.#deps.termsOf(job)
    const code = terms === undefined ? '' : formatCode(decodeJobManifest(terms.manifest).code)
    if (shards > 0)
      this.#deps.book.push(job, {
        type: 'staged',
        atMs: this.#nowMs,
        bytes,
        shards,
        keepers: keepers.map(peerView),
        code,
      })
  }

  onCollected(job: string, { files, bytes, out, sources, decodedSegments }: CollectReport): void {
    const { book } = this.#deps
    book.update(job, { out, outputFiles: files, outputBytes: bytes }, this.#nowMs)
    const from = sources.map(({ peer, bytes: sent }) => ({ peer: peerView(peer), bytes: sent }))
    book.push(job, { type: 'collected', atMs: this.#nowMs, files, bytes, out, sources: from, decodedSegments })
  }

  /** A crash may come between showing a job and taking it in: what nobody works at is over. Called once, at start. */
  settleLost(isAtWork: (view: JobView) => boolean): void {
    const { book } = this.#deps
    for (const view of book.list()) {
      if (!isOver(view.stage) && !isAtWork(view)) book.update(view.id, { stage: 'expired', code: 'LOST' }, this.#nowMs)
    }
  }

  /** Of a job of our own. */
  onJob(job: string, event: JobEvent): void {
    const { book } = this.#deps
    const atMs = this.#nowMs
    switch (event.stage) {
      case 'bidding': {
        const terms = this.#deps.termsOf(job)
        if (terms === undefined) return
        const { cpuMilli, memoryBytes, wallMsMax } = terms.requirements
        return book.push(job, { type: 'bid', atMs, bid: job, cpuMilli, memoryBytes, wallMs: wallMsMax })
      }
      case 'offered': {
        const terms = this.#deps.termsOf(job)
        const estimate = terms === undefined ? '' : estimateOf(terms, event.cpuHourMicro)
        return book.push(job, {
          type: 'offer',
          atMs,
          peer: peerView(event.peer),
          price: formatMicro(event.cpuHourMicro),
          estimate,
        })
      }
      case 'matched':
        book.update(
          job,
          { stage: 'staging', provider: peerView(event.peer), lease: event.lease, attempts: event.epoch },
          atMs,
        )
        return book.push(job, {
          type: 'matched',
          atMs,
          peer: peerView(event.peer),
          price: formatMicro(event.cpuHourMicro),
          offers: event.offers,
        })
      case 'choosing':
      case 'short':
      case 'straggling':
      case 'starting':
        return
      case 'running':
        book.update(job, { stage: 'running' }, atMs)
        return book.push(job, { type: 'running', atMs, peer: peerView(event.peer) })
      case 'progress': {
        const { health } = event.progress
        // Written down only when it is another.
        if (health !== undefined && !isDeepStrictEqual(health, book.get(job)?.health))
          book.update(job, { health }, atMs)
        return book.push(job, { type: 'progress', atMs, ...event.progress })
      }
      case 'result': {
        const { reason, exitCode, detail, gas, outcome } = event
        const terms = this.#deps.termsOf(job)
        const isSame = terms !== undefined && decodeJobManifest(terms.manifest).deterministic
        const ended = { reason, exitCode, detail, gas, ...(isSame ? { outcome } : {}) }
        book.update(job, { stage: 'collecting', ...ended, ...without(book.get(job)) }, atMs)
        return book.push(job, { type: 'result', atMs, reason, exitCode, detail, gas })
      }
      case 'receipt': {
        const amount = formatMicro(event.amountMicro)
        book.update(job, { cost: amount }, atMs)
        return book.push(job, { type: 'receipt', atMs, sequence: event.sequence, final: event.final, amount })
      }
      case 'replacing':
        book.update(job, { stage: 'bidding', ...without(book.get(job)) }, atMs)
        return book.push(job, {
          type: 'replacing',
          atMs,
          peer: peerView(event.peer),
          code: event.because.code,
          facts: event.because.facts,
        })
      case 'checking':
      case 'checked': {
        const { stage, slot, by } = event
        const same = stage === 'checking' || event.found === 'nothing' ? null : event.found === 'same'
        const check: CheckView = { slot, peer: peerView(event.peer), by: by === null ? null : peerView(by), same }
        const others = (book.get(job)?.checked ?? []).filter((one) => one.slot !== slot || one.peer.peer !== event.peer)
        book.update(job, { checked: [...others, check] }, atMs)
        return book.push(job, { type: stage, atMs, ...check })
      }
      case 'stalled':
        book.update(job, { code: event.code, detail: 'the ledger of this peer cannot be written' }, atMs)
        return
      case 'ended': {
        const { outcome, code } = event.ending
        const over = { stage: outcome, code, cost: formatMicro(event.amountMicro), ...without(book.get(job)) }
        if (code === 'NO_MATCH') void this.#unmatched(job, over)
        else book.update(job, over, atMs)
        return
      }
      default:
        return event satisfies never
    }
  }

  /** Others are asked why before the job is said to be over: with that its events end. */
  async #unmatched(job: string, over: Pick<JobView, 'stage' | 'code' | 'cost'>): Promise<void> {
    const { book } = this.#deps
    book.explain(job, await this.#deps.explain(job).catch(() => null))
    book.update(job, over, this.#nowMs)
  }

  /** Of work for others. */
  onLease(event: LeaseEvent, state: LeaseState): void {
    const { book, self } = this.#deps
    const atMs = this.#nowMs
    switch (event.stage) {
      case 'leased': {
        const unit = state.hold.offer.body.unit
        const view = newJobView(
          leaseJobId(event.lease),
          {
            name: event.job,
            role: 'provider',
            unit,
            out: null,
            requester: peerView(event.requester),
            provider: peerView(self),
            lease: event.lease,
          },
          atMs,
        )
        return book.open({ ...view, stage: 'staging' })
      }
      case 'running':
        book.update(leaseJobId(event.lease), { stage: 'running' }, atMs)
        return
      case 'reported':
        book.update(leaseJobId(event.lease), { stage: 'collecting', reason: event.reason }, atMs)
        return
      case 'countersigned':
        book.update(leaseJobId(event.lease), { cost: formatMicro(event.amountMicro) }, atMs)
        return
      case 'ended': {
        const { outcome, code } = event.ending
        book.update(leaseJobId(event.lease), { stage: outcome, code }, atMs)
        return
      }
      case 'released':
        return
      default:
        return event satisfies never
    }
  }

  get #nowMs(): number {
    return this.#deps.clock.nowMs()
  }
}

/** What does not run has no health; what never had one says nothing of it. */
function without(view: JobView | undefined): { readonly health?: null } {
  return view?.health == null ? {} : { health: null }
}

/** Work for others is listed by its lease: the job's id is the requester's, and may be worked here more than once. */
function leaseJobId(lease: string): string {
  return `lease-${lease}`
}
