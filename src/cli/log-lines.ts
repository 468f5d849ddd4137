/** The log of a peer in the foreground: text on a terminal, JSON lines otherwise, so that journald keeps them whole. */
import type { Log, LogLevel } from '../environment.ts'
import { safe } from './escape.ts'
import type { Terminal } from './terminal.ts'

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']
const textCharsMax = 400
const valueCharsMax = 1_000

export function createLog(terminal: Terminal, least: LogLevel): Log {
  const format = terminal.isErrTerminal ? textLine : jsonLine
  return (level, message, facts = {}) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return
    terminal.say(format(new Date(), level, message, facts))
  }
}

export function textLine(at: Date, level: LogLevel, message: string, facts: Readonly<Record<string, unknown>>): string {
  const said = Object.entries(facts).map(([name, value]) => `${safe(name)}=${safe(wordOf(value))}`)
  return [at.toTimeString().slice(0, 8), level.padEnd(5), safe(message, textCharsMax), ...said].join(' ')
}

export function jsonLine(at: Date, level: LogLevel, message: string, facts: Readonly<Record<string, unknown>>): string {
  const said = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, plain(value)]))
  return JSON.stringify({ v: 1, at: at.toISOString(), level, message, ...said })
}

function wordOf(value: unknown): string {
  const simple = plain(value)
  return typeof simple === 'string' ? simple : JSON.stringify(simple)
}

/** What JSON can hold, and not more than anybody reads. */
function plain(value: unknown): string | number | boolean | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'number' || typeof value === 'boolean') return value
  return textOf(value).slice(0, valueCharsMax)
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Error) return value.message
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex', 0, 64)
  if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString()
  if (typeof value === 'function') return value.name
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return 'something that is not JSON'
  }
}
