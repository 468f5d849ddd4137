/** What comes on the child's own pipe, taken as if a stranger had written it. */
import type { Readable } from 'node:stream'

import { recordBytesMax, recordSchema, type ChildRecord } from './child-protocol.ts'

const newline = 0x0a
const gasPattern = /^\d{1,16}$/

/**
 * Undefined when the child ended before it wrote a record. Rejects when what it wrote is none, or a line is longer than one may be.
 * `onGas` is told each count, which only grows.
 */
export async function readRecord(pipe: Readable, onGas: (gas: number) => void): Promise<ChildRecord | undefined> {
  let record: ChildRecord | undefined
  let gas = 0
  let rest = Buffer.alloc(0)
  for await (const chunk of pipe as AsyncIterable<Uint8Array>) {
    rest = Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      const line = rest.toString('utf8', 0, end)
      rest = rest.subarray(end + 1)
      if (record !== undefined) throw new RangeError('it wrote more after its record')
      if (!gasPattern.test(line)) record = recordSchema.parse(JSON.parse(line))
      else if (Number.isSafeInteger(Number(line))) onGas((gas = Math.max(gas, Number(line))))
    }
    if (rest.byteLength > recordBytesMax) throw new RangeError(`its record has more than ${recordBytesMax} bytes`)
  }
  if (rest.byteLength > 0) throw new RangeError('its last line has no end')
  return record
}
