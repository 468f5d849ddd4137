/**
 * An honest requester signs for no more time than passed since it gave the lease, and for exactly what the lease says of that time;
 * an honest provider works for no other price than it offered.
 */
import {
  amountOwed,
  usageNames,
  usageOf,
  wallToleranceMs,
  wallTolerancePermille,
} from '../../protocols/receipt/index.ts'
import { honest, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

/** Clocks jump by at most so much, there and back. */
const clockSlackMs = 5_000

export const nobodyOverpays: MeshChecker = {
  name: 'nobody-overpays',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      const { awards, receipts, countersignatures } = booksOf(world, peer, 'job')
      for (const [lease, signed] of countersignatures) {
        const terms = awards.get(lease)?.body
        if (terms === undefined) {
          wrong.push(`peer ${peer.number} signed for lease ${lease.slice(0, 6)}, which it never gave`)
          continue
        }
        const bySequence = new Map((receipts.get(lease) ?? []).map(({ body }) => [body.sequence, body]))
        for (const { body } of signed) {
          const receipt = bySequence.get(body.sequence)
          if (receipt === undefined) {
            wrong.push(
              `peer ${peer.number} signed receipt ${body.sequence} of ${lease.slice(0, 6)} and does not have it`,
            )
            continue
          }
          const passedMs = body.issuedMs - terms.issuedMs
          const allowedMs = (passedMs * (1000 + wallTolerancePermille)) / 1000 + wallToleranceMs + clockSlackMs
          if (receipt.usage.wallMs > allowedMs)
            wrong.push(`peer ${peer.number} signed for ${receipt.usage.wallMs} ms of the ${passedMs} that passed`)
          const most = usageOf(terms, receipt.usage)
          for (const name of usageNames)
            if (receipt.usage[name] > most[name])
              wrong.push(
                `peer ${peer.number} signed for ${receipt.usage[name]} ${name}, where ${most[name]} were leased`,
              )
          const owed = amountOwed(terms, receipt.usage)
          if (receipt.amountMicro !== owed)
            wrong.push(`peer ${peer.number} signed for ${receipt.amountMicro}, where the lease gives ${owed}`)
        }
      }
      const price = peer.plan.lending?.facts.price?.cpuHourMicro
      for (const [lease, { body }] of booksOf(world, peer, 'lease').awards) {
        if (body.cpuHourMicro !== price)
          wrong.push(`peer ${peer.number} offers at ${price} and accepted ${lease.slice(0, 6)} at ${body.cpuHourMicro}`)
      }
    }
    return wrong
  },
}
