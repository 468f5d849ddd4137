/** What this process took: processor, memory, and how late it came to things, once a second and in all. */
import {
  createHistogram,
  monitorEventLoopDelay,
  PerformanceObserver,
  type ELDHistogram,
  type RecordableHistogram,
} from 'node:perf_hooks'

import type { TimerWheel } from '../wheel.ts'
import type { Believable, ProcessFindings, ProcessSample } from './findings.ts'

const sampleEveryMs = 1_000
/** Samples that are kept. From there on every second one is left out, and it goes on half as often. */
const samplesMax = 4_096
const delayResolutionMs = 5

/** A time over which it is judged how far the process kept up. */
export interface Watch {
  end(): Believable
}

interface Window {
  readonly delay: ELDHistogram
  readonly lateness: RecordableHistogram
}

export class ProcessTap {
  readonly #name: string
  readonly #onSample: (sample: ProcessSample) => void
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolutionMs })
  readonly #gc: PerformanceObserver
  readonly #windows = new Set<Window>()
  readonly #startedMs = performance.now()
  readonly #startedCpu = process.cpuUsage()
  readonly #timer: NodeJS.Timeout
  /** Where there is one from now on. */
  wheel: TimerWheel | undefined
  /** Counters of what goes on, for each sample. */
  counts: () => Readonly<Record<string, number>> = () => ({})
  #samples: ProcessSample[] = []
  #last: ProcessSample | null = null
  #keepOneIn = 1
  #taken = 0
  #sampledMs = this.#startedMs
  #cpu = this.#startedCpu
  #gcMs = 0
  #gcSampledMs = 0
  #all: Window

  /** `onSample` is called with each second, as it is over. */
  constructor(name: string, onSample: (sample: ProcessSample) => void = () => {}) {
    this.#name = name
    this.#onSample = onSample
    this.#delay.enable()
    this.#gc = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.#gcMs += duration
    })
    this.#gc.observe({ entryTypes: ['gc'] })
    this.#all = this.#open()
    this.#timer = setInterval(() => this.#sample(), sampleEveryMs)
    this.#timer.unref()
  }

  /** From here on delays count: what came before, as a boot, does not say how far the machine kept up. */
  judgeFromHere(): void {
    this.#close(this.#all)
    this.#all = this.#open()
  }

  /** The second that was over last; null before there was one. */
  get last(): ProcessSample | null {
    return this.#last
  }

  /** Milliseconds since it was begun: the axis of time of its samples. */
  get elapsedMs(): number {
    return performance.now() - this.#startedMs
  }

  /** Of the processor, since it was begun. */
  get cpuMs(): number {
    const { user, system } = process.cpuUsage(this.#startedCpu)
    return (user + system) / 1_000
  }

  watch(): Watch {
    const window = this.#open()
    return {
      end: () => {
        this.#close(window)
        return believableOf(window)
      },
    }
  }

  findings(): ProcessFindings {
    this.wheel?.takeLateness(this.#latenesses())
    return {
      name: this.#name,
      samples: [...this.#samples],
      rssPeakBytes: process.resourceUsage().maxRSS * 1024,
      cpuMs: this.cpuMs,
      gcMs: this.#gcMs,
      believable: believableOf(this.#all),
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#gc.disconnect()
    this.#delay.disable()
    for (const { delay } of this.#windows) delay.disable()
  }

  #open(): Window {
    // What was late until now is of the windows that are open until now.
    this.wheel?.takeLateness(this.#latenesses())
    const window = {
      delay: monitorEventLoopDelay({ resolution: delayResolutionMs }),
      lateness: createHistogram({ lowest: 1, highest: 60_000_000, figures: 2 }),
    }
    window.delay.enable()
    this.#windows.add(window)
    return window
  }

  #close(window: Window): void {
    this.wheel?.takeLateness(this.#latenesses())
    window.delay.disable()
    this.#windows.delete(window)
  }

  #latenesses(): RecordableHistogram[] {
    return [...this.#windows].map(({ lateness }) => lateness)
  }

  #sample(): void {
    const nowMs = performance.now()
    const cpu = process.cpuUsage()
    const memory = process.memoryUsage()
    const late = this.wheel?.takeLateness(this.#latenesses())
    const sample: ProcessSample = {
      atMs: nowMs - this.#startedMs,
      forMs: nowMs - this.#sampledMs,
      cpuUserMs: (cpu.user - this.#cpu.user) / 1_000,
      cpuSystemMs: (cpu.system - this.#cpu.system) / 1_000,
      rssBytes: memory.rss,
      heapBytes: memory.heapUsed,
      gcMs: this.#gcMs - this.#gcSampledMs,
      loopDelayP50Ms: delayOf(this.#delay.percentile(50)),
      loopDelayP99Ms: delayOf(this.#delay.percentile(99)),
      loopDelayMaxMs: delayOf(this.#delay.max),
      lateP99Ms: late?.p99Ms ?? null,
      lateMaxMs: late?.maxMs ?? null,
      counts: this.counts(),
    }
    this.#delay.reset()
    this.#sampledMs = nowMs
    this.#cpu = cpu
    this.#gcSampledMs = this.#gcMs
    this.#last = sample
    this.#keep(sample)
    this.#onSample(sample)
  }

  #keep(sample: ProcessSample): void {
    if (this.#taken++ % this.#keepOneIn !== 0) return
    this.#samples.push(sample)
    if (this.#samples.length < samplesMax) return
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0)
    this.#keepOneIn *= 2
  }
}

function believableOf({ delay, lateness }: Window): Believable {
  return {
    eventLoopDelayP99Ms: delayOf(delay.percentile(99)),
    eventLoopDelayMaxMs: delayOf(delay.max),
    deliveryLateP99Ms: lateness.count === 0 ? 0 : lateness.percentile(99) / 1_000,
  }
}

/** What it is asked to wait is no delay. Before anything was measured there is none. */
function delayOf(nanoseconds: number): number {
  const ms = nanoseconds / 1e6 - delayResolutionMs
  return Number.isFinite(ms) ? Math.max(0, ms) : 0
}
