/** The bytes of one file of a virtual disk: what a reader sees now, and what of it would be left if the power went. */
import type { SeededRandom } from '../random.ts'

/** A disk writes a sector whole or not at all. */
const sectorBytes = 512
/** Of the writes that were not synced: how many are on the disk all the same, and how many only in part. */
const survivesProbability = 0.4
const tornProbability = 0.2
/** How often a file is as long as it was said to be although its bytes never came: the rest is zeros. */
const longProbability = 0.2

interface Unsynced {
  readonly at: number
  readonly count: number
  /** What the write took the place of, where that was durable. */
  readonly before: Uint8Array | null
}

const nothing = new Uint8Array()

export class StoredFile {
  #data = nothing
  #bytes = 0
  #durableBytes = 0
  #unsynced: Unsynced[] = []
  #version = 0n

  get bytes(): number {
    return this.#bytes
  }

  get version(): bigint {
    return this.#version
  }

  get isSynced(): boolean {
    return this.#unsynced.length === 0
  }

  /** All of it, as a reader sees it: a view. */
  get content(): Uint8Array {
    return this.#data.subarray(0, this.#bytes)
  }

  read(bytes: Uint8Array, at: number): number {
    const piece = this.#data.subarray(at, Math.min(this.#bytes, at + bytes.byteLength))
    bytes.set(piece)
    return piece.byteLength
  }

  write(bytes: Uint8Array, at: number): void {
    const end = at + bytes.byteLength
    if (end > this.#data.byteLength) this.#widen(end)
    const before = at < this.#durableBytes ? this.#data.slice(at, Math.min(end, this.#durableBytes)) : null
    this.#unsynced.push({ at, count: bytes.byteLength, before })
    this.#data.set(bytes, at)
    this.#bytes = Math.max(this.#bytes, end)
    this.#version++
  }

  sync(): void {
    this.#durableBytes = this.#bytes
    if (this.#unsynced.length > 0) this.#unsynced = []
  }

  /** The power goes: each write that was not synced is there, or not, or in part. What is left then is durable. */
  losePower(random: SeededRandom): void {
    if (this.#unsynced.length === 0) return
    const was = this.#data.slice(0, this.#bytes)
    for (const { at, before } of this.#unsynced.toReversed()) if (before !== null) this.#data.set(before, at)
    this.#data.fill(0, this.#durableBytes)
    let bytes = this.#durableBytes
    for (const { at, count } of this.#unsynced) {
      const fate = random.float()
      const sectors = random.between(0, Math.floor(count / sectorBytes))
      let kept = 0
      if (fate < survivesProbability) kept = count
      else if (fate < survivesProbability + tornProbability) kept = sectors * sectorBytes
      if (kept === 0) continue
      this.#data.set(was.subarray(at, at + kept), at)
      bytes = Math.max(bytes, at + kept)
    }
    if (!random.chance(longProbability)) this.#bytes = bytes
    this.sync()
  }

  /** One bit is no longer what it was, and nobody was told. */
  rot(random: SeededRandom): void {
    const at = random.between(0, this.#bytes - 1)
    this.#data[at]! ^= 1 << random.between(0, 7)
  }

  #widen(bytes: number): void {
    const wider = new Uint8Array(this.#data.byteLength === 0 ? bytes : Math.max(bytes, 2 * this.#data.byteLength))
    wider.set(this.#data)
    this.#data = wider
  }
}
