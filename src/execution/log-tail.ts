/**
 * Reads what a program appends to its two logs and hands it on, in pieces. It looks again and again instead of being told: a
 * program that writes a byte at a time could otherwise keep the peer busy with being told.
 */
import { fstatSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import type { LogStream } from './executor.ts'
import { runFiles } from './supervisor.ts'

const pieceBytesMax = 64 * 1_024
/** Between two looks: at first, and then twice as long each time that nothing has come. */
export const lookMsMin = 2
export const lookMsMax = 20

export const logStreams: readonly LogStream[] = ['stdout', 'stderr']

export class LogTail implements AsyncDisposable {
  readonly #files: Readonly<Record<LogStream, FileHandle>>
  readonly #bytesMax: number
  readonly #read: Record<LogStream, number> = { stdout: 0, stderr: 0 }

  private constructor(stdout: FileHandle, stderr: FileHandle, bytesMax: number) {
    this.#files = { stdout, stderr }
    this.#bytesMax = bytesMax
  }

  /** `bytesMax`: of both together, the most that is handed on. */
  static async open(folder: string, bytesMax: number): Promise<LogTail> {
    const stdout = await open(join(folder, runFiles.stdout))
    try {
      return new LogTail(stdout, await open(join(folder, runFiles.stderr)), bytesMax)
    } catch (error) {
      await stdout.close()
      throw error
    }
  }

  /** Handed on so far. */
  get read(): Readonly<Record<LogStream, number>> {
    return this.#read
  }

  /** Hands on the next piece of each. `took`: there was one. `over`: more was written than is allowed. */
  async take(
    onLog: (stream: LogStream, bytes: Uint8Array) => void | Promise<void>,
  ): Promise<{ readonly took: boolean; readonly over: boolean }> {
    let took = false
    for (const stream of logStreams) {
      const left = this.#bytesMax - this.#read.stdout - this.#read.stderr
      const there = fstatSync(this.#files[stream].fd).size - this.#read[stream]
      const length = Math.min(pieceBytesMax, there, left)
      if (length <= 0) {
        if (there > 0) return { took, over: true }
        continue
      }
      const bytes = new Uint8Array(length)
      const { bytesRead } = await this.#files[stream].read(bytes, 0, length, this.#read[stream])
      this.#read[stream] += bytesRead
      if (bytesRead > 0) await onLog(stream, bytes.subarray(0, bytesRead))
      took ||= bytesRead > 0
    }
    return { took, over: false }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#files.stdout.close(), this.#files.stderr.close()])
  }
}
