/**
 * Memory of strips, used again and again, and shared, so that a worker opens strips where they lie. Were they taken anew, or handed over to
 * the worker and back, the collector would see 10 MiB go and come with every segment, and look through all that this process holds.
 *
 * A full strip lies in memory as its plaintext will lie in the file, up to whole blocks: only so can it be written past the cache of
 * the system (`Files.create`), which takes it from where it is.
 */
import { Buffer } from 'node:buffer'

import { allocateShared, stripBytesMax } from '../../protocols/erasure/index.ts'
import { fileBlockBytes } from '../environment.ts'

/** Taken at once, when there is no free one. Memory that was never written to is none yet. */
const slabStrips = 8
/** With room to begin anywhere in its first block. */
const slotBytes = stripBytesMax + fileBlockBytes

export class StripPool {
  /** Slots for a strip of full length; strips of an object's last segment are shorter, and taken once. */
  readonly #free: Uint8Array[] = []

  /** What is in it may be of another strip. `at`: the place in the file of this strip, or of another of its segment. */
  take(bytes: number, at: number): Uint8Array {
    if (bytes !== stripBytesMax) return new Uint8Array(new SharedArrayBuffer(bytes))
    if (this.#free.length === 0) this.#free.push(...slab())
    const from = at % fileBlockBytes
    return this.#free.pop()!.subarray(from, from + bytes)
  }

  /** Nobody may look at it any more. */
  giveBack({ buffer, byteLength, byteOffset }: Uint8Array): void {
    if (byteLength === stripBytesMax) this.#free.push(slotAt(buffer, Math.floor(byteOffset / slotBytes)))
  }
}

function slab(): Uint8Array[] {
  const memory = allocateShared(slabStrips * slotBytes)
  const buffer = 'buffer' in memory ? memory.buffer : memory
  return Array.from({ length: slabStrips }, (_, slot) => slotAt(buffer, slot)).toReversed()
}

function slotAt(buffer: ArrayBufferLike, slot: number): Uint8Array {
  return new Uint8Array(buffer, slot * slotBytes, slotBytes)
}

/** As `strip.set(bytes, at)`, which takes twenty times as long for shared memory: it goes byte by byte. */
export function put(strip: Uint8Array, bytes: Uint8Array, at: number): void {
  if (bytes.byteLength === 0) return
  Buffer.from(strip.buffer, strip.byteOffset, strip.byteLength).fill(bytes, at, at + bytes.byteLength)
}
