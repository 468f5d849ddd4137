/** Takes in the log of one container, within its limit, and hands it on: as it comes, or again from its beginning. */
import type { ExecutionWatch, LogStream } from '../executor.ts'
import { LogFrames } from './log-frames.ts'

export class LogIntake {
  readonly #bytesMax: number
  readonly #watch: ExecutionWatch
  /** Handed on so far. */
  readonly bytes: Record<LogStream, number> = { stdout: 0, stderr: 0 }

  /** `bytesMax`: of both streams together, the most that is handed on. */
  constructor(bytesMax: number, watch: ExecutionWatch) {
    this.#bytesMax = bytesMax
    this.#watch = watch
  }

  /**
   * `stream` brings the log from its beginning: what was handed on already is passed over. False when there was more than is
   * allowed. Rejects as the stream does, and with RangeError for what is no frame.
   */
  async take(stream: AsyncIterable<Uint8Array>): Promise<boolean> {
    const frames = new LogFrames()
    const passed: Record<LogStream, number> = { stdout: 0, stderr: 0 }
    for await (const chunk of stream) {
      for (const piece of frames.push(chunk)) {
        const known = Math.min(piece.bytes.byteLength, this.bytes[piece.stream] - passed[piece.stream])
        passed[piece.stream] += piece.bytes.byteLength
        const bytes = piece.bytes.subarray(known)
        const taken = bytes.subarray(0, this.#bytesMax - this.bytes.stdout - this.bytes.stderr)
        this.bytes[piece.stream] += taken.byteLength
        if (taken.byteLength > 0) await this.#watch.onLog(piece.stream, taken)
        if (taken.byteLength < bytes.byteLength) return false
      }
    }
    return true
  }
}
