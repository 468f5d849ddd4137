/**
 * States of machines as bytes: DAG-CBOR, as `@ipld/dag-cbor` writes it, for the kinds of which states are made. A state is written with
 * every step, and that package takes 16 µs for the 4 kB of a lease, much of it for sorting the same names again; this takes 4 to 5.
 */
import * as dagCbor from '@ipld/dag-cbor'

/** Major types (RFC 8949, section 3.1), and what is said in one byte. */
const [unsigned, negative, bytesOf, text, list, map] = [0x00, 0x20, 0x40, 0x60, 0x80, 0xa0]
const [no, yes, nothing] = [0xf4, 0xf5, 0xf6]
/** Values up to here are in the first byte. */
const inFirstByte = 23
const depthMax = 64
/** Sets of names that are remembered, of each first name; and how many names one may have: records by peer or lease are not worth it. */
const [firstsMax, shapesMax, namesMax] = [256, 8, 64]

/** The names of a map as they come, and in their order, each also as the bytes that are written. */
interface Shape {
  readonly keys: readonly string[]
  readonly names: readonly string[]
  readonly forms: readonly Uint8Array[]
}

/** By the first name that comes. */
const shapes = new Map<string, Shape[]>()

/** States are plain data of DAG-CBOR's kinds: text, bytes, integers, booleans, null, lists and maps. */
export function encodeState(state: unknown): Uint8Array {
  at = 0
  // What is none of these is rare, and wrong most often: the package has it, or says why not.
  return write(state, 0) ? scratch.slice(0, at) : dagCbor.encode(state)
}

export function decodeState<State>(bytes: Uint8Array): State {
  return dagCbor.decode<State>(bytes)
}

let scratch = new Uint8Array(16 * 1_024)
let at = 0

/** False: this is of another kind. */
function write(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      writeText(value)
      return true
    case 'number':
      if (!Number.isSafeInteger(value)) return false
      if (value >= 0) writeHead(unsigned, value)
      else writeHead(negative, -1 - value)
      return true
    case 'boolean':
      writeHead(0, 0, value ? yes : no)
      return true
    case 'object':
      if (value === null) {
        writeHead(0, 0, nothing)
        return true
      }
      return depth < depthMax && writeWhole(value, depth + 1)
    default:
      return false
  }
}

function writeWhole(value: object, depth: number): boolean {
  if (value instanceof Uint8Array) {
    writeHead(bytesOf, value.byteLength)
    writeBytes(value)
    return true
  }
  if (Array.isArray(value)) {
    writeHead(list, value.length)
    return value.every((one) => write(one, depth))
  }
  const kind: unknown = Object.getPrototypeOf(value)
  if (kind !== Object.prototype && kind !== null) return false
  const { names, forms } = shapeOf(Object.keys(value))
  writeHead(map, names.length)
  for (let index = 0; index < names.length; index++) {
    writeBytes(forms[index]!)
    if (!write((value as Record<string, unknown>)[names[index]!], depth)) return false
  }
  return true
}

function shapeOf(keys: readonly string[]): Shape {
  const first = keys[0]
  if (first === undefined || keys.length > namesMax) return sorted(keys)
  let known = shapes.get(first)
  for (const shape of known ?? []) if (areSame(shape.keys, keys)) return shape
  const shape = sorted(keys)
  if (known === undefined && shapes.size < firstsMax) shapes.set(first, (known = []))
  if (known !== undefined && known.length < shapesMax) known.push(shape)
  return shape
}

function areSame(these: readonly string[], those: readonly string[]): boolean {
  if (these.length !== those.length) return false
  for (let index = 0; index < these.length; index++) if (these[index] !== those[index]) return false
  return true
}

/** The shorter of two names is first (its head says how long it is), and of two as long the one whose bytes are (DAG-CBOR, "Strictness"). */
function sorted(keys: readonly string[]): Shape {
  const all = keys
    .map((name) => ({ name, form: dagCbor.encode(name) }))
    .sort((one, other) => Buffer.compare(one.form, other.form))
  return { keys, names: all.map(({ name }) => name), forms: all.map(({ form }) => form) }
}

function writeHead(major: number, value: number, single?: number): void {
  ensure(9)
  if (single !== undefined) scratch[at++] = single
  else if (value <= inFirstByte) scratch[at++] = major | value
  else if (value < 2 ** 8) {
    scratch[at++] = major | 24
    scratch[at++] = value
  } else {
    const bytes = value < 2 ** 16 ? 2 : value < 2 ** 32 ? 4 : 8
    scratch[at++] = major | (bytes === 2 ? 25 : bytes === 4 ? 26 : 27)
    if (bytes === 8) writeBigEndian(Math.floor(value / 2 ** 32), 4)
    writeBigEndian(value % 2 ** 32, Math.min(bytes, 4))
  }
}

function writeBigEndian(value: number, bytes: number): void {
  for (let shift = 8 * (bytes - 1); shift >= 0; shift -= 8) scratch[at++] = value >>> shift
}

function writeText(value: string): void {
  const began = at
  writeHead(text, value.length)
  ensure(value.length)
  // Both in variables of this function: twice as fast.
  const bytes = scratch
  let to = at
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if (code > 0x7f) {
      // Not of one byte a character.
      at = began
      const encoded = Buffer.from(value)
      writeHead(text, encoded.byteLength)
      return writeBytes(encoded)
    }
    bytes[to++] = code
  }
  at = to
}

/** Up to here copying by hand is faster than asking for it. */
const byHandBytesMax = 32

function writeBytes(bytes: Uint8Array): void {
  const count = bytes.byteLength
  ensure(count)
  const [into, from] = [scratch, at]
  if (count <= byHandBytesMax) for (let index = 0; index < count; index++) into[from + index] = bytes[index]!
  else into.set(bytes, from)
  at = from + count
}

function ensure(bytes: number): void {
  if (at + bytes <= scratch.byteLength) return
  const larger = new Uint8Array(Math.max(2 * scratch.byteLength, at + bytes))
  larger.set(scratch.subarray(0, at))
  scratch = larger
}
