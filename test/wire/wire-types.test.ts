// A field in another wire type than its own is no field of ours, in any message of any protocol.
import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { ScalarType, create, toBinary, type DescField, type DescMessage } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { concat } from 'uint8arrays'

import { parseMessage } from '../../protocols/wire/message.ts'
import { Fault } from '../../protocols/wire/index.ts'
import { RefusalSchema } from '../../protocols/wire/wire_pb.ts'

const root = join(import.meta.dirname, '../..')

async function allSchemas(): Promise<DescMessage[]> {
  const found: DescMessage[] = []
  for await (const path of glob('protocols/*/wire_pb.ts', { cwd: root })) {
    const names = (await import(join(root, path))) as Record<string, { kind?: string }>
    for (const value of Object.values(names)) if (value.kind === 'message') found.push(value as DescMessage)
  }
  return found
}

const isMalformed = (error: unknown): boolean => error instanceof Fault && error.code === 'FRAME_MALFORMED'
const isReadAs = (field: DescField, wireType: WireType): boolean => {
  const isText = field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES
  const own = field.message !== undefined || isText ? WireType.LengthDelimited : WireType.Varint
  return wireType === own || (field.fieldKind === 'list' && wireType === WireType.LengthDelimited)
}
/** An empty one of each: eight zeros are also a varint, or a length, of 0, and fields that nobody knows. */
const emptyOf = new Map([
  [WireType.Varint, new Uint8Array(1)],
  [WireType.LengthDelimited, new Uint8Array(1)],
  [WireType.Bit32, new Uint8Array(4)],
  [WireType.Bit64, new Uint8Array(8)],
])

test('in every message every field is read in its own wire type and refused in every other', async () => {
  const schemas = await allSchemas()
  let [read, refused] = [0, 0]
  for (const schema of schemas)
    for (const field of schema.fields)
      for (const [wireType, value] of emptyOf) {
        const bytes = concat([new BinaryWriter().tag(field.number, wireType).finish(), value])
        if (isReadAs(field, wireType)) {
          parseMessage(schema, bytes)
          read++
        } else {
          assert.throws(
            () => parseMessage(schema, bytes),
            isMalformed,
            `${schema.typeName}.${field.name} as ${wireType}`,
          )
          refused++
        }
      }
  assert.ok(schemas.length > 40 && read > 200 && refused > 2 * read, `${schemas.length} ${read} ${refused}`)
})

test('inside of a message too, and a message that reaches over its end is none', () => {
  const refusal = toBinary(RefusalSchema, create(RefusalSchema, { code: 'A', facts: [{ name: 'b' }] }))
  assert.equal(parseMessage(RefusalSchema, refusal).facts.length, 1)
  const inner = refusal.indexOf(0x62) - 2
  for (const [at, byte] of [
    // The name of the fact as a number; the fact one byte longer than there is, and one shorter.
    [inner, refusal[inner]! & ~7],
    [inner - 1, refusal[inner - 1]! + 1],
    [inner - 1, refusal[inner - 1]! - 1],
  ] as const) {
    const bent = refusal.slice()
    bent[at] = byte
    assert.throws(() => parseMessage(RefusalSchema, concat([bent])), isMalformed, `byte ${at}`)
  }
  // A field that is not known to this version is passed over, in whatever type it comes.
  const later = new BinaryWriter().tag(99, WireType.Bit64).fixed64(1n).finish()
  assert.equal(parseMessage(RefusalSchema, concat([refusal, later])).code, 'A')
})
