// Ways to boot, side by side, and what libp2p's parts are as they come.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { rowsOf, type BootReport } from '../../sim/commands/boots.ts'
import { NaiveWorld } from '../../sim/live/naive.ts'
import { SeededRandom } from '../../sim/random.ts'

const reportOf = (bootMs: number, rssMb: number, cpu: number): BootReport => ({
  bootMs,
  rssMb,
  gossipCoverage: 1,
  findHitRate: 1,
  meshDegreeMin: 4,
  connectionsMean: 9.5,
  numbers: { cpu_seconds: cpu },
})

describe('ways to boot', () => {
  test('are told by what the parts take as they come', () => {
    const rows = rowsOf([
      ['fast', reportOf(500, 300, 8)],
      ['naive', reportOf(2_000, 400, 24)],
    ])
    assert.deepEqual(
      rows.map(({ name, ratioBoot, ratioRss, ratioCpu }) => [name, ratioBoot, ratioRss, ratioCpu]),
      [
        ['fast', 0.25, 0.75, 0.333],
        ['naive', 1, 1, 1],
      ],
    )
  })

  test('say when a boot was not over', () => {
    const [row] = rowsOf([['naive', { ...reportOf(120_000, 400, 24), hasMesh: false }]])
    assert.match(row!.note!, /not whole/)
  })

  test('have no ratio to what failed, and say why they have no numbers', () => {
    const rows = rowsOf([
      ['fast', reportOf(500, 300, 8)],
      ['naive', 'it ended with a signal'],
    ])
    assert.deepEqual(
      rows.map(({ bootMs, ratioBoot, note }) => [bootMs, ratioBoot, note]),
      [
        [500, null, undefined],
        [null, null, 'it ended with a signal'],
      ],
    )
  })
})

const nodes = 8
const providesOneIn = 4
const deadlineMs = 60_000

describe('8 nodes of the parts as they come', { timeout: 2 * deadlineMs }, () => {
  let world: NaiveWorld

  before(async () => {
    world = await NaiveWorld.boot(nodes, providesOneIn)
  })

  after(async () => world.stop())

  test('form a mesh, hear messages, and find who provides', async () => {
    assert.ok(await world.waitForMesh(4, deadlineMs), `the least has ${world.meshDegreeMin}`)
    assert.deepEqual(new Set(world.providers), new Set([0, 4]))
    assert.equal(await world.coverage(3, new SeededRandom(1)), 1)
    assert.equal(await world.hitRate(6, providesOneIn, new SeededRandom(1)), 1)
  })
})
