/**
 * The keepers that are at work for one fetch, one lane a shard. There are k lanes while there are shards for them: a lane that
 * fails is replaced, one more is opened beside those that keep the reader waiting, and one that fell behind retires.
 */
import type { ObjectManifest } from '../../protocols/erasure/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'
import { NotEnoughShardsError, type FailedSource } from './not-enough-shards.ts'
import type { SegmentWindow } from './segment-window.ts'
import type { Candidate, Sources } from './sources.ts'

/** How long the reader waits for a segment before another shard is asked for beside those that are late. */
const patienceMs = 3_000
/** Lanes beside the k that are needed. */
const extraLanesMax = 2
/** How long a lane waits before it asks a busy keeper again, and how often it asks. */
const busyWaitMs = 1_000
const busyTriesMax = 5

export interface LaneDeps {
  readonly transfer: Pick<TransferService, 'get'>
  onFault(peer: PeerName, fault: Fault): void
  /** Without one nobody is waited for: slow keepers are not replaced, and busy ones not asked again. */
  readonly clock?: Pick<Clock, 'after' | 'sleep'>
}

interface Lane {
  readonly candidate: Candidate
  readonly abort: AbortController
  gaveSomething: boolean
}

export class Lanes {
  readonly received = new Map<PeerName, number>()
  readonly #deps: LaneDeps
  readonly #manifest: ObjectManifest
  readonly #window: SegmentWindow
  readonly #sources: Sources
  /** By shard. A lane whose shard is here to its end stays: it is one of the k. */
  readonly #lanes = new Map<number, Lane>()
  readonly #tasks = new Set<Promise<void>>()
  /** The last failure of each peer with each shard. */
  readonly #failed = new Map<string, FailedSource>()
  #ended: Error | undefined
  #cancelPatience: () => void = () => {}

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

  /** Ends all lanes for this reason; the first reason stands. */
  end(reason: Error): void {
    this.#ended ??= reason
    this.#cancelPatience()
    this.#window.fail(this.#ended)
    for (const { abort } of this.#lanes.values()) abort.abort(this.#ended)
  }

  /** Resolves when no lane does anything any more. */
  async ended(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks)
  }

  /**
   * To be called when the reader has gone on, with the shards of which it had the segment. When there are more lanes than are
   * needed, those that were late retire.
   */
  wentOn(had: ReadonlySet<number>): void {
    for (const [shard, { candidate, abort }] of this.#lanes) {
      if (this.#lanes.size <= this.#manifest.code.k) break
      if (had.has(shard)) continue
      this.#lanes.delete(shard)
      this.#sources.giveBack(candidate)
      abort.abort(new Error('others were faster'))
    }
    this.#beginPatience()
  }

  #fillUp(): void {
    const { k, m } = this.#manifest.code
    while (this.#lanes.size < k && this.#ended === undefined) {
      if (this.#open()) continue
      const missing = Array.from({ length: k + m }, (_, shard) => shard).filter((shard) => !this.#lanes.has(shard))
      this.end(new NotEnoughShardsError(k, this.#lanes.size, missing, this.failed))
    }
  }

  /** Sets the next best source to work. False when there is none. */
  #open(): boolean {
    const candidate = this.#sources.take((shard) => this.#lanes.has(shard))
    if (candidate === undefined) return false
    const lane: Lane = { candidate, abort: new AbortController(), gaveSomething: false }
    this.#lanes.set(candidate.shard, lane)
    const task = this.#work(lane).finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
    return true
  }

  async #work(lane: Lane): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#receive(lane)
      } catch (error) {
        if (this.#ended !== undefined) return
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
      this.#window.missing(shard),
      async (leaf, bytes, hash) => {
        await this.#window.room(leaf)
        this.received.set(peer, (this.received.get(peer) ?? 0) + bytes.byteLength)
        if (this.#window.accept(shard, leaf, bytes, hash)) lane.gaveSomething = true
      },
      lane.abort.signal,
    )
  }

  /** Waits before a busy keeper is asked again. False when there is no clock to wait by, or no need any more. */
  async #rest(lane: Lane): Promise<boolean> {
    try {
      await this.#deps.clock?.sleep(busyWaitMs, lane.abort.signal)
      return this.#deps.clock !== undefined
    } catch {
      return false
    }
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

  #beginPatience(): void {
    this.#cancelPatience()
    const { clock } = this.#deps
    if (clock === undefined || this.#ended !== undefined) return
    this.#cancelPatience = clock.after(patienceMs, () => {
      const isRoom = this.#lanes.size < this.#manifest.code.k + extraLanesMax
      if (isRoom && this.#window.isReaderWaiting) this.#open()
      this.#beginPatience()
    })
  }
}
