/** Protobuf at the edge of every codec: what does not parse is the peer's fault, not an exception of a library. */
import { fromBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf'

import { Fault } from './fault.ts'
import { hashBytes } from './hash.ts'
import { hasItsWireTypes } from './wire-types.ts'

export function parseMessage<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    const message = fromBinary(schema, bytes)
    if (hasItsWireTypes(schema, bytes)) return message
  } catch {
    // As below.
  }
  throw new Fault('FRAME_MALFORMED', `not a ${schema.typeName}`, { bytes: bytes.byteLength })
}

/** Text of at most `charsMax` characters without control characters, or Fault FIELD_INVALID. */
export function checkedText(text: string, field: string, charsMax: number): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (text.length > charsMax || /[\u0000-\u001f\u007f]/.test(text)) {
    throw new Fault('FIELD_INVALID', `${field} is too long or not plain text`, { field, chars: text.length, charsMax })
  }
  return text
}

export function checkedHash(bytes: Uint8Array, field: string): Uint8Array {
  if (bytes.byteLength !== hashBytes) {
    throw new Fault('FIELD_INVALID', `${field} is not a SHA-256 hash`, { field, bytes: bytes.byteLength })
  }
  return bytes
}

export function required<Value>(value: Value | undefined, field: string): Value {
  if (value === undefined) throw new Fault('FIELD_INVALID', `${field} is missing`, { field })
  return value
}
