/** Types (core specification 5.3): read as far as needed to know how many parameters a function has. */
import type { BinaryReader } from './binary.ts'
import { ModuleInvalidError } from './errors.ts'

const nullableReference = 0x63
const reference = 0x64
const functionType = 0x60
const structureType = 0x5f
const arrayType = 0x5e
const recursiveGroup = 0x4e
const subtype = 0x50
const finalSubtype = 0x4f
const sharedType = 0x65
/** What the engine itself takes. */
const typesMax = 1_000_000

/** A signed number of 33 bits: an abstract heap type, or the index of a type. */
export function skipHeapType(reader: BinaryReader): void {
  if (reader.peek() === sharedType)
    throw new ModuleInvalidError('the program has shared types, and a task has one thread')
  reader.skipNumber(5)
}

export function skipValueType(reader: BinaryReader): void {
  const type = reader.byte()
  if (type === nullableReference || type === reference) skipHeapType(reader)
}

/** 0x40, a value type, or the index of a type as a signed number of 33 bits: in all forms the rest is that of a number. */
export function skipBlockType(reader: BinaryReader): void {
  const type = reader.peek()
  if (type === nullableReference || type === reference) skipValueType(reader)
  else reader.skipNumber(5)
}

/** The content of a type section. How many parameters the type of each index has; those of a group count singly. */
export function readTypes(body: BinaryReader): number[] {
  const parameters: number[] = []
  const add = (): void => {
    if (parameters.length >= typesMax) throw new RangeError(`there are more than ${typesMax} types`)
    parameters.push(readType(body))
  }
  for (let count = body.count(); count > 0; count--) {
    if (body.peek() === recursiveGroup) {
      body.skip(1)
      for (let members = body.count(); members > 0; members--) add()
    } else add()
  }
  body.expectEnd()
  return parameters
}

function readType(body: BinaryReader): number {
  let form = body.byte()
  if (form === subtype || form === finalSubtype) {
    for (let count = body.count(); count > 0; count--) body.skipNumber(5)
    form = body.byte()
  }
  if (form === structureType || form === arrayType) {
    throw new ModuleInvalidError(
      'the program has garbage-collected types, whose memory the limit of the task cannot bound',
    )
  }
  if (form === sharedType) throw new ModuleInvalidError('the program has shared types, and a task has one thread')
  if (form !== functionType) throw new RangeError(`unknown form 0x${form.toString(16)} of a type, at byte ${body.at}`)
  const parameters = body.count()
  for (let index = 0; index < parameters; index++) skipValueType(body)
  for (let count = body.count(); count > 0; count--) skipValueType(body)
  return parameters
}
