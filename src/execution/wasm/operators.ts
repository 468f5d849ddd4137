/**
 * The instructions of WebAssembly (core specification 5.4, with the proposals that are part of 3.0): what follows each
 * opcode, and what it costs. What is not here is refused, by name where it has one: an instruction that we cannot step
 * over cannot be counted.
 */
import type { BinaryReader } from './binary.ts'
import { divisionCost, ordinaryCost, throwCost } from './costs.ts'
import { ModuleInvalidError } from './errors.ts'
import { skipHeapType, skipValueType } from './types.ts'

/** What follows an opcode. */
const immediates = {
  refused: 0,
  none: 1,
  index: 2,
  twoIndexes: 3,
  memoryAccess: 4,
  number32: 5,
  number64: 6,
  float32: 7,
  float64: 8,
  types: 9,
  heapType: 10,
  memory: 11,
} as const

export const opcode = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  rethrow: 0x09,
  throwRef: 0x0a,
  end: 0x0b,
  branch: 0x0c,
  branchIf: 0x0d,
  branchTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  callRef: 0x14,
  returnCallRef: 0x15,
  delegate: 0x18,
  catchAll: 0x19,
  tryTable: 0x1f,
  memoryGrow: 0x40,
  branchOnNull: 0xd5,
  branchOnNonNull: 0xd6,
  garbageCollected: 0xfb,
  miscellaneous: 0xfc,
  vector: 0xfd,
  atomic: 0xfe,
} as const

const kinds = new Uint8Array(256)
const costs = new Uint16Array(256).fill(ordinaryCost)

function row(from: number, to: number, kind: number, cost: number = ordinaryCost): void {
  kinds.fill(kind, from, to + 1)
  costs.fill(cost, from, to + 1)
}

// Those of control (0x00 to 0x1f but the ones here) are told apart by the one who counts.
row(0x00, 0x01, immediates.none)
row(0x08, 0x09, immediates.index, throwCost)
row(0x0a, 0x0a, immediates.none, throwCost)
row(0x1a, 0x1b, immediates.none)
row(0x1c, 0x1c, immediates.types)
row(0x20, 0x26, immediates.index)
row(0x28, 0x3e, immediates.memoryAccess)
row(0x3f, 0x40, immediates.memory)
row(0x41, 0x41, immediates.number32)
row(0x42, 0x42, immediates.number64)
row(0x43, 0x43, immediates.float32)
row(0x44, 0x44, immediates.float64)
row(0x45, 0xc4, immediates.none)
for (const division of [0x6d, 0x7f]) row(division, division + 3, immediates.none, divisionCost)
for (const root of [0x91, 0x9f]) row(root, root, immediates.none, divisionCost)
row(0xd0, 0xd0, immediates.heapType)
row(0xd1, 0xd1, immediates.none)
row(0xd2, 0xd2, immediates.index)
row(0xd4, 0xd4, immediates.none)

/** The immediates of an instruction of one byte that is none of control. */
export function skipOperands(reader: BinaryReader, code: number): void {
  switch (kinds[code]) {
    case immediates.none:
      return
    case immediates.index:
      return reader.skipNumber(5)
    case immediates.memoryAccess:
      return skipMemoryAccess(reader)
    case immediates.memory:
      return skipMemory(reader)
    case immediates.number32:
      return reader.skipNumber(5)
    case immediates.number64:
      return reader.skipNumber(10)
    case immediates.float32:
      return reader.skip(4)
    case immediates.float64:
      return reader.skip(8)
    case immediates.types:
      for (let count = reader.count(); count > 0; count--) skipValueType(reader)
      return
    case immediates.heapType:
      return skipHeapType(reader)
    default:
      throw refusal(code)
  }
}

export const costOf = (code: number): number => costs[code]!

/** Instructions of two parts whose first is 0xfc: saturating conversions, and what moves much at once. */
export const miscellaneous = {
  /** The last of the conversions. */
  truncationMax: 7,
  memoryInit: 8,
  dataDrop: 9,
  memoryCopy: 10,
  memoryFill: 11,
  tableInit: 12,
  elementDrop: 13,
  tableCopy: 14,
  tableGrow: 15,
  tableSize: 16,
  tableFill: 17,
} as const

export function skipMiscellaneous(reader: BinaryReader, code: number): void {
  switch (code) {
    case miscellaneous.memoryInit:
      reader.skipNumber(5)
      return skipMemory(reader)
    case miscellaneous.memoryCopy:
      skipMemory(reader)
      return skipMemory(reader)
    case miscellaneous.memoryFill:
      return skipMemory(reader)
    case miscellaneous.tableInit:
    case miscellaneous.tableCopy:
      reader.skipNumber(5)
      return reader.skipNumber(5)
    case miscellaneous.dataDrop:
    case miscellaneous.elementDrop:
    case miscellaneous.tableGrow:
    case miscellaneous.tableSize:
    case miscellaneous.tableFill:
      return reader.skipNumber(5)
    default:
      if (code > miscellaneous.tableFill)
        throw new ModuleInvalidError(`the program has an unknown instruction 0xfc ${code}`)
  }
}

/** The last of fixed-width SIMD; what follows is relaxed. */
const vectorMax = 0xff
const relaxedMax = 0x12f

/** Instructions of two parts whose first is 0xfd: vectors of 128 bits. */
export function skipVector(reader: BinaryReader, code: number): void {
  if (code > vectorMax) {
    throw new ModuleInvalidError(
      code <= relaxedMax
        ? 'the program uses relaxed SIMD, whose results differ between processors; compile it without -mrelaxed-simd'
        : `the program has an unknown instruction 0xfd ${code}`,
    )
  }
  if (code <= 0x0b || code === 0x5c || code === 0x5d) return skipMemoryAccess(reader)
  if (code === 0x0c || code === 0x0d) return reader.skip(16)
  if (code >= 0x15 && code <= 0x22) return reader.skip(1)
  if (code >= 0x54 && code <= 0x5b) {
    skipMemoryAccess(reader)
    reader.skip(1)
  }
}

/** Square roots and divisions of vectors. */
const slowVectors = new Set([0xe3, 0xef, 0xe7, 0xf3])

export const costOfVector = (code: number): number => (slowVectors.has(code) ? divisionCost : ordinaryCost)

export function refusal(code: number): ModuleInvalidError {
  if (code === opcode.atomic)
    return new ModuleInvalidError('the program uses threads (atomic instructions), and a task has one thread')
  if (code === opcode.garbageCollected || code === 0xd3) {
    return new ModuleInvalidError(
      'the program uses garbage-collected types, whose memory the limit of the task cannot bound',
    )
  }
  return new ModuleInvalidError(`the program has an unknown instruction 0x${code.toString(16).padStart(2, '0')}`)
}

/** Alignment and offset. Bit 6 of the alignment says that the number of a memory follows (several memories). */
function skipMemoryAccess(reader: BinaryReader): void {
  if (reader.unsigned() >= 0x40) throw new ModuleInvalidError('the program has several memories, and one is allowed')
  reader.skipNumber(5)
}

function skipMemory(reader: BinaryReader): void {
  if (reader.unsigned() !== 0) throw new ModuleInvalidError('the program has several memories, and one is allowed')
}
