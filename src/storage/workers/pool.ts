/**
 * A few worker threads, started when there is work, ended when there has been none for a while. One task at a time each; who comes
 * when all are busy waits in line.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

import type { Clock, Log } from '../../environment.ts'
import type { Result, Task } from './messages.ts'

export interface PoolOptions {
  /** Threads at most. */
  readonly workersMax: number
}

export interface PoolDeps {
  readonly clock: Pick<Clock, 'after'>
  readonly log: Log
  /** Called when all threads have ended because there was nothing to do. */
  onIdle?(): void
}

/** A thread takes 40 ms to start and about 10 MiB while it lives. */
const idleMs = 10_000
/** The same once all is sealed: what a thread and its rooms take is wanted by the transfers that follow. */
const sealedIdleMs = 250
/** Whoever waits holds at most what it has lent or fetched, so a line of this length is a mistake of ours. */
const waitingMax = 4_096

/** A thread ended in the middle of its task: a mistake of ours, or somebody ended it. */
export class WorkerDiedError extends Error {
  override readonly name = 'WorkerDiedError'
}

interface Job {
  readonly task: Task
  readonly handOver: readonly ArrayBuffer[]
  readonly signal: AbortSignal
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
  readonly onAbort: () => void
}

export class WorkerPool {
  readonly #options: PoolOptions
  readonly #deps: PoolDeps
  readonly #waiting: Job[] = []
  readonly #idle: Worker[] = []
  readonly #busy = new Map<Worker, Job>()
  readonly #ending = new Set<Promise<unknown>>()
  #cancelIdle: () => void = () => {}
  #isOver = false

  constructor(options: PoolOptions, deps: PoolDeps) {
    this.#options = options
    this.#deps = deps
  }

  /** Threads that there are now. */
  get threads(): number {
    return this.#idle.length + this.#busy.size
  }

  /**
   * Hands a task, with the memory that goes with it, to the next thread that is free. Rejects with the signal's reason (once a
   * task that was begun is done), or with WorkerDiedError.
   */
  async run(task: Task, handOver: readonly ArrayBuffer[], signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted()
    if (this.#isOver) throw new Error('the worker threads have been stopped')
    if (this.#waiting.length >= waitingMax) throw new Error(`${waitingMax} tasks wait for a worker thread`)
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(job)
      if (index === -1) return
      this.#waiting.splice(index, 1)
      reject(signal.reason as Error)
    }
    const job: Job = { task, handOver, signal, resolve, reject, onAbort }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(job)
    this.#next()
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  /** Nothing is lent any more: if no work is under way, there will be none for a while. */
  idleSoon(): void {
    if (this.#busy.size === 0 && this.#idle.length > 0) this.#beginIdle(sealedIdleMs)
  }

  /** Ends all threads. What waits or is under way is rejected. */
  async stop(): Promise<void> {
    this.#isOver = true
    this.#cancelIdle()
    const error = new Error('the worker threads were stopped')
    for (const job of this.#waiting.splice(0)) job.reject(error)
    for (const job of this.#busy.values()) job.reject(error)
    this.#endAll()
    await Promise.all(this.#ending)
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? (this.threads < this.#options.workersMax ? this.#start() : undefined)
      if (worker === undefined) return
      const job = this.#waiting.shift()!
      this.#cancelIdle()
      this.#busy.set(worker, job)
      try {
        worker.postMessage(job.task, job.handOver)
        // A thread that works keeps the process alive, one that waits does not.
        worker.ref()
      } catch (error) {
        // What was to be handed over is somebody else's already.
        this.#busy.delete(worker)
        this.#idle.push(worker)
        worker.unref()
        job.reject(error as Error)
      }
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL(`worker${extname(import.meta.filename)}`, import.meta.url), {
      name: 'pleach segments',
      execArgv: [],
    })
    worker.on('message', (result: Result) => this.#done(worker, result))
    worker.on('error', (error) => this.#died(worker, error))
    worker.on('messageerror', (error) => this.#died(worker, error))
    worker.on('exit', (code) => this.#died(worker, new Error(`it ended with code ${code}`)))
    return worker
  }

  #done(worker: Worker, result: Result): void {
    const job = this.#busy.get(worker)
    if (job === undefined) return
    this.#busy.delete(worker)
    this.#idle.push(worker)
    worker.unref()
    if (job.signal.aborted) job.reject(job.signal.reason as Error)
    else job.resolve(result)
    this.#next()
    if (this.#busy.size === 0) this.#beginIdle()
  }

  #died(worker: Worker, cause: unknown): void {
    const job = this.#busy.get(worker)
    const index = this.#idle.indexOf(worker)
    // We ended it ourselves, or have seen its end already.
    if (job === undefined && index === -1) return
    this.#busy.delete(worker)
    if (index !== -1) this.#idle.splice(index, 1)
    this.#end(worker)
    this.#deps.log('error', 'a worker thread died', { task: job?.task.do, cause })
    job?.reject(new WorkerDiedError(`the worker thread died: ${(cause as Error).message}`, { cause }))
    this.#next()
  }

  #beginIdle(forMs = idleMs): void {
    this.#cancelIdle()
    this.#cancelIdle = this.#deps.clock.after(forMs, () => {
      this.#endAll()
      this.#deps.onIdle?.()
    })
  }

  #endAll(): void {
    const workers = [...this.#idle.splice(0), ...this.#busy.keys()]
    this.#busy.clear()
    for (const worker of workers) this.#end(worker)
  }

  #end(worker: Worker): void {
    const ending = worker.terminate().finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }
}
