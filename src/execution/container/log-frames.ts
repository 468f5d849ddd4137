/**
 * Splits what an engine sends of a container's standard streams: frames of `[stream, 0, 0, 0, length as 4 bytes]` and content
 * (Docker Engine API, "Attach to a container"). Pure; content is handed on as it comes.
 */
import type { LogStream } from '../executor.ts'

const headerBytes = 8

export interface LogPiece {
  readonly stream: LogStream
  readonly bytes: Uint8Array
}

export class LogFrames {
  readonly #header = new Uint8Array(headerBytes)
  #filled = 0
  #left = 0

  /** Pieces are views of the chunk. Throws RangeError for what is no frame. */
  push(chunk: Uint8Array): LogPiece[] {
    const pieces: LogPiece[] = []
    let at = 0
    while (at < chunk.byteLength) {
      if (this.#left === 0) {
        const step = Math.min(headerBytes - this.#filled, chunk.byteLength - at)
        this.#header.set(chunk.subarray(at, at + step), this.#filled)
        this.#filled += step
        at += step
        if (this.#filled < headerBytes) break
        this.#filled = 0
        const [stream] = this.#header
        if (stream === undefined || stream > 2) throw new RangeError(`a frame of the log is of stream ${stream}`)
        this.#left = new DataView(this.#header.buffer).getUint32(4)
        continue
      }
      const bytes = chunk.subarray(at, at + Math.min(this.#left, chunk.byteLength - at))
      at += bytes.byteLength
      this.#left -= bytes.byteLength
      pieces.push({ stream: this.#header[0] === 2 ? 'stderr' : 'stdout', bytes })
    }
    return pieces
  }
}
