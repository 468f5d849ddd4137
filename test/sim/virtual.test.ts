import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { VirtualClock } from '../../sim/clock.ts'
import { SeededRandom } from '../../sim/random.ts'

test('timers run in the order of their time, and within one moment in the order they were set', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ delayMs: fc.nat(20), cancelled: fc.boolean() }), { maxLength: 60 }), (timers) => {
      const clock = new VirtualClock(1_000)
      const ran: number[] = []
      const cancels = timers.map(({ delayMs }, index) => clock.after(delayMs, () => ran.push(index)))
      for (const [index, { cancelled }] of timers.entries()) if (cancelled) cancels[index]!()
      let lastMs = clock.nowMs()
      while (clock.jump()) {
        assert.ok(clock.nowMs() >= lastMs)
        lastMs = clock.nowMs()
      }
      const expected = timers
        .map(({ delayMs, cancelled }, index) => ({ delayMs, cancelled, index }))
        .filter(({ cancelled }) => !cancelled)
        .toSorted((left, right) => left.delayMs - right.delayMs || left.index - right.index)
      assert.deepEqual(
        ran,
        expected.map(({ index }) => index),
      )
    }),
  )
})

test('a deadline fires at its time, and not when it was disposed of', () => {
  const clock = new VirtualClock(0)
  const kept = clock.deadline(10)
  const dropped = clock.deadline(10)
  dropped[Symbol.dispose]()
  while (clock.jump());
  assert.deepEqual([kept.signal.aborted, dropped.signal.aborted, clock.nowMs()], [true, false, 10])
})

test('a seed and a name always give the same stream, and other names others', () => {
  const draw = (seed: number, name: string) => {
    const random = SeededRandom.of(seed, name)
    return Array.from({ length: 20 }, () => random.next())
  }
  assert.deepEqual(draw(1, 'network'), draw(1, 'network'))
  assert.notDeepEqual(draw(1, 'network'), draw(1, 'disk'))
  assert.notDeepEqual(draw(1, 'network'), draw(2, 'network'))
})

test('numbers are spread evenly', () => {
  const random = SeededRandom.of(7, 'even')
  const counts = Array.from({ length: 10 }, () => 0)
  for (let index = 0; index < 100_000; index++) counts[Math.floor(random.float() * 10)]!++
  // 10,000 expected; the standard deviation is 95.
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, counts.join(' '))
})
