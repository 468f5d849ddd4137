/**
 * Frames: an unsigned varint length, then that many bytes (as in libp2p's own protocols; multiformats/unsigned-varint).
 *
 * Pure and incremental. The cap stands here because this is where the memory of an incomplete frame is spent: a length
 * over the cap is a Fault before a single byte of the body is buffered.
 */
import { varint } from 'multiformats'
import { allocUnsafe } from 'uint8arrays'

import { Fault } from './fault.ts'

/** Longest length prefix we read: 4 bytes hold 2^28 - 1, far over any cap. */
export const framePrefixBytesMax = 4

export function encodeFrame(body: Uint8Array): Uint8Array {
  const prefix = encodeFramePrefix(body.byteLength)
  const frame = new Uint8Array(prefix.byteLength + body.byteLength)
  frame.set(prefix)
  frame.set(body, prefix.byteLength)
  return frame
}

/** What comes before a body of so many bytes. */
export function encodeFramePrefix(bodyBytes: number): Uint8Array {
  return varint.encodeTo(bodyBytes, new Uint8Array(varint.encodingLength(bodyBytes)), 0)
}

/** Cuts a stream of chunks into frames. Holds at most one incomplete frame of `frameBytesMax`. */
export class FrameDecoder {
  readonly #frameBytesMax: number
  #prefix: number[] = []
  #body: Uint8Array | undefined
  #filledBytes = 0

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  /** Frames that are complete with this chunk, in order. Throws Fault FRAME_TOO_LARGE or FRAME_MALFORMED. */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    let at = 0
    while (at < chunk.byteLength) {
      if (this.#body === undefined) {
        const byte = chunk[at++]!
        this.#prefix.push(byte)
        if (byte >= 0x80) {
          if (this.#prefix.length >= framePrefixBytesMax) {
            throw new Fault('FRAME_MALFORMED', 'length prefix is too long', { prefixBytesMax: framePrefixBytesMax })
          }
          continue
        }
        this.#begin()
      }
      // An empty frame is complete with its prefix: take is then 0.
      const body = this.#body!
      const take = Math.min(body.byteLength - this.#filledBytes, chunk.byteLength - at)
      body.set(chunk.subarray(at, at + take), this.#filledBytes)
      this.#filledBytes += take
      at += take
      this.#finishInto(frames)
    }
    return frames
  }

  /** To be called at the end of the stream: a frame that was begun must have been finished. */
  end(): void {
    if (this.#body !== undefined || this.#prefix.length > 0) {
      throw new Fault('FRAME_TRUNCATED', 'the stream ended inside a frame', {
        haveBytes: this.#filledBytes,
        wantBytes: this.#body?.byteLength ?? 0,
      })
    }
  }

  #begin(): void {
    const prefix = Uint8Array.from(this.#prefix)
    const bodyBytes = decodePrefix(prefix)
    if (bodyBytes > this.#frameBytesMax) {
      throw new Fault('FRAME_TOO_LARGE', 'frame is over the cap', { bodyBytes, frameBytesMax: this.#frameBytesMax })
    }
    this.#prefix = []
    this.#body = allocFilled(bodyBytes)
    this.#filledBytes = 0
  }

  #finishInto(frames: Uint8Array[]): void {
    if (this.#body === undefined || this.#filledBytes < this.#body.byteLength) return
    frames.push(this.#body)
    this.#body = undefined
    this.#filledBytes = 0
  }
}

/**
 * Memory for whoever fills all of it before anybody looks: zeros that nobody reads take longer than a copy. What is small stays apart, since
 * small pieces of one memory keep all of it.
 */
export function allocFilled(bytes: number): Uint8Array {
  return bytes < pooledBytesMax ? new Uint8Array(bytes) : allocUnsafe(bytes)
}

/** What is shorter Node would cut from a pool. */
const pooledBytesMax = 4 * 1024

function decodePrefix(prefix: Uint8Array): number {
  try {
    return varint.decode(prefix)[0]
  } catch {
    throw new Fault('FRAME_MALFORMED', 'length prefix is not a minimal varint')
  }
}
