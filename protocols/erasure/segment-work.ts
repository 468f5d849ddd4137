/** The heavy work on one segment, bound to no thread: for whoever has one to spare. */
import { hashBytes } from '../wire/sha256.ts'
import type { ErasureCoder } from './coder.ts'
import { hashLeaf, leafBytes, leafCount } from './merkle.ts'
import { openSegment, type SegmentPlace } from './segment.ts'

/** At least k strips of one segment, by their number. */
export type StripSet = readonly (Uint8Array | undefined)[]

export interface OpenedSegment {
  /** Pieces of the plaintext, in their order. */
  readonly plain: Uint8Array[]
  /** Data strips that had to be decoded: the hashes of their leaves, still to be checked against the root of their shard. */
  readonly rebuilt: ReadonlyMap<number, Uint8Array>
}

/**
 * Decodes where data strips are missing, then decrypts, where the strips are: they are used up. `lostInto`: where those are put that were
 * missing, as long as they, perhaps in the places of parity; without, they lie in memory of their own. Undefined: the strips do not open.
 * Throws NotEnoughStripsError.
 */
export function openInPlace(
  coder: ErasureCoder,
  key: Uint8Array,
  place: SegmentPlace,
  set: StripSet,
  lostInto: StripSet = [],
): OpenedSegment | undefined {
  const lost = Array.from({ length: coder.k }, (_, shard) => shard).filter((shard) => set[shard] === undefined)
  const decoded =
    lost.length === 0
      ? []
      : coder.reconstruct(
          set,
          lost,
          lost.map((shard) => lostInto[shard]),
        )
  const hashes = hashStrips(decoded)
  const data = set.slice(0, coder.k)
  for (const [index, shard] of lost.entries()) data[shard] = decoded[index]
  const plain = openSegment(key, place, data as Uint8Array[])
  return plain && { plain, rebuilt: new Map(lost.map((shard, index) => [shard, hashes[index]!])) }
}

/** The hashes of the leaves of each strip, one after the other. */
export function hashStrips(strips: readonly Uint8Array[]): Uint8Array[] {
  return strips.map((strip) => {
    const hashes = new Uint8Array(leafCount(strip.byteLength) * hashBytes)
    for (let at = 0, to = 0; at < strip.byteLength; at += leafBytes, to += hashBytes) {
      hashes.set(hashLeaf(strip.subarray(at, at + leafBytes)), to)
    }
    return hashes
  })
}
