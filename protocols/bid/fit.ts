/**
 * What a capability record lacks for a bid. One reading for both sides: the requester looks for providers by it and explains why
 * there are none, the provider judges itself by it and says why it declines. Pure.
 */
import {
  evidences,
  freeParts,
  weekMinutes,
  type Capability,
  type Evidence,
  type Gpu,
  type Hours,
  type Price,
  type Quantity,
} from '../capability/index.ts'
import {
  costOfUse,
  mibSeconds,
  microMax,
  noUsage,
  raised,
  tariffNames,
  tariffOf,
  type Micro,
  type Tariff,
  type Usage,
} from '../wire/index.ts'
import type { Bid, GpuWish, Requirements } from './messages.ts'

/** In the order in which they are looked at: what cannot change comes first, what is only so now comes last. */
export const needs = [
  'runtime',
  'isolation',
  'arch',
  'features',
  'gpu-model',
  'gpu-memory',
  'gpus',
  'tee',
  'region',
  'egress',
  'cpu',
  'memory',
  'disk',
  'time',
  'evidence',
  'unit',
  'price',
  'hours',
  'free',
] as const

export type Need = (typeof needs)[number]

/** A requirement that is not met. Numbers are in the units of the requirement; of `free` in thousandths of a processor. */
export interface Lack {
  readonly need: Need
  readonly wanted: number | string
  /** The most there is. */
  readonly has: number | string
}

/** What is looked for: the part of a bid that a record can be held against. */
export type Ask = Pick<Bid, 'requirements' | 'unit' | 'cpuHourMicroMax'>

/** What of a record a bid is held against. */
export type Fitted = Pick<Capability, 'compute' | 'runtimes' | 'price' | 'gpus' | 'network' | 'tee' | 'hours' | 'free'>

/** All that is lacking, in the order of `needs`; none: it fits. */
export function lacksOf({ requirements, unit, cpuHourMicroMax }: Ask, capability: Fitted, nowMs: number): Lack[] {
  const { compute, network, tee, price } = capability
  const lacks: Lack[] = []
  const want = (need: Need, fits: boolean, wanted: Lack['wanted'], has: Lack['has']): void => {
    if (!fits) lacks.push({ need, wanted, has })
  }
  const atLeast = (need: Need, wanted: number, has: number): void => want(need, has >= wanted, wanted, has)
  const runtimes = capability.runtimes.filter(({ name }) => name === requirements.runtime)
  const has = compute ?? nothing
  want('runtime', runtimes.length > 0, requirements.runtime, capability.runtimes.map(({ name }) => name).join(' '))
  const isolations = runtimes.map(({ isolation }) => isolation)
  want('isolation', isEmptyOr(requirements.isolation, isolations), requirements.isolation, isolations.join(' '))
  want('arch', isEmptyOr(requirements.arch, [has.arch]), requirements.arch, has.arch)
  const missing = requirements.features.filter((feature) => !has.features.includes(feature))
  want('features', missing.length === 0, missing.join(' '), has.features.join(' '))
  if (requirements.gpus !== null) lacks.push(...gpuLacks(requirements.gpus, capability.gpus))
  want('tee', isEmptyOr(requirements.tee, [tee?.kind ?? '']), requirements.tee, tee?.kind ?? '')
  const region = network?.region ?? ''
  const inRegion = requirements.regions.length === 0 || requirements.regions.includes(region)
  want('region', inRegion, requirements.regions.join(' '), region)
  want('egress', has.egress || !requirements.egress, 'yes', 'no')
  atLeast('cpu', requirements.cpuMilli, has.cpuMilli.value)
  atLeast('memory', requirements.memoryBytes, has.memoryBytes.value)
  atLeast('disk', requirements.diskBytes, has.diskBytes.value)
  atLeast('time', requirements.wallMsMax, has.wallMsMax)
  const evidence = weakestEvidence(requirements, capability)
  const isKnown = evidences.indexOf(evidence) >= evidences.indexOf(requirements.evidence)
  want('evidence', isKnown, requirements.evidence, evidence)
  want('unit', price?.unit === unit, unit, price?.unit ?? '')
  if (price?.unit === unit) {
    const asked = cpuHourMicroOf(price, requirements)
    want('price', asked <= cpuHourMicroMax, cpuHourMicroMax, asked)
  }
  atLeast('hours', requirements.wallMsMax, openForMs(capability.hours, nowMs))
  if (requirements.cpuMilli <= has.cpuMilli.value) atLeast('free', requirements.cpuMilli, freeMilliMax(capability))
  return lacks
}

/** What this provider asks of this bid: its prices, raised by what it adds for the evidence that is asked for. */
export function tariffFor(price: Price, { evidence }: Requirements): Tariff {
  const percent = { claimed: 0, measured: price.measuredPercent, challenged: price.challengedPercent }[evidence]
  return raised(tariffOf(price), percent)
}

/** What prices are asked for. */
export type Taken = Pick<
  Requirements,
  'runtime' | 'cpuMilli' | 'memoryBytes' | 'diskBytes' | 'wallMsMax' | 'gasMax' | 'inBytes'
> & { readonly gpus: { readonly count: number } | null }

/**
 * What a processor comes to for one hour when all that a job takes is laid on its processors, rounded up: what prices of several
 * parts are compared by. What a job will use is not known before; see `usePerHour`.
 */
export function rateOf(tariff: Tariff, requirements: Taken): Micro {
  const { cpuMilli } = requirements
  if (tariffNames.every((name) => name === 'cpuHourMicro' || tariff[name] === 0)) return tariff.cpuHourMicro
  const beside = costOfUse({ ...tariff, cpuHourMicro: 0 }, cpuMilli, usePerHour(requirements), microMax)
  const micro = BigInt(tariff.cpuHourMicro) + ceilDivide(BigInt(beside) * 1_000n, BigInt(Math.max(1, cpuMilli)))
  return micro > BigInt(microMax) ? microMax : Number(micro)
}

/** The same of a record. */
export function cpuHourMicroOf(price: Price, requirements: Requirements): Micro {
  return rateOf(tariffFor(price, requirements), requirements)
}

/** What counts as much as any program of WebAssembly gets done: 10^9 instructions a second. */
const gasPerMsUsual = 1_000_000n
/** Outputs are as large as what came in, and not less than this. */
const outBytesLeast = 2 ** 20
/** Of its programs nobody counts the instructions. */
const uncounted = 'oci'
const msPerHour = 3_600_000

/**
 * What an hour of the job takes: of memory, GPUs and disk what is asked for; of instructions what is usual, or the job's own limit
 * spread over its longest run; of bytes in what it says, and as many out, spread alike.
 */
function usePerHour({ runtime, memoryBytes, diskBytes, gpus, wallMsMax, gasMax, inBytes }: Taken): Usage {
  const spread = (whole: bigint): bigint => (whole * BigInt(msPerHour)) / BigInt(Math.max(1, wallMsMax))
  const usual = gasPerMsUsual * BigInt(msPerHour)
  const limited = gasMax === 0 ? usual : spread(BigInt(gasMax))
  const gas = runtime === uncounted ? 0n : limited < usual ? limited : usual
  const exact = (wide: bigint): number => (wide > BigInt(microMax) ? microMax : Number(wide))
  return {
    ...noUsage,
    gas: exact(gas),
    memMibS: mibSeconds(memoryBytes, msPerHour),
    gpuMs: (gpus?.count ?? 0) * msPerHour,
    inBytes: exact(spread(BigInt(inBytes))),
    outBytes: exact(spread(BigInt(Math.max(inBytes, outBytesLeast)))),
    storeMibS: mibSeconds(diskBytes, msPerHour),
  }
}

/** How long work is still taken from now on, in milliseconds; Infinity without hours. */
export function openForMs(hours: readonly Hours[], nowMs: number): number {
  if (hours.length === 0) return Infinity
  const minuteMs = 60_000
  const weekMs = weekMinutes * minuteMs
  // The epoch began on a Thursday.
  const atMs = (nowMs + 3 * 24 * 60 * minuteMs) % weekMs
  const untilMs = (fromMs: number): number => {
    const ends = hours.map(({ fromMinute, toMinute }) => {
      const sinceMs = (fromMs - fromMinute * minuteMs + 2 * weekMs) % weekMs
      const lengthMs = ((toMinute - fromMinute + weekMinutes) % weekMinutes || weekMinutes) * minuteMs
      return sinceMs < lengthMs ? lengthMs - sinceMs : 0
    })
    return Math.max(...ends)
  }
  // Hours that touch are one.
  let openMs = 0
  for (let more = untilMs(atMs); more > 0 && openMs < weekMs; more = untilMs((atMs + openMs) % weekMs)) openMs += more
  return openMs >= weekMs ? Infinity : openMs
}

const none: Quantity = { value: 0, evidence: 'claimed' }
const nothing = {
  arch: '',
  features: [] as readonly string[],
  egress: false,
  cpuMilli: none,
  memoryBytes: none,
  diskBytes: none,
  wallMsMax: 0,
}

function isEmptyOr(wanted: string, has: readonly string[]): boolean {
  return wanted === '' || has.includes(wanted)
}

/** All of them from one kind: jobs do not spread over unlike GPUs. */
function gpuLacks(wish: GpuWish, gpus: readonly Gpu[]): Lack[] {
  const sounds = (said: string, wanted: string): boolean => said.toLowerCase().includes(wanted.toLowerCase())
  const named = gpus.filter(({ vendor, model }) => sounds(vendor, wish.vendor) && sounds(model, wish.model))
  const wanted = [wish.vendor, wish.model].filter((word) => word !== '').join(' ')
  if (named.length === 0)
    return [{ need: 'gpu-model', wanted: wanted || 'any', has: gpus.map(({ model }) => model).join(', ') }]
  const memory = Math.max(...named.map(({ memoryBytes }) => memoryBytes.value))
  if (memory < wish.memoryBytes) return [{ need: 'gpu-memory', wanted: wish.memoryBytes, has: memory }]
  const large = named.filter(({ memoryBytes }) => memoryBytes.value >= wish.memoryBytes)
  const count = Math.max(...large.map((gpu) => gpu.count))
  return count >= wish.count ? [] : [{ need: 'gpus', wanted: wish.count, has: count }]
}

/** Of all that the job asks for. */
function weakestEvidence({ diskBytes, gpus, tee }: Requirements, capability: Fitted): Evidence {
  const { compute } = capability
  const asked = [
    compute?.cpuMilli ?? none,
    compute?.memoryBytes ?? none,
    ...(diskBytes > 0 ? [compute?.diskBytes ?? none] : []),
    ...(gpus === null ? [] : capability.gpus.map(({ memoryBytes }) => memoryBytes)),
    ...(tee === '' || capability.tee === null ? [] : [capability.tee]),
  ]
  return evidences[Math.min(...asked.map(({ evidence }) => evidences.indexOf(evidence)))]!
}

/** The most that may be free by what the record says, which is rounded down. */
export function freeMilliMax({ compute, free }: Pick<Fitted, 'compute' | 'free'>): number {
  const lent = compute?.cpuMilli.value ?? 0
  if (free === null || free.cpuEighths === freeParts) return lent
  return Math.floor((lent * (free.cpuEighths + 1)) / freeParts)
}

function ceilDivide(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor
}
