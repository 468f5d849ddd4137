/**
 * Who runs a profile: a small file in its data folder. Tells a second `up` what to say, and plain commands where the socket
 * is, even from a shell that knows of no runtime folder. It is not the lock (src/control/lock.ts): a file may be left behind.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface RunningPeer {
  readonly pid: number
  /** Milliseconds since the epoch. */
  readonly startedMs: number
  readonly socket: string
}

const fileMode = 0o600

export function pidFileOf(dataDir: string): string {
  return join(dataDir, 'peer.json')
}

/** Written beside and renamed, so that a reader finds all of it or the one before. */
export function writePidFile(dataDir: string, peer: RunningPeer): void {
  const path = pidFileOf(dataDir)
  const fresh = `${path}.${peer.pid}.new`
  writeFileSync(fresh, `${JSON.stringify({ v: 1, ...peer })}\n`, { mode: fileMode })
  renameSync(fresh, path)
}

/** Undefined when there is none, or none that makes sense. */
export function readPidFile(dataDir: string): RunningPeer | undefined {
  try {
    const read = JSON.parse(readFileSync(pidFileOf(dataDir), 'utf8')) as Partial<RunningPeer> | null
    const { pid, startedMs, socket } = read ?? {}
    const isWhole = Number.isSafeInteger(pid) && Number.isFinite(startedMs) && typeof socket === 'string'
    return isWhole ? { pid: pid!, startedMs: startedMs!, socket } : undefined
  } catch {
    return undefined
  }
}
