/**
 * Whether the fields of a message travel in the wire types that the schema says. The library reads a field as the schema has it whatever
 * its tag says, so that one message would have several spellings, and readers in other languages, most of which skip such a field as
 * unknown, would read something else than we do. This walks over the tags alone and decodes nothing.
 */
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/** Bytes that the library has parsed without an error. */
export function hasItsWireTypes(schema: DescMessage, bytes: Uint8Array): boolean {
  return walk(schema, new BinaryReader(bytes), bytes.byteLength)
}

/** A message that ends elsewhere than it said it would is none either. */
function walk(schema: DescMessage, reader: BinaryReader, end: number): boolean {
  const fields = fieldsOf(schema)
  while (reader.pos < end) {
    const [number, wireType] = reader.tag()
    const field = fields.get(number)
    if (field !== undefined && !wireTypesOf(field).includes(wireType)) return false
    const inner = field?.message
    if (inner === undefined) reader.skip(wireType, number)
    else {
      const innerBytes = reader.uint32()
      const innerEnd = reader.pos + innerBytes
      if (innerEnd > end || !walk(inner, reader, innerEnd)) return false
    }
  }
  return reader.pos === end
}

const known = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>()

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  const fields = known.get(schema) ?? new Map(schema.fields.map((field) => [field.number, field]))
  known.set(schema, fields)
  return fields
}

/** Repeated numbers may come one by one or packed: both are lawful, whatever the schema prefers. */
function wireTypesOf(field: DescField): readonly WireType[] {
  if (field.fieldKind === 'enum') return [WireType.Varint]
  if (field.scalar === undefined && field.fieldKind !== 'list') return [WireType.LengthDelimited]
  const one =
    field.scalar === undefined
      ? field.message === undefined
        ? WireType.Varint
        : WireType.LengthDelimited
      : typeOf(field.scalar)
  return field.fieldKind === 'list' ? [one, WireType.LengthDelimited] : [one]
}

function typeOf(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32
    default:
      return WireType.Varint
  }
}
