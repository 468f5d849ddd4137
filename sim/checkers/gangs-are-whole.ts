/** Places that were awarded in one round went to as many providers, and were committed all or none. */
import { toString } from 'uint8arrays'

import { openCommit } from '../../protocols/negotiate/index.ts'
import { honest, tail, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

export const gangsAreWhole: MeshChecker = {
  name: 'gangs-are-whole',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      const awards = [...booksOf(world, peer, 'job').awards].map(([lease, { body }]) => ({ lease, ...body }))
      const rounds = Map.groupBy(awards, ({ job, issuedMs }) => `${tail(job)} at ${issuedMs}`)
      let committed: Set<string> | undefined
      for (const [round, places] of rounds) {
        if (places.length < 2) continue
        committed ??= new Set(
          peer.disk.statements
            .filter(({ machine, statement }) => machine.startsWith('job/') && statement.kind === 'commit')
            .map(({ statement }) => toString(openCommit(peer.plan.notary, statement.envelope).body.lease, 'hex')),
        )
        const leases = places.filter(({ lease }) => committed!.has(lease)).length
        if (leases > 0 && leases < places.length)
          wrong.push(`peer ${peer.number} committed ${leases} of ${places.length} places of job ${round}`)
        if (new Set(places.map(({ provider }) => provider)).size < places.length)
          wrong.push(`peer ${peer.number} awarded two places of job ${round} to one provider`)
      }
    }
    return wrong
  },
}
