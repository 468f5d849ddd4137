/** The sections of a module (core specification 5.5): where each stands, and what we read of them. */
import { BinaryReader } from './binary.ts'
import { ModuleInvalidError } from './errors.ts'
import { readMemory, refuseFlags, type MemoryLimits } from './memory.ts'
import { readTypes, skipValueType } from './types.ts'

export const section = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const

/** The order in which they must stand. */
export const sectionOrder: readonly number[] = [
  section.type,
  section.import,
  section.function,
  section.table,
  section.memory,
  section.tag,
  section.global,
  section.export,
  section.start,
  section.element,
  section.dataCount,
  section.code,
  section.data,
]

/** `\0asm`, version 1. */
export const preamble = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00)
const importKinds: readonly string[] = ['function', 'table', 'memory', 'global', 'tag']
const functionKind = 0
const nameSection = 'name'

export interface Span {
  readonly start: number
  readonly end: number
}

export interface ModuleSections {
  /** Content of each section by its number; a reader of it is taken from `reader`. */
  readonly spans: ReadonlyMap<number, Span>
  /** The section of names as a whole, with its number and size. Other custom sections hold offsets, which are wrong afterwards. */
  readonly names: Span | undefined
}

export interface ModuleShape {
  /** Parameters of the function type of each index. */
  readonly parameters: readonly number[]
  readonly importedFunctions: number
  /** Index of the type of each function of the module's own. */
  readonly functionTypes: readonly number[]
  readonly globals: number
  readonly memory: MemoryLimits | undefined
  readonly exportNames: ReadonlySet<string>
  /** The function that runs before all others. */
  readonly start: number | undefined
}

export function readSections(module: Uint8Array): ModuleSections {
  if (module.byteLength < preamble.byteLength || !preamble.every((byte, index) => module[index] === byte)) {
    throw new ModuleInvalidError('not a WebAssembly module (its first eight bytes are not those of version 1)')
  }
  const spans = new Map<number, Span>()
  let names: Span | undefined
  let reached = -1
  const reader = new BinaryReader(module, preamble.byteLength, module.byteLength)
  while (!reader.atEnd) {
    const start = reader.at
    const id = reader.byte()
    const body = reader.part(reader.unsigned())
    if (id === section.custom) {
      if (body.name() === nameSection) names = { start, end: body.end }
      continue
    }
    const rank = sectionOrder.indexOf(id)
    if (rank < 0) throw new ModuleInvalidError(`the module has an unknown section ${id}`)
    if (spans.has(id)) throw new RangeError(`it has two sections ${id}`)
    if (rank < reached) throw new RangeError(`section ${id} stands in the wrong place`)
    reached = rank
    spans.set(id, { start: body.at, end: body.end })
  }
  return { spans, names }
}

export function readShape(module: Uint8Array, { spans }: ModuleSections): ModuleShape {
  const from = <Value>(id: number, read: (body: BinaryReader) => Value, otherwise: Value): Value => {
    const span = spans.get(id)
    return span === undefined ? otherwise : read(new BinaryReader(module, span.start, span.end))
  }
  from(section.table, refuseTables, undefined)
  return {
    parameters: from(section.type, readTypes, []),
    importedFunctions: from(section.import, countImports, 0),
    functionTypes: from(section.function, readIndexes, []),
    memory: from(section.memory, readMemory, undefined),
    globals: from(section.global, (body) => body.count(), 0),
    exportNames: from(section.export, readExportNames, new Set()),
    start: from<number | undefined>(section.start, (body) => body.unsigned(), undefined),
  }
}

/** A WASI program imports functions and nothing else; an imported memory would be one whose maximum is not declared here. */
function countImports(body: BinaryReader): number {
  const count = body.count()
  for (let index = 0; index < count; index++) {
    const module = body.name()
    const field = body.name()
    const kind = body.byte()
    if (kind !== functionKind) {
      throw new ModuleInvalidError(
        `the program imports the ${importKinds[kind] ?? `thing of kind ${kind}`} ${module}.${field}; only functions are provided`,
      )
    }
    body.unsigned()
  }
  body.expectEnd()
  return count
}

function readIndexes(body: BinaryReader): number[] {
  const indexes: number[] = []
  for (let count = body.count(); count > 0; count--) indexes.push(body.unsigned())
  body.expectEnd()
  return indexes
}

const withInitializer = 0x40

/** Those whose indexes have 64 bits. */
function refuseTables(body: BinaryReader): void {
  for (let count = body.count(); count > 0; count--) {
    // What follows the limits of such a table is an expression, whose length only a validator knows.
    if (body.peek() === withInitializer) return
    skipValueType(body)
    const flags = body.byte()
    refuseFlags(flags, 'table')
    body.skipNumber(5)
    if (flags !== 0) body.skipNumber(5)
  }
}

function readExportNames(body: BinaryReader): Set<string> {
  const names = new Set<string>()
  for (let count = body.count(); count > 0; count--) {
    names.add(body.name())
    body.byte()
    body.unsigned()
  }
  body.expectEnd()
  return names
}
