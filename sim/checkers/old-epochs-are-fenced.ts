/**
 * Once a place was awarded under a higher epoch, nothing of the lower one is signed any more; but for a place that was tried a second
 * time while the first went on.
 */
import { leaseIdOf, type Award } from '../../protocols/negotiate/index.ts'
import type { JobState } from '../../src/market/job-state.ts'
import { honest, type CheckedDisk, type MeshChecker } from './checker.ts'
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
        else if (award.body.epoch < (newest.get(place) ?? 0) && !isRaced(peer.disk.states, award.body))
          wrong.push(
            `peer ${peer.number} countersigned for epoch ${award.body.epoch} after awarding ${newest.get(place)}`,
          )
      }
    }
    return wrong
  },
}

/** Both leases of it may be paid: there is a second try of the place in what is written down of the job. */
function isRaced(states: CheckedDisk['states'], { job, slot }: Award): boolean {
  const state = states.get(`job/${job}`)?.state as JobState | undefined
  return state?.spares.some(({ place }) => place.slot === slot) === true
}
