/** One keeper at work on one shard for one fetch: what it is to bring, what it owes, and how fast it has been. */
import type { LeafNeeds } from '../../protocols/transfer/index.ts'
import type { Candidate } from './sources.ts'

/** Strips asked of a keeper at once; of one that has shown nothing yet, fewer: what it owes nobody else is asked for. */
const owedMax = 4
const owedAtFirstMax = 2
/** What the newest strip counts for. */
const newestWeight = 0.5

interface Owed {
  readonly segment: number
  left: number
}

export class Lane implements LeafNeeds {
  readonly candidate: Candidate
  readonly abort = new AbortController()
  gaveSomething = false
  /** It keeps the reader waiting, and is given nothing more until it has brought something. */
  isLate = false
  /** Its keeper was busy and is not yet asked again. */
  isResting = false
  /** Nothing more will be needed of it. */
  isOver = false
  readonly #leavesOf: (segment: number) => number[]
  readonly #monotonicMs: () => number
  /** Segments whose strips it is to bring and was not yet asked for. */
  #queue: number[] = []
  #owed: Owed[] = []
  /** Since when it has been at the strip that it owes first, and what came of that. */
  #sinceMs = 0
  #bytes = 0
  #stripMs: number | undefined
  #hasAnswered = false
  #wake: () => void = () => {}

  /** `leavesOf`: those of a strip of its shard that are not here. */
  constructor(candidate: Candidate, leavesOf: (segment: number) => number[], monotonicMs: () => number) {
    this.candidate = candidate
    this.#leavesOf = leavesOf
    this.#monotonicMs = monotonicMs
  }

  /** What a strip takes it, in milliseconds; undefined before its first. */
  get stripMs(): number | undefined {
    return this.#stripMs
  }

  /** Segments whose strips it is to bring. */
  get segments(): readonly number[] {
    return [...this.#owed.map(({ segment }) => segment), ...this.#queue]
  }

  get owesSomething(): boolean {
    return this.#owed.length > 0
  }

  /** How long it has been at what it is to bring first; 0 when that is nothing. */
  waitedMs(): number {
    return this.segments.length > 0 ? this.#monotonicMs() - this.#sinceMs : 0
  }

  assign(segment: number): void {
    if (this.segments.length === 0) this.#begin()
    this.#queue.push(segment)
    this.changedNow()
  }

  /** Takes away what it was not yet asked for. */
  unassign(): void {
    this.#queue = []
  }

  /** Its exchange broke off: what it owed it owes no more. */
  forget(): void {
    this.#queue = []
    this.#owed = []
  }

  take(): readonly number[] | undefined {
    // A keeper that was long in answering is there now.
    if (!this.#hasAnswered) this.isLate = false
    this.#hasAnswered = true
    const most = this.#stripMs === undefined ? owedAtFirstMax : owedMax
    const leaves: number[] = []
    while (this.#queue.length > 0 && this.#owed.length < most) {
      const segment = this.#queue.shift()!
      const missing = this.#leavesOf(segment)
      if (missing.length === 0) continue
      this.#owed.push({ segment, left: missing.length })
      leaves.push(...missing)
    }
    return this.isOver && leaves.length === 0 && this.#owed.length === 0 ? undefined : leaves
  }

  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const onAbort = (): void => resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    await promise
    signal.removeEventListener('abort', onAbort)
    signal.throwIfAborted()
  }

  /** There may be something new to be asked for. */
  changedNow(): void {
    this.#wake()
  }

  /** A leaf of the strip that it owes first has come. Gives back what the strip took when that was the last of it. */
  came(bytes: number): { readonly bytes: number; readonly tookMs: number } | undefined {
    this.gaveSomething = true
    this.#bytes += bytes
    const [first] = this.#owed
    if (first === undefined || --first.left > 0) return undefined
    const strip = { bytes: this.#bytes, tookMs: this.waitedMs() }
    this.#owed.shift()
    this.#begin()
    const known = this.#stripMs ?? strip.tookMs
    this.#stripMs = known + (strip.tookMs - known) * newestWeight
    return strip
  }

  #begin(): void {
    this.#sinceMs = this.#monotonicMs()
    this.#bytes = 0
  }
}
