/** How far a put, get or repair has come, as a line on stderr that rewrites itself; nothing where stderr is no terminal. */
import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'

import { ControlError, type TransferView } from '../control/api.ts'
import type { ControlClient } from '../control/client.ts'
import { safe } from './escape.ts'
import { size, stopwatch } from './format.ts'
import type { Terminal } from './terminal.ts'

const lookEveryMs = 250
const barChars = 20
/** With bar, rate and time that leaves a line of 80. */
const nameCharsMax = 14

/** Runs a call that is named, and shows how far it is until it ends. */
export async function withProgress<Result>(
  client: Pick<ControlClient, 'transfer'>,
  terminal: Terminal,
  name: string,
  run: (watched: { readonly transfer?: string }) => Promise<Result>,
): Promise<Result> {
  if (!terminal.isLive) return run({})
  const transfer = randomBytes(8).toString('hex')
  let isAsking = false
  const timer = setInterval(() => {
    if (isAsking) return
    isAsking = true
    client
      .transfer(transfer)
      .then((view) => terminal.live(progressLine(name, view)))
      // It has not begun, or is over: there is nothing to be shown.
      .catch(() => {})
      .finally(() => (isAsking = false))
  }, lookEveryMs)
  try {
    return await run({ transfer })
  } finally {
    clearInterval(timer)
  }
}

/** What a person called it, as short as a line of progress needs it: the last of a path. */
export function progressName(path: string): string {
  return safe(path === '-' ? 'stdin' : basename(path), nameCharsMax)
}

/** Runs a call that goes on where it was when it is made again; should the peer be gone meanwhile, that is said. */
export async function goingOn<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'PEER_GONE') throw error
    const { code, message, why, exit } = error
    const cure = 'pleach up   and then the same again: it goes on where it was'
    throw new ControlError({ code, what: message, why, cure, exit })
  }
}

/** `placing backup.tar  48.2 MB [==============      ] 71 %  6.1 MB/s  0:02`. */
export function progressLine(name: string, { phase, doneBytes, totalBytes, phaseMs }: TransferView): string {
  if (totalBytes === 0) return `${phase} ${name}`
  const share = Math.min(1, doneBytes / totalBytes)
  const bar = '='.repeat(Math.floor(share * barChars)).padEnd(barChars)
  const parts = [`${phase} ${name}`, `${size(totalBytes)} [${bar}] ${Math.floor(share * 100)} %`]
  const bytesPerMs = phaseMs > 0 ? doneBytes / phaseMs : 0
  if (bytesPerMs > 0) {
    const leftMs = Math.max(0, totalBytes - doneBytes) / bytesPerMs
    parts.push(`${size(Math.round(bytesPerMs * 1_000))}/s`, stopwatch(leftMs))
  }
  return parts.join('  ')
}
