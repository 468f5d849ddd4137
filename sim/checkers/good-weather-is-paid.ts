/** Where nothing went wrong and nobody lied, every lease is paid, and both sides say so: what is only lawful in a storm is a bug here. */
import { endingOf, type JobState } from '../../src/market/job-state.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import { tail, type MeshChecker } from './checker.ts'

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
    for (const { number, disk } of world.peers) {
      for (const [id, { kind, state }] of disk.states) {
        const ending =
          kind === 'job' ? endingOf(state as JobState) : kind === 'lease' ? (state as LeaseState).ending : null
        if (ending !== null && ending.outcome !== 'paid')
          wrong.push(`the ${kind} ${tail(id)} of peer ${number} is ${ending.outcome}: ${ending.code}`)
      }
    }
    return wrong
  },
}
