/** Objects that were put and got: how many, how much, and how fast. */
import { Histogram } from '../../report/samples.ts'
import type { StorageFindings, TransferFindings } from './findings.ts'

class Tally {
  readonly #tookMs = new Histogram()
  readonly #kibPerSecond = new Histogram()
  #bytes = 0
  #failed = 0

  add(bytes: number, tookMs: number): void {
    this.#bytes += bytes
    this.#tookMs.add(tookMs)
    this.#kibPerSecond.add(bytes / 1024 / Math.max(tookMs / 1_000, 0.001))
  }

  fail(): void {
    this.#failed += 1
  }

  get count(): number {
    return this.#tookMs.count + this.#failed
  }

  findings(): TransferFindings {
    return {
      done: this.#tookMs.count,
      failed: this.#failed,
      bytes: this.#bytes,
      tookMs: this.#tookMs.bins(),
      kibPerSecond: this.#kibPerSecond.bins(),
    }
  }
}

export class TransferTap {
  readonly #nowMs: () => number
  readonly #tallies = { put: new Tally(), get: new Tally() }

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Times a put or a get; what it rejects with is counted, and passed on. */
  async time<View extends { readonly bytes: number }>(kind: 'put' | 'get', work: () => Promise<View>): Promise<View> {
    const startedMs = this.#nowMs()
    try {
      const view = await work()
      this.#tallies[kind].add(view.bytes, this.#nowMs() - startedMs)
      return view
    } catch (error) {
      this.#tallies[kind].fail()
      throw error
    }
  }

  /** Null when nothing was put nor got. */
  findings(): StorageFindings | null {
    const { put, get } = this.#tallies
    if (put.count + get.count === 0) return null
    return { put: put.findings(), get: get.findings(), repairBytes: null }
  }
}
