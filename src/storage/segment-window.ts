/**
 * The segments that are being put together: a shard may run ahead of the reader by a bounded number of segments and then has to
 * wait, so memory is bounded whatever the speeds of the keepers. What has come is kept when the keeper it came from fails.
 */
import {
  leafBytes,
  leafCount,
  leavesPerStrip,
  segmentCount,
  shardLength,
  stripBytesMax,
  stripLength,
  type Code,
} from '../../protocols/erasure/index.ts'

/** Memory of the strips that are waited for, in bytes; but one segment must fit, however wide the code. */
const windowBytesMax = 64 * 1024 * 1024
/** More would not make anything faster. */
const segmentsMax = 4

interface Strip {
  readonly bytes: Uint8Array
  /** Of the leaves that have come, by their place in the strip. */
  readonly hashes: (Uint8Array | undefined)[]
  missing: number
}

export interface TakenStrip {
  readonly bytes: Uint8Array
  readonly hashes: readonly Uint8Array[]
}

export class SegmentWindow {
  readonly #code: Code
  readonly #bytes: number
  readonly #shardBytes: number
  readonly #segmentsAhead: number
  /** For each segment the strips that have begun to come, by shard. */
  readonly #segments = new Map<number, Map<number, Strip>>()
  #next = 0
  #isReaderWaiting = false
  #failure: Error | undefined
  #waiting: (() => void)[] = []

  /** `bytes`: of the object's plaintext. */
  constructor(code: Code, bytes: number) {
    this.#code = code
    this.#bytes = bytes
    this.#shardBytes = shardLength(code, bytes)
    this.#segmentsAhead = Math.max(1, Math.min(segmentsMax, Math.floor(windowBytesMax / (code.k * stripBytesMax))))
  }

  /** Leaves of a shard that are still of use and not here: all from the reader's segment on. */
  missing(shard: number): number[] {
    const leaves: number[] = []
    const last = leafCount(this.#shardBytes)
    for (let segment = this.#next; segment < segmentCount(this.#code, this.#bytes); segment++) {
      if (this.#isComplete(segment)) continue
      const strip = this.#segments.get(segment)?.get(shard)
      const first = segment * leavesPerStrip
      for (let leaf = first; leaf < Math.min(last, first + leavesPerStrip); leaf++) {
        if (strip?.hashes[leaf - first] === undefined) leaves.push(leaf)
      }
    }
    return leaves
  }

  /** Waits until the segment of a leaf is near enough to have room. */
  async room(leaf: number): Promise<void> {
    await this.#until(() => segmentOf(leaf) < this.#next + this.#segmentsAhead)
  }

  /** Takes a leaf in that was verified. False when it comes too late to be of use. */
  accept(shard: number, leaf: number, bytes: Uint8Array, hash: Uint8Array): boolean {
    const segment = segmentOf(leaf)
    if (segment < this.#next) return false
    const strips = this.#segments.get(segment) ?? new Map<number, Strip>()
    this.#segments.set(segment, strips)
    const strip = strips.get(shard) ?? this.#begin(segment)
    strips.set(shard, strip)
    const place = leaf - segment * leavesPerStrip
    if (strip.hashes[place] !== undefined) return true
    strip.bytes.set(bytes, place * leafBytes)
    strip.hashes[place] = hash
    strip.missing--
    if (strip.missing === 0) this.#wake()
    return true
  }

  /** Whether the reader has nothing to do until a strip comes. */
  get isReaderWaiting(): boolean {
    return this.#isReaderWaiting
  }

  /** The strips of the reader's segment, by shard, once there are enough; the reader goes on to the next segment. */
  async take(): Promise<Map<number, TakenStrip>> {
    const segment = this.#next
    this.#isReaderWaiting = true
    await this.#until(() => this.#isComplete(segment))
    this.#isReaderWaiting = false
    const taken = new Map<number, TakenStrip>()
    for (const [shard, { bytes, hashes, missing }] of this.#segments.get(segment)!) {
      if (missing === 0) taken.set(shard, { bytes, hashes: hashes as Uint8Array[] })
    }
    this.#segments.delete(segment)
    this.#next = segment + 1
    this.#wake()
    return taken
  }

  /** Everybody who waits gives up. The first reason stands. */
  fail(reason: Error): void {
    this.#failure ??= reason
    this.#wake()
  }

  #begin(segment: number): Strip {
    const length = stripLength(this.#code, this.#bytes, segment)
    const missing = leafCount(length)
    return { bytes: new Uint8Array(length), hashes: Array.from({ length: missing }, () => undefined), missing }
  }

  #isComplete(segment: number): boolean {
    let complete = 0
    for (const { missing } of this.#segments.get(segment)?.values() ?? []) if (missing === 0) complete++
    return complete >= this.#code.k
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.#failure !== undefined) throw this.#failure
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      await promise
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

function segmentOf(leaf: number): number {
  return Math.floor(leaf / leavesPerStrip)
}
