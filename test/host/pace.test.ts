import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createPace } from '../../src/host/pace.ts'

const clockAt = (nowMs: number) => ({ nowMs, monotonicMs: () => clock.nowMs })
let clock = clockAt(0)

test('a peer is heard at once for a while, and then at its pace, which another knows nothing of', () => {
  clock = clockAt(1_000)
  const pace = createPace(100, 5, clock)
  for (let frame = 0; frame < 5; frame++) assert.equal(pace.waitMs('a'), 0, String(frame))
  assert.equal(pace.waitMs('a'), 10)
  assert.equal(pace.waitMs('a'), 20)
  assert.equal(pace.waitMs('b'), 0)
  clock.nowMs += 20
  assert.equal(pace.waitMs('a'), 10, 'two were earned, and this is the third')
  clock.nowMs += 10_000
  for (let frame = 0; frame < 5; frame++) assert.equal(pace.waitMs('a'), 0, 'silence earns no more than the first time')
  assert.equal(pace.waitMs('a'), 10)
})

test('many peers are not remembered for ever', () => {
  clock = clockAt(0)
  const pace = createPace(100, 1, clock)
  for (let frame = 0; frame < 3; frame++) pace.waitMs('a')
  assert.equal(pace.waitMs('a'), 30)
  for (let peer = 0; peer < 4_096; peer++) pace.waitMs(String(peer))
  assert.equal(pace.waitMs('a'), 0)
})
