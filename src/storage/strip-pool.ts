/**
 * Memory of strips, used again and again, and shared, so that a worker opens strips where they lie. Were they taken anew, or handed over to
 * the worker and back, the collector would see 10 MiB go and come with every segment, and look through all that this process holds.
 */
import { Buffer } from 'node:buffer'

import { stripBytesMax } from '../../protocols/erasure/index.ts'

export class StripPool {
  /** Of full length; strips of an object's last segment are shorter, and taken once. */
  readonly #free: Uint8Array[] = []

  /** What is in it may be of another strip. */
  take(bytes: number): Uint8Array {
    const served = bytes === stripBytesMax ? this.#free.pop() : undefined
    return served ?? new Uint8Array(new SharedArrayBuffer(bytes))
  }

  /** Nobody may look at it any more. */
  giveBack(strip: Uint8Array): void {
    if (strip.byteLength === stripBytesMax) this.#free.push(strip)
  }
}

/** As `strip.set(bytes, at)`, which takes twenty times as long for shared memory: it goes byte by byte. */
export function put(strip: Uint8Array, bytes: Uint8Array, at: number): void {
  if (bytes.byteLength === 0) return
  Buffer.from(strip.buffer, strip.byteOffset, strip.byteLength).fill(bytes, at, at + bytes.byteLength)
}
