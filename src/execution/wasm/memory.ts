/** The memory of a module: one, of 32 bits, not shared, whose maximum is what the task may use. */
import { encodeUnsigned, type BinaryReader } from './binary.ts'
import { ModuleInvalidError, ModuleTooLargeError } from './errors.ts'

export const pageBytes = 65_536
/** 4 GiB: all that a 32-bit memory can have. */
const pagesMost = 65_536

/** Bits of the limits' flags (core specification 5.3.7 and the memory64, threads and custom-page-sizes proposals). */
const hasMaximum = 0x01
const flagNames: readonly [bit: number, name: string][] = [
  [0x02, 'shared'],
  [0x04, '64-bit'],
  [0x08, 'custom-page-size'],
]

export interface MemoryLimits {
  readonly pagesMin: number
  readonly pagesMax: number
}

/** The content of a memory section. Undefined when it declares none, which is lawful. */
export function readMemory(body: BinaryReader): MemoryLimits | undefined {
  const count = body.unsigned()
  if (count > 1) throw new ModuleInvalidError(`the module has ${count} memories, and one is allowed`)
  if (count === 0) {
    body.expectEnd()
    return undefined
  }
  const flags = body.byte()
  refuseFlags(flags, 'memory')
  const pagesMin = body.unsigned()
  const pagesMax = flags === hasMaximum ? body.unsigned() : pagesMost
  body.expectEnd()
  if (pagesMin > pagesMost || pagesMax > pagesMost || pagesMin > pagesMax) {
    throw new RangeError('the limits of the memory are not lawful')
  }
  return { pagesMin, pagesMax }
}

/** Throws for flags of limits that are not known, or of a kind that is not taken. */
export function refuseFlags(flags: number, what: 'memory' | 'table'): void {
  for (const [bit, name] of flagNames) {
    if ((flags & bit) !== 0) throw new ModuleInvalidError(`the module has a ${name} ${what}, which is not supported`)
  }
  if (flags > hasMaximum) throw new RangeError(`unknown flags ${flags} of a ${what}`)
}

/** Throws ModuleTooLargeError when the module wants more at its start than it may have. */
export function boundMemory(wanted: MemoryLimits, memoryBytesMax: number): MemoryLimits {
  const pagesMax = Math.min(wanted.pagesMax, Math.floor(memoryBytesMax / pageBytes))
  if (wanted.pagesMin > pagesMax) throw new ModuleTooLargeError(wanted.pagesMin * pageBytes, memoryBytesMax)
  return { pagesMin: wanted.pagesMin, pagesMax }
}

/** The content of a memory section. */
export function encodeMemory({ pagesMin, pagesMax }: MemoryLimits): number[] {
  return [1, hasMaximum, ...encodeUnsigned(pagesMin), ...encodeUnsigned(pagesMax)]
}
