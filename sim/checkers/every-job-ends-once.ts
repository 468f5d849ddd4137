/**
 * A job that was taken in ends in exactly one of paid, refused, expired; so does every lease of an honest provider; and where both
 * are honest a lease that its provider calls paid is of a job whose requester paid for it.
 */
import { endingOf, type JobState } from '../../src/market/job-state.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import { honest, tail, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

export const everyJobEndsOnce: MeshChecker = {
  name: 'every-job-ends-once',
  atEnd(world) {
    const wrong: string[] = []
    for (const { requester, terms, submitted } of world.jobs) {
      if (requester.vice !== null) continue
      const stored = requester.disk.states.get(`job/${terms.job}`)
      if (stored === undefined && !submitted) continue
      const state = stored?.state as JobState | undefined
      const who = `job ${tail(terms.job)} of peer ${requester.number}`
      if (state === undefined || endingOf(state) === null)
        wrong.push(`${who} is ${state === undefined ? 'lost' : placesOf(state)}`)
      const outcomes = new Set<string>()
      for (const { event } of requester.jobEvents.get(terms.job) ?? [])
        if (event.stage === 'ended') outcomes.add(event.ending.outcome)
      if (outcomes.size > 1) wrong.push(`${who} ended as ${[...outcomes].join(' and ')}`)
    }
    for (const peer of honest(world)) {
      for (const [id, { kind, state }] of peer.disk.states) {
        if (kind !== 'lease') continue
        const { ending, hold, task } = state as LeaseState
        const who = `lease ${tail(id)} of peer ${peer.number}`
        if (ending === null) wrong.push(`${who} is not over (${hold.at})`)
        const requester = world.peerOf(hold.requester)
        if (ending?.outcome !== 'paid' || requester === undefined || requester.vice !== null) continue
        const held = booksOf(world, requester, 'job').countersignatures.get(task!.lease.id) ?? []
        if (held.length === 0) wrong.push(`${who} was paid, and its requester knows of nothing`)
      }
    }
    return wrong
  },
}

function placesOf({ hunt, slots }: JobState): string {
  return [hunt?.at ?? 'not hunting', ...slots.map(({ at }) => at)].join(' ')
}
