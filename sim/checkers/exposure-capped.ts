/** A provider never works for more than one interval, and the time to answer for it, without a signature. */
import { countersignWithinMs } from '../../protocols/receipt/index.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import { honest, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

/** What passes between the end of a wait and the end of a program: writes to the disk, and a kill. */
const slackMs = 3_000

export const exposureCapped: MeshChecker = {
  name: 'exposure-capped',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      const { receipts, countersignatures } = booksOf(world, peer, 'lease')
      for (const { kind, state } of peer.disk.states.values()) {
        if (kind !== 'lease') continue
        const { task, hold } = state as LeaseState
        if (task === null || hold.at !== 'leased') continue
        const { paymentIntervalMs, paymentIntervalMsMax } = hold.lease.award.body
        let [signedMs, intervalMs] = [0, paymentIntervalMs]
        const signed = new Set((countersignatures.get(task.lease.id) ?? []).map(({ body }) => body.sequence))
        for (const { body } of receipts.get(task.lease.id) ?? []) {
          const exposedMs = body.usage.wallMs - signedMs
          const capMs = intervalMs + countersignWithinMs + slackMs + peer.frozenMs
          if (exposedMs > capMs)
            wrong.push(
              `lease ${task.lease.id.slice(0, 6)}: peer ${peer.number} worked ${exposedMs} ms unsigned, over ${capMs}`,
            )
          if (!signed.has(body.sequence)) continue
          signedMs = body.usage.wallMs
          intervalMs = Math.min(intervalMs * 2, paymentIntervalMsMax)
        }
      }
    }
    return wrong
  },
}
