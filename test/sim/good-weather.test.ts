// What is lawful in good weather though nobody is paid, and what is not: told apart by what the disks of both sides say.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { endingOf, type JobState } from '../../src/market/job-state.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import { goodWeatherIsPaid } from '../../sim/checkers/good-weather-is-paid.ts'
import { Disk } from '../../sim/model/disk.ts'
import type { ModelPeer } from '../../sim/model/peer.ts'
import { World } from '../../sim/model/world.ts'
import { scenarioNamed } from '../../sim/scenarios/index.ts'

interface Found<State> {
  readonly peer: ModelPeer
  readonly state: State
}

async function lived(seed: number): Promise<World> {
  const world = new World(seed, scenarioNamed('gangs')!)
  await world.run()
  return world
}

function found<State>({ peers }: World, kind: 'job' | 'lease', is: (state: State) => boolean): Found<State> {
  for (const peer of peers)
    for (const stored of peer.disk.states.values())
      if (stored.kind === kind && is(stored.state as State)) return { peer, state: stored.state as State }
  return assert.fail(`there is no such ${kind} in this life: take another seed`)
}

/** As if its disk said something else of a job. */
function rewrite({ disk }: ModelPeer, change: (state: JobState) => JobState, job: string): void {
  assert.ok(disk instanceof Disk)
  const stored = disk.states.get(`job/${job}`)!
  disk.states.set(`job/${job}`, { ...stored, state: change(stored.state as JobState) })
}

test('who is asked for a second try is let go when the first is done; who was asked for nothing else is not', async () => {
  const world = await lived(1)
  const { state } = found<LeaseState>(world, 'lease', ({ ending }) => ending?.code === 'CLOSED')
  assert.deepEqual(goodWeatherIsPaid.atEnd(world), [])
  rewrite(world.peerOf(state.hold.requester)!, (job) => ({ ...job, spares: [] }), state.hold.offer.body.job)
  const wrong = goodWeatherIsPaid.atEnd(world)
  assert.equal(wrong.length, 1)
  assert.match(wrong[0]!, /^the lease \S+ of peer \d+ is expired: CLOSED$/)
})

test('a gang of more than there are finds nobody; one that everybody would take does not', async () => {
  const world = await lived(9)
  const { peer, state } = found<JobState>(world, 'job', (job) => endingOf(job)?.code === 'NO_MATCH')
  assert.ok(state.slots.length > 1)
  assert.deepEqual(goodWeatherIsPaid.atEnd(world), [])
  const cpuHourMicroMax = 10 * state.terms.cpuHourMicroMax
  rewrite(peer, (job) => ({ ...job, terms: { ...job.terms, cpuHourMicroMax } }), state.terms.job)
  const wrong = goodWeatherIsPaid.atEnd(world)
  assert.equal(wrong.length, 1)
  assert.match(wrong[0]!, /^the job \S+ of peer \d+ is expired: NO_MATCH$/)
})
