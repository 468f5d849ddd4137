/** What a requester learns of how many providers there are beside those that it knows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { crowdAtFirst, expected, learn } from '../../src/market/crowd.ts'

test('whoever knows a tenth of the providers learns so from how fast they answer, and forgets it again', () => {
  let crowd = crowdAtFirst
  const ask = (there: number, fitting: number): number => {
    const spreadMs = Math.max(100, expected(crowd, fitting) * 40) / 2
    const withinMs = Math.max(1, (6 * spreadMs) / there)
    crowd = learn(crowd, { fitting, offers: 6, withinMs, spreadMs })
    return expected(crowd, fitting)
  }
  for (let job = 0; job < 8; job++) ask(300, 30)
  assert.ok(Math.abs(crowd - 10) < 1, String(crowd))
  for (let job = 0; job < 12; job++) ask(300, 300)
  assert.ok(crowd < 1.1, String(crowd))
})

test('what tells nothing changes nothing, and nobody is believed to be fewer than are known', () => {
  const answers = { fitting: 10, offers: 6, withinMs: 100, spreadMs: 400 }
  assert.equal(learn(5, { ...answers, fitting: 0 }), 5)
  assert.equal(learn(5, { ...answers, offers: 2 }), 5)
  assert.equal(learn(5, { ...answers, withinMs: 60_000 }), 5, 'what was left of a choice before')
  assert.equal(learn(1, { ...answers, offers: 3, withinMs: 400 }), 1)
  assert.ok(learn(1_000, { ...answers, fitting: 1, offers: 64, withinMs: 0, spreadMs: 10_000 }) <= 1_000.001)
})
