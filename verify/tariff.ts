/** What use costs: prices, what a receipt counts, and the one formula that makes an amount of both (protocols/wire/tariff.ts). */
import { need } from './problem.ts'
import type { Message, Schema } from './protobuf.ts'
import { checkedNumber } from './statement.ts'

/** In the order of their field numbers. All in micro-units: of a processor, 10^9 instructions, a GiB or a GPU for an hour, a GiB moved. */
const tariffFields = [
  ['cpuHourMicro', 1],
  ['gigaGasMicro', 2],
  ['memoryGibHourMicro', 3],
  ['gpuHourMicro', 4],
  ['inGibMicro', 5],
  ['outGibMicro', 6],
  ['storeGibHourMicro', 7],
] as const
export type Tariff = Record<(typeof tariffFields)[number][0], number>

/** In the order in which they are shown. Cumulative since the lease began. */
const usageFields = [
  ['wallMs', 1],
  ['cpuMs', 2],
  ['gas', 5],
  ['memMibS', 6],
  ['gpuMs', 7],
  ['inBytes', 3],
  ['outBytes', 4],
  ['storeMibS', 8],
] as const
export type Usage = Record<(typeof usageFields)[number][0], number>

export const usageNames = usageFields.map(([name]) => name)
export const noUsage = Object.fromEntries(usageNames.map((name) => [name, 0])) as Usage

const allNumbers = (fields: readonly (readonly [string, number])[]): Schema =>
  Object.fromEntries(fields.map(([, number]) => [number, 'uint64']))
export const tariffSchema = allNumbers(tariffFields)
export const usageSchema = allNumbers(usageFields)

export function readTariff(message: Message | undefined): Tariff {
  need(message !== undefined, 'FIELD_INVALID', 'tariff is missing')
  return Object.fromEntries(
    tariffFields.map(([name, number]) => [name, checkedNumber(message.number(number), name)]),
  ) as Tariff
}

export function readUsage(message: Message | undefined): Usage {
  need(message !== undefined, 'FIELD_INVALID', 'usage is missing')
  return Object.fromEntries(
    usageFields.map(([name, number]) => [name, countedNumber(message.number(number), name)]),
  ) as Usage
}

/** What is counted is exact in any language. A negative number, written as one of 64 bits, has the highest bit. */
export function countedNumber(value: bigint, name: string): number {
  need(value < 2n ** 63n, 'NUMBER_NEGATIVE', `${name} is negative`)
  need(value <= BigInt(Number.MAX_SAFE_INTEGER), 'NUMBER_TOO_LARGE', `${name} is over 2^53 - 1`)
  return Number(value)
}

const mibSPerGibHour = 1_024n * 3_600n
const msPerHour = 3_600_000n
const bytesPerGib = 2n ** 30n

/** Each part rounded up by itself; all of them together at most the ceiling. */
export function amountOwed(tariff: Tariff, cpuMilli: number, usage: Usage, ceilingMicro: number): number {
  const parts: readonly (readonly [quantity: bigint, priceMicro: number, per: bigint])[] = [
    [BigInt(usage.wallMs) * BigInt(cpuMilli), tariff.cpuHourMicro, 1_000n * msPerHour],
    [BigInt(usage.gas), tariff.gigaGasMicro, 10n ** 9n],
    [BigInt(usage.memMibS), tariff.memoryGibHourMicro, mibSPerGibHour],
    [BigInt(usage.gpuMs), tariff.gpuHourMicro, msPerHour],
    [BigInt(usage.inBytes), tariff.inGibMicro, bytesPerGib],
    [BigInt(usage.outBytes), tariff.outGibMicro, bytesPerGib],
    [BigInt(usage.storeMibS), tariff.storeGibHourMicro, mibSPerGibHour],
  ]
  const sum = parts.reduce((total, [quantity, price, per]) => total + (quantity * BigInt(price) + per - 1n) / per, 0n)
  return sum > BigInt(ceilingMicro) ? ceilingMicro : Number(sum)
}

/** `1234500` is `"1.2345"`. */
export function formatMicro(amount: number): string {
  const wide = BigInt(amount)
  const fraction = (wide % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '')
  return `${wide / 1_000_000n}${fraction === '' ? '' : `.${fraction}`}`
}
