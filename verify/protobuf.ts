/**
 * Reads protobuf, strictly: a field in another wire type than the schema has is no message, and text is UTF-8. What is lawful in protobuf
 * and no writer writes (numbers spelt long, a field said twice, unknown fields) is read as every implementation reads it: the bytes are signed
 * as they are, so that two readers of one statement must come to the same.
 */
import { textOf } from './bytes.ts'
import { Problem } from './problem.ts'

/** By field number. A schema stands for a message inside, one in brackets for a list of them. */
export type Schema = { readonly [field: number]: Kind }
type Scalar = 'uint64' | 'uint32' | 'sint64' | 'bool' | 'string' | 'bytes'
export type Kind = Scalar | Schema | readonly [Schema]

const varintBytesMax = 10
const tagBytesMax = 5
/** Messages and groups within one another, the outermost counted. */
const depthMax = 100

/** A message by its field numbers; what it does not say is zero, empty or absent. */
export class Message {
  readonly #values = new Map<number, unknown>()

  set(field: number, value: unknown): void {
    // Again at the end: of fields that exclude each other the last counts.
    this.#values.delete(field)
    this.#values.set(field, value)
  }

  number(field: number): bigint {
    return (this.#values.get(field) as bigint | undefined) ?? 0n
  }

  text(field: number): string {
    return (this.#values.get(field) as string | undefined) ?? ''
  }

  bytes(field: number): Uint8Array {
    return (this.#values.get(field) as Uint8Array | undefined) ?? new Uint8Array()
  }

  flag(field: number): boolean {
    return this.#values.get(field) === true
  }

  inner(field: number): Message | undefined {
    return this.#values.get(field) as Message | undefined
  }

  list(field: number): readonly Message[] {
    return (this.#values.get(field) as Message[] | undefined) ?? []
  }

  /** Of the fields of a oneof, the one that counts. */
  lastOf(fields: readonly number[]): number | undefined {
    return [...this.#values.keys()].findLast((field) => fields.includes(field))
  }
}

/** Throws a Problem FRAME_MALFORMED. */
export function readMessage(schema: Schema, bytes: Uint8Array): Message {
  const message = new Message()
  readInto(message, schema, bytes, 1)
  return message
}

function readInto(message: Message, schema: Schema, bytes: Uint8Array, depth: number): void {
  if (depth > depthMax) throw malformed()
  const reader = new Reader(bytes)
  while (!reader.isAtEnd) {
    const [field, wireType] = reader.tag()
    const kind = Object.hasOwn(schema, field) ? schema[field] : undefined
    if (kind === undefined) {
      reader.skip(field, wireType, depthMax - depth)
      continue
    }
    if (wireType !== wireTypeOf(kind)) throw malformed()
    if (typeof kind === 'string') message.set(field, scalarOf(kind as Scalar, reader))
    else if (isList(kind)) {
      const item = new Message()
      readInto(item, kind[0], reader.chunk(), depth + 1)
      message.set(field, [...message.list(field), item])
    } else {
      // Said twice, the second is laid over the first.
      const inner = message.inner(field) ?? new Message()
      readInto(inner, kind, reader.chunk(), depth + 1)
      message.set(field, inner)
    }
  }
}

function isList(kind: Schema | readonly [Schema]): kind is readonly [Schema] {
  return Array.isArray(kind)
}

function wireTypeOf(kind: Kind): number {
  return typeof kind === 'string' && kind !== 'string' && kind !== 'bytes' ? 0 : 2
}

function scalarOf(kind: Scalar, reader: Reader): unknown {
  switch (kind) {
    case 'uint64':
      return reader.varint()
    case 'uint32':
      return BigInt.asUintN(32, reader.varint())
    case 'sint64': {
      const zigzag = reader.varint()
      return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n))
    }
    case 'bool':
      return reader.varint() !== 0n
    case 'bytes':
      return reader.chunk()
    case 'string':
      try {
        return textOf(reader.chunk())
      } catch {
        throw malformed()
      }
    default:
      return kind satisfies never
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.byteLength
  }

  /** Of 64 bits; higher ones are dropped. */
  varint(): bigint {
    let value = 0n
    for (let index = 0; index < varintBytesMax; index++) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << BigInt(7 * index)
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw malformed()
  }

  tag(): [field: number, wireType: number] {
    const start = this.#at
    const tag = this.varint()
    const field = Number(tag >> 3n)
    if (this.#at - start > tagBytesMax || tag >= 2n ** 32n || field === 0) throw malformed()
    return [field, Number(tag & 7n)]
  }

  /** A length of 32 bits, and so many bytes. */
  chunk(): Uint8Array {
    return this.#take(Number(BigInt.asUintN(32, this.varint())))
  }

  skip(field: number, wireType: number, depthLeft: number): void {
    switch (wireType) {
      case 0:
        while (this.#byte() >= 0x80);
        return
      case 1:
        this.#take(8)
        return
      case 2:
        this.chunk()
        return
      case 3:
        this.#skipGroup(field, depthLeft)
        return
      case 5:
        this.#take(4)
        return
      default:
        throw malformed()
    }
  }

  #skipGroup(field: number, depthLeft: number): void {
    if (depthLeft <= 0) throw malformed()
    for (;;) {
      const [inner, wireType] = this.tag()
      if (wireType === 4) {
        if (inner !== field) throw malformed()
        return
      }
      this.skip(inner, wireType, depthLeft - 1)
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw malformed()
    this.#at++
    return byte
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.byteLength) throw malformed()
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

function malformed(): Problem {
  return new Problem('FRAME_MALFORMED', 'the statement is not in the form of its kind')
}
