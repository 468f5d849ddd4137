/** Whatever one side holds of an account, the other side, which signed it, holds as well. */
import { equals } from 'uint8arrays'

import type { Signed } from '../../protocols/wire/index.ts'
import { honest, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

export const noReceiptLost: MeshChecker = {
  name: 'no-receipt-lost',
  atEnd(world) {
    const wrong: string[] = []
    for (const provider of honest(world)) {
      const earned = booksOf(world, provider, 'lease')
      for (const [lease, signed] of earned.countersignatures) {
        const requester = world.peerOf(signed[0]!.by)
        if (requester === undefined || requester.vice !== null) continue
        const owed = booksOf(world, requester, 'job')
        for (const { body, envelope } of signed) {
          if (!holds(owed.countersignatures.get(lease), envelope))
            wrong.push(`countersignature ${body.sequence} of lease ${lease.slice(0, 6)} is not with who gave it`)
        }
      }
    }
    for (const requester of honest(world)) {
      const owed = booksOf(world, requester, 'job')
      for (const [lease, receipts] of owed.receipts) {
        const provider = world.peerOf(receipts[0]!.by)
        if (provider === undefined || provider.vice !== null) continue
        const earned = booksOf(world, provider, 'lease')
        for (const { body, envelope } of receipts) {
          if (!holds(earned.receipts.get(lease), envelope))
            wrong.push(`receipt ${body.sequence} of lease ${lease.slice(0, 6)} is not with who gave it`)
        }
      }
    }
    return wrong
  },
}

function holds(statements: readonly Signed<unknown>[] | undefined, envelope: Uint8Array): boolean {
  return statements?.some((other) => other.envelope === envelope || equals(other.envelope, envelope)) ?? false
}
