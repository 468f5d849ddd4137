/**
 * The segments that are being put together: the reader's and a bounded number after it, so memory is bounded whatever the speeds
 * of the keepers. Nothing beyond them is asked of anybody, so what is lost when this process dies is bounded as well: at most four
 * strips of 1 MiB, as much of each keeper as a credit. What has come is kept when the keeper it came from fails.
 */
import {
  leafBytes,
  leafCount,
  leavesPerStrip,
  segmentBytesOf,
  segmentCount,
  stripBytesMax,
  stripLength,
  type Code,
} from '../../protocols/erasure/index.ts'
import { hashBytes } from '../../protocols/wire/index.ts'
import { newStripMemory, type StripMemory } from './strip-memory.ts'
import { StripPool, put, type StripRoom } from './strip-pool.ts'

/**
 * Memory of the strips that are waited for, in bytes. With a third segment of 10+4 a get is 3 (from one) to 8 % (from 14) faster, and a reader of
 * 4 GiB holds 80 to 118 MiB and not 57 to 88. With one only while segments are decoded, 4 stalled keepers of 14 cost 1.13 to 1.15 and not 1.16 to 1.23; but to decode is usual where
 * keepers pause now and then, and the reader of 4 GiB held up to 103 so (bench/README.md).
 */
const windowBytesUsual = 24 * 1024 * 1024
/** So that one segment of `deep` comes while another is opened; but one must fit, however wide the code. */
const windowBytesMax = 32 * 1024 * 1024
/** More would not make anything faster. */
const segmentsMax = 4

interface Strip {
  readonly bytes: Uint8Array
  /** Of its leaves, one after the other: an object for each would live until the segment is done with, and the collector go over it. */
  readonly hashes: Uint8Array
  /** Whether a leaf has come, by its place in the strip. */
  readonly isHere: boolean[]
  missing: number
}

/** A segment of which something has come. */
class Segment {
  /** By shard. */
  readonly strips = new Map<number, Strip>()
  /** How many of them are here: asked for with every leaf. */
  whole = 0
  /** Where they are. The last of an object is short, and has memory of its own. */
  readonly room: StripRoom | undefined

  constructor(room: StripRoom | undefined) {
    this.room = room
  }
}

export interface TakenStrip {
  readonly bytes: Uint8Array
  /** Of its leaves, one after the other. */
  readonly hashes: Uint8Array
}

export class SegmentWindow {
  readonly #code: Code
  readonly #bytes: number
  readonly #count: number
  readonly #isHere: (segment: number) => boolean
  readonly #segmentsAhead: number
  /** Those of which something has come, until the reader has them. */
  readonly #segments = new Map<number, Segment>()
  readonly #pool: StripPool
  /** Of segments that the reader has. */
  readonly #rooms = new Map<number, StripRoom>()
  /** The first segment that is not done with. */
  #first: number
  /** The segment that the reader is to have next. */
  #next: number
  readonly #done = new Set<number>()
  #isReaderWaiting = false
  #failure: Error | undefined
  #wake: () => void = () => {}

  /** `bytes`: of the object's plaintext. `isHere`: segments that nobody need fetch. */
  constructor(
    code: Code,
    bytes: number,
    isHere: (segment: number) => boolean = () => false,
    memory: StripMemory = newStripMemory,
  ) {
    this.#code = code
    this.#bytes = bytes
    this.#count = segmentCount(code, bytes)
    this.#isHere = isHere
    this.#pool = new StripPool(code, memory)
    this.#segmentsAhead = segmentsAhead(code)
    this.#first = this.#next = this.#missingFrom(0)
  }

  /** The segments that there is room for and that still lack strips, the reader's first. */
  wanting(): number[] {
    const wanting: number[] = []
    let [segment, room] = [this.#first, this.#segmentsAhead]
    for (; segment < this.#count && room > 0; segment = this.#missingFrom(segment + 1), room--) {
      if (!this.isDone(segment)) wanting.push(segment)
    }
    return wanting
  }

  /** The shards whose strips of a segment are here. */
  shardsOf(segment: number): number[] {
    const strips = this.#segments.get(segment)?.strips ?? []
    return [...strips].flatMap(([shard, { missing }]) => (missing === 0 ? [shard] : []))
  }

  /** Leaves of a strip that are not here. */
  missing(segment: number, shard: number): number[] {
    const strip = this.#segments.get(segment)?.strips.get(shard)
    const first = segment * leavesPerStrip
    return Array.from({ length: leafCount(stripLength(this.#code, this.#bytes, segment)) }, (_, place) => place)
      .filter((place) => strip?.isHere[place] !== true)
      .map((place) => first + place)
  }

  /** Whether a segment has all the strips it needs, or had, so that nothing more of it is of use. */
  isDone(segment: number): boolean {
    return segment < this.#next || this.#isWhole(segment)
  }

  /** Takes a leaf in that was verified. False when nobody needs it any more. */
  accept(shard: number, leaf: number, bytes: Uint8Array, hash: Uint8Array): boolean {
    const number = segmentOf(leaf)
    if (this.isDone(number)) return false
    const segment = this.#segments.get(number) ?? this.#begin(number)
    const strip = segment.strips.get(shard) ?? this.#beginStrip(segment, number, shard)
    const place = leaf - number * leavesPerStrip
    if (strip.isHere[place] === true) return true
    put(strip.bytes, bytes, place * leafBytes)
    strip.hashes.set(hash, place * hashBytes)
    strip.isHere[place] = true
    if (--strip.missing > 0) return true
    segment.whole++
    this.#wake()
    return true
  }

  /** Whether the reader has nothing to do until a strip comes. */
  get isReaderWaiting(): boolean {
    return this.#isReaderWaiting
  }

  /** The strips of the next segment that is not here, by shard, once there are enough. They are the reader's. */
  async take(): Promise<ReadonlyMap<number, TakenStrip>> {
    const segment = this.#next
    while (!this.#isWhole(segment)) {
      if (this.#failure !== undefined) throw this.#failure
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      this.#isReaderWaiting = true
      await promise
      this.#isReaderWaiting = false
    }
    const taken = this.#segments.get(segment)!
    const strips = new Map<number, TakenStrip>()
    for (const [shard, { bytes, hashes, missing }] of taken.strips) {
      if (missing === 0) strips.set(shard, { bytes, hashes })
    }
    this.#segments.delete(segment)
    if (taken.room !== undefined) this.#rooms.set(segment, taken.room)
    this.#next = this.#missingFrom(segment + 1)
    return strips
  }

  /** Where a data strip is decoded that is missing of a segment that the reader has. Of a short segment there is none. */
  spare(segment: number, shard: number): Uint8Array | undefined {
    return this.#rooms.get(segment)?.spare(shard)
  }

  /** The reader is done with a segment that it took: it is on the disk, and there is room for another, where its strips are. Nobody may look at them any more. */
  done(segment: number): void {
    this.#rooms.get(segment)?.giveBack()
    this.#rooms.delete(segment)
    this.#done.add(segment)
    while (this.#done.delete(this.#first)) this.#first = this.#missingFrom(this.#first + 1)
  }

  /** The reader is done with all. */
  end(): void {
    this.#pool.end()
  }

  /** The reader gives up. The first reason stands. */
  fail(reason: Error): void {
    this.#failure ??= reason
    this.#wake()
  }

  #isWhole(segment: number): boolean {
    return (this.#segments.get(segment)?.whole ?? 0) >= this.#code.k
  }

  #missingFrom(segment: number): number {
    let missing = segment
    while (missing < this.#count && this.#isHere(missing)) missing++
    return missing
  }

  #begin(number: number): Segment {
    const isFull = stripLength(this.#code, this.#bytes, number) === stripBytesMax
    const segment = new Segment(isFull ? this.#pool.take(number * segmentBytesOf(this.#code)) : undefined)
    this.#segments.set(number, segment)
    return segment
  }

  #beginStrip({ strips, room }: Segment, number: number, shard: number): Strip {
    const length = stripLength(this.#code, this.#bytes, number)
    const missing = leafCount(length)
    const bytes = room?.strip(shard) ?? new Uint8Array(new SharedArrayBuffer(length))
    const isHere = Array.from({ length: missing }, () => false)
    const strip: Strip = { bytes, hashes: new Uint8Array(missing * hashBytes), isHere, missing }
    strips.set(shard, strip)
    return strip
  }
}

function segmentsAhead({ k }: Code): number {
  const fitIn = (bytes: number): number => Math.floor(bytes / (k * stripBytesMax))
  const two = Math.min(2, fitIn(windowBytesMax))
  return Math.max(1, two, Math.min(segmentsMax, fitIn(windowBytesUsual)))
}

export function segmentOf(leaf: number): number {
  return Math.floor(leaf / leavesPerStrip)
}
