/** Segments and objects, sealed for tests in this thread. */
import {
  createCoder,
  describeObject,
  encodeObjectManifest,
  hashLeaves,
  rootOf,
  segmentBytesOf,
  segmentCount,
  sealSegment,
  stripBytesOf,
  type Code,
  type SegmentPlace,
} from '../../protocols/erasure/index.ts'

/** The n strips of one segment, each in memory of its own. */
export function sealedStrips(
  code: Code,
  key: Uint8Array,
  place: Omit<SegmentPlace, 'plainBytes'>,
  plain: Uint8Array,
): Uint8Array[] {
  const data = Array.from({ length: code.k }, () => new Uint8Array(stripBytesOf(code, plain.byteLength)))
  sealSegment(key, { ...place, plainBytes: plain.byteLength }, plain, data)
  return [...data, ...createCoder(code.k, code.m).encode(data)]
}

/** The strips of each segment of an object. */
export function sealedObject(code: Code, key: Uint8Array, plain: Uint8Array): Uint8Array[][] {
  const count = segmentCount(code, plain.byteLength)
  const full = segmentBytesOf(code)
  return Array.from({ length: count }, (_, number) =>
    sealedStrips(
      code,
      key,
      { number, isLast: number === count - 1 },
      plain.subarray(number * full, (number + 1) * full),
    ),
  )
}

/** Copies of those strips that are kept; a mill uses up what it is given. */
export function copied(strips: readonly Uint8Array[], kept: readonly number[]): (Uint8Array | undefined)[] {
  return strips.map((strip, shard) => (kept.includes(shard) ? strip.slice() : undefined))
}

/** What an object of these shards is known by, whether or not they are a codeword. */
export function describedShards(
  code: Code,
  bytes: number,
  shards: readonly Uint8Array[],
): { readonly roots: readonly Uint8Array[]; readonly manifest: Uint8Array; readonly cid: string } {
  const roots = shards.map((shard) => rootOf(hashLeaves(shard)))
  const { bytes: manifest, cid } = encodeObjectManifest(describeObject(code, bytes, roots))
  return { roots, manifest, cid }
}
