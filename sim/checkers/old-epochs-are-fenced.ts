/** Once a place was awarded under a higher epoch, nothing of the lower one is signed any more. */
import { leaseIdOf } from '../../protocols/negotiate/index.ts'
import { honest, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

export const oldEpochsAreFenced: MeshChecker = {
  name: 'old-epochs-are-fenced',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      const { awards, countersignatures } = booksOf(world, peer, 'job')
      const leaseOf = new Map<Uint8Array, string>()
      for (const [lease, signed] of countersignatures) for (const { envelope } of signed) leaseOf.set(envelope, lease)
      const newest = new Map<string, number>()
      for (const { statement } of peer.disk.statements) {
        const award = awards.get(
          statement.kind === 'award' ? leaseIdOf(statement.envelope) : (leaseOf.get(statement.envelope) ?? ''),
        )
        if (award === undefined) continue
        const place = `${award.body.job}/${award.body.slot}`
        if (statement.kind === 'award') newest.set(place, Math.max(newest.get(place) ?? 0, award.body.epoch))
        else if (award.body.epoch < (newest.get(place) ?? 0))
          wrong.push(
            `peer ${peer.number} countersigned for epoch ${award.body.epoch} after awarding ${newest.get(place)}`,
          )
      }
    }
    return wrong
  },
}
