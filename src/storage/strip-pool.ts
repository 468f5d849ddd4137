/**
 * Memory of segments, used again and again, and shared, so that a worker opens strips where they lie. Were they taken anew, or handed over to
 * the worker and back, the collector would see 10 MiB go and come with every segment, and look through all that this process holds.
 *
 * The data strips of a full segment lie one behind the other, as its plaintext will in the file, up to whole blocks: only so can it be written
 * past the cache of the system (`Files.create`), which takes it from where it is, and only so in one go.
 */
import { Buffer } from 'node:buffer'

import { allocateShared, stripBytesMax, type Code } from '../../protocols/erasure/index.ts'
import { fileBlockBytes } from '../environment.ts'

/** Where the strips of one segment are put. */
export class StripRoom {
  readonly #pool: StripPool
  readonly #data: Uint8Array
  readonly #parity: Uint8Array[] = []

  /** To be had of a pool. */
  constructor(pool: StripPool, data: Uint8Array) {
    this.#pool = pool
    this.#data = data
  }

  /** Of full length. What is in it may be of another segment. One of parity is another each time. */
  strip(shard: number): Uint8Array {
    const isData = (shard + 1) * stripBytesMax <= this.#data.byteLength
    if (isData) return this.#data.subarray(shard * stripBytesMax, (shard + 1) * stripBytesMax)
    const strip = this.#pool.takeParity()
    this.#parity.push(strip)
    return strip
  }

  /** Nobody may look at it any more. */
  giveBack(): void {
    this.#pool.takeBack(this.#data, this.#parity.splice(0))
  }
}

export class StripPool {
  readonly #dataBytes: number
  /** With room to begin anywhere in the first block. Memory that was never written to is none yet. */
  readonly #free: ArrayBufferLike[] = []
  readonly #freeParity: Uint8Array[] = []

  constructor({ k }: Code) {
    this.#dataBytes = k * stripBytesMax
  }

  /** `at`: where the segment is in the file. */
  take(at: number): StripRoom {
    const memory = this.#free.pop() ?? bufferOf(this.#dataBytes + fileBlockBytes)
    return new StripRoom(this, new Uint8Array(memory, at % fileBlockBytes, this.#dataBytes))
  }

  /** For a room of this pool. */
  takeParity(): Uint8Array {
    return this.#freeParity.pop() ?? new Uint8Array(new SharedArrayBuffer(stripBytesMax))
  }

  /** From a room of this pool. */
  takeBack({ buffer }: Uint8Array, parity: readonly Uint8Array[]): void {
    this.#free.push(buffer)
    this.#freeParity.push(...parity)
  }
}

function bufferOf(bytes: number): ArrayBufferLike {
  const memory = allocateShared(bytes)
  return 'buffer' in memory ? memory.buffer : memory
}

/** As `strip.set(bytes, at)`, which takes twenty times as long for shared memory: it goes byte by byte. */
export function put(strip: Uint8Array, bytes: Uint8Array, at: number): void {
  if (bytes.byteLength === 0) return
  Buffer.from(strip.buffer, strip.byteOffset, strip.byteLength).fill(bytes, at, at + bytes.byteLength)
}
