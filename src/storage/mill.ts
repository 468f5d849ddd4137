/**
 * The port for heavy work on segments: encrypting, coding, hashing. A peer's main thread answers the network and has no time for
 * it; a simulator has no other. `workers/worker-mill.ts` does it in worker threads, `local-mill.ts` in the thread that asks.
 */
import {
  InconsistentObjectError,
  NotEnoughStripsError,
  type Code,
  type OpenedSegment,
  type SegmentPlace,
  type StripSet,
} from '../../protocols/erasure/index.ts'
import type { StripMemory } from './strip-memory.ts'

/** Memory that is lent for one segment. */
export interface Room {
  /** Where the plaintext is to be put, from the beginning. */
  readonly plain: Uint8Array
  /** To be called once; what is in the room is another's then. */
  giveBack(): void
}

/** What is to be done with one segment, under the code and the key of its object. */
export interface SegmentOrder extends SegmentPlace {
  readonly code: Code
  readonly key: Uint8Array
}

export interface OpenOrder extends SegmentOrder {
  /**
   * Where data strips that are missing are decoded, and opened as the others are, by their number: shared memory, as long as a strip, perhaps that of parity.
   * Others have memory of their own.
   */
  readonly lostInto?: StripSet
}

export interface SealedSegment {
  /** All n, data first. They are in the room, and gone with it. */
  readonly strips: readonly Uint8Array[]
  /** The hashes of the leaves of each strip, one after the other. */
  readonly hashes: readonly Uint8Array[]
}

/** Strips that are to be made again: those with these numbers, of one segment under this code. */
export interface RebuildOrder {
  readonly code: Code
  readonly rows: readonly number[]
}

export interface RebuiltStrips {
  /** In the order of the rows. */
  readonly strips: readonly Uint8Array[]
  /** The hashes of the leaves of each, one after the other. */
  readonly hashes: readonly Uint8Array[]
}

/** All promises reject with the reason of `signal`; when work has begun, only once it is done, so that nobody writes to what is given back. */
export interface Mill {
  /** For strips that are to be opened. */
  readonly strips: StripMemory
  /** Lends room for a segment of at most so many bytes of plaintext. Waits while too much is lent: that bounds memory. */
  lend(code: Code, plainBytesMax: number, signal: AbortSignal): Promise<Room>
  /** Encrypts, codes and hashes the plaintext in a room that this mill lent. The room is not to be touched meanwhile. */
  seal(room: Room, order: SegmentOrder, signal: AbortSignal): Promise<SealedSegment>
  /**
   * Decodes what is missing and decrypts. The strips are given away: they may be worked on where they are, or elsewhere.
   * Rejects with InconsistentObjectError, or NotEnoughStripsError.
   */
  open(set: StripSet, order: OpenOrder, signal: AbortSignal): Promise<OpenedSegment>
  /** Makes strips again from any k, without the key. The strips are given away. Rejects with NotEnoughStripsError. */
  rebuild(set: StripSet, order: RebuildOrder, signal: AbortSignal): Promise<RebuiltStrips>
}

/** Throws NotEnoughStripsError. */
export function checkEnough({ k }: Code, set: StripSet): void {
  const have = set.flatMap((strip, shard) => (strip === undefined ? [] : [shard]))
  if (have.length < k) throw new NotEnoughStripsError(k, have)
}

export function openedOrThrow(opened: OpenedSegment | undefined, { number }: SegmentOrder): OpenedSegment {
  if (opened !== undefined) return opened
  throw new InconsistentObjectError(
    `segment ${number} does not open: the key is wrong, or the object was coded wrongly`,
  )
}
