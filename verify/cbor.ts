/** DAG-CBOR as pleach writes it: definite lengths, shortest heads, text keys in order, no tags, no fractions. One form a value. */
import { textOf } from './bytes.ts'
import { Problem } from './problem.ts'

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<string, Value>

const valueDepthMax = 64

/** Throws a Problem FRAME_MALFORMED for anything that is not in its one form. */
export function readDocument(bytes: Uint8Array): Value {
  const reader = new DocumentReader(bytes)
  const value = reader.value(1)
  if (!reader.isAtEnd) throw notDagCbor()
  return value
}

class DocumentReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.byteLength
  }

  value(depth: number): Value {
    if (depth > valueDepthMax) throw notDagCbor()
    const [head] = this.#take(1) as unknown as [number]
    const [major, low] = [head >> 5, head & 31]
    if (major === 7) return simpleOf(low)
    const number = this.#number(low)
    switch (major) {
      case 0:
        return exactOf(number)
      case 1:
        return exactOf(-1n - number)
      case 2:
        return this.#take(Number(number))
      case 3:
        return this.#text(number)
      case 4: {
        const items: Value[] = []
        for (let index = 0n; index < number; index++) items.push(this.value(depth + 1))
        return items
      }
      case 5:
        return this.#map(number, depth)
      default:
        throw notDagCbor()
    }
  }

  #map(entries: bigint, depth: number): ReadonlyMap<string, Value> {
    const map = new Map<string, Value>()
    let before: Uint8Array | undefined
    for (let index = 0n; index < entries; index++) {
      const start = this.#at
      const [head] = this.#take(1) as unknown as [number]
      if (head >> 5 !== 3) throw notDagCbor()
      const key = this.#text(this.#number(head & 31))
      // With shortest heads the keys' own bytes, heads included, are in the order by length and then by byte.
      const encoded = this.#bytes.subarray(start, this.#at)
      if (before !== undefined && !isBefore(before, encoded)) throw notDagCbor()
      before = encoded
      map.set(key, this.value(depth + 1))
    }
    return map
  }

  #number(low: number): bigint {
    if (low < 24) return BigInt(low)
    if (low > 27) throw notDagCbor()
    const width = 1 << (low - 24)
    const number = this.#take(width).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
    const least = width === 1 ? 24n : 1n << BigInt(4 * width)
    if (number < least) throw notDagCbor()
    return number
  }

  #text(length: bigint): string {
    try {
      return textOf(this.#take(Number(length)))
    } catch {
      throw notDagCbor()
    }
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.byteLength) throw notDagCbor()
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

function simpleOf(low: number): null | boolean {
  if (low === 20 || low === 21) return low === 21
  if (low === 22) return null
  throw notDagCbor()
}

function exactOf(number: bigint): number | bigint {
  return number >= BigInt(Number.MIN_SAFE_INTEGER) && number <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(number)
    : number
}

function isBefore(one: Uint8Array, other: Uint8Array): boolean {
  if (one.byteLength !== other.byteLength) return one.byteLength < other.byteLength
  const at = one.findIndex((byte, index) => byte !== other[index])
  return at >= 0 && one[at]! < other[at]!
}

function notDagCbor(): Problem {
  return new Problem('FRAME_MALFORMED', 'the result is not DAG-CBOR in its one form')
}
