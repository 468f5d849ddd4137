/** Work on segments in the thread that asks: for simulators and tests, and for what is not worth the way to another thread. */
import {
  hashStrips,
  openInPlace,
  sealSegment,
  stripBytesOf,
  type Code,
  type OpenedSegment,
  type StripSet,
} from '../../protocols/erasure/index.ts'
import { Coders } from './coders.ts'
import {
  checkEnough,
  openedOrThrow,
  type Mill,
  type OpenOrder,
  type RebuildOrder,
  type RebuiltStrips,
  type Room,
  type SealedSegment,
  type SegmentOrder,
} from './mill.ts'
import { newStripMemory } from './strip-memory.ts'

export class LocalMill implements Mill {
  readonly strips = newStripMemory
  readonly #coders = new Coders()

  /** Of no limit of its own: whoever seals holds two segments at most. */
  async lend(_code: Code, plainBytesMax: number, signal: AbortSignal): Promise<Room> {
    signal.throwIfAborted()
    return { plain: new Uint8Array(plainBytesMax), giveBack() {} }
  }

  async seal({ plain }: Room, order: SegmentOrder, signal: AbortSignal): Promise<SealedSegment> {
    signal.throwIfAborted()
    const { code, key, plainBytes } = order
    const stripBytes = stripBytesOf(code, plainBytes)
    const padded = new Uint8Array(code.k * stripBytes)
    const data = Array.from({ length: code.k }, (_, shard) =>
      padded.subarray(shard * stripBytes, (shard + 1) * stripBytes),
    )
    sealSegment(key, order, plain.subarray(0, plainBytes), data)
    const strips = [...data, ...this.#coders.of(code).encode(data)]
    return { strips, hashes: hashStrips(strips) }
  }

  async open(set: StripSet, order: OpenOrder, signal: AbortSignal): Promise<OpenedSegment> {
    signal.throwIfAborted()
    checkEnough(order.code, set)
    return openedOrThrow(openInPlace(this.#coders.of(order.code), order.key, order, set, order.lostInto), order)
  }

  async rebuild(set: StripSet, { code, rows }: RebuildOrder, signal: AbortSignal): Promise<RebuiltStrips> {
    signal.throwIfAborted()
    checkEnough(code, set)
    const strips = this.#coders.of(code).reconstruct(set, rows)
    return { strips, hashes: hashStrips(strips) }
  }
}
