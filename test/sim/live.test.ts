// The live simulator: real peers, put together as in production, over a network of our own.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { perfectLink } from '../../sim/live/link.ts'
import { Measures } from '../../sim/live/measures/measures.ts'
import { ProcessTap } from '../../sim/live/measures/process-tap.ts'
import { spreadOf } from '../../sim/live/measures/spread.ts'
import { LiveWorld } from '../../sim/live/world.ts'
import { plainRoles } from '../support/live.ts'
import { quantile } from '../../sim/report/samples.ts'

const peers = 24
const lendsOneIn = 3
const deadlineMs = 30_000
const latencyMs = 10

describe('24 live peers', { timeout: 3 * deadlineMs }, () => {
  let world: LiveWorld
  let measures: Measures
  const process = new ProcessTap('test')
  const booted: number[] = []

  before(async () => {
    const link = { ...perfectLink, latencyMs, jitterMs: 2 }
    world = await LiveWorld.boot(
      { peers: plainRoles(peers, lendsOneIn), seed: 7, carrier: 'own', boot: 'fast', link },
      (count) => booted.push(count),
    )
    measures = new Measures(world, { seed: 7, process })
  })

  after(async () => {
    measures.stop()
    process.stop()
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
    measures.start()
    await measures.probeBids(3, 500)
    const { coverage, latencyMs: tookMs } = spreadOf(measures.findings().gossip!)
    assert.equal(coverage, 1)
    const p50Ms = quantile(tookMs, 0.5)!
    assert.ok(p50Ms >= latencyMs - 2, `${p50Ms} ms`)
    assert.ok(process.findings().believable.deliveryLateP99Ms > 0)
  })

  test('find the records of those that lend', async () => {
    assert.equal(world.lenders.length, peers / lendsOneIn)
    assert.ok(await world.waitForRecords(deadlineMs))
    await measures.probeFinds(10)
    const { asked, found } = measures.findings().finds!
    assert.deepEqual([asked, found], [10, 10])
  })

  test('know of each other what the routing tables say, though nobody asked', () => {
    for (const { host } of world.peers) assert.equal(host.readiness().dhtTableSize, peers - 1)
  })

  test('check no signature that was made here', () => {
    const { made, spared } = world.checks
    assert.equal(made, 0)
    assert.ok(spared > 0)
  })
})
