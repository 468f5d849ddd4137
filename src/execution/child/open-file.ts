/** Descriptors of files and of the program's two output streams, in the shape that the shim calls. */
import { writeSync } from 'node:fs'

import { Fd, wasi } from '@bjorn3/browser_wasi_shim'

import type { Budget } from './budget.ts'
import type { HeldFile, LentFile } from './nodes.ts'
import { fdstat, Filestat } from './structs.ts'

const readRights =
  wasi.RIGHTS_FD_READ |
  wasi.RIGHTS_FD_SEEK |
  wasi.RIGHTS_FD_TELL |
  wasi.RIGHTS_FD_FILESTAT_GET |
  wasi.RIGHTS_POLL_FD_READWRITE
const writeRights =
  wasi.RIGHTS_FD_WRITE |
  wasi.RIGHTS_FD_ALLOCATE |
  wasi.RIGHTS_FD_FILESTAT_SET_SIZE |
  wasi.RIGHTS_FD_SYNC |
  wasi.RIGHTS_FD_DATASYNC
/** One read or write moves at most this much; programs go on with the rest. Bounds what we copy at one time. */
const pieceBytesMax = 16 * 1_024 * 1_024

const failed = <Rest extends object>(ret: number, rest: Rest): { ret: number } & Rest => ({ ret, ...rest })
const nothing = new Uint8Array(0)

export class OpenFile extends Fd {
  readonly file: HeldFile | LentFile
  readonly #writable: boolean
  #flags: number
  #at = 0

  constructor(file: HeldFile | LentFile, flags: number, writable: boolean) {
    super()
    this.file = file
    this.#flags = flags
    this.#writable = writable
    if (file.readonly === false) file.opened()
  }

  override fd_close(): number {
    if (this.file.readonly === false) this.file.closed()
    return wasi.ERRNO_SUCCESS
  }

  override fd_fdstat_get(): { ret: number; fdstat: wasi.Fdstat } {
    const rights = readRights | (this.#writable ? writeRights : 0)
    return { ret: wasi.ERRNO_SUCCESS, fdstat: fdstat(wasi.FILETYPE_REGULAR_FILE, this.#flags, rights) }
  }

  override fd_fdstat_set_flags(flags: number): number {
    this.#flags = flags
    return wasi.ERRNO_SUCCESS
  }

  override fd_filestat_get(): { ret: number; filestat: wasi.Filestat } {
    return { ret: wasi.ERRNO_SUCCESS, filestat: filestatOf(this.file) }
  }

  override fd_filestat_set_times(): number {
    return wasi.ERRNO_SUCCESS
  }

  override fd_filestat_set_size(size: bigint): number {
    const file = this.#target()
    if (file === undefined) return wasi.ERRNO_BADF
    file.resize(asOffset(size))
    return wasi.ERRNO_SUCCESS
  }

  override fd_allocate(offset: bigint, length: bigint): number {
    const file = this.#target()
    if (file === undefined) return wasi.ERRNO_BADF
    const end = asOffset(offset + length)
    if (end > file.bytes) file.resize(end)
    return wasi.ERRNO_SUCCESS
  }

  override fd_read(bytes: number): { ret: number; data: Uint8Array } {
    const data = this.file.read(this.#at, Math.min(bytes, pieceBytesMax))
    this.#at += data.byteLength
    return { ret: wasi.ERRNO_SUCCESS, data }
  }

  override fd_pread(bytes: number, offset: bigint): { ret: number; data: Uint8Array } {
    return { ret: wasi.ERRNO_SUCCESS, data: this.file.read(asOffset(offset), Math.min(bytes, pieceBytesMax)) }
  }

  override fd_write(data: Uint8Array): { ret: number; nwritten: number } {
    const file = this.#target()
    if (file === undefined) return failed(wasi.ERRNO_BADF, { nwritten: 0 })
    if ((this.#flags & wasi.FDFLAGS_APPEND) !== 0) this.#at = file.bytes
    const piece = data.subarray(0, pieceBytesMax)
    file.write(this.#at, piece)
    this.#at += piece.byteLength
    return { ret: wasi.ERRNO_SUCCESS, nwritten: piece.byteLength }
  }

  override fd_pwrite(data: Uint8Array, offset: bigint): { ret: number; nwritten: number } {
    const file = this.#target()
    if (file === undefined) return failed(wasi.ERRNO_BADF, { nwritten: 0 })
    const piece = data.subarray(0, pieceBytesMax)
    file.write(asOffset(offset), piece)
    return { ret: wasi.ERRNO_SUCCESS, nwritten: piece.byteLength }
  }

  override fd_seek(offset: number | bigint, whence: number): { ret: number; offset: bigint } {
    const bases: Partial<Record<number, number>> = {
      [wasi.WHENCE_SET]: 0,
      [wasi.WHENCE_CUR]: this.#at,
      [wasi.WHENCE_END]: this.file.bytes,
    }
    const base = bases[whence]
    const to = BigInt(base ?? 0) + BigInt(offset)
    if (base === undefined || to < 0n || to > offsetMax) return failed(wasi.ERRNO_INVAL, { offset: 0n })
    this.#at = Number(to)
    return { ret: wasi.ERRNO_SUCCESS, offset: to }
  }

  override fd_tell(): { ret: number; offset: bigint } {
    return { ret: wasi.ERRNO_SUCCESS, offset: BigInt(this.#at) }
  }

  #target(): HeldFile | undefined {
    return this.#writable && this.file.readonly === false ? this.file : undefined
  }
}

/** stdout or stderr: every write is in the file before it returns, up to the limit of both together. */
export class OutputStream extends Fd {
  readonly #descriptor: number
  readonly #budget: Budget

  constructor(descriptor: number, budget: Budget) {
    super()
    this.#descriptor = descriptor
    this.#budget = budget
  }

  override fd_write(data: Uint8Array): { ret: number; nwritten: number } {
    this.#budget.takeLog(data.byteLength, (bytesMax) => writeAll(this.#descriptor, data.subarray(0, bytesMax)))
    return { ret: wasi.ERRNO_SUCCESS, nwritten: data.byteLength }
  }

  /** A character device that cannot seek: libc takes it for a terminal and writes line by line, so that logs are live. */
  override fd_fdstat_get(): { ret: number; fdstat: wasi.Fdstat } {
    return { ret: wasi.ERRNO_SUCCESS, fdstat: fdstat(wasi.FILETYPE_CHARACTER_DEVICE, 0, wasi.RIGHTS_FD_WRITE) }
  }

  override fd_filestat_get(): { ret: number; filestat: wasi.Filestat } {
    return { ret: wasi.ERRNO_SUCCESS, filestat: new Filestat(0n, wasi.FILETYPE_CHARACTER_DEVICE, 0n) }
  }

  override fd_read(): { ret: number; data: Uint8Array } {
    return failed(wasi.ERRNO_BADF, { data: nothing })
  }

  override fd_seek(): { ret: number; offset: bigint } {
    return failed(wasi.ERRNO_SPIPE, { offset: 0n })
  }
}

export function filestatOf(file: HeldFile | LentFile): Filestat {
  return new Filestat(file.ino, wasi.FILETYPE_REGULAR_FILE, BigInt(file.bytes))
}

export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength;) at += writeSync(descriptor, bytes, at, bytes.byteLength - at)
}

const offsetMax = BigInt(Number.MAX_SAFE_INTEGER)

/** A size or offset as a number. One so large that it is not exact is over every budget all the same. */
function asOffset(value: bigint): number {
  return Number(BigInt.asUintN(64, value))
}
