/** What the main thread and a worker tell each other. Rooms are shared memory; strips that are to be opened change hands. */
import type { OpenedSegment, SharedStrips, StripSet } from '../../../protocols/erasure/index.ts'
import type { OpenOrder, RebuildOrder, RebuiltStrips, SegmentOrder } from '../mill.ts'

export type Task =
  | { readonly do: 'seal'; readonly order: SegmentOrder; readonly room: SharedStrips }
  | { readonly do: 'open'; readonly order: OpenOrder; readonly set: StripSet }
  | { readonly do: 'rebuild'; readonly order: RebuildOrder; readonly set: StripSet }

export type Result =
  | { readonly did: 'seal'; readonly hashes: readonly Uint8Array[] }
  /** Null: the strips do not open. */
  | { readonly did: 'open'; readonly opened: OpenedSegment | null }
  | ({ readonly did: 'rebuild' } & RebuiltStrips)

/**
 * Strips that may be handed over: each with memory of its own, or shared. Of a part of a larger memory a copy is made, or all of it would go.
 */
export function apart(set: StripSet): StripSet {
  return set.map((strip) => (strip === undefined || isShared(strip) || isAll(strip) ? strip : strip.slice()))
}

const isShared = ({ buffer }: Uint8Array): boolean => buffer instanceof SharedArrayBuffer
const isAll = ({ buffer, byteLength }: Uint8Array): boolean => byteLength === buffer.byteLength

/** The memory of these arrays, to be handed over rather than copied. */
export function memoryOf(arrays: Iterable<Uint8Array | undefined>): ArrayBuffer[] {
  const memory = new Set<ArrayBuffer>()
  for (const array of arrays) if (array?.buffer instanceof ArrayBuffer) memory.add(array.buffer)
  return [...memory]
}
