/**
 * What there is to tell about jobs, for whoever asks over the control socket: a view of each, and its events with the log, as
 * a stream that can be joined at any time.
 */
import { toString } from 'uint8arrays'

import type { LogChannel } from '../../protocols/execute/index.ts'
import { ControlError, type JobStreamEvent, type JobView, type MatchExplanation } from '../control/api.ts'
import type { Jobs } from '../ledger/jobs.ts'
import type { JobFiles } from './job-files.ts'
import { isOver } from './views.ts'

/** Events kept of one job. Progress is not kept, only its last. */
const eventsMax = 512
/** Jobs of which events are kept in memory; older ones are told from their view alone. */
const pagesMax = 512

interface Page {
  view: JobView
  readonly events: JobStreamEvent[]
  progress: JobStreamEvent | undefined
  explanation: MatchExplanation | null
  readonly listeners: Set<() => void>
}

export interface ViewStore {
  put(view: JobView): void
  /** Newest first. */
  list(): JobView[]
}

/** Over the ledger's table. */
export function viewsIn(jobs: Jobs, later: (work: Promise<unknown>) => void): ViewStore {
  return {
    put: (view) => later(jobs.put(view.id, view.createdMs, JSON.stringify(view))),
    list: () => jobs.list().map((text) => JSON.parse(text) as JobView),
  }
}

export class JobBook {
  readonly #pages = new Map<string, Page>()
  readonly #store: ViewStore
  readonly #files: JobFiles

  constructor(store: ViewStore, files: JobFiles) {
    this.#store = store
    this.#files = files
    // What a stop interrupted goes on, and is followed as before.
    for (const view of store.list()) if (!isOver(view.stage)) this.#pages.set(view.id, pageOf({ ...view, code: '' }))
  }

  open(view: JobView): void {
    this.#pages.set(view.id, pageOf(view))
    this.#store.put(view)
    if (this.#pages.size > pagesMax) this.#forgetOne()
  }

  get(id: string): JobView | undefined {
    return this.#pages.get(id)?.view ?? this.#store.list().find((view) => view.id === id)
  }

  list(): JobView[] {
    return this.#store.list().map((view) => this.#pages.get(view.id)?.view ?? view)
  }

  /** The one job whose id begins so. Throws a ControlError when there is none, or more than one. */
  find(prefix: string): JobView {
    const found = this.list().filter((view) => view.id.startsWith(prefix) || shortJob(view.id).startsWith(prefix))
    if (found.length === 1) return found[0]!
    throw found.length === 0
      ? new ControlError({
          code: 'NOT_FOUND',
          what: `no job begins with ${prefix}`,
          why: 'it was never here, or its record is gone',
          cure: 'pleach jobs',
          exit: 2,
        })
      : new ControlError({
          code: 'AMBIGUOUS',
          what: `${found.length} jobs begin with ${prefix}`,
          why: 'the prefix is too short',
          cure: 'pleach jobs',
          exit: 2,
        })
  }

  /** How long jobs of our own took from their bid to their start, of those whose events are in memory. */
  startsMs(): number[] {
    return [...this.#pages.values()].flatMap(({ events }) => {
      const bid = events.find((event) => event.type === 'bid')
      const running = events.find((event) => event.type === 'running')
      return bid === undefined || running === undefined ? [] : [running.atMs - bid.atMs]
    })
  }

  update(id: string, change: Partial<JobView>, nowMs: number): JobView | undefined {
    const view = this.get(id)
    if (view === undefined) return undefined
    const next: JobView = { ...view, ...change, updatedMs: nowMs }
    const page = this.#pages.get(id)
    if (page !== undefined) page.view = next
    this.#store.put(next)
    this.changed(id)
    return next
  }

  push(id: string, event: JobStreamEvent): void {
    const page = this.#pages.get(id)
    if (page === undefined) return
    if (event.type === 'progress') page.progress = event
    else if (page.events.length < eventsMax) page.events.push(event)
    this.changed(id)
  }

  explain(id: string, explanation: MatchExplanation | null): void {
    const page = this.#pages.get(id)
    if (page !== undefined) page.explanation = explanation
  }

  /** Something about the job is new: an event, or bytes of its log. */
  changed(id: string): void {
    for (const listener of this.#pages.get(id)?.listeners ?? []) listener()
  }

  /** Everything from the beginning, then what happens, until the job is over or `follow` is not wanted. */
  async *stream(
    id: string,
    options: { logs: boolean; follow: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<JobStreamEvent> {
    const shown: Record<LogChannel, number> = { stdout: 0, stderr: 0 }
    const first = this.get(id)
    if (first === undefined) return
    yield { type: 'job', job: first }
    let next = 0
    let lastProgress: JobStreamEvent | undefined
    while (!signal.aborted) {
      const page = this.#pages.get(id)
      const wake = this.#nextChange(page, signal)
      const view = this.get(id) ?? first
      for (; page !== undefined && next < page.events.length; next++) yield page.events[next]!
      if (page?.progress !== undefined && page.progress !== lastProgress) {
        lastProgress = page.progress
        yield lastProgress
      }
      if (options.logs) yield* this.#logs(id, shown)
      // Without a page nothing more will be told.
      // A job that stands still for want of a ledger has its reason, and tells no more until the peer is started again.
      const isSaid = isOver(view.stage) || view.code !== ''
      if (isSaid || page === undefined || !options.follow) {
        if (isSaid) yield { type: 'end', atMs: view.updatedMs, job: view, explanation: page?.explanation ?? null }
        return
      }
      await wake
    }
  }

  *#logs(id: string, shown: Record<LogChannel, number>): Generator<JobStreamEvent> {
    for (const channel of ['stdout', 'stderr'] as const) {
      for (;;) {
        const bytes = this.#files.read(id, channel, shown[channel])
        if (bytes.byteLength === 0) break
        shown[channel] += bytes.byteLength
        yield { type: 'log', channel, base64: toString(bytes, 'base64pad') }
      }
    }
  }

  /** Listening begins before the state is read, so that no change falls between. */
  async #nextChange(page: Page | undefined, signal: AbortSignal): Promise<void> {
    if (page === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const onAbort = (): void => resolve()
    page.listeners.add(resolve)
    signal.addEventListener('abort', onAbort, { once: true })
    await promise
    page.listeners.delete(resolve)
    signal.removeEventListener('abort', onAbort)
  }

  #forgetOne(): void {
    for (const [id, { view, listeners }] of this.#pages) {
      if (isOver(view.stage) && listeners.size === 0) {
        this.#pages.delete(id)
        return
      }
    }
  }
}

function pageOf(view: JobView): Page {
  return { view, events: [], progress: undefined, explanation: null, listeners: new Set() }
}

/** The part of a job's id that differs: a CID begins alike for all. */
export function shortJob(id: string): string {
  return id.slice(-4)
}
