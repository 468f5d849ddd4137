/**
 * Where nothing went wrong and nobody lied, every lease is paid, and both sides say so: what is only lawful in a storm is a bug here.
 *
 * Two things end otherwise in any weather. A job of more places than there are peers that would take one finds nobody: none of them is
 * leased, because a gang is all or none. And who is asked for a second try of a place is let go when the first has its result meanwhile.
 */
import { endingOf, type JobState } from '../../src/market/job-state.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import type { JobTerms } from '../../src/market/terms.ts'
import { tail, type CheckedPeer, type CheckedWorld, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

export const goodWeatherIsPaid: MeshChecker = {
  name: 'good-weather-is-paid',
  atEnd(world) {
    const { faultsUntilMs, workload } = world.scenario
    const isGood =
      faultsUntilMs === 0 &&
      world.lastFaultMs === 0 &&
      workload.cancelShare === 0 &&
      world.peers.every(({ vice }) => vice === null)
    if (!isGood) return []
    const wrong: string[] = []
    for (const peer of world.peers) {
      for (const [id, { kind, state }] of peer.disk.states) {
        const ending =
          kind === 'job' ? endingOf(state as JobState) : kind === 'lease' ? (state as LeaseState).ending : null
        if (ending === null || ending.outcome === 'paid') continue
        if (kind === 'job' && ending.code === 'NO_MATCH' && isBeyondAll(world, peer, (state as JobState).terms))
          continue
        if (kind === 'lease' && ending.code === 'CLOSED' && wasNotNeeded(world, peer, state as LeaseState)) continue
        wrong.push(`the ${kind} ${tail(id)} of peer ${peer.number} is ${ending.outcome}: ${ending.code}`)
      }
    }
    return wrong
  },
}

/** Fewer others would take it at its price than it has places. */
function isBeyondAll({ peers }: CheckedWorld, requester: CheckedPeer, terms: JobTerms): boolean {
  const takers = peers.filter((peer) => {
    const { lending, class: heard = terms.class } = peer.plan
    const price = lending?.facts.price ?? null
    return peer !== requester && heard === terms.class && price !== null && price.cpuHourMicro <= terms.cpuHourMicroMax
  })
  return takers.length < terms.slots
}

/** It was awarded a second try that came to no lease. */
function wasNotNeeded(world: CheckedWorld, { name }: CheckedPeer, { hold }: LeaseState): boolean {
  const { job } = hold.offer.body
  const requester = world.peerOf(hold.requester)
  const state = requester?.disk.states.get(`job/${job}`)?.state as JobState | undefined
  if (requester === undefined || state === undefined) return false
  const unfilled = state.spares.flatMap(({ place }) => (place.at === 'ended' && place.work === null ? place : []))
  return booksOf(world, requester, 'job')
    .awards.values()
    .some(({ body }) => {
      const isIts = body.job === job && body.provider === name
      return isIts && unfilled.some(({ slot, epoch }) => slot === body.slot && epoch === body.epoch)
    })
}
