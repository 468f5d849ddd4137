/**
 * Every setting of a peer: one row each, with the same name as a flag, as `PLEACH_NAME` and as a key of config.yaml, so that
 * what is learned in one place serves in the others.
 */
import { networkPattern } from '../../protocols/wire/network.ts'
import { isPeerName } from '../../protocols/wire/peer.ts'
import { checkedAddress } from './address.ts'
import { parseHours, type WeekHours } from './hours.ts'
import {
  reaches,
  settlementMethods,
  type ClaimedGpu,
  type Reach,
  type RelayOptions,
  type RewardShare,
  type SettlementMethod,
} from './options.ts'
import { parseBytes, parseCpuMilli, parseDurationMs, parseMicro, parseRate } from './quantities.ts'
import { readRewardAddress, readVoucherContract } from './reward-address.ts'
import { readRewardShares } from './reward-shares.ts'

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
  relayServe: boolean
  relayRate: number
  relayUse: RelayOptions['use']
  workers: number
  cache: number
  region: string
  operator: string
  hours: readonly WeekHours[]
  allow: readonly string[]
  deny: readonly string[]
  oversubscribe: number
  priceGas: number
  priceMemory: number
  priceGpu: number
  priceDisk: number
  priceIn: number
  priceOut: number
  priceStorage: number
  premiumMeasured: number
  premiumChallenged: number
  bond: number
  bondGrows: boolean
  admission: string
  idleOnly: boolean
  maxHeat: number
  gpu: readonly ClaimedGpu[]
  tee: boolean
  containerSocket: string
  containerPull: boolean
  egress: boolean
  settlement: SettlementMethod
  creditFloor: number
  creditCeiling: number
  rewardShares: readonly RewardShare[]
  rewardAddress: string
  voucherContract: { readonly chainId: number; readonly contract: string }
}

export type SettingName = keyof SettingValues

export interface Setting<Value> {
  /** A list may be given as several flags, as text with commas, or as a YAML list. */
  readonly isList: boolean
  /** A list whose YAML may also be a map: `alice: 600` is `alice:600`. */
  readonly isMap?: boolean
  /** What stands for the value in help; empty for a switch. */
  readonly placeholder: string
  readonly about: string
  /** Throws a RangeError that says what to write instead. */
  read(texts: readonly string[]): Value
}

/** The port that peers listen on when nobody says otherwise. */
export const portDefault = 4117
const wordPattern = /^[a-z][a-z0-9-]{0,23}$/
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

const list = <Value>(
  placeholder: string,
  about: string,
  read: (texts: readonly string[]) => Value,
): Setting<Value> => ({ isList: true, placeholder, about, read })

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
  price: single('AMOUNT', 'for one processor for one hour (default 1.0)', readAmount),
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
  relayServe: single('', 'carry connections for peers that cannot be dialled', readSwitch),
  relayRate: single('RATE', 'most that is carried for them, such as 1MB/s (default 4MiB/s)', readRate),
  relayUse: list('ADDRESS', 'be reached by this relay (may be repeated); or auto, the default, or never', readRelays),
  region: single('NAME', 'where this machine is, such as eu or de (claimed)', (text) =>
    fitting(text, wordPattern, 'small letters, digits and -, such as eu'),
  ),
  operator: single('NAME', 'who runs it, so that others can keep parts of a job apart (claimed)', (text) =>
    fitting(text, /^[^\p{C}]{1,64}$/u, 'a name of at most 64 characters'),
  ),
  hours: list('HOURS', 'when work is taken, in local time, such as mon-fri 18:00-07:00 (default: always)', (texts) =>
    parseHours(texts),
  ),
  allow: list('PEER', 'work for this peer and for no others (may be repeated)', (texts) => texts.map(readPeer)),
  deny: list('PEER', 'do not work for this peer (may be repeated)', (texts) => texts.map(readPeer)),
  oversubscribe: single('N', 'promise so many times the processors that are lent, 1 to 4 (default 1)', readFactor),
  priceGas: single('AMOUNT', 'for 10^9 instructions of a program, beside the processors (default 0)', readAmount),
  priceMemory: single('AMOUNT', 'for one GiB of memory for one hour, beside the processors (default 0)', readAmount),
  priceGpu: single('AMOUNT', 'for one GPU for one hour, beside the processors (default 0)', readAmount),
  priceDisk: single('AMOUNT', 'for one GiB of disk of a job for one hour (default 0)', readAmount),
  priceIn: single('AMOUNT', 'for one GiB that is fetched for a job (default 0)', readAmount),
  priceOut: single('AMOUNT', 'for one GiB of outputs of a job (default 0)', readAmount),
  priceStorage: single('AMOUNT', 'for keeping one GB for one month (default 0)', readAmount),
  premiumMeasured: single('PERCENT', 'added when a bid asks for what is measured (default 0)', readPercent),
  premiumChallenged: single('PERCENT', 'added when a bid asks for what others tried (default 0)', readPercent),
  bond: single('AMOUNT', 'owed beside for a lease under which a fault of yours is proven (default 0)', readAmount),
  bondGrows: single('', 'add a tenth of what you earned to the bond', readSwitch),
  admission: single('PROGRAM', 'is given each bid as JSON on stdin; admits it by exit code 0', (text) =>
    fitting(text, /^\/[^\p{C}]{1,4000}$/u, 'an absolute path'),
  ),
  idleOnly: single('', 'rest while this machine is in use', readSwitch),
  maxHeat: single('CELSIUS', 'rest while this machine is hotter, 40 to 110 (default: whatever it is)', readHeat),
  gpu: list('MODEL:SIZE[:COUNT]', 'a GPU that is not found by itself (claimed), such as RTX 4090:24G', (texts) =>
    texts.map(readGpu),
  ),
  tee: single('', 'show the enclave that this system is in (claimed)', readSwitch),
  containerSocket: single('PATH', 'socket of Docker or Podman; none: no containers (default: as found)', (text) =>
    fitting(text, /^(none|auto|\/[^\p{C}]{1,100})$/u, 'an absolute path, auto or none'),
  ),
  containerPull: single('', 'fetch images that jobs name from their registries', readSwitch),
  settlement: single(
    'METHOD',
    `what becomes of signed receipts: ${settlementMethods.join(', ')} (default ledger)`,
    (text) => {
      const method = settlementMethods.find((one) => one === text)
      if (method === undefined)
        throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is none of ${settlementMethods.join(', ')}`)
      return method
    },
  ),
  creditFloor: single('AMOUNT', 'what a peer that nobody knows may owe (default 1)', readAmount),
  creditCeiling: single('AMOUNT', 'what no peer may owe more than (default 100)', readAmount),
  rewardShares: {
    ...list(
      'OWNER:PERMILLE',
      'whose what is earned is, in parts of a thousand (default: all is yours)',
      readRewardShares,
    ),
    isMap: true,
  },
  rewardAddress: single('ADDRESS', 'where vouchers for what is earned are made out to: 0x…', readRewardAddress),
  voucherContract: single('CHAIN:ADDRESS', 'what redeems vouchers (default: none in particular)', readVoucherContract),
  egress: single('', 'let containers reach the network, your own included, when a job asks for it', readSwitch),
}

export const settingNames = Object.keys(settings) as SettingName[]

/** The settings that say how much is lent; without `offer` they say nothing. */
export const lendingNames: readonly SettingName[] = [
  ...([
    'cpu',
    'memory',
    'storage',
    'price',
    'unit',
    'maxTime',
    'region',
    'operator',
    'hours',
    'allow',
    'deny',
  ] as const),
  ...(['oversubscribe', 'priceGas', 'priceMemory', 'priceGpu', 'priceDisk', 'priceIn', 'priceOut'] as const),
  ...(['priceStorage', 'premiumMeasured', 'premiumChallenged', 'bond', 'bondGrows'] as const),
  ...(['admission', 'idleOnly', 'maxHeat', 'gpu', 'tee', 'containerSocket', 'containerPull', 'egress'] as const),
]

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

function readRelays(texts: readonly string[]): RelayOptions['use'] {
  const [only] = texts
  if (texts.length === 1 && (only === 'auto' || only === 'never')) return only
  return texts.map((text) => checkedAddress(text, 'relay'))
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

function readAmount(text: string): number {
  const micro = parseMicro(text)
  if (micro !== undefined) return micro
  throw new RangeError(`${JSON.stringify(text)} is not an amount: write a decimal number of at most six places`)
}

function readPercent(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is no percentage: write a whole number, such as 20`)
}

function readFactor(text: string): number {
  const factor = Number(text)
  if (/^\d(\.\d{1,2})?$/.test(text) && factor >= 1 && factor <= 4) return factor
  throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is no such factor: write 1 to 4, such as 1.5`)
}

function readHeat(text: string): number {
  if (/^\d{2,3}$/.test(text) && Number(text) >= 40 && Number(text) <= 110) return Number(text)
  throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is no such temperature: write 40 to 110, such as 85`)
}

function readPeer(text: string): string {
  if (isPeerName(text)) return text
  throw new RangeError(`${JSON.stringify(text.slice(0, 60))} is not the id of a peer: write 12D3KooW…`)
}

function readGpu(text: string): ClaimedGpu {
  const found = /^([^:\p{C}]{1,64}):([^:]+)(?::(\d{1,3}))?$/u.exec(text)
  const count = Number(found?.[3] ?? 1)
  if (found === null || count < 1)
    throw new RangeError(`${JSON.stringify(text.slice(0, 60))} is no GPU: write MODEL:SIZE or MODEL:SIZE:COUNT`)
  return { model: found[1]!.trim(), memoryBytes: positive(parseBytes)(found[2]!), count }
}
