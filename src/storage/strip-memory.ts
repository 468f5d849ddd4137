/**
 * Memory in which strips come and are opened: where it is from, and what of it stays when a fetch is over. A fetch uses its own again and again; what the
 * next one would have to ask the system for is a tenth of a get of 320 MiB from one keeper, where the machine gave it back to its host meanwhile.
 */
import { allocateShared } from '../../protocols/erasure/index.ts'

export interface StripMemory {
  /** Shared, of at least so many bytes. What is in it may be of another object. */
  take(bytes: number): ArrayBufferLike
  /** Nobody uses it any more: it may be taken by another. */
  keep(memory: ArrayBufferLike): void
}

/** New whenever it is taken, and left to the collector. */
export const newStripMemory: StripMemory = {
  take(bytes) {
    const memory = allocateShared(bytes)
    return 'buffer' in memory ? memory.buffer : memory
  },
  keep() {},
}

/** Two segments of `deep`, and what they are rounded up by. A wider one has most of its time elsewhere. */
export const keptBytesMax = 33 * 1024 * 1024
/** Memory is made of pages; rooms of two codes differ by a strip, which is more. */
const roundedBytesMax = 128 * 1024

/** Keeps what fetches had until it is cleared, within a limit. */
export class KeptStripMemory implements StripMemory {
  #kept: ArrayBufferLike[] = []

  get keptBytes(): number {
    return this.#kept.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  take(bytes: number): ArrayBufferLike {
    // It is rounded up by far less than strips differ by.
    const index = this.#kept.findIndex(({ byteLength }) => byteLength >= bytes && byteLength < bytes + roundedBytesMax)
    const [kept] = index === -1 ? [] : this.#kept.splice(index, 1)
    return kept ?? newStripMemory.take(bytes)
  }

  keep(memory: ArrayBufferLike): void {
    if (this.keptBytes + memory.byteLength <= keptBytesMax) this.#kept.push(memory)
  }

  /** Forgets what nobody has. */
  clear(): void {
    this.#kept = []
  }
}
