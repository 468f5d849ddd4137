/**
 * No acknowledged receipt is lost, none is counted twice, chains hold, and what one side owes the other has earned: every
 * countersignature that a provider holds is on the requester's disk with its receipt.
 */
import { equals, fromString } from 'uint8arrays'

import { sha256 } from '../../protocols/wire/index.ts'
import type { Checker } from './checker.ts'
import { booksOf } from './statements.ts'

export const receiptsAgree: Checker = (world) => {
  const wrong: string[] = []
  const owed = new Map(world.peers.map((peer) => [peer.name, booksOf(peer, 'job')]))
  for (const peer of world.peers) {
    const earned = booksOf(peer, 'lease')
    for (const [lease, receipts] of earned.receipts) {
      let previous: Uint8Array = fromString(lease, 'hex')
      const distinct = new Map(receipts.map((receipt) => [receipt.body.sequence, receipt]))
      if (receipts.some((receipt) => !equals(receipt.envelope, distinct.get(receipt.body.sequence)!.envelope))) {
        wrong.push(`peer ${peer.number} signed two receipts with one number`)
      }
      for (const [index, receipt] of [...distinct.values()].entries()) {
        if (receipt.body.sequence !== index + 1 || !equals(receipt.body.previous, previous))
          wrong.push(`the chain of lease ${lease.slice(0, 6)} is broken at ${index + 1}`)
        previous = sha256(receipt.envelope)
      }
      const books = owed.get(receipts[0]!.body.requester)
      const held = books?.countersignatures.get(lease) ?? []
      for (const signed of earned.countersignatures.get(lease) ?? []) {
        if (!held.some((other) => equals(other.envelope, signed.envelope)))
          wrong.push(`countersignature ${signed.body.sequence} of lease ${lease.slice(0, 6)} is not with who gave it`)
      }
      const numbers = held.map(({ body }) => body.sequence)
      const bySequence = new Map(held.map((signed) => [signed.body.sequence, signed]))
      if (
        numbers.length !== bySequence.size &&
        held.some((signed) => !equals(signed.envelope, bySequence.get(signed.body.sequence)!.envelope))
      ) {
        wrong.push(`a receipt of lease ${lease.slice(0, 6)} was countersigned twice`)
      }
    }
  }
  return wrong
}
