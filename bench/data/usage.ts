/** What a process takes while it works: memory over what it had, and how late its main thread is. */
import { closeSync, openSync, readSync } from 'node:fs'
import { PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import process from 'node:process'

export interface Spread {
  /** 99 of 100 were no more than this. */
  readonly p99: number
  readonly longest: number
}

export interface Usage {
  readonly tookMs: number
  /** The most that was resident, over what was at the beginning. */
  readonly extraBytes: number
  /** How late the thread was, in milliseconds: looked at once a millisecond. */
  readonly late: Spread
  /**
   * How long it was at work at a stretch, at most: how late it was without the time that others had its processor, and the tick before, in which
   * that work may have begun.
   */
  readonly busy: Spread
  /** And how much of it without what V8 took to collect garbage. */
  readonly computing: Spread
  /** Of a processor, all threads. */
  readonly cpuMs: number
}

/** What a main thread may compute at a stretch: whoever is to be answered waits as long. */
export const computingMsMax = 2

const memoryEveryMs = 20
const tickMs = 1

/** Begins to watch this process; what it gives ends that. */
export function watch(): () => Usage {
  const startMs = performance.now()
  const before = process.memoryUsage.rss()
  const cpuBefore = process.cpuUsage()
  const ticks: Tick[] = []
  const collections: PerformanceEntry[] = []
  const collecting = new PerformanceObserver((list) => collections.push(...list.getEntries()))
  collecting.observe({ entryTypes: ['gc'] })
  let most = before
  const waiting = new Waiting()
  let [beforeMs, threadBefore, waitedBefore] = [startMs, threadMs(), waiting.ms()]
  const ticking = setInterval(() => {
    const [nowMs, threadNow, waitedNow] = [performance.now(), threadMs(), waiting.ms()]
    const lateMs = Math.max(0, nowMs - beforeMs - tickMs)
    const ownMs = Math.max(0, lateMs - (waitedNow - waitedBefore)) + tickMs
    ticks.push({ nowMs, lateMs, busyMs: Math.min(ownMs, threadNow - threadBefore) })
    ;[beforeMs, threadBefore, waitedBefore] = [nowMs, threadNow, waitedNow]
  }, tickMs)
  const sampling = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), memoryEveryMs)
  return () => {
    clearInterval(ticking)
    clearInterval(sampling)
    waiting.end()
    collections.push(...collecting.takeRecords())
    collecting.disconnect()
    return {
      tookMs: performance.now() - startMs,
      extraBytes: Math.max(most, process.memoryUsage.rss()) - before,
      late: spreadOf(ticks.map(({ lateMs }) => lateMs)),
      busy: spreadOf(ticks.map(({ busyMs }) => busyMs)),
      computing: spreadOf(withoutCollections(ticks, collections)),
      cpuMs: msOf(process.cpuUsage(cpuBefore)),
    }
  }
}

interface Tick {
  readonly nowMs: number
  readonly lateMs: number
  readonly busyMs: number
}

/** Of each tick, what it was at work beside the collections that ended since the one before. Both are in the order of time. */
function withoutCollections(ticks: readonly Tick[], collections: readonly PerformanceEntry[]): number[] {
  let next = 0
  return ticks.map(({ nowMs, busyMs }) => {
    let collectingMs = 0
    for (; next < collections.length && collections[next]!.startTime < nowMs; next++)
      collectingMs += collections[next]!.duration
    return Math.max(0, busyMs - collectingMs)
  })
}

/** Time that this thread has had of a processor. */
function threadMs(): number {
  return msOf(process.threadCpuUsage())
}

/**
 * How long the main thread has waited for a processor while others had it, as Linux counts it (`/proc/self/schedstat`); elsewhere nothing is known of
 * that. Without it whoever was at work for less than a tick, twice, and had to wait between, seems to have been at work all the time.
 */
class Waiting {
  readonly #file: number | undefined
  readonly #memory = Buffer.alloc(128)

  constructor() {
    try {
      this.#file = openSync('/proc/self/schedstat', 'r')
    } catch {
      // Another system.
    }
  }

  ms(): number {
    if (this.#file === undefined) return 0
    const bytes = readSync(this.#file, this.#memory, 0, this.#memory.byteLength, 0)
    return Number(this.#memory.toString('latin1', 0, bytes).split(' ')[1]) / 1e6
  }

  end(): void {
    if (this.#file !== undefined) closeSync(this.#file)
  }
}

/** Of a processor, as Node counts it, in milliseconds. */
export function msOf({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1_000
}

function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((left, right) => left - right)
  return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, longest: sorted.at(-1) ?? 0 }
}
