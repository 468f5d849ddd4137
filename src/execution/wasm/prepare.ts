/**
 * Makes a module ready to run: bounds its memory, puts in the counter of gas, and makes its NaNs canonical if that is asked.
 *
 * Pure. What it does not read is copied byte for byte and is for the engine's validator, which sees the rewritten bytes.
 * Everything that is added comes after what is there (a global, exports), so that no index changes.
 */
import { BinaryReader, encodeUnsigned } from './binary.ts'
import { Blocks } from './blocks.ts'
import { ModuleInvalidError } from './errors.ts'
import { FunctionWriter, type MeterPlaces } from './function.ts'
import { boundMemory, encodeMemory, pageBytes, type MemoryLimits } from './memory.ts'
import { preamble, readSections, readShape, section, sectionOrder, type ModuleShape, type Span } from './sections.ts'
import { BinaryWriter } from './writer.ts'

export interface PrepareOptions {
  readonly memoryBytesMax: number
  /** Whether NaNs are made canonical. */
  readonly canonicalNaNs: boolean
}

export interface PreparedModule {
  readonly bytes: Uint8Array
  /** Linear memory at the start and at most. Both 0 for a module that has none. */
  readonly memoryBytesMin: number
  readonly memoryBytesMax: number
  /** Under what names the module gives us what was added. */
  readonly names: PrivateNames
}

export interface PrivateNames {
  /** An i64, mutable: the gas that is left. It is 0 until the host says otherwise. */
  readonly gas: string
  /** What the module wanted to run before all else: a program must not run before its host is ready. Null: nothing. */
  readonly start: string | null
}

/** Rewritten code was 1.2 to 1.5 times as long; one that is nothing but loops would be seven times. */
const growthExpected = 1.5
const growthMax = 4
const growthBytesMin = 65_536

/** Throws ModuleInvalidError or ModuleTooLargeError, and nothing else, whatever the bytes. */
export function prepareModule(module: Uint8Array, options: PrepareOptions): PreparedModule {
  try {
    return prepared(module, options)
  } catch (error) {
    if (error instanceof RangeError) throw new ModuleInvalidError(`the module is malformed: ${error.message}`)
    throw error
  }
}

function prepared(module: Uint8Array, { memoryBytesMax, canonicalNaNs }: PrepareOptions): PreparedModule {
  const sections = readSections(module)
  const shape = readShape(module, sections)
  const memory = shape.memory === undefined ? undefined : boundMemory(shape.memory, memoryBytesMax)
  const names = privateNames(shape)
  const places: MeterPlaces = {
    gasGlobal: shape.globals,
    pagesMax: memory?.pagesMax ?? 0,
  }
  const code = sections.spans.get(section.code)
  const codeBytes = code === undefined ? 0 : code.end - code.start
  const bytesMax = module.byteLength * growthMax + growthBytesMin
  const writer = new BinaryWriter(module.byteLength + Math.ceil(codeBytes * (growthExpected - 1)), bytesMax)
  writer.all(preamble)
  for (const id of sectionOrder) {
    const span = sections.spans.get(id)
    const added = additions(id, shape, places, names)
    if (id === section.start) continue
    if (id === section.memory && memory !== undefined) writeSection(writer, id, encodeMemory(memory))
    else if (id === section.code && span !== undefined) writeCode(module, span, writer, shape, places, canonicalNaNs)
    else if (added !== undefined) append(module, span, writer, id, added)
    else if (span !== undefined) {
      writer.byte(id)
      writer.unsigned(span.end - span.start)
      writer.copy(module, span.start, span.end)
    }
  }
  if (sections.names !== undefined) writer.copy(module, sections.names.start, sections.names.end)
  return { bytes: writer.finish(), ...bytesOf(memory), names }
}

function bytesOf(memory: MemoryLimits | undefined): Pick<PreparedModule, 'memoryBytesMin' | 'memoryBytesMax'> {
  return {
    memoryBytesMin: (memory?.pagesMin ?? 0) * pageBytes,
    memoryBytesMax: (memory?.pagesMax ?? 0) * pageBytes,
  }
}

/** Names that the program does not export itself. */
function privateNames({ exportNames, start }: ModuleShape): PrivateNames {
  let prefix = 'pleach'
  const taken = (): boolean => ['gas', 'start'].some((name) => exportNames.has(`${prefix}:${name}`))
  while (taken()) prefix += "'"
  return { gas: `${prefix}:gas`, start: start === undefined ? null : `${prefix}:start` }
}

const kind = { function: 0, global: 3 } as const
const mutableI64 = [0x7e, 0x01]
const i64Zero = [0x42, 0x00, 0x0b]

/** What comes at the end of a section. */
function additions(
  id: number,
  shape: ModuleShape,
  places: MeterPlaces,
  names: PrivateNames,
): readonly (readonly number[])[] | undefined {
  switch (id) {
    case section.global:
      return [[...mutableI64, ...i64Zero]]
    case section.export:
      return [
        [...text(names.gas), kind.global, ...encodeUnsigned(places.gasGlobal)],
        ...(names.start === null || shape.start === undefined
          ? []
          : [[...text(names.start), kind.function, ...encodeUnsigned(shape.start)]]),
      ]
    default:
      return undefined
  }
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value)
  return [...encodeUnsigned(bytes.byteLength), ...bytes]
}

function writeSection(writer: BinaryWriter, id: number, content: readonly number[]): void {
  writer.byte(id)
  writer.unsigned(content.length)
  writer.all(content)
}

/** A section that is a list, with more at its end. */
function append(
  module: Uint8Array,
  span: Span | undefined,
  writer: BinaryWriter,
  id: number,
  added: readonly (readonly number[])[],
): void {
  writer.byte(id)
  const sizeAt = writer.openSize()
  if (span === undefined) writer.unsigned(added.length)
  else {
    const body = new BinaryReader(module, span.start, span.end)
    writer.unsigned(body.unsigned() + added.length)
    writer.copy(module, body.at, span.end)
  }
  for (const bytes of added) writer.all(bytes)
  writer.closeSize(sizeAt)
}

function writeCode(
  module: Uint8Array,
  span: Span,
  writer: BinaryWriter,
  { functionTypes, parameters, importedFunctions }: ModuleShape,
  places: MeterPlaces,
  canonicalNaNs: boolean,
): void {
  const body = new BinaryReader(module, span.start, span.end)
  const count = body.count()
  if (count !== functionTypes.length) throw new RangeError(`${functionTypes.length} functions have ${count} bodies`)
  const blocks = new Blocks(canonicalNaNs, (index) => index < importedFunctions)
  const functions = new FunctionWriter(module, writer, blocks, places)
  writer.byte(section.code)
  const sizeAt = writer.openSize()
  writer.unsigned(count)
  for (const type of functionTypes) {
    const parameterCount = parameters[type]
    if (parameterCount === undefined) throw new RangeError(`a function has the type ${type}, which there is not`)
    functions.write(body.part(body.unsigned()), parameterCount)
  }
  body.expectEnd()
  writer.closeSize(sizeAt)
}
