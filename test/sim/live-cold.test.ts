// A cold boot: every peer knows one address, and what comes of that is its own doing.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { perfectLink } from '../../sim/live/link.ts'
import { measureFinds, measureGossip } from '../../sim/live/measure.ts'
import { LiveWorld } from '../../sim/live/world.ts'

const peers = 16
const deadlineMs = 60_000
const latencyMs = 10

describe('16 live peers that know one address', { timeout: 3 * deadlineMs }, () => {
  let world: LiveWorld

  before(async () => {
    const link = { ...perfectLink, latencyMs, jitterMs: 2 }
    world = await LiveWorld.boot({ peers, seed: 7, carrier: 'own', boot: 'cold', link, lendsOneIn: 4 }, () => {})
  })

  after(async () => {
    await world.stop()
    assert.deepEqual(world.errors, [])
  })

  test('find each other, hear every bid, and find every record', async () => {
    assert.ok(await world.waitForMesh(4, deadlineMs), `the least has ${world.meshDegreeMin}`)
    const { coverage } = await measureGossip(world, 3, 7)
    assert.equal(coverage, 1)
    assert.ok(await world.waitForRecords(deadlineMs))
    const { hitRate } = await measureFinds(world, 10, 7)
    assert.equal(hitRate, 1)
  })

  test('have the routing tables that they found', () => {
    for (const { host } of world.peers) assert.ok(host.readiness().dhtTableSize >= 4)
  })
})
