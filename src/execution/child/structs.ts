/**
 * Structures of WASI preview 1 as they stand in the program's memory, where the shim's own are wrong: it writes the times of
 * a filestat at offsets 38, 46 and 52, not 40, 48 and 56, and reads a subscription's flags at 36, not 40.
 * (Layouts: WebAssembly/WASI, legacy/preview1/docs.md.)
 */
import { wasi } from '@bjorn3/browser_wasi_shim'

/** All times are zero, so that what a program sees of its files does not depend on the moment. */
export class Filestat extends wasi.Filestat {
  override write_bytes(view: DataView, at: number): void {
    view.setBigUint64(at, 0n, true)
    view.setBigUint64(at + 8, this.ino, true)
    view.setBigUint64(at + 16, 0n, true)
    view.setUint8(at + 16, this.filetype)
    view.setBigUint64(at + 24, 1n, true)
    view.setBigUint64(at + 32, this.size, true)
    for (const time of [40, 48, 56]) view.setBigUint64(at + time, 0n, true)
  }
}

/** What a descriptor is for. libc reads the rights to know how a file was opened, and whether it is a terminal. */
export function fdstat(filetype: number, flags: number, rights: number): wasi.Fdstat {
  const stat = new wasi.Fdstat(filetype, flags)
  stat.fs_rights_base = BigInt(rights)
  stat.fs_rights_inherited = BigInt(rights)
  return stat
}

export const subscriptionBytes = 48
export const eventBytes = 32

export interface Subscription {
  readonly userdata: bigint
  readonly kind: 'clock' | 'read' | 'write'
  /** Of a clock: which, when (ns), and whether `timeoutNs` is a moment rather than a duration. */
  readonly clock: number
  readonly timeoutNs: bigint
  readonly absolute: boolean
  readonly descriptor: number
}

const kinds = ['clock', 'read', 'write'] as const

/** Undefined for a kind that does not exist. */
export function readSubscription(view: DataView, at: number): Subscription | undefined {
  const kind = kinds[view.getUint8(at + 8)]
  if (kind === undefined) return undefined
  return {
    userdata: view.getBigUint64(at, true),
    kind,
    clock: view.getUint32(at + 16, true),
    timeoutNs: view.getBigUint64(at + 24, true),
    absolute: (view.getUint16(at + 40, true) & 1) !== 0,
    descriptor: view.getUint32(at + 16, true),
  }
}

export function writeEvent(view: DataView, at: number, subscription: Subscription, errno: number): void {
  for (let offset = 0; offset < eventBytes; offset += 8) view.setBigUint64(at + offset, 0n, true)
  view.setBigUint64(at, subscription.userdata, true)
  view.setUint16(at + 8, errno, true)
  view.setUint8(at + 10, kinds.indexOf(subscription.kind))
  // That at least one byte can be read or written without waiting.
  if (subscription.kind !== 'clock') view.setBigUint64(at + 16, 1n, true)
}
