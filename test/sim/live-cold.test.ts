// A cold boot: every peer knows one address, and what comes of that is its own doing.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { perfectLink } from '../../sim/live/link.ts'
import { Measures } from '../../sim/live/measures/measures.ts'
import { ProcessTap } from '../../sim/live/measures/process-tap.ts'
import { spreadOf } from '../../sim/live/measures/spread.ts'
import { LiveWorld } from '../../sim/live/world.ts'
import { plainRoles } from '../support/live.ts'

const peers = 16
const deadlineMs = 60_000
const latencyMs = 10

describe('16 live peers that know one address', { timeout: 3 * deadlineMs }, () => {
  let world: LiveWorld

  before(async () => {
    const link = { ...perfectLink, latencyMs, jitterMs: 2 }
    world = await LiveWorld.boot({ peers: plainRoles(peers, 4), seed: 7, carrier: 'own', boot: 'cold', link }, () => {})
  })

  after(async () => {
    await world.stop()
    assert.deepEqual(world.errors, [])
  })

  test('find each other, hear every bid, and find every record', async () => {
    assert.ok(await world.waitForMesh(4, deadlineMs), `the least has ${world.meshDegreeMin}`)
    const process = new ProcessTap('test')
    const measures = new Measures(world, { seed: 7, process })
    measures.start()
    await measures.probeBids(3, 500)
    assert.ok(await world.waitForRecords(deadlineMs))
    await measures.probeFinds(10)
    measures.stop()
    process.stop()
    const { gossip, finds } = measures.findings()
    assert.equal(spreadOf(gossip!).coverage, 1)
    assert.equal(finds!.found, 10)
  })

  test('have the routing tables that they found', () => {
    for (const { host } of world.peers) assert.ok(host.readiness().dhtTableSize >= 4)
  })
})
