/**
 * Typed structured data, hashed as EIP-712 says (https://eips.ethereum.org/EIPS/eip-712): of its types those that vouchers, and the
 * example of the specification, are made of. Pure.
 */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concat, fromString } from 'uint8arrays'

export interface TypedField {
  readonly name: string
  /** `string`, `address`, `uint256`, `bytes32`, or the name of a struct. */
  readonly type: string
}

export type TypedStructs = Readonly<Record<string, readonly TypedField[]>>
/** Text, an integer, bytes (an address has 20, a `bytes32` 32), or a struct. */
export type TypedValue = string | bigint | Uint8Array | TypedRecord
export interface TypedRecord {
  readonly [name: string]: TypedValue
}

export interface TypedData {
  readonly structs: TypedStructs
  readonly primary: string
  readonly message: TypedRecord
  readonly domainFields: readonly TypedField[]
  readonly domain: TypedRecord
}

const wordBytes = 32
const domainStruct = 'EIP712Domain'

/** What is signed: `keccak256(0x19 0x01 ‖ domain separator ‖ hash of the message)`. */
export function digestOfTypedData({ structs, primary, message, domainFields, domain }: TypedData): Uint8Array {
  const separator = hashOfStruct({ [domainStruct]: domainFields }, domainStruct, domain)
  return keccak_256(concat([Uint8Array.of(0x19, 0x01), separator, hashOfStruct(structs, primary, message)]))
}

export function hashOfStruct(structs: TypedStructs, name: string, value: TypedRecord): Uint8Array {
  const fields = structs[name]!.map((field) => encodeField(structs, field, value[field.name]))
  return keccak_256(concat([keccak_256(fromString(encodeType(structs, name))), ...fields]))
}

/** `Mail(Person from,Person to,string contents)Person(string name,address wallet)`: the others follow by their names. */
export function encodeType(structs: TypedStructs, name: string): string {
  const others = [...referenced(structs, name, new Set())].filter((other) => other !== name).toSorted()
  return [name, ...others]
    .map((one) => `${one}(${structs[one]!.map((field) => `${field.type} ${field.name}`).join(',')})`)
    .join('')
}

function referenced(structs: TypedStructs, name: string, found: Set<string>): Set<string> {
  if (found.has(name) || !Object.hasOwn(structs, name)) return found
  found.add(name)
  for (const { type } of structs[name]!) referenced(structs, type, found)
  return found
}

function encodeField(structs: TypedStructs, { name, type }: TypedField, value: TypedValue | undefined): Uint8Array {
  if (Object.hasOwn(structs, type)) return hashOfStruct(structs, type, value as TypedRecord)
  if (type === 'string' && typeof value === 'string') return keccak_256(fromString(value))
  if (type === 'uint256' && typeof value === 'bigint')
    return fromString(value.toString(16).padStart(2 * wordBytes, '0'), 'hex')
  if (type === 'bytes32' && value instanceof Uint8Array && value.byteLength === wordBytes) return value
  if (type === 'address' && value instanceof Uint8Array)
    return concat([new Uint8Array(wordBytes - value.byteLength), value])
  throw new TypeError(`${name} is no ${type}`)
}
