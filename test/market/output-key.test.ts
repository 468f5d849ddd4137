import assert from 'node:assert/strict'
import { test } from 'node:test'

import { outputKeyOf } from '../../src/market/output-key.ts'
import { World } from '../support/bench.ts'

test('every lease of a job has an output key of its own, and the requester finds it again', () => {
  const secret = new Uint8Array(32).fill(9)
  const [one, two] = [outputKeyOf(secret, 'a'.repeat(64)), outputKeyOf(secret, 'b'.repeat(64))]
  assert.equal(one.byteLength, 32)
  assert.notDeepEqual(one, two)
  assert.notDeepEqual(one, outputKeyOf(new Uint8Array(32), 'a'.repeat(64)))
  assert.deepEqual(one, outputKeyOf(secret, 'a'.repeat(64)))
})

test('a job that is run again by another provider gives it another key', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const first = world.peer(2, { workMs: 30_000 })
  world.peer(3, { cpuHourMicro: 2_000_000 })
  const keys = new Map<string, string>()
  world.onStart = (to, key) => void keys.set(to, Buffer.from(key).toString('hex'))
  await asker.requester.submit(asker.terms())
  await world.until(() => asker.jobEvents.some((event) => event.stage === 'running'))
  first.silence()
  await world.until(() => asker.jobEvents.some((event) => event.stage === 'ended'))
  assert.equal(keys.size, 2)
  assert.equal(new Set(keys.values()).size, 2)
})
