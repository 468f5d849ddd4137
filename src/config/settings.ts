/**
 * Every setting of a peer: one row each, with the same name as a flag, as `PLEACH_NAME` and as a key of config.yaml, so that
 * what is learned in one place serves in the others.
 */
import { checkedAddress } from './address.ts'
import { reaches, type Reach } from './options.ts'
import { parseBytes, parseCpuMilli, parseDurationMs, parseMicro, parseRate } from './quantities.ts'

/** What the texts of each setting mean, once read. */
export interface SettingValues {
  network: string
  reach: Reach
  listen: readonly string[]
  port: number
  bootstrap: readonly string[]
  offer: boolean
  cpu: number
  memory: number
  storage: number
  price: number
  unit: string
  maxTime: number
  bandwidthUp: number
  bandwidthDown: number
  workers: number
  cache: number
}

export type SettingName = keyof SettingValues

export interface Setting<Value> {
  /** A list may be given as several flags, as text with commas, or as a YAML list. */
  readonly isList: boolean
  /** What stands for the value in help; empty for a switch. */
  readonly placeholder: string
  readonly about: string
  /** Throws a RangeError that says what to write instead. */
  read(texts: readonly string[]): Value
}

/** The port that peers listen on when nobody says otherwise. */
export const portDefault = 4117
const networkPattern = /^[a-z][a-z0-9-]{0,31}$/
const unitPattern = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/
/** A day: longer work is better cut into pieces that survive the loss of a provider. */
export const wallMsMaxDefault = 24 * 3_600_000
export const unitDefault = 'credit'
export const cpuHourMicroDefault = 1_000_000
export const networkDefault = 'main'

const single = <Value>(placeholder: string, about: string, read: (text: string) => Value): Setting<Value> => ({
  isList: false,
  placeholder,
  about,
  read: (texts) => read(texts[0] ?? ''),
})

const addresses = (use: 'listen' | 'bootstrap', about: string): Setting<readonly string[]> => ({
  isList: true,
  placeholder: 'ADDRESS',
  about,
  read: (texts) => texts.map((text) => checkedAddress(text, use)),
})

export const settings: { readonly [Name in SettingName]: Setting<SettingValues[Name]> } = {
  network: single('NAME', `which network to join (default ${networkDefault})`, (text) =>
    fitting(text, networkPattern, 'small letters, digits and -, beginning with a letter, such as main'),
  ),
  reach: single('REACH', 'public, lan or loopback: which addresses count (default: as far as it listens)', (text) => {
    const reach = reaches.find((one) => one === text)
    if (reach === undefined) throw new RangeError(`${JSON.stringify(text)} is none of ${reaches.join(', ')}`)
    return reach
  }),
  listen: addresses('listen', `listen on this address (may be repeated; default tcp/${portDefault} on all)`),
  port: single('PORT', 'listen on this port of all addresses; 0 takes any that is free', readPort),
  bootstrap: addresses('bootstrap', 'begin from this peer (may be repeated)'),
  offer: single('', 'lend this machine to others', readSwitch),
  cpu: single('N', 'processors to lend, such as 4 or 500m (default: three quarters)', positive(parseCpuMilli)),
  memory: single('SIZE', 'memory to lend, such as 16Gi (default: half)', positive(parseBytes)),
  storage: single('SIZE', 'disk space to lend, such as 100G (default: a quarter of what is free)', parseBytes),
  price: single('AMOUNT', 'for one processor for one hour (default 1.0)', (text) => {
    const micro = parseMicro(text)
    if (micro === undefined) {
      throw new RangeError(`${JSON.stringify(text)} is not an amount: write a decimal number of at most six places`)
    }
    return micro
  }),
  unit: single('NAME', `unit of account (default ${unitDefault})`, (text) =>
    fitting(text, unitPattern, 'a word of letters and digits, such as credit'),
  ),
  workers: single(
    'N',
    'threads that encrypt and code data, 1 to 64 (default: one less than processors, at most 4)',
    readWorkers,
  ),
  cache: single('SIZE', 'disk space to give on what was read here (default: a tenth of what is lent)', parseBytes),
  maxTime: single('TIME', 'longest job to take, such as 2h (default 24h)', positive(parseDurationMs)),
  bandwidthUp: single('RATE', 'most that is sent of data, such as 10MB/s or 80Mbit/s (default: no limit)', readRate),
  bandwidthDown: single('RATE', 'most that is fetched of data, such as 10MB/s (default: no limit)', readRate),
}

export const settingNames = Object.keys(settings) as SettingName[]

/** The settings that say how much is lent; without `offer` they say nothing. */
export const lendingNames: readonly SettingName[] = ['cpu', 'memory', 'storage', 'price', 'unit', 'maxTime']

/** `maxTime` is `--max-time`. */
export function flagOf(name: SettingName): string {
  return `--${kebab(name)}`
}

/** `maxTime` is `PLEACH_MAX_TIME`. */
export function variableOf(name: SettingName): string {
  return `PLEACH_${kebab(name).replaceAll('-', '_').toUpperCase()}`
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function fitting(text: string, pattern: RegExp, cure: string): string {
  if (!pattern.test(text)) throw new RangeError(`${JSON.stringify(text.slice(0, 40))} does not fit: write ${cure}`)
  return text
}

function readWorkers(text: string): number {
  const count = Number(text)
  if (!/^\d{1,2}$/.test(text) || count < 1 || count > 64) {
    throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is not a number of threads: write 1 to 64`)
  }
  return count
}

function positive(parse: (text: string) => number): (text: string) => number {
  return (text) => {
    const value = parse(text)
    if (value === 0) throw new RangeError('it must be more than nothing')
    return value
  }
}

/** Slower, and blocks would take longer than whoever waits for them has patience. */
const rateMin = 128 * 1024

function readRate(text: string): number {
  const rate = parseRate(text)
  if (rate < rateMin) throw new RangeError('it must be at least 128KiB/s: below that, others give up waiting')
  return rate
}

function readPort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is not a port: write a number from 0 to 65535`)
  }
  return Number(text)
}

function readSwitch(text: string): boolean {
  if (['true', 'yes', 'on', '1'].includes(text)) return true
  if (['false', 'no', 'off', '0'].includes(text)) return false
  throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is neither true nor false`)
}
