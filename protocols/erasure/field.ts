/**
 * GF(2^8) with the polynomial 0x11d (x^8 + x^4 + x^3 + x^2 + 1) and generator 2: the field of ISA-L, klauspost/reedsolomon and
 * RAID 6. Addition is xor.
 */
const polynomial = 0x11d
export const fieldSize = 256

const exponents = new Uint8Array(2 * 255)
const logarithms = new Uint8Array(fieldSize)
for (let power = 0, value = 1; power < 255; power++) {
  exponents[power] = value
  exponents[power + 255] = value
  logarithms[value] = power
  value <<= 1
  if (value >= fieldSize) value ^= polynomial
}

export function multiply(left: number, right: number): number {
  return left === 0 || right === 0 ? 0 : exponents[logarithms[left]! + logarithms[right]!]!
}

export function invert(value: number): number {
  if (value === 0) throw new RangeError('zero has no inverse')
  return exponents[255 - logarithms[value]!]!
}
