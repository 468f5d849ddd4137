/** Each account is one chain: numbers without gap or repetition, each receipt naming the one before, nothing ever falling. */
import { equals, fromString } from 'uint8arrays'

import type { Receipt } from '../../protocols/receipt/index.ts'
import { hashOfEnvelope, type Signed } from '../../protocols/wire/index.ts'
import { honest, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

export const noneCountedTwice: MeshChecker = {
  name: 'none-counted-twice',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      for (const side of ['lease', 'job'] as const) {
        const { receipts, countersignatures } = booksOf(world, peer, side)
        for (const [lease, written] of receipts) {
          const problem = whatIsWrong(lease, written)
          if (problem !== undefined) wrong.push(`peer ${peer.number}, lease ${lease.slice(0, 6)}: ${problem}`)
        }
        for (const [lease, signed] of countersignatures) {
          const bySequence = new Map<number, Uint8Array>()
          for (const { body, envelope } of signed) {
            const other = bySequence.get(body.sequence)
            if (other !== undefined && !equals(other, envelope))
              wrong.push(
                `peer ${peer.number}: receipt ${body.sequence} of ${lease.slice(0, 6)} was countersigned twice`,
              )
            bySequence.set(body.sequence, envelope)
          }
        }
      }
    }
    return wrong
  },
}

function whatIsWrong(lease: string, written: readonly Signed<Receipt>[]): string | undefined {
  const distinct = new Map<number, Signed<Receipt>>()
  for (const receipt of written) {
    const other = distinct.get(receipt.body.sequence)
    if (other !== undefined && !equals(other.envelope, receipt.envelope))
      return `two receipts with number ${receipt.body.sequence}`
    distinct.set(receipt.body.sequence, receipt)
  }
  let previous: Uint8Array = fromString(lease, 'hex')
  let last: Receipt | undefined
  for (const { body, envelope } of [...distinct.values()].sort(
    (left, right) => left.body.sequence - right.body.sequence,
  )) {
    if (body.sequence !== (last?.sequence ?? 0) + 1) return `number ${body.sequence} after ${last?.sequence ?? 0}`
    if (!equals(body.previous, previous)) return `receipt ${body.sequence} does not name the one before it`
    if (last !== undefined && (body.amountMicro < last.amountMicro || body.usage.wallMs < last.usage.wallMs))
      return `receipt ${body.sequence} states less than the one before it`
    if (last?.final === true) return `receipt ${body.sequence} follows the final one`
    previous = hashOfEnvelope(envelope)
    last = body
  }
  return undefined
}
