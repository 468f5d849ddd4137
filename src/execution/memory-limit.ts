/**
 * Bounds the memory of a WebAssembly module before it is compiled: rewrites the memory section so that its maximum is at
 * most what the task may use. A module without a maximum may otherwise grow until the machine ends it.
 *
 * Pure. Reads only the frame of sections, the import section and the memory section (WebAssembly core specification 5.5);
 * whether the rest is lawful is for the engine's validator, which sees the rewritten bytes.
 */
import { BinaryReader, encodeUnsigned } from './wasm-binary.ts'

export const pageBytes = 65_536
/** 4 GiB: all that a 32-bit memory can have. */
const pagesMax = 65_536
const importSection = 2
const memorySection = 5
/** `\0asm`, version 1. */
const preamble = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00)
const importKinds: readonly string[] = ['function', 'table', 'memory', 'global', 'tag']
const functionKind = 0

export interface LimitedModule {
  readonly bytes: Uint8Array
  /** Linear memory at the start and at most. Both 0 for a module that has none. */
  readonly memoryBytesMin: number
  readonly memoryBytesMax: number
}

/** The module cannot be run by us: malformed, or of a kind that this executor does not take. */
export class ModuleInvalidError extends Error {
  override readonly name = 'ModuleInvalidError'
}

/** The module asks at its start for more memory than it may use at all. */
export class ModuleTooLargeError extends Error {
  override readonly name = 'ModuleTooLargeError'
  readonly memoryBytesWanted: number
  readonly memoryBytesMax: number

  constructor(memoryBytesWanted: number, memoryBytesMax: number) {
    super(`the program wants ${memoryBytesWanted} bytes of memory at its start and may use ${memoryBytesMax}`)
    this.memoryBytesWanted = memoryBytesWanted
    this.memoryBytesMax = memoryBytesMax
  }
}

/** Throws ModuleInvalidError or ModuleTooLargeError, and nothing else, whatever the bytes. */
export function limitMemory(module: Uint8Array, memoryBytesMax: number): LimitedModule {
  if (module.byteLength < preamble.byteLength || !preamble.every((byte, index) => module[index] === byte)) {
    throw new ModuleInvalidError('not a WebAssembly module (its first eight bytes are not those of version 1)')
  }
  const reader = new BinaryReader(module, preamble.byteLength, module.byteLength)
  let memory: MemoryDeclaration | undefined
  try {
    while (!reader.atEnd) {
      const start = reader.at
      const id = reader.byte()
      const body = reader.part(reader.unsigned())
      if (id === importSection) refuseForeignImports(body)
      if (id !== memorySection) continue
      if (memory !== undefined) throw new ModuleInvalidError('the module has two memory sections')
      memory = { ...readMemory(body), start, end: body.end }
    }
  } catch (error) {
    if (error instanceof ModuleInvalidError) throw error
    if (error instanceof RangeError) throw new ModuleInvalidError(`the module is malformed: ${error.message}`)
    throw error
  }
  return memory === undefined || memory.pagesMin === undefined
    ? { bytes: module, memoryBytesMin: 0, memoryBytesMax: 0 }
    : withMaximum(module, memory, memoryBytesMax)
}

interface MemoryDeclaration {
  /** Undefined when the section declares no memory at all, which is lawful. */
  readonly pagesMin: number | undefined
  readonly pagesMax: number
  /** The section, from its id to its end. */
  readonly start: number
  readonly end: number
}

function withMaximum(module: Uint8Array, memory: MemoryDeclaration, memoryBytesMax: number): LimitedModule {
  const pagesMin = memory.pagesMin ?? 0
  const pages = Math.min(memory.pagesMax, Math.floor(memoryBytesMax / pageBytes))
  if (pagesMin > pages) throw new ModuleTooLargeError(pagesMin * pageBytes, memoryBytesMax)
  const body = [1, hasMaximum, ...encodeUnsigned(pagesMin), ...encodeUnsigned(pages)]
  const section = Uint8Array.from([memorySection, ...encodeUnsigned(body.length), ...body])
  const bytes = new Uint8Array(memory.start + section.byteLength + module.byteLength - memory.end)
  bytes.set(module.subarray(0, memory.start))
  bytes.set(section, memory.start)
  bytes.set(module.subarray(memory.end), memory.start + section.byteLength)
  return { bytes, memoryBytesMin: pagesMin * pageBytes, memoryBytesMax: pages * pageBytes }
}

/** Bits of the limits' flags (core specification 5.3.7 and the memory64, threads and custom-page-sizes proposals). */
const hasMaximum = 0x01
const flagNames: readonly [bit: number, name: string][] = [
  [0x02, 'shared'],
  [0x04, '64-bit'],
  [0x08, 'custom-page-size'],
]

function readMemory(body: BinaryReader): Pick<MemoryDeclaration, 'pagesMin' | 'pagesMax'> {
  const count = body.unsigned()
  if (count > 1) throw new ModuleInvalidError(`the module has ${count} memories, and one is allowed`)
  if (count === 0) {
    body.expectEnd()
    return { pagesMin: undefined, pagesMax: 0 }
  }
  const flags = body.byte()
  for (const [bit, name] of flagNames) {
    if ((flags & bit) !== 0) throw new ModuleInvalidError(`the module has a ${name} memory, which is not supported`)
  }
  if (flags > hasMaximum) throw new RangeError(`unknown flags ${flags} of a memory`)
  const least = body.unsigned()
  const most = flags === hasMaximum ? body.unsigned() : pagesMax
  body.expectEnd()
  if (least > pagesMax || most > pagesMax || least > most)
    throw new RangeError('the limits of the memory are not lawful')
  return { pagesMin: least, pagesMax: most }
}

/** A WASI program imports functions and nothing else; an imported memory would be one whose maximum is not declared here. */
function refuseForeignImports(body: BinaryReader): void {
  const count = body.unsigned()
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
}
