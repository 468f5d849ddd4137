/**
 * The ports through which a peer meets the world: time, chance, files, log. The only file of `src` (with the command line) that
 * reads the real clock or dice; everything else is handed these, so that a simulator can hand it others.
 */
import { randomBytes } from 'node:crypto'
import { constants, mkdir, open, readdir, rename, rm, statfs, type FileHandle } from 'node:fs/promises'

export interface Clock {
  /** Milliseconds since the epoch; may step when the machine's clock is set. For statements and expiry. */
  nowMs(): number
  /** Milliseconds since some fixed moment; never steps. For durations and deadlines. */
  monotonicMs(): number
  /** Calls `run` once after `delayMs`. The returned function cancels; cancelling twice is lawful. */
  after(delayMs: number, run: () => void): () => void
  /** Resolves after `delayMs`; rejects with the signal's reason when it fires first. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>
  /** A signal that fires `delayMs` from now, or when `parent` does. Dispose to cancel its timer. */
  deadline(delayMs: number, parent?: AbortSignal): Deadline
}

/** The turns of the event loop. */
export interface Turns {
  /** Calls `run` in the next turn, after what has come by now was taken. */
  next(run: () => void): void
}

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
}

export interface Random {
  bytes(count: number): Uint8Array
  /** Uniform in [0, 1). */
  float(): number
}

/**
 * A disk, as far as storage needs one. What is written is durable only after `datasync`, and a name that was made, changed or
 * removed only after `syncFolder` of its folder. Errors have the system's code: `ENOENT`, `EEXIST`, `ENOSPC` and so on.
 */
export interface Files {
  /** For reading. */
  open(path: string): Promise<OpenFile>
  /**
   * For writing, readable by its owner alone: `new` must not be there yet, `empty` is emptied when it is, and `as-is` keeps what
   * is in it and can be read too. `past-cache`: what is written is not to take the place of what else the system has in its cache,
   * nor to be copied there, as far as it lies in memory as in the file, up to whole blocks (`fileBlockBytes`); a wish.
   */
  create(path: string, how: 'new' | 'empty' | 'as-is', way?: 'past-cache'): Promise<OpenFile>
  /** Gives the file at `from` the name `to`; a file that has it is replaced. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file, or a folder with all that is in it; one that is not there is removed already. */
  remove(path: string): Promise<void>
  /** Makes a folder and those above it, where they are not there yet. */
  makeFolder(path: string): Promise<void>
  /** Names in a folder. */
  list(path: string): Promise<string[]>
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>
  /** Of the file system of a folder: what is left for us, and how large it is, in bytes. */
  space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
}

export interface OpenFile {
  /** Fills `bytes` from a place, or to the end of the file. Resolves with how many there were. */
  read(bytes: Uint8Array, at: number): Promise<number>
  /** Writes all of the bytes at a place. */
  write(bytes: Uint8Array, at: number): Promise<void>
  /** Makes what was written durable. */
  datasync(): Promise<void>
  /** `version` changes with every write. */
  look(): Promise<{ readonly bytes: number; readonly version: bigint }>
  close(): Promise<void>
}

/** What goes past the cache begins and ends at multiples of this, in the file as in memory: no disk has larger blocks. */
export const fileBlockBytes = 4096

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Log {
  (level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>): void
}

/** A wait that crossed its deadline. `what` names what was waited for. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
  readonly delayMs: number

  constructor(delayMs: number) {
    super(`no answer within ${delayMs} ms`)
    this.delayMs = delayMs
  }
}

export const realTurns: Turns = { next: (run) => void setImmediate(run) }

export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  sleep: async (delayMs, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal.reason as Error)
      }
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      signal.addEventListener('abort', onAbort, { once: true })
    }),
  deadline(delayMs, parent) {
    const controller = new AbortController()
    const onParent = (): void => controller.abort(parent?.reason)
    const timer = setTimeout(() => controller.abort(new DeadlineError(delayMs)), delayMs)
    if (parent?.aborted === true) onParent()
    parent?.addEventListener('abort', onParent, { once: true })
    return {
      signal: controller.signal,
      [Symbol.dispose]() {
        clearTimeout(timer)
        parent?.removeEventListener('abort', onParent)
      },
    }
  },
}

export const realRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  float: () => Math.random(),
}

/** What a read or a write of node leaves to its caller: it may do only a part. */
async function openedFile(path: string, flags: string | number): Promise<OpenFile> {
  const file = await open(path, flags, 0o600)
  return {
    async read(bytes, at) {
      let done = 0
      while (done < bytes.byteLength) {
        const { bytesRead } = await file.read(bytes, done, bytes.byteLength - done, at + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done
    },
    async write(bytes, at) {
      for (let done = 0; done < bytes.byteLength;) {
        const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, at + done)
        done += bytesWritten
      }
    },
    datasync: async () => file.datasync(),
    async look() {
      const { size, mtimeNs } = await file.stat({ bigint: true })
      return { bytes: Number(size), version: mtimeNs }
    },
    close: async () => file.close(),
  }
}

/** Less is not worth the calls. */
const directBytesMin = 16 * fileBlockBytes
/** Magic numbers of file systems (statfs(2)) that keep what goes past the cache and what goes through it, of the same file, in order: ext4, XFS, F2FS. */
const inOrder: ReadonlySet<number> = new Set([0xef53, 0x5846_5342, 0xf2f5_2010])

/**
 * The same file, written past the cache of the system (`O_DIRECT`) where it lets us. Through the cache each byte is copied to pages that the
 * system has to find first: a nanosecond a byte on a virtual machine, which gives back to its host what is free, and 0.25 where it is at hand.
 */
async function pastCache(file: OpenFile, path: string): Promise<OpenFile> {
  const direct = await openDirect(path)
  if (direct === undefined) return file
  return {
    read: async (bytes, at) => file.read(bytes, at),
    async write(bytes, at) {
      const { from, to } = wholeBlocks(bytes.byteLength, at)
      const isWorthIt = to - from >= directBytesMin
      const directBytes = isWorthIt ? await writeDirect(direct, bytes.subarray(from, to), at + from) : 0
      if (from > 0) await file.write(bytes.subarray(0, from), at)
      const done = from + directBytes
      if (done < bytes.byteLength) await file.write(bytes.subarray(done), at + done)
    },
    datasync: async () => file.datasync(),
    look: async () => file.look(),
    async close() {
      await Promise.all([direct.close(), file.close()])
    },
  }
}

/** Undefined: it cannot be had, for whatever reason. */
async function openDirect(path: string): Promise<FileHandle | undefined> {
  // Linux alone has it.
  const { O_DIRECT: flag } = constants as { readonly O_DIRECT?: number }
  if (flag === undefined) return undefined
  try {
    return inOrder.has((await statfs(path)).type) ? await open(path, constants.O_WRONLY | flag) : undefined
  } catch {
    return undefined
  }
}

/** How much of it was written, from the beginning; nothing, if that cannot be. */
async function writeDirect(direct: FileHandle, bytes: Uint8Array, at: number): Promise<number> {
  try {
    return (await direct.write(bytes, 0, bytes.byteLength, at)).bytesWritten
  } catch (error) {
    // What the system says of memory that does not lie right.
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return 0
    throw error
  }
}

/** The part of so many bytes at a place of a file that fills blocks of it. */
function wholeBlocks(bytes: number, at: number): { from: number; to: number } {
  const from = Math.min(bytes, (fileBlockBytes - (at % fileBlockBytes)) % fileBlockBytes)
  return { from, to: bytes - ((at + bytes) % fileBlockBytes) }
}

export const realFiles: Files = {
  open: async (path) => openedFile(path, 'r'),
  async create(path, how, way) {
    const flags = { new: 'wx', empty: 'w', 'as-is': constants.O_RDWR | constants.O_CREAT }[how]
    const file = await openedFile(path, flags)
    return way === undefined ? file : pastCache(file, path)
  },
  rename,
  remove: async (path) => rm(path, { recursive: true, force: true }),
  makeFolder: async (path) => void (await mkdir(path, { recursive: true, mode: 0o700 })),
  list: async (path) => readdir(path),
  async syncFolder(path) {
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },
  async space(path) {
    const { bavail, blocks, bsize } = await statfs(path)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  },
}

export const silentLog: Log = () => {}
