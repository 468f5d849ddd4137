/**
 * The keepers that are at work for one fetch, one lane a shard. There are k lanes that can be counted on while there are shards
 * for them: one that fails is replaced, another is opened for each that keeps the reader waiting longer than is usual, and one
 * that fell behind retires.
 */
import type { ObjectManifest } from '../../protocols/erasure/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'
import { Lane } from './lane.ts'
import { NotEnoughShardsError, type FailedSource } from './not-enough-shards.ts'
import type { PeerRates } from './peer-rates.ts'
import type { SegmentWindow } from './segment-window.ts'
import type { Candidate, Sources } from './sources.ts'
import { assignStrips, usualStripMs } from './strip-plan.ts'

/** How long a strip may take before another shard is asked for beside it, while nobody knows what is usual. */
const patienceMs = 3_000
/** And when that is known: so many times as long, but no less than a busy machine may be away… */
const lateFactor = 3
const lateMsMin = 75
/** …or, when most have brought all there is room for and wait for who is left, than one that has little else to do. To ask another costs a strip then. */
const lateMsMinAlone = 30
/** Who was late already when all were looked at, and may be so for our own fault, is looked at again after this. */
const lookAgainMs = 15
/** Lanes beside the k that are needed. */
const extraLanesMax = 8
/** What came for nothing, of all that came, beyond which only those are replaced who take longer than `patienceMs`. */
const wasteShareMax = 0.08
/** How long a lane waits before it asks a busy keeper again, and how often it asks. */
const busyWaitMs = 1_000
const busyTriesMax = 5

export interface LaneDeps {
  readonly transfer: Pick<TransferService, 'get'>
  onFault(peer: PeerName, fault: Fault): void
  /** Without one nobody is waited for: slow keepers are not replaced, and busy ones not asked again. */
  readonly clock?: Pick<Clock, 'after' | 'sleep' | 'monotonicMs'>
  /** What is known of peers' rates, to be added to. */
  readonly rates?: PeerRates
}

export class Lanes {
  readonly received = new Map<PeerName, number>()
  /** Bytes that came and were of no use: too late, or more than were needed. */
  wastedBytes = 0
  readonly #deps: LaneDeps
  readonly #manifest: ObjectManifest
  readonly #window: SegmentWindow
  readonly #sources: Sources
  /** By shard. */
  readonly #lanes = new Map<number, Lane>()
  readonly #tasks = new Set<Promise<void>>()
  /** The last failure of each peer with each shard. */
  readonly #failed = new Map<string, FailedSource>()
  #ended: Error | undefined
  #isOver = false
  /** Until when nobody is looked at who keeps the reader waiting. */
  #patience: { readonly untilMs: number; readonly cancel: () => void } | undefined

  constructor(deps: LaneDeps, manifest: ObjectManifest, window: SegmentWindow, sources: Sources) {
    this.#deps = deps
    this.#manifest = manifest
    this.#window = window
    this.#sources = sources
  }

  get failed(): FailedSource[] {
    return [...this.#failed.values()]
  }

  start(): void {
    this.#fillUp()
    this.#beginPatience()
  }

  /** Nothing more is needed: those who owe nothing close in good order, the others are broken off. */
  finish(): void {
    this.#isOver = true
    this.#patience?.cancel()
    for (const lane of this.#lanes.values()) {
      lane.isOver = true
      if (lane.owesSomething || lane.isResting) lane.abort.abort(new Error('the fetch is over'))
      else lane.changedNow()
    }
  }

  /** Ends all lanes for this reason; the first reason stands. */
  end(reason: Error): void {
    this.#ended ??= reason
    this.#patience?.cancel()
    this.#window.fail(this.#ended)
    for (const { abort } of this.#lanes.values()) abort.abort(this.#ended)
  }

  /** Resolves when no lane does anything any more. */
  async ended(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks)
  }

  /**
   * To be called when the reader goes on: what it has, is all it needed. Lanes that owe only what nobody waits for any more
   * retire when there are more than are needed.
   */
  wentOn(): void {
    for (const [shard, lane] of this.#lanes) {
      if (this.#lanes.size <= this.#manifest.code.k) break
      if (!lane.isLate || !lane.segments.every((segment) => this.#window.isDone(segment))) continue
      this.#lanes.delete(shard)
      this.#sources.giveBack(lane.candidate)
      lane.abort.abort(new Error('others were faster'))
    }
    this.#assign()
    this.#beginPatience()
  }

  #assign(): void {
    assignStrips(this.#window, this.#lanes, this.#manifest.code.k)
  }

  /** As many lanes as are needed that can be counted on; and when nobody is left for that, at least as many as are needed. */
  #fillUp(): void {
    const { k, m } = this.#manifest.code
    const isCountedOn = ({ isLate, isResting }: Lane): boolean => !isLate && !isResting
    while (!this.#isOver && this.#ended === undefined) {
      const countedOn = [...this.#lanes.values()].filter(isCountedOn).length
      if (countedOn >= k || this.#lanes.size >= k + extraLanesMax) break
      if (this.#open()) continue
      if (this.#lanes.size >= k) break
      const missing = Array.from({ length: k + m }, (_, shard) => shard).filter((shard) => !this.#lanes.has(shard))
      this.end(new NotEnoughShardsError(k, this.#lanes.size, missing, this.failed))
    }
    this.#assign()
  }

  /** Sets the next best source to work. False when there is none. */
  #open(): boolean {
    const lanes = [...this.#lanes.values()]
    const isDire = lanes.length < this.#manifest.code.k || lanes.some((lane) => lane.waitedMs() >= patienceMs)
    const candidate = this.#sources.take((shard) => this.#lanes.has(shard), isDire)
    if (candidate === undefined) return false
    this.#begin(candidate)
    return true
  }

  #begin(candidate: Candidate): void {
    const { shard } = candidate
    const lane: Lane = new Lane(
      candidate,
      (segment) => this.#window.missing(segment, shard),
      () => this.#nowMs,
    )
    this.#lanes.set(shard, lane)
    const task = this.#work(lane).finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  async #work(lane: Lane): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#receive(lane)
      } catch (error) {
        if (this.#ended !== undefined || this.#isOver) return
        const isBusy = error instanceof RefusedError && error.code === 'BUSY' && tries < busyTriesMax
        if (!isBusy || !(await this.#rest(lane))) return this.#fell(lane, error as Error)
      }
    }
  }

  async #receive(lane: Lane): Promise<void> {
    const { shard, peer } = lane.candidate
    const { shardBytes, shards } = this.#manifest
    await this.#deps.transfer.get(
      peer,
      shards[shard]!,
      shardBytes,
      lane,
      async (leaf, bytes, hash) => this.#onLeaf(lane, leaf, bytes, hash),
      lane.abort.signal,
    )
  }

  #onLeaf(lane: Lane, leaf: number, bytes: Uint8Array, hash: Uint8Array): void {
    const { shard, peer } = lane.candidate
    this.received.set(peer, (this.received.get(peer) ?? 0) + bytes.byteLength)
    if (!this.#window.accept(shard, leaf, bytes, hash)) this.wastedBytes += bytes.byteLength
    const strip = lane.came(bytes.byteLength)
    if (strip === undefined) return
    this.#deps.rates?.measured(peer, strip.bytes, strip.tookMs)
    const wasLate = lane.isLate
    lane.isLate = false
    if (wasLate) this.#assign()
    // What is usual may have become known, or shorter, since the wait began.
    if (this.#patience !== undefined && this.#dueMs() < this.#patience.untilMs - lookAgainMs) this.#beginPatience()
  }

  /** Waits before a busy keeper is asked again. False when there is no clock to wait by, or no need any more. */
  async #rest(lane: Lane): Promise<boolean> {
    if (this.#deps.clock === undefined) return false
    lane.forget()
    lane.isResting = true
    // Meanwhile another may be found that is not busy.
    this.#fillUp()
    try {
      await this.#deps.clock.sleep(busyWaitMs, lane.abort.signal)
    } catch {
      return false
    }
    lane.isResting = false
    this.#assign()
    return true
  }

  #fell(lane: Lane, error: Error): void {
    const { shard, peer } = lane.candidate
    // It retired, and another may be at work for the shard by now.
    if (this.#ended !== undefined || this.#lanes.get(shard) !== lane) return
    this.#lanes.delete(shard)
    this.#failed.set(`${shard} ${peer}`, {
      peer,
      shard,
      reason: error instanceof RefusedError ? error.code : error.message,
    })
    if (error instanceof Fault) this.#drop(peer, error)
    // What only broke off may go on. Who gave nothing, or refused, would do so again.
    else if (lane.gaveSomething && !(error instanceof RefusedError)) this.#sources.giveBack(lane.candidate)
    this.#fillUp()
  }

  /** A peer that sent one bad block is not believed in anything else, and its other lanes end too. */
  #drop(peer: PeerName, fault: Fault): void {
    if (!this.#sources.isDropped(peer)) this.#deps.onFault(peer, fault)
    this.#sources.drop(peer)
    for (const { candidate, abort } of this.#lanes.values()) {
      if (candidate.peer === peer) abort.abort(new Error('the peer sent what is not of another shard'))
    }
  }

  /** How long a strip may take now. */
  #lateMs(): number {
    const usualMs = usualStripMs(this.#lanes.values(), this.#manifest.code.k)
    if (usualMs === undefined || this.#isWasteful) return patienceMs
    const owing = [...this.#lanes.values()].filter(({ isLate, owesSomething }) => owesSomething && !isLate).length
    const leastMs = this.#areMost(owing) ? lateMsMin : lateMsMinAlone
    return Math.min(patienceMs, Math.max(leastMs, lateFactor * usualMs))
  }

  /** What befalls so many lanes at once is more likely our own doing. */
  #areMost(lanes: number): boolean {
    return lanes * 2 > this.#manifest.code.k
  }

  /** Stands still without a clock. */
  get #nowMs(): number {
    return this.#deps.clock?.monotonicMs() ?? 0
  }

  get #isWasteful(): boolean {
    let received = 0
    for (const bytes of this.received.values()) received += bytes
    return this.wastedBytes > received * wasteShareMax
  }

  #beginPatience(): void {
    this.#patience?.cancel()
    const { clock } = this.#deps
    if (clock === undefined || this.#ended !== undefined || this.#isOver) return
    const untilMs = this.#dueMs()
    const cancel = clock.after(untilMs - this.#nowMs, () => {
      if (this.#window.isReaderWaiting) this.#lookForLate()
      this.#beginPatience()
    })
    this.#patience = { untilMs, cancel }
  }

  /** When the lane will be late that has been at its strip for longest. */
  #dueMs(): number {
    const lateMs = this.#lateMs()
    let longestMs = 0
    for (const lane of this.#lanes.values()) if (!lane.isLate) longestMs = Math.max(longestMs, lane.waitedMs())
    return this.#nowMs + Math.max(lookAgainMs, lateMs - longestMs)
  }

  /** When more than half of the lanes seem late, it is we who were away, or our own line. */
  #lookForLate(): void {
    const forMs = this.#lateMs()
    const late = [...this.#lanes.values()].filter((lane) => lane.owesSomething && lane.waitedMs() >= forMs)
    if (forMs < patienceMs && this.#areMost(late.length)) return
    for (const lane of late) {
      if (lane.isLate) continue
      lane.isLate = true
      lane.unassign()
      this.#deps.rates?.stalled(lane.candidate.peer, 0, lane.waitedMs())
    }
    this.#fillUp()
  }
}
