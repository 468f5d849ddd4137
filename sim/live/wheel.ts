/**
 * One timer for everything that is under way in a simulated network. A timer of Node's own for each message would cost more
 * than the message: what falls due in the same millisecond shares a slot, and only the next slot has a timer.
 *
 * The timer is there only while something waits, so that a network at rest keeps no process alive.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Slots of a millisecond each, a power of two. What is further away waits in `#later` until its turn of the wheel. */
const slotsCount = 4096

export interface Lateness {
  /** Milliseconds after its time at which something ran. */
  readonly p99Ms: number
  readonly maxMs: number
}

interface Entry {
  readonly atMs: number
  run: (() => void) | undefined
}

export class TimerWheel {
  readonly #slots: Entry[][] = Array.from({ length: slotsCount }, () => [])
  readonly #originMs = performance.now()
  #later: Entry[] = []
  #waiting = 0
  /** Everything due before this tick has run. */
  #tick = 0
  #timer: NodeJS.Timeout | undefined
  #timerTick = Infinity
  #isRunning = false
  readonly #lateness = createHistogram({ lowest: 1, highest: 60_000_000, figures: 2 })

  /** Entries that have not run and were not called off. */
  get waiting(): number {
    return this.#waiting
  }

  /** Milliseconds since this wheel was made, with a fraction. */
  nowMs(): number {
    return performance.now() - this.#originMs
  }

  /** Runs once, `delayMs` from now or a little later; what is due at the same moment runs in the order in which it was asked for. */
  after(delayMs: number, run: () => void): () => void {
    return this.at(this.nowMs() + delayMs, run)
  }

  /** The same at a moment of `nowMs`. The returned function calls it off. */
  at(atMs: number, run: () => void): () => void {
    // After a rest the wheel stands where it stopped.
    if (this.#waiting === 0 && !this.#isRunning) this.#tick = Math.max(this.#tick, Math.floor(this.nowMs()))
    // Not before its time, and never in a slot that was passed already.
    const tick = Math.max(Math.ceil(atMs), this.#tick)
    const entry: Entry = { atMs, run }
    this.#waiting += 1
    if (tick - this.#tick < slotsCount) this.#slots[tick % slotsCount]!.push(entry)
    else this.#later.push(entry)
    if (tick < this.#timerTick && !this.#isRunning) this.#arm(tick)
    return () => {
      if (entry.run === undefined) return
      entry.run = undefined
      this.#waiting -= 1
      if (this.#waiting === 0) this.#clear()
    }
  }

  /** How late things ran since the last call, in microseconds added to each of `into`; and begins anew. */
  takeLateness(into: Iterable<RecordableHistogram> = []): Lateness {
    const { count, max } = this.#lateness
    const p99 = count === 0 ? 0 : this.#lateness.percentile(99)
    for (const histogram of into) histogram.add(this.#lateness)
    this.#lateness.reset()
    return { p99Ms: p99 / 1000, maxMs: count === 0 ? 0 : max / 1000 }
  }

  #arm(tick: number): void {
    clearTimeout(this.#timer)
    this.#timerTick = tick
    this.#timer = setTimeout(() => this.#run(), Math.max(0, tick - this.nowMs()))
  }

  /** What was called off is swept out with the slot that it is in; nothing is left to wake up for. */
  #clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerTick = Infinity
    this.#later = []
  }

  #run(): void {
    this.#timer = undefined
    this.#timerTick = Infinity
    this.#isRunning = true
    const nowTick = Math.floor(this.nowMs())
    try {
      while (this.#tick <= nowTick && this.#waiting > 0) this.#runSlot()
    } finally {
      this.#isRunning = false
      if (this.#waiting > 0) this.#arm(this.#nextTick())
    }
    if (this.#waiting === 0) this.#tick = Math.max(this.#tick, nowTick)
  }

  #runSlot(): void {
    const slot = this.#tick % slotsCount
    const entries = this.#slots[slot]!
    this.#slots[slot] = []
    this.#tick += 1
    if (slot === slotsCount - 1) this.#bringNear()
    for (const entry of entries) {
      if (entry.run === undefined) continue
      const { run } = entry
      entry.run = undefined
      this.#waiting -= 1
      this.#lateness.record(Math.max(1, Math.round((this.nowMs() - entry.atMs) * 1000)))
      run()
    }
  }

  /** Once a turn: what has come within a turn of the wheel gets its slot. */
  #bringNear(): void {
    const later = this.#later
    this.#later = []
    for (const entry of later) {
      if (entry.run === undefined) continue
      const tick = Math.max(Math.ceil(entry.atMs), this.#tick)
      if (tick - this.#tick < slotsCount) this.#slots[tick % slotsCount]!.push(entry)
      else this.#later.push(entry)
    }
  }

  #nextTick(): number {
    for (let tick = this.#tick; tick < this.#tick + slotsCount; tick++) {
      if (this.#slots[tick % slotsCount]!.some(({ run }) => run !== undefined)) return tick
    }
    // Only what is further away: it is brought near at the end of this turn.
    return this.#tick + (slotsCount - 1 - (this.#tick % slotsCount))
  }
}
