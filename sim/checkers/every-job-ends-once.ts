/** A job that was taken in ends in exactly one of paid, refused, expired; and so does every lease of an honest provider. */
import { endingOf, type JobState } from '../../src/market/job-state.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import type { Checker } from './checker.ts'

export const everyJobEndsOnce: Checker = (world) => {
  const wrong: string[] = []
  for (const { requester, terms, submitted } of world.jobs) {
    const endings = (requester.jobEvents.get(terms.job) ?? []).filter(({ event }) => event.stage === 'ended')
    const stored = requester.disk.states.get(`job/${terms.job}`)
    if (stored === undefined && !submitted) continue
    const state = stored?.state as JobState | undefined
    if (state === undefined || endingOf(state) === null)
      wrong.push(
        `job ${terms.job.slice(-4)} of peer ${requester.number} is ${state === undefined ? 'lost' : placesOf(state)}`,
      )
    const outcomes = new Set(endings.map(({ event }) => (event.stage === 'ended' ? event.ending.outcome : '')))
    if (outcomes.size > 1)
      wrong.push(`job ${terms.job.slice(-4)} of peer ${requester.number} ended as ${[...outcomes].join(' and ')}`)
  }
  for (const peer of world.peers) {
    for (const [id, { kind, state }] of peer.disk.states) {
      if (kind !== 'lease') continue
      const { ending, hold } = state as LeaseState
      if (ending === null) wrong.push(`lease ${id.slice(-4)} of peer ${peer.number} is not over (${hold.at})`)
    }
  }
  return wrong
}

function placesOf({ hunt, slots }: JobState): string {
  return [hunt?.at ?? 'not hunting', ...slots.map(({ at }) => at)].join(' ')
}
