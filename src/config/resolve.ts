/**
 * One value for every setting, and where it comes from: a flag, else `PLEACH_*`, else config.yaml, else what this machine
 * and we think best.
 */
import type { ConfigFile } from './config-file.ts'
import type { Directories } from './directories.ts'
import { ConfigError, exits, type Env } from './error.ts'
import { cacheByDefault, lendingByDefault, workersByDefault, type Machine } from './capacity.ts'
import { inUtc } from './hours.ts'
import { nearestName } from './nearest.ts'
import {
  plainMoney,
  plainPolicy,
  plainRelay,
  type ContainerPolicy,
  type MoneyOptions,
  type OfferOptions,
  type OfferPolicy,
  type PeerOptions,
  type Reach,
} from './options.ts'
import { formatMicro } from './quantities.ts'
import {
  cpuHourMicroDefault,
  flagOf,
  lendingNames,
  networkDefault,
  portDefault,
  settingNames,
  settings,
  unitDefault,
  variableOf,
  wallMsMaxDefault,
  type SettingName,
  type SettingValues,
} from './settings.ts'

export type FlagTexts = Readonly<Partial<Record<SettingName, readonly string[]>>>

/** A value as it was written, and by whom. */
export interface Said {
  readonly texts: readonly string[]
  readonly origin: string
  readonly source: 'flag' | 'environment' | 'file'
}

export interface ConfigSources {
  readonly flags: FlagTexts
  readonly env: Env
  readonly file: ConfigFile | undefined
}

export type SaidSettings = ReadonlyMap<SettingName, Said>

/** Ours by their name, and no settings. */
const otherVariables = ['PLEACH_PROFILE']

/** The strongest word on each setting that anybody spoke of. Throws a ConfigError for a variable that nearly has a name. */
export function gatherSettings({ flags, env, file }: ConfigSources): SaidSettings {
  checkVariables(env)
  const said = new Map<SettingName, Said>()
  for (const name of settingNames) {
    const variable = variableOf(name)
    const flag = flags[name]
    const inEnvironment = variableText(env[variable])
    const inFile = file?.texts.get(name)
    if (flag !== undefined) said.set(name, { texts: flag, origin: flagOf(name), source: 'flag' })
    else if (inEnvironment !== undefined) {
      const texts = settings[name].isList
        ? inEnvironment.split(',').filter((text) => text.trim() !== '')
        : [inEnvironment]
      said.set(name, { texts, origin: variable, source: 'environment' })
    } else if (file !== undefined && inFile !== undefined) {
      said.set(name, { texts: inFile, origin: file.path, source: 'file' })
    }
  }
  return said
}

/** What a peer is started with. Throws a ConfigError that names the setting and its origin. */
export function resolveOptions(said: SaidSettings, machine: Machine, directories: Directories): PeerOptions {
  const network = valueOf(said, 'network') ?? networkDefault
  const offer = offerOf(said, machine)
  return {
    network,
    reach: valueOf(said, 'reach') ?? reachOf(listenOf(said)),
    dataDir: directories.data,
    listen: listenOf(said),
    bootstrap: valueOf(said, 'bootstrap') ?? [],
    offer,
    bandwidth: {
      upBytesPerSecond: valueOf(said, 'bandwidthUp') ?? null,
      downBytesPerSecond: valueOf(said, 'bandwidthDown') ?? null,
    },
    relay: {
      serve: valueOf(said, 'relayServe') ?? plainRelay.serve,
      bytesPerSecond: valueOf(said, 'relayRate') ?? plainRelay.bytesPerSecond,
      use: valueOf(said, 'relayUse') ?? plainRelay.use,
    },
    cacheBytes: valueOf(said, 'cache') ?? cacheByDefault(offer?.keepBytes ?? 0),
    workers: valueOf(said, 'workers') ?? workersByDefault(machine),
    money: moneyOf(said),
    profile: directories.profile,
  }
}

/** A peer that listens on this machine alone, or on private addresses alone, is meant for a network that reaches as far. */
export function reachOf(listen: readonly string[]): Reach {
  const isLoopback = (address: string): boolean => /^\/ip4\/127\.|^\/ip6\/::1\//.test(address)
  const isPrivate = (address: string): boolean =>
    /^\/ip4\/(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)|^\/ip6\/f[cd]/.test(address)
  if (listen.every(isLoopback)) return 'loopback'
  return listen.every((address) => isLoopback(address) || isPrivate(address)) ? 'lan' : 'public'
}

/** What each setting comes to, in words, for `config show`. */
export function describeSettings(
  said: SaidSettings,
  machine: Machine,
  directories: Directories,
): { name: SettingName; value: string; origin: string }[] {
  const options = resolveOptions(said, machine, directories)
  const lending = lendingByDefault(machine)
  const byDefault: Record<SettingName, string> = {
    network: options.network,
    reach: options.reach,
    listen: options.listen.join(', '),
    port: String(portDefault),
    bootstrap: 'none',
    offer: 'false',
    cpu: String(lending.cpuMilli / 1_000),
    memory: quantityOf(lending.memoryBytes),
    storage: quantityOf(lending.keepBytes),
    price: formatMicro(cpuHourMicroDefault),
    unit: unitDefault,
    workers: String(options.workers),
    cache: quantityOf(options.cacheBytes ?? 0),
    maxTime: `${wallMsMaxDefault / 3_600_000}h`,
    bandwidthUp: 'no limit',
    bandwidthDown: 'no limit',
    relayServe: 'false',
    relayRate: '4MiB/s',
    relayUse: 'auto',
    region: 'not said',
    operator: 'not said',
    hours: 'always',
    allow: 'everybody',
    deny: 'nobody',
    oversubscribe: '1',
    priceGas: '0',
    priceMemory: '0',
    priceGpu: '0',
    priceDisk: '0',
    priceIn: '0',
    priceOut: '0',
    priceStorage: '0',
    premiumMeasured: '0',
    premiumChallenged: '0',
    bond: '0',
    bondGrows: 'false',
    admission: 'none',
    idleOnly: 'false',
    maxHeat: 'any',
    gpu: 'as found',
    tee: 'false',
    containerSocket: 'auto',
    containerPull: 'false',
    egress: 'false',
    settlement: plainMoney.settlement,
    creditFloor: formatMicro(plainMoney.creditFloorMicro),
    creditCeiling: formatMicro(plainMoney.creditCeilingMicro),
    rewardShares: 'all is yours',
    rewardAddress: 'none',
    voucherContract: 'none in particular',
  }
  return settingNames.map((name) => {
    const spoken = said.get(name)
    return { name, value: spoken?.texts.join(', ') ?? byDefault[name], origin: spoken?.origin ?? 'default' }
  })
}

/** Bytes as one would write them: `11Gi`, `21G`. */
function quantityOf(bytes: number): string {
  if (bytes > 0 && bytes % 2 ** 30 === 0) return `${bytes / 2 ** 30}Gi`
  return bytes > 0 && bytes % 10 ** 9 === 0 ? `${bytes / 10 ** 9}G` : String(bytes)
}

function valueOf<Name extends SettingName>(said: SaidSettings, name: Name): SettingValues[Name] | undefined {
  const spoken = said.get(name)
  if (spoken === undefined) return undefined
  try {
    return settings[name].read(spoken.texts)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw badSetting(name, spoken, error.message)
  }
}

function listenOf(said: SaidSettings): readonly string[] {
  const [listen, port] = [said.get('listen'), said.get('port')]
  if (listen !== undefined && port !== undefined && listen.source === port.source) {
    throw badSetting('port', port, `${listen.origin} says where to listen already`)
  }
  // The stronger source wins: --port over a config.yaml that says listen, and the other way about.
  const isPortStronger = port !== undefined && (listen === undefined || rank(port) < rank(listen))
  if (listen !== undefined && !isPortStronger) return valueOf(said, 'listen') ?? []
  const chosen = valueOf(said, 'port') ?? portDefault
  return [`/ip4/0.0.0.0/tcp/${chosen}`, `/ip6/::/tcp/${chosen}`]
}

function offerOf(said: SaidSettings, machine: Machine): OfferOptions | null {
  // A value that cannot be read is an error even while nothing is lent: it would be one on the day that something is.
  const [cpuMilli, memoryBytes, keepBytes, cpuHourMicro, unit, wallMsMax] = [
    valueOf(said, 'cpu'),
    valueOf(said, 'memory'),
    valueOf(said, 'storage'),
    valueOf(said, 'price'),
    valueOf(said, 'unit'),
    valueOf(said, 'maxTime'),
  ]
  const policy = policyOf(said, machine)
  const containers = containersOf(said)
  if (valueOf(said, 'offer') !== true) {
    const idle = lendingNames.find((name) => said.get(name)?.source === 'flag')
    if (idle === undefined) return null
    throw badSetting(idle, said.get(idle)!, 'it says how much to lend, and nothing is lent: add --offer')
  }
  checkHas(said, 'cpu', cpuMilli, machine.cores * 1_000, `this machine has ${machine.cores} processors`)
  checkHas(said, 'memory', memoryBytes, machine.memoryBytes, `this machine has ${machine.memoryBytes} bytes`)
  const lending = lendingByDefault(machine)
  return {
    cpuMilli: cpuMilli ?? lending.cpuMilli,
    memoryBytes: memoryBytes ?? lending.memoryBytes,
    keepBytes: keepBytes ?? lending.keepBytes,
    cpuHourMicro: cpuHourMicro ?? cpuHourMicroDefault,
    unit: unit ?? unitDefault,
    wallMsMax: wallMsMax ?? wallMsMaxDefault,
    ...(containers === null ? {} : { containers }),
    policy,
  }
}

/** Null: the owner wants none. */
function containersOf(said: SaidSettings): ContainerPolicy | null {
  const socket = valueOf(said, 'containerSocket') ?? 'auto'
  const [mayPull, mayEgress] = [valueOf(said, 'containerPull') ?? false, valueOf(said, 'egress') ?? false]
  return socket === 'none' ? null : { socketPath: socket === 'auto' ? null : socket, mayPull, mayEgress }
}

/** Hours are in the time that is kept where the peer starts; when clocks are put back it must be started again. */
function policyOf(said: SaidSettings, machine: Machine): OfferPolicy {
  return {
    region: valueOf(said, 'region') ?? plainPolicy.region,
    operator: valueOf(said, 'operator') ?? plainPolicy.operator,
    hours: inUtc(valueOf(said, 'hours') ?? plainPolicy.hours, machine.aheadOfUtcMinutes),
    allow: valueOf(said, 'allow') ?? plainPolicy.allow,
    deny: valueOf(said, 'deny') ?? plainPolicy.deny,
    oversubscription: valueOf(said, 'oversubscribe') ?? plainPolicy.oversubscription,
    gigaGasMicro: valueOf(said, 'priceGas') ?? plainPolicy.gigaGasMicro,
    memoryGibHourMicro: valueOf(said, 'priceMemory') ?? plainPolicy.memoryGibHourMicro,
    gpuHourMicro: valueOf(said, 'priceGpu') ?? plainPolicy.gpuHourMicro,
    inGibMicro: valueOf(said, 'priceIn') ?? plainPolicy.inGibMicro,
    outGibMicro: valueOf(said, 'priceOut') ?? plainPolicy.outGibMicro,
    storeGibHourMicro: valueOf(said, 'priceDisk') ?? plainPolicy.storeGibHourMicro,
    gbMonthMicro: valueOf(said, 'priceStorage') ?? plainPolicy.gbMonthMicro,
    measuredPercent: valueOf(said, 'premiumMeasured') ?? plainPolicy.measuredPercent,
    challengedPercent: valueOf(said, 'premiumChallenged') ?? plainPolicy.challengedPercent,
    bondMicro: valueOf(said, 'bond') ?? plainPolicy.bondMicro,
    bondGrows: valueOf(said, 'bondGrows') ?? plainPolicy.bondGrows,
    admission: valueOf(said, 'admission') ?? plainPolicy.admission,
    idleOnly: valueOf(said, 'idleOnly') ?? plainPolicy.idleOnly,
    celsiusMax: valueOf(said, 'maxHeat') ?? plainPolicy.celsiusMax,
    gpus: valueOf(said, 'gpu') ?? plainPolicy.gpus,
    tee: valueOf(said, 'tee') ?? plainPolicy.tee,
  }
}

function moneyOf(said: SaidSettings): MoneyOptions {
  const creditFloorMicro = valueOf(said, 'creditFloor') ?? plainMoney.creditFloorMicro
  const creditCeilingMicro = valueOf(said, 'creditCeiling') ?? Math.max(plainMoney.creditCeilingMicro, creditFloorMicro)
  const ceiling = said.get('creditCeiling')
  if (ceiling !== undefined && creditCeilingMicro < creditFloorMicro)
    throw badSetting(
      'creditCeiling',
      ceiling,
      `a stranger may owe ${formatMicro(creditFloorMicro)} already: creditFloor`,
    )
  return {
    settlement: valueOf(said, 'settlement') ?? plainMoney.settlement,
    creditFloorMicro,
    creditCeilingMicro,
    rewardShares: valueOf(said, 'rewardShares') ?? plainMoney.rewardShares,
    rewardAddress: valueOf(said, 'rewardAddress') ?? plainMoney.rewardAddress,
    voucherContract: valueOf(said, 'voucherContract') ?? plainMoney.voucherContract,
  }
}

function checkHas(said: SaidSettings, name: SettingName, lent: number | undefined, has: number, why: string): void {
  const spoken = said.get(name)
  if (lent !== undefined && spoken !== undefined && lent > has) throw badSetting(name, spoken, why)
}

function rank({ source }: Said): number {
  return ['flag', 'environment', 'file'].indexOf(source)
}

/** Empty means unset. An orchestrator sets `PLEACH_PORT=tcp://10.0.0.1:4117` for a service of that name: not meant for us. */
function variableText(value: string | undefined): string | undefined {
  return value === undefined || value === '' || /^(tcp|udp):\/\//.test(value) ? undefined : value
}

/**
 * A variable a letter or two away from ours is a mistake. Others that begin alike are let be: an orchestrator sets
 * `PLEACH_SERVICE_HOST` and `PLEACH_PORT_4117_TCP` as well.
 */
function checkVariables(env: Env): void {
  const names = [...settingNames.map(variableOf), ...otherVariables].map((name) => name.slice('PLEACH_'.length))
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith('PLEACH_')) continue
    const typed = variable.slice('PLEACH_'.length)
    const nearest = names.includes(typed) ? undefined : nearestName(typed, names)
    if (nearest === undefined) continue
    throw new ConfigError({
      code: 'BAD_CONFIG',
      what: `${variable} is not a variable of pleach`,
      why: `it is not read; did you mean PLEACH_${nearest}?`,
      cure: `unset ${variable}`,
      exit: exits.usage,
    })
  }
}

function badSetting(name: SettingName, { texts, origin, source }: Said, why: string): ConfigError {
  const where = source === 'file' ? `${name} in ${origin}` : origin
  return new ConfigError({
    code: 'BAD_CONFIG',
    what: `${where} ${texts.join(', ').slice(0, 160)} cannot be used`.replace(/ {2,}/g, ' '),
    why,
    cure: { flag: 'pleach up --help', environment: `unset ${origin}`, file: `edit ${origin}` }[source],
    exit: exits.usage,
  })
}
