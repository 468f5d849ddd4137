/** The files of one peer's own jobs: the log as it comes in, and the outputs. One folder a job. */
import { createHash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
  fstatSync,
} from 'node:fs'
import { join } from 'node:path'

import type { LogChannel } from '../../protocols/execute/index.ts'

const channels: readonly LogChannel[] = ['stdout', 'stderr']
/** Bytes of a log that are read at once when it is shown. */
const readBytesMax = 64 * 1024

interface OpenLog {
  readonly lease: string
  readonly files: Readonly<Record<LogChannel, number>>
  readonly sizes: Record<LogChannel, number>
}

export class JobFiles {
  readonly #folder: string
  readonly #open = new Map<string, OpenLog>()

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  folderOf(job: string): string {
    const folder = join(this.#folder, job)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return folder
  }

  outputsTar(job: string): string {
    return join(this.folderOf(job), 'outputs.tar')
  }

  /** How much of this lease's log is here. Another lease's log is thrown away: each log is of one run. */
  openLog(job: string, lease: string): Record<LogChannel, number> {
    const known = this.#open.get(job)
    if (known?.lease === lease) return { ...known.sizes }
    if (known !== undefined) this.#close(job, known)
    const folder = this.folderOf(job)
    const marker = join(folder, 'log-lease')
    const isSame = existsSync(marker) && readFileSync(marker, 'utf8') === lease
    const files = {
      stdout: openSync(join(folder, 'stdout'), 'a+', 0o600),
      stderr: openSync(join(folder, 'stderr'), 'a+', 0o600),
    }
    if (!isSame) {
      for (const channel of channels) ftruncateSync(files[channel])
      writeFileSync(marker, lease, { mode: 0o600 })
    }
    const sizes = { stdout: fstatSync(files.stdout).size, stderr: fstatSync(files.stderr).size }
    this.#open.set(job, { lease, files, sizes })
    return { ...sizes }
  }

  append(job: string, channel: LogChannel, bytes: Uint8Array): void {
    const log = this.#open.get(job)
    if (log === undefined) throw new Error('the log of this job is not open')
    writeSync(log.files[channel], bytes)
    log.sizes[channel] += bytes.byteLength
  }

  /** The next piece of a log from an offset; empty at its present end. */
  read(job: string, channel: LogChannel, offset: number): Uint8Array {
    const path = join(this.#folder, job, channel)
    const file = this.#open.get(job)?.files[channel]
    if (file === undefined && !existsSync(path)) return new Uint8Array()
    const from = file ?? openSync(path, 'r')
    try {
      const buffer = new Uint8Array(readBytesMax)
      return buffer.subarray(0, readSync(from, buffer, 0, readBytesMax, offset))
    } finally {
      if (file === undefined) closeSync(from)
    }
  }

  /** Nothing more is written to it; what is there can still be read. */
  closeLog(job: string): void {
    const log = this.#open.get(job)
    if (log !== undefined) this.#close(job, log)
  }

  async sha256(job: string, channel: LogChannel): Promise<string> {
    const path = join(this.#folder, job, channel)
    const hash = createHash('sha256')
    if (existsSync(path)) for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
    return hash.digest('hex')
  }

  close(): void {
    for (const [job, log] of this.#open) this.#close(job, log)
  }

  #close(job: string, log: OpenLog): void {
    for (const channel of channels) closeSync(log.files[channel])
    this.#open.delete(job)
  }
}
