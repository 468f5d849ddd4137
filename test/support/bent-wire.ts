/**
 * A connection on which one bit comes over as another. What is read goes through bytes, length prefixes too, and is cut into frames
 * as production does; so a flip may make one frame longer, cut another in two, or leave the stream without an end.
 */
import { FrameDecoder, encodeFrame, type Channel, type Streams } from '../../protocols/wire/index.ts'

/** So much is taken from the stream at once. */
export const pieceBytes = 1024

/** A frame as it lies in the stream. */
export interface WireFrame {
  readonly at: number
  readonly prefixBytes: number
  readonly body: Uint8Array
}

export class BentWire {
  /** All that came, as it was sent. */
  readonly frames: WireFrame[] = []
  /** Bytes that were taken from it. */
  taken = 0
  /** Which bit is another, counted from the first of the stream; undefined: none is. */
  readonly bit: number | undefined

  constructor(bit?: number) {
    this.bit = bit
  }

  /** How many bytes had been taken of what begins with the bad bit, when the reader gave up. */
  get takenOfBad(): number {
    return Math.max(0, this.taken - Math.floor((this.bit ?? Infinity) / 8))
  }

  /** The streams of one peer: on each that it opens or answers, what it reads comes over this wire. */
  readsOf(streams: Streams): Streams {
    return {
      open: async (peer, protocol, limits, signal) =>
        this.#bent(await streams.open(peer, protocol, limits, signal), limits.frameBytesMax),
      handle: async (protocol, limits, handler) =>
        streams.handle(protocol, limits, async (channel) => handler(this.#bent(channel, limits.frameBytesMax))),
    }
  }

  #bent(channel: Channel, frameBytesMax: number): Channel {
    const decoder = new FrameDecoder(frameBytesMax)
    const frames: Uint8Array[] = []
    let pieces: Uint8Array[] = []
    const read = async (signal: AbortSignal): Promise<Uint8Array | undefined> => {
      for (;;) {
        const frame = frames.shift()
        if (frame !== undefined) return frame
        const piece = pieces.shift()
        if (piece !== undefined) {
          this.taken += piece.byteLength
          frames.push(...decoder.push(piece))
          continue
        }
        const whole = await channel.read(signal)
        if (whole === undefined) {
          decoder.end()
          return undefined
        }
        const bytes = encodeFrame(whole)
        this.frames.push({ at: this.taken, prefixBytes: bytes.byteLength - whole.byteLength, body: whole })
        pieces = this.#piecesOf(bytes)
      }
    }
    return {
      remote: channel.remote,
      read,
      write: async (frame, signal) => channel.write(frame, signal),
      close: async (signal) => channel.close(signal),
      abort: (reason) => channel.abort(reason),
    }
  }

  #piecesOf(bytes: Uint8Array): Uint8Array[] {
    const at = this.bit === undefined ? -1 : Math.floor(this.bit / 8) - this.taken
    if (at >= 0 && at < bytes.byteLength) bytes[at]! ^= 1 << (this.bit! % 8)
    return Array.from({ length: Math.ceil(bytes.byteLength / pieceBytes) }, (_, piece) =>
      bytes.subarray(piece * pieceBytes, (piece + 1) * pieceBytes),
    )
  }
}
