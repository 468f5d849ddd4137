/**
 * Chance from a seed, split by name: every component has a stream of its own, so that one more draw in one of them changes
 * nothing in the others, and a seed names a whole life of the mesh.
 */
import type { Random } from '../environment.ts'

const two32 = 2 ** 32

export class SeededRandom implements Random {
  #a: number
  #b: number

  constructor(seed: number, name = '') {
    this.#a = hashOf(seed, name, 0x9e3779b9)
    this.#b = hashOf(seed, name, 0x85ebca6b) | 1
    for (let warm = 0; warm < 4; warm++) this.next()
  }

  /** Another stream, which is the same whatever was drawn from this one. */
  static of(seed: number, ...names: readonly (string | number)[]): SeededRandom {
    return new SeededRandom(seed, names.join('/'))
  }

  /** 32 bits: xorshift64 on two halves (Marsaglia, "Xorshift RNGs", 2003), with a multiplication at the end. */
  next(): number {
    let [a, b] = [this.#a, this.#b]
    const mixed = a ^ (a << 10)
    a = b
    b = (b ^ (b >>> 10) ^ (mixed ^ (mixed >>> 13))) >>> 0
    this.#a = a
    this.#b = b
    return Math.imul(a + b, 0x9e3779b1) >>> 0
  }

  float(): number {
    return this.next() / two32
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.next() >>> 24)
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.float() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.float() < probability
  }

  /** The items in an order of chance (Fisher and Yates). */
  shuffled<Item>(items: readonly Item[]): Item[] {
    const mixed = [...items]
    for (let last = mixed.length - 1; last > 0; last--) {
      const other = this.between(0, last)
      ;[mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!]
    }
    return mixed
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[Math.floor(this.float() * items.length)]!
  }
}

/** FNV-1a over the name, mixed with the seed and finished as in MurmurHash3. */
function hashOf(seed: number, name: string, salt: number): number {
  let hash = (0x811c9dc5 ^ salt ^ Math.imul(seed, 0x27d4eb2f)) >>> 0
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0
  return (hash ^ (hash >>> 16)) >>> 0
}
