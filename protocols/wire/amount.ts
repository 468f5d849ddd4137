/**
 * Amounts: whole micro-units of the unit of account, as a safe integer. 2^53 micro-units are nine thousand million units,
 * more than any peer here will owe; an integer that is exact in JavaScript, JSON, CBOR and protobuf alike.
 */
import { Fault } from './fault.ts'

export type Micro = number

export const microMax: Micro = Number.MAX_SAFE_INTEGER
const microPerUnit = 1_000_000n

/** The integer a peer sent, or Fault FIELD_INVALID when it is negative or over `max`. */
export function checkedInteger(value: bigint | number, name: string, max: number = microMax): number {
  // What is too large to be exact is still larger than any `max` when it is rounded.
  const number = Number(value)
  if (number < 0 || number > max) {
    throw new Fault('FIELD_INVALID', `${name} is out of range`, { field: name, value: String(value), max })
  }
  return number
}

/**
 * What `quantity` costs at `price` per `per`, rounded up: the provider is never short by a fraction. At most `ceiling`, which
 * must be given where the quantity is what a peer says: it may be beyond any amount.
 */
export function costOf(quantity: bigint, price: Micro, per: bigint, ceiling?: Micro): Micro {
  const exact = quantity * BigInt(price)
  const rounded = (exact + per - 1n) / per
  if (ceiling !== undefined && rounded > BigInt(ceiling)) return ceiling
  if (rounded > BigInt(microMax)) throw new RangeError('the amount does not fit')
  return Number(rounded)
}

/** `1234500` is `"1.2345"`: up to six decimals, no trailing zeros. A sum of amounts may be more than one may be. */
export function formatMicro(amount: Micro | bigint): string {
  const wide = BigInt(amount)
  const sign = wide < 0n ? '-' : ''
  const absolute = wide < 0n ? -wide : wide
  const fraction = (absolute % microPerUnit).toString().padStart(6, '0').replace(/0+$/, '')
  return `${sign}${absolute / microPerUnit}${fraction === '' ? '' : `.${fraction}`}`
}

/** The amount a person typed, or undefined when it is not a non-negative decimal of at most six places. */
export function parseMicro(text: string): Micro | undefined {
  const match = /^(\d{1,10})(?:\.(\d{1,6}))?$/.exec(text.trim())
  if (match === null) return undefined
  const micro = BigInt(match[1]!) * microPerUnit + BigInt((match[2] ?? '').padEnd(6, '0'))
  return micro > BigInt(microMax) ? undefined : Number(micro)
}
