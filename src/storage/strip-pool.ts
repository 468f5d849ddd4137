/**
 * Memory of segments, used again and again, and shared, so that a worker opens strips where they lie. Were they taken anew, or handed over to
 * the worker and back, the collector would see 10 MiB go and come with every segment, and look through all that this process holds.
 *
 * The data strips of a full segment lie one behind the other, as its plaintext will in the file, up to whole blocks: only so can it be written
 * past the cache of the system (`Files.create`), which takes it from where it is, and only so in one go.
 */
import { Buffer } from 'node:buffer'

import { stripBytesMax, type Code } from '../../protocols/erasure/index.ts'
import { fileBlockBytes } from '../environment.ts'
import type { StripMemory } from './strip-memory.ts'

/**
 * Where the strips of one segment are put: as many places as there are data strips. Each of those has its own, unless another has it: of a segment
 * that needs parity some data strips do not come, and parity lies in their places. Any k strips fit; what comes beyond has memory of its own.
 */
export class StripRoom {
  readonly #pool: StripPool
  readonly #memory: Uint8Array
  /** Whose strip is at each place. */
  readonly #shards: (number | undefined)[]
  readonly #came = new Set<number>()
  readonly #extra: Uint8Array[] = []

  /** To be had of a pool. */
  constructor(pool: StripPool, memory: Uint8Array) {
    this.#pool = pool
    this.#memory = memory
    this.#shards = Array.from({ length: memory.byteLength / stripBytesMax }, () => undefined)
  }

  /** Of full length. What is in it may be of another segment. To be asked for once a shard. */
  strip(shard: number): Uint8Array {
    this.#came.add(shard)
    const place = this.#placeFor(shard, (at) => this.#shards[at] === undefined)
    if (place !== undefined) return this.#give(place, shard)
    const strip = this.#pool.takeExtra()
    this.#extra.push(strip)
    return strip
  }

  /** For a data strip that did not come, or not all of it, made of those that did (a piece of all is read before it is written): where no other data strip is. */
  spare(shard: number): Uint8Array | undefined {
    const place = this.#placeFor(shard, (at) => this.#shards[at] === shard || !this.#isData(this.#shards[at]))
    return place === undefined ? undefined : this.#give(place, shard)
  }

  /** Nobody may look at it any more. */
  giveBack(): void {
    const lost = [...this.#shards.keys()].filter((shard) => !this.#came.has(shard))
    this.#pool.takeBack(this.#memory, this.#extra.splice(0), lost)
  }

  /** Its own place, or one that was nobody's own in the segment before, or any. */
  #placeFor(shard: number, isOpen: (place: number) => boolean): number | undefined {
    if (this.#isData(shard) && isOpen(shard)) return shard
    const open = [...this.#shards.keys()].filter(isOpen)
    return open.find((place) => this.#pool.lostBefore.includes(place)) ?? open.at(-1)
  }

  #isData(shard: number | undefined): boolean {
    return shard !== undefined && shard < this.#shards.length
  }

  #give(place: number, shard: number): Uint8Array {
    this.#shards[place] = shard
    return this.#memory.subarray(place * stripBytesMax, (place + 1) * stripBytesMax)
  }
}

export class StripPool {
  /** Data strips that did not come of the segment before: probably the same do not come now. */
  lostBefore: readonly number[] = []
  readonly #roomBytes: number
  readonly #memory: StripMemory
  /** With room to begin anywhere in the first block. Memory that was never written to is none yet. */
  readonly #free: ArrayBufferLike[] = []
  readonly #freeExtra: Uint8Array[] = []

  constructor({ k }: Code, memory: StripMemory) {
    this.#roomBytes = k * stripBytesMax
    this.#memory = memory
  }

  /** `at`: where the segment is in the file. */
  take(at: number): StripRoom {
    const memory = this.#free.pop() ?? this.#memory.take(this.#roomBytes + fileBlockBytes)
    return new StripRoom(this, new Uint8Array(memory, at % fileBlockBytes, this.#roomBytes))
  }

  /** For a room of this pool. */
  takeExtra(): Uint8Array {
    return this.#freeExtra.pop() ?? new Uint8Array(new SharedArrayBuffer(stripBytesMax))
  }

  /** From a room of this pool. */
  takeBack({ buffer }: Uint8Array, extra: readonly Uint8Array[], lost: readonly number[]): void {
    this.#free.push(buffer)
    this.#freeExtra.push(...extra)
    this.lostBefore = lost
  }

  /** No room is taken any more, and all came back. */
  end(): void {
    for (const memory of this.#free.splice(0)) this.#memory.keep(memory)
  }
}

/** As `strip.set(bytes, at)`, which takes twenty times as long for shared memory: it goes byte by byte. */
export function put(strip: Uint8Array, bytes: Uint8Array, at: number): void {
  if (bytes.byteLength === 0) return
  Buffer.from(strip.buffer, strip.byteOffset, strip.byteLength).fill(bytes, at, at + bytes.byteLength)
}
