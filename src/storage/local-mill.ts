/** Work on segments in the thread that asks: for simulators and tests, and for what is not worth the way to another thread. */
import {
  createCoder,
  hashStrips,
  openInPlace,
  sealInRoom,
  stripsIn,
  type Code,
  type ErasureCoder,
  type OpenedSegment,
  type StripSet,
} from '../../protocols/erasure/index.ts'
import { checkEnough, openedOrThrow, type Mill, type SealedSegment, type SegmentOrder } from './mill.ts'
import { LentRoom, Rooms, roomBytesMax } from './rooms.ts'

/** Coders that are kept: each has tables for its code. */
const codersMax = 4

/** Coders by their code; the ones that were used last are kept. */
export class Coders {
  readonly #coders = new Map<string, ErasureCoder>()

  of({ k, m }: Code): ErasureCoder {
    const name = `${k}+${m}`
    const coder = this.#coders.get(name) ?? createCoder(k, m)
    this.#coders.delete(name)
    this.#coders.set(name, coder)
    if (this.#coders.size > codersMax) this.#coders.delete(this.#coders.keys().next().value!)
    return coder
  }
}

export class LocalMill implements Mill {
  readonly #rooms = new Rooms(roomBytesMax, (bytes) => new ArrayBuffer(bytes))
  readonly #coders = new Coders()

  async lend(code: Code, plainBytesMax: number, signal: AbortSignal): Promise<LentRoom<ArrayBuffer>> {
    return this.#rooms.lend(code, plainBytesMax, signal)
  }

  async seal(room: LentRoom<ArrayBuffer>, order: SegmentOrder, signal: AbortSignal): Promise<SealedSegment> {
    signal.throwIfAborted()
    const { code, key, plainBytes } = order
    sealInRoom(this.#coders.of(code), key, order, room.bytes)
    const strips = stripsIn(code, room.bytes, plainBytes)
    return { strips, hashes: hashStrips(strips) }
  }

  async open(set: StripSet, order: SegmentOrder, signal: AbortSignal): Promise<OpenedSegment> {
    signal.throwIfAborted()
    checkEnough(order.code, set)
    return openedOrThrow(openInPlace(this.#coders.of(order.code), order.key, order, set), order)
  }
}
