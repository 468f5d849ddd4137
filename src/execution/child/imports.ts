/**
 * The functions that a program may import: the shim's, mended. Each row below says by being here that the shim's own is
 * wrong or missing, or would throw; the README of this folder lists what was wrong.
 */
import { WASI, wasi, type Fd } from '@bjorn3/browser_wasi_shim'

import { handlesMax, type End } from './budget.ts'
import { OpenFolder } from './open-folder.ts'
import { clockNs, pollOneoff } from './poll.ts'
import type { Memory } from './web-assembly.ts'

/** The one module name that WASI preview 1 has. */
export const wasiModule = 'wasi_snapshot_preview1'

/** POSIX's usual IOV_MAX: bounds what one call makes us allocate to describe its buffers. */
const buffersMax = 1_024
const pathBytesMax = 4_096
/** Of every clock. */
const clockResolutionNs = 1_000n

/** Loaded when it is asked for: it costs 5 ms of each start. */
const randomFill = (bytes: Uint8Array): void => void process.getBuiltinModule('node:crypto').randomFillSync(bytes)

type Import = (...args: never[]) => number

export interface Host {
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly descriptors: (Fd | undefined)[]
  readonly end: End
  readonly exit: (code: number) => never
}

export interface ProgramMemory {
  readonly memory: Memory
}

export class Imports {
  readonly functions: Readonly<Record<string, Import>>
  readonly #host: Host
  readonly #shim: WASI
  #exports: ProgramMemory | undefined

  constructor(host: Host) {
    this.#host = host
    this.#shim = new WASI([], [], host.descriptors as Fd[], { debug: false })
    const shims = this.#shim.wasiImport as Record<string, Import>
    const all: Record<string, Import> = { ...shims, ...this.#mended(shims) }
    for (const [name, call] of Object.entries(all)) all[name] = this.#guarded(name, call)
    this.functions = all
  }

  /** Must be called before the program's first instruction. */
  attach(exports: ProgramMemory): void {
    this.#exports = exports
    this.#shim.inst = { exports }
  }

  /** The buffer is another one each time that the memory has grown: never keep it. */
  get #memory(): ArrayBuffer {
    return this.#exports!.memory.buffer
  }

  #view(): DataView {
    return new DataView(this.#memory)
  }

  #bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory, at >>> 0, length >>> 0)
  }

  #mended(shims: Readonly<Record<string, Import>>): Record<string, Import> {
    const strings = (list: readonly string[]) => list.map((text) => Buffer.from(`${text}\0`))
    const args = strings(this.#host.args)
    const env = strings(this.#host.env)
    // The third argument of all four is the number of buffers.
    const bounded =
      (call: Import | undefined): Import =>
      (...operands) =>
        (operands[2] ?? 0) >>> 0 > buffersMax ? wasi.ERRNO_INVAL : call!(...operands)
    return {
      args_sizes_get: (count: number, bytes: number) => this.#putSizes(args, count, bytes),
      args_get: (pointers: number, bytes: number) => this.#putStrings(args, pointers, bytes),
      environ_sizes_get: (count: number, bytes: number) => this.#putSizes(env, count, bytes),
      environ_get: (pointers: number, bytes: number) => this.#putStrings(env, pointers, bytes),
      clock_res_get: (clock: number, out: number) =>
        this.#putTime(clockNs(clock) === undefined ? undefined : clockResolutionNs, out),
      clock_time_get: (clock: number, _precision: bigint, out: number) => this.#putTime(clockNs(clock), out),
      fd_read: bounded(shims['fd_read']),
      fd_pread: bounded(shims['fd_pread']),
      fd_write: bounded(shims['fd_write']),
      fd_pwrite: bounded(shims['fd_pwrite']),
      path_open: this.#pathOpen.bind(this),
      path_rename: (fd: number, at: number, length: number, newFd: number, newAt: number, newLength: number) =>
        this.#rename(fd, this.#path(at, length), newFd, this.#path(newAt, newLength)),
      path_link: () => wasi.ERRNO_NOTSUP,
      path_symlink: () => wasi.ERRNO_NOTSUP,
      poll_oneoff: (input: number, output: number, count: number, countOut: number) =>
        pollOneoff(this.#view(), input >>> 0, output >>> 0, count >>> 0, countOut >>> 0),
      proc_exit: (code: number) => this.#host.exit(code >>> 0),
      proc_raise: (signal: number) => this.#host.end('trapped', `the program raised signal ${signal}`),
      sched_yield: () => wasi.ERRNO_SUCCESS,
      random_get: (at: number, length: number) => {
        randomFill(this.#bytes(at, length))
        return wasi.ERRNO_SUCCESS
      },
      sock_accept: () => wasi.ERRNO_NOTSUP,
      sock_recv: () => wasi.ERRNO_NOTSUP,
      sock_send: () => wasi.ERRNO_NOTSUP,
      sock_shutdown: () => wasi.ERRNO_NOTSUP,
    }
  }

  /** A bad pointer is an error number to the program, not an exception; anything else thrown in here is our own mistake. */
  #guarded(name: string, call: Import): Import {
    return (...args) => {
      try {
        return call(...args)
      } catch (error) {
        // Our own frames did not fit on the program's stack: that is a trap of the program.
        if (error instanceof RangeError && error.message.includes('call stack')) throw error
        if (error instanceof RangeError) return wasi.ERRNO_FAULT
        return this.#host.end('executor-failed', `${name}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  #putSizes(strings: readonly Buffer[], count: number, bytes: number): number {
    const view = this.#view()
    view.setUint32(count >>> 0, strings.length, true)
    view.setUint32(
      bytes >>> 0,
      strings.reduce((sum, text) => sum + text.byteLength, 0),
      true,
    )
    return wasi.ERRNO_SUCCESS
  }

  #putStrings(strings: readonly Buffer[], pointers: number, bytes: number): number {
    const view = this.#view()
    let at = bytes >>> 0
    for (const [index, text] of strings.entries()) {
      view.setUint32((pointers >>> 0) + index * 4, at, true)
      this.#bytes(at, text.byteLength).set(text)
      at += text.byteLength
    }
    return wasi.ERRNO_SUCCESS
  }

  #putTime(ns: bigint | undefined, out: number): number {
    if (ns === undefined) return wasi.ERRNO_INVAL
    this.#view().setBigUint64(out >>> 0, ns, true)
    return wasi.ERRNO_SUCCESS
  }

  #path(at: number, length: number): string {
    return length >>> 0 > pathBytesMax ? '\ufffd' : new TextDecoder().decode(this.#bytes(at, length))
  }

  /** As the shim's, but takes the lowest free number, as POSIX wants, and not more than there may be. */
  #pathOpen(
    fd: number,
    lookup: number,
    at: number,
    length: number,
    how: number,
    rights: bigint,
    inheriting: bigint,
    flags: number,
    out: number,
  ): number {
    const { descriptors } = this.#host
    const folder = descriptors[fd]
    if (folder === undefined) return wasi.ERRNO_BADF
    const free = descriptors.indexOf(undefined)
    const number = free < 0 ? descriptors.length : free
    if (number >= handlesMax) return wasi.ERRNO_MFILE
    // Before anything is made or truncated: a program that cannot be told its descriptor must not have one.
    this.#view().setUint32(out >>> 0, 0xffff_ffff, true)
    const { ret, fd_obj: opened } = folder.path_open(lookup, this.#path(at, length), how, rights, inheriting, flags)
    if (opened === null) return ret
    descriptors[number] = opened
    this.#view().setUint32(out >>> 0, number, true)
    return wasi.ERRNO_SUCCESS
  }

  #rename(fd: number, path: string, newFd: number, newPath: string): number {
    const { descriptors } = this.#host
    const [from, to] = [descriptors[fd], descriptors[newFd]]
    if (from === undefined || to === undefined) return wasi.ERRNO_BADF
    return from instanceof OpenFolder && to instanceof OpenFolder ? from.rename(path, to, newPath) : wasi.ERRNO_NOTDIR
  }
}
