// The live simulator: real peers, put together as in production, over a network of our own.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { perfectLink } from '../../sim/live/link.ts'
import { measureFinds, measureGossip, watched } from '../../sim/live/measure.ts'
import { LiveWorld, plainRoles } from '../../sim/live/world.ts'

const peers = 24
const lendsOneIn = 3
const deadlineMs = 30_000
const latencyMs = 10

describe('24 live peers', { timeout: 3 * deadlineMs }, () => {
  let world: LiveWorld
  const booted: number[] = []

  before(async () => {
    const link = { ...perfectLink, latencyMs, jitterMs: 2 }
    world = await LiveWorld.boot(
      { peers: plainRoles(peers, lendsOneIn), seed: 7, carrier: 'own', boot: 'fast', link },
      (count) => booted.push(count),
    )
  })

  after(async () => {
    await world.stop()
    // What was under way when they stopped has arrived nowhere by now, or is called off.
    await new Promise((resolve) => {
      world.net!.wheel.after(10 * latencyMs, () => resolve(undefined))
    })
    assert.equal(world.net!.linesCount, 0)
    assert.equal(world.net!.wheel.waiting, 0)
    assert.deepEqual(world.errors, [])
  })

  test('start one after another, each with its own name and address', () => {
    assert.deepEqual(booted.at(-1), peers)
    assert.equal(new Set(world.peers.map(({ name }) => name)).size, peers)
    const addresses = world.peers.map(({ host }) => host.addresses())
    assert.equal(new Set(addresses.map(([first]) => first)).size, peers)
    for (const own of addresses) assert.equal(own.length, 1)
  })

  test('form a mesh in which nobody has fewer than four neighbours', async () => {
    assert.ok(await world.waitForMesh(1, deadlineMs))
    assert.ok(await world.waitForMesh(4, deadlineMs), `the least has ${world.meshDegreeMin}`)
  })

  test('hear every bid, and not before the link lets it through', async () => {
    const [spread, { deliveryLateP99Ms }] = await watched(world, async () => measureGossip(world, 3, 7))
    assert.equal(spread.coverage, 1)
    assert.ok(spread.p50Ms >= latencyMs - 2, `${spread.p50Ms} ms`)
    assert.ok(spread.p99Ms >= spread.p50Ms)
    assert.ok(deliveryLateP99Ms > 0)
  })

  test('find the records of those that lend', async () => {
    assert.equal(world.lenders.length, peers / lendsOneIn)
    assert.ok(await world.waitForRecords(deadlineMs))
    const finds = await measureFinds(world, 10, 7)
    assert.equal(finds.hitRate, 1)
  })

  test('know of each other what the routing tables say, though nobody asked', () => {
    for (const { host } of world.peers) assert.equal(host.readiness().dhtTableSize, peers - 1)
  })

  test('check a signature once in all', () => {
    const { made, spared } = world.checks
    assert.ok(spared > made, `${made} made, ${spared} spared`)
  })
})
