/**
 * What a requester signed that it owes is what the provider can show that it earned. The two may differ by one receipt, when the
 * last countersignature never arrived: then the provider has given the account up as unpaid, and says so.
 */
import type { LeaseState } from '../../src/market/lease-machine.ts'
import { honest, type MeshChecker } from './checker.ts'
import { bothSigned, booksOf } from './statements.ts'

export const creditsEqualDebits: MeshChecker = {
  name: 'credits-equal-debits',
  atEnd(world) {
    const wrong: string[] = []
    for (const provider of honest(world)) {
      const earned = booksOf(world, provider, 'lease')
      for (const { kind, state } of provider.disk.states.values()) {
        if (kind !== 'lease') continue
        const { task, hold, ending, bill } = state as LeaseState
        const requester = world.peerOf(hold.requester)
        if (task === null || requester === undefined || requester.vice !== null) continue
        const lease = task.lease.id
        const [credit, debit] = [bothSigned(earned, lease), bothSigned(booksOf(world, requester, 'job'), lease)]
        const isGivenUp = ending?.outcome !== 'paid' && debit.sequence === credit.sequence + 1 && bill?.at !== 'settled'
        if (credit.amountMicro === debit.amountMicro || isGivenUp) continue
        wrong.push(
          `lease ${lease.slice(0, 6)}: peer ${provider.number} earned ${credit.amountMicro} by receipt ${credit.sequence}, ` +
            `peer ${requester.number} owes ${debit.amountMicro} by receipt ${debit.sequence}`,
        )
      }
    }
    return wrong
  },
}
