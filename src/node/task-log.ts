/** The log of one task at its provider: kept in files while the lease lasts, sent to whoever follows, within a credit. */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { logChunkBytesMax, type ExecutionBody, type LogChannel } from '../../protocols/execute/index.ts'

interface Channel {
  readonly file: number
  readonly hash: Hash
  bytes: number
  /** Where the follower is, and how far its credit goes. */
  sent: number
  until: number
}

export class TaskLog {
  readonly #channels: Readonly<Record<LogChannel, Channel>>
  #send: ((body: ExecutionBody) => void) | undefined
  #isOpen = true

  constructor(folder: string) {
    const open = (name: LogChannel): Channel => ({
      file: openSync(join(folder, name), 'w+', 0o600),
      hash: createHash('sha256'),
      bytes: 0,
      sent: 0,
      until: 0,
    })
    this.#channels = { stdout: open('stdout'), stderr: open('stderr') }
  }

  append(name: LogChannel, bytes: Uint8Array): void {
    const channel = this.#channels[name]
    writeSync(channel.file, bytes, 0, bytes.byteLength, channel.bytes)
    channel.hash.update(bytes)
    channel.bytes += bytes.byteLength
    this.#pump(name)
  }

  /**
   * Asked from an offset: what was sent beyond it before may be lost, and is sent again. It may be beyond what is here, when
   * the peer was restarted and is reading the log again.
   */
  follow(
    offsets: Readonly<Record<LogChannel, number>>,
    creditBytes: number,
    send: (body: ExecutionBody) => void,
  ): void {
    this.#send = send
    for (const name of ['stdout', 'stderr'] as const) {
      const channel = this.#channels[name]
      channel.sent = offsets[name]
      channel.until = offsets[name] + creditBytes
      this.#pump(name)
    }
  }

  summary(name: LogChannel): { readonly bytes: number; readonly sha256: string } {
    const { bytes, hash } = this.#channels[name]
    return { bytes, sha256: hash.copy().digest('hex') }
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeSync(this.#channels.stdout.file)
    closeSync(this.#channels.stderr.file)
  }

  #pump(name: LogChannel): void {
    const channel = this.#channels[name]
    while (this.#isOpen && this.#send !== undefined && channel.sent < Math.min(channel.bytes, channel.until)) {
      const length = Math.min(logChunkBytesMax, Math.min(channel.bytes, channel.until) - channel.sent)
      const bytes = new Uint8Array(length)
      readSync(channel.file, bytes, 0, length, channel.sent)
      this.#send({ say: 'log', channel: name, offset: channel.sent, bytes })
      channel.sent += length
    }
  }
}
