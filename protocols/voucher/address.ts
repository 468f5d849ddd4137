/** Addresses of an external system: 20 bytes, as text in hexadecimal with the checksum of EIP-55 (https://eips.ethereum.org/EIPS/eip-55). */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { fromString, toString } from 'uint8arrays'

import { Fault } from '../wire/fault.ts'

/** `0x` and 40 digits, with their checksum. */
export type Address = string

export const addressBytes = 20
export const noAddress: Address = `0x${'0'.repeat(2 * addressBytes)}`

/** A letter is large where the Keccak-256 of the small ones has a digit of 8 or more. */
export function checksummed(address: string): Address {
  const small = address.slice(2).toLowerCase()
  const hash = toString(keccak_256(fromString(small)), 'hex')
  return `0x${Array.from(small, (letter, index) => (hash[index]! >= '8' ? letter.toUpperCase() : letter)).join('')}`
}

export function textOfAddress(bytes: Uint8Array): Address {
  return checksummed(`0x${toString(bytes, 'hex')}`)
}

export function bytesOfAddress(address: Address): Uint8Array {
  return fromString(address.slice(2).toLowerCase(), 'hex')
}

/** Throws a Fault FIELD_INVALID. */
export function checkedAddress(bytes: Uint8Array, field: string): Address {
  if (bytes.byteLength === addressBytes) return textOfAddress(bytes)
  throw new Fault('FIELD_INVALID', `${field} is no address`, { field, bytes: bytes.byteLength })
}
