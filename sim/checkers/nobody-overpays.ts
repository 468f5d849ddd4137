/**
 * An honest requester signs for no more time than passed since it gave the lease, and for exactly what the lease says of that time;
 * an honest provider works for no other price than it offered.
 */
import { amountOwed, wallToleranceMs, wallTolerancePermille } from '../../protocols/receipt/index.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import { honest, type Checker } from './checker.ts'
import { booksOf } from './statements.ts'

/** Clocks jump by at most so much, there and back. */
const clockSlackMs = 5_000

export const nobodyOverpays: Checker = {
  name: 'nobody-overpays',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      const { awards, receipts, countersignatures } = booksOf(world, peer, 'job')
      for (const [lease, signed] of countersignatures) {
        const terms = awards.get(lease)!.body
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
          const owed = amountOwed(terms, receipt.usage)
          if (receipt.amountMicro !== owed)
            wrong.push(`peer ${peer.number} signed for ${receipt.amountMicro}, where the lease gives ${owed}`)
        }
      }
      for (const { kind, state } of peer.disk.states.values()) {
        if (kind !== 'lease') continue
        const { hold } = state as LeaseState
        if (hold.at !== 'leased') continue
        const offered = hold.offer.body.cpuHourMicro
        const leased = hold.lease.award.body.cpuHourMicro
        if (leased !== offered) wrong.push(`peer ${peer.number} offered at ${offered} and works at ${leased}`)
      }
    }
    return wrong
  },
}
