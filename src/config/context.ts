/**
 * The context: which peer plain commands speak to when it is not the default one. A devnet leaves one behind while it runs.
 * One that nobody answers for is stale, and ignored: whoever left it was killed.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'

import { makePrivateFolder } from './directories.ts'

export interface Context {
  /** What it is called on the terminal: `devnet`. */
  readonly name: string
  readonly pid: number
  readonly peers: number
  readonly socket: string
}

const fileMode = 0o600

export function writeContext(path: string, context: Context): void {
  makePrivateFolder(dirname(path))
  const fresh = `${path}.${context.pid}.new`
  writeFileSync(fresh, `${JSON.stringify({ v: 1, ...context })}\n`, { mode: fileMode })
  renameSync(fresh, path)
}

/** Removes it if it is still the one that this process left. */
export function removeContext(path: string, pid: number): void {
  if (readContext(path)?.pid === pid) rmSync(path, { force: true })
}

/** The context that somebody answers for, if there is one. */
export async function liveContext(path: string): Promise<Context | undefined> {
  const context = readContext(path)
  return context !== undefined && (await isAnswered(context.socket)) ? context : undefined
}

/** Whether somebody listens on a unix socket. A file of that name alone means nothing. */
export async function isAnswered(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = connect(socket)
    attempt.once('connect', () => {
      attempt.destroy()
      resolve(true)
    })
    attempt.once('error', () => resolve(false))
  })
}

function readContext(path: string): Context | undefined {
  try {
    const read = JSON.parse(readFileSync(path, 'utf8')) as Partial<Context> | null
    const { name, pid, peers, socket } = read ?? {}
    const isWhole = typeof name === 'string' && typeof socket === 'string' && Number.isSafeInteger(pid)
    return isWhole ? { name, pid: pid!, peers: Number(peers ?? 0), socket } : undefined
  } catch {
    return undefined
  }
}
