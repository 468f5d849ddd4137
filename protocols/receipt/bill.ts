/** The parts of an amount, for people: what was used, at which price, and what that comes to. */
import { costOf, microMax, partsOfUse } from '../wire/index.ts'
import type { Account } from './file.ts'

/** In the order of `partsOfUse`, with what each is counted by. */
const parts = [
  ['wall', 'wallMs'],
  ['gas', 'gas'],
  ['memory', 'memMibS'],
  ['gpu', 'gpuMs'],
  ['in', 'inBytes'],
  ['out', 'outBytes'],
  ['storage', 'storeMibS'],
] as const

export interface BillLine {
  readonly of: (typeof parts)[number][0]
  /** As the receipt counts it: milliseconds, instructions, MiB times seconds, bytes. */
  readonly quantity: number
  readonly priceMicro: number
  /** Rounded up, as it is in the sum. */
  readonly amountMicro: number
}

/** Of what both have signed. The lines come to `payable`, or to more than the ceiling. */
export function billOf({ tariff, cpuMilli, usage }: Pick<Account, 'tariff' | 'cpuMilli' | 'usage'>): BillLine[] {
  return partsOfUse(tariff, cpuMilli, usage).map(([quantity, priceMicro, per], index) => {
    const [of, counted] = parts[index]!
    return { of, quantity: usage[counted], priceMicro, amountMicro: costOf(quantity, priceMicro, per, microMax) }
  })
}
