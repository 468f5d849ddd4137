/** The child's record, a file, taken as if a stranger had written it. child-protocol.ts says what is in it. */
import { closeSync, openSync, readSync } from 'node:fs'

import { recordBytesMax, recordSchema, type ChildRecord } from './child-protocol.ts'
import { gasDigits, gasLineBytes } from './child/gas.ts'

const gasPattern = new RegExp(`^\\d{${gasDigits}}\n$`)

/** Undefined when nothing is there yet, or no count. One read of few bytes. */
export function readGas(path: string): number | undefined {
  return gasOf(readUpTo(path, gasLineBytes))
}

/** What the child left. Throws when that is more than may be, or no record. */
export function readRecord(path: string): ChildRecord | undefined {
  const bytes = readUpTo(path, gasLineBytes + recordBytesMax + 1)
  if (bytes.byteLength > gasLineBytes + recordBytesMax)
    throw new RangeError(`its record has more than ${recordBytesMax} bytes`)
  if (bytes.byteLength === 0) return undefined
  if (gasOf(bytes) === undefined) throw new RangeError('its record does not begin with its gas')
  const said = bytes.toString('utf8', gasLineBytes)
  return said === '' ? undefined : recordSchema.parse(JSON.parse(said))
}

function gasOf(bytes: Buffer): number | undefined {
  const line = bytes.toString('latin1', 0, gasLineBytes)
  const gas = Number(line)
  return gasPattern.test(line) && Number.isSafeInteger(gas) ? gas : undefined
}

function readUpTo(path: string, bytesMax: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(bytesMax)
    return bytes.subarray(0, readSync(file, bytes, 0, bytesMax, 0))
  } finally {
    closeSync(file)
  }
}
