/** What use costs: the prices that an offer and a lease name, what a receipt counts, and the one formula that makes an amount of both. */
import { create } from '@bufbuild/protobuf'

import { checkedInteger, costOf, microMax, type Micro } from './amount.ts'
import { required } from './message.ts'
import { TariffSchema, type Tariff as WireTariff } from './wire_pb.ts'

/** Prices in micro-units; 0: nothing is asked for that. */
export interface Tariff {
  /** One processor that is leased, for one hour. */
  readonly cpuHourMicro: Micro
  /** 10^9 instructions of the program, as its engine counts them. */
  readonly gigaGasMicro: Micro
  /** One GiB of memory that is leased, for one hour. */
  readonly memoryGibHourMicro: Micro
  /** One GPU that is leased, for one hour. */
  readonly gpuHourMicro: Micro
  /** One GiB that is fetched for the job. */
  readonly inGibMicro: Micro
  /** One GiB of outputs. */
  readonly outGibMicro: Micro
  /** One GiB of disk that is leased, for one hour. */
  readonly storeGibHourMicro: Micro
}

export const freeTariff: Tariff = {
  cpuHourMicro: 0,
  gigaGasMicro: 0,
  memoryGibHourMicro: 0,
  gpuHourMicro: 0,
  inGibMicro: 0,
  outGibMicro: 0,
  storeGibHourMicro: 0,
}

export const tariffNames = Object.keys(freeTariff) as readonly (keyof Tariff)[]

/** Cumulative since the lease began; whole numbers of at most 2^53 - 1, which never fall. */
export interface Usage {
  readonly wallMs: number
  /** Of all processors. For people: nothing is owed for it. */
  readonly cpuMs: number
  readonly gas: number
  readonly memMibS: number
  readonly gpuMs: number
  readonly inBytes: number
  readonly outBytes: number
  readonly storeMibS: number
}

export const noUsage: Usage = {
  wallMs: 0,
  cpuMs: 0,
  gas: 0,
  memMibS: 0,
  gpuMs: 0,
  inBytes: 0,
  outBytes: 0,
  storeMibS: 0,
}

export const usageNames = Object.keys(noUsage) as readonly (keyof Usage)[]

const cpuMilliPerCpu = 1_000n
const msPerHour = 3_600_000n
const mibSPerGibHour = 1_024n * 3_600n
const gasPerGigaGas = 1_000_000_000n
const bytesPerGib = 2n ** 30n
const bytesPerMib = 2n ** 20n
const msPerSecond = 1_000n

/** What is paid for, in the order in which it is shown: so much, at this price for so much. */
const parts: readonly {
  readonly price: keyof Tariff
  readonly per: bigint
  readonly quantity: (usage: Usage, cpuMilli: number) => bigint
}[] = [
  {
    price: 'cpuHourMicro',
    per: cpuMilliPerCpu * msPerHour,
    quantity: ({ wallMs }, cpuMilli) => BigInt(wallMs) * BigInt(cpuMilli),
  },
  { price: 'gigaGasMicro', per: gasPerGigaGas, quantity: ({ gas }) => BigInt(gas) },
  { price: 'memoryGibHourMicro', per: mibSPerGibHour, quantity: ({ memMibS }) => BigInt(memMibS) },
  { price: 'gpuHourMicro', per: msPerHour, quantity: ({ gpuMs }) => BigInt(gpuMs) },
  { price: 'inGibMicro', per: bytesPerGib, quantity: ({ inBytes }) => BigInt(inBytes) },
  { price: 'outGibMicro', per: bytesPerGib, quantity: ({ outBytes }) => BigInt(outBytes) },
  { price: 'storeGibHourMicro', per: mibSPerGibHour, quantity: ({ storeMibS }) => BigInt(storeMibS) },
]

/**
 * The sum of what each part costs, each rounded up by itself, at most `ceilingMicro`. It does not fall when a usage grows, so that
 * cumulative receipts are cumulative in what is owed as well.
 */
export function costOfUse(tariff: Tariff, cpuMilli: number, usage: Usage, ceilingMicro: Micro): Micro {
  let sum = 0
  // Nobody asks for everything: what has no price costs no arithmetic, and this is asked with every bid and receipt.
  for (const { price, per, quantity } of parts) {
    if (tariff[price] === 0) continue
    const cost = costOf(quantity(usage, cpuMilli), tariff[price], per, ceilingMicro)
    // Held against what is left, so that no sum is beyond what a number holds exactly, whatever a peer says.
    if (cost > ceilingMicro - sum) return ceilingMicro
    sum += cost
  }
  return sum
}

/** Each part as quantity, price and what the price is for. */
export function partsOfUse(
  tariff: Tariff,
  cpuMilli: number,
  usage: Usage,
): readonly (readonly [quantity: bigint, price: Micro, per: bigint])[] {
  return parts.map(({ price, per, quantity }) => [quantity(usage, cpuMilli), tariff[price], per])
}

/** So many bytes held for so long, in MiB times seconds, rounded down; no more than can be written. */
export function mibSeconds(bytes: number, forMs: number): number {
  return atMost((BigInt(bytes) * BigInt(forMs)) / (bytesPerMib * msPerSecond))
}

/** Each price raised by so many hundredths, rounded up; no more than can be written. */
export function raised(tariff: Tariff, percent: number): Tariff {
  if (percent === 0) return tariff
  const raise = (price: Micro): Micro => atMost((BigInt(price) * BigInt(100 + percent) + 99n) / 100n)
  return {
    cpuHourMicro: raise(tariff.cpuHourMicro),
    gigaGasMicro: raise(tariff.gigaGasMicro),
    memoryGibHourMicro: raise(tariff.memoryGibHourMicro),
    gpuHourMicro: raise(tariff.gpuHourMicro),
    inGibMicro: raise(tariff.inGibMicro),
    outGibMicro: raise(tariff.outGibMicro),
    storeGibHourMicro: raise(tariff.storeGibHourMicro),
  }
}

export function isSameTariff(one: Tariff, other: Tariff): boolean {
  return tariffNames.every((name) => one[name] === other[name])
}

/** The prices alone, of whatever has them among other things. */
export function tariffOf(from: Tariff): Tariff {
  return {
    cpuHourMicro: from.cpuHourMicro,
    gigaGasMicro: from.gigaGasMicro,
    memoryGibHourMicro: from.memoryGibHourMicro,
    gpuHourMicro: from.gpuHourMicro,
    inGibMicro: from.inGibMicro,
    outGibMicro: from.outGibMicro,
    storeGibHourMicro: from.storeGibHourMicro,
  }
}

export function encodeTariff(tariff: Tariff): WireTariff {
  return create(TariffSchema, {
    cpuHourMicro: BigInt(tariff.cpuHourMicro),
    gigaGasMicro: BigInt(tariff.gigaGasMicro),
    memoryGibHourMicro: BigInt(tariff.memoryGibHourMicro),
    gpuHourMicro: BigInt(tariff.gpuHourMicro),
    inGibMicro: BigInt(tariff.inGibMicro),
    outGibMicro: BigInt(tariff.outGibMicro),
    storeGibHourMicro: BigInt(tariff.storeGibHourMicro),
  })
}

/** Throws Fault FIELD_INVALID. */
export function decodeTariff(wire: WireTariff | undefined): Tariff {
  const tariff = required(wire, 'tariff')
  return {
    cpuHourMicro: checkedInteger(tariff.cpuHourMicro, 'cpu_hour_micro'),
    gigaGasMicro: checkedInteger(tariff.gigaGasMicro, 'giga_gas_micro'),
    memoryGibHourMicro: checkedInteger(tariff.memoryGibHourMicro, 'memory_gib_hour_micro'),
    gpuHourMicro: checkedInteger(tariff.gpuHourMicro, 'gpu_hour_micro'),
    inGibMicro: checkedInteger(tariff.inGibMicro, 'in_gib_micro'),
    outGibMicro: checkedInteger(tariff.outGibMicro, 'out_gib_micro'),
    storeGibHourMicro: checkedInteger(tariff.storeGibHourMicro, 'store_gib_hour_micro'),
  }
}

function atMost(wide: bigint): number {
  return wide > BigInt(microMax) ? microMax : Number(wide)
}
