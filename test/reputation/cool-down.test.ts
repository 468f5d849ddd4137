import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { coolDownFor, coolDownOf, coolDowns } from '../../src/reputation/cool-down.ts'
import {
  asking,
  keeping,
  linesMax,
  talking,
  withSight,
  type Experience,
  type Sight,
} from '../../src/reputation/experience.ts'
import { work } from './worlds.ts'

const after = (sights: readonly Sight[], nowMs = 1_000): Experience =>
  sights.reduce<Experience | undefined>((seen, sight) => withSight(seen, { sight }, nowMs), undefined)!
const forMs = (seen: Experience, nowMs = 1_000): number => (coolDownOf(seen, nowMs)?.untilMs ?? nowMs) - nowMs

test('it doubles with each failure, and a success takes one back', () => {
  const { baseMs } = coolDowns.noShow
  assert.deepEqual(
    [['noShow'], ['noShow', 'noShow'], ['noShow', 'noShow', 'noShow']].map((sights) => forMs(after(sights as Sight[]))),
    [baseMs, 2 * baseMs, 4 * baseMs],
  )
  assert.equal(forMs(after(['noShow', 'noShow', 'success'])), baseMs)
  assert.equal(forMs(after(['noShow', 'success'])), 0, 'it came back')
  assert.equal(forMs(after(['refused', 'success'])), 0)
})

test('a fault is longer, is not mended by one success, and a no-show after it does not make it shorter', () => {
  const { baseMs } = coolDowns.fault
  assert.equal(forMs(after(['fault'])), baseMs)
  assert.equal(forMs(after(['fault', 'success'])), baseMs)
  assert.ok(forMs(after(['fault', 'noShow'])) >= baseMs)
})

test('whatever a peer did, it is let alone for no longer than the cap', () => {
  const sight = fc.constantFrom<Sight>('noShow', 'fault', 'success', 'refused')
  fc.assert(
    fc.property(fc.array(fc.tuple(sight, fc.nat(10_000_000)), { minLength: 1, maxLength: 200 }), (history) => {
      let [seen, nowMs]: [Experience | undefined, number] = [undefined, 0]
      for (const [one, laterMs] of history) {
        nowMs += laterMs
        seen = withSight(seen, { sight: one, evidence: 'what was said' }, nowMs)
      }
      const coolDown = coolDownOf(seen!, nowMs)
      if (coolDown !== undefined) assert.ok(coolDown.untilMs <= nowMs + coolDowns[coolDown.because].capMs)
      assert.equal(coolDownOf(seen!, nowMs + coolDowns.fault.capMs), undefined)
      assert.ok(seen!.evidence.length <= linesMax)
    }),
  )
})

test('a no-show cools for the thing that was not done, a fault for everything', () => {
  const lapsed = (doing: string, sight: Sight) => new Map([[doing, after([sight])]])
  assert.equal(coolDownFor(lapsed(keeping, 'noShow'), work, 1_000), undefined)
  assert.equal(coolDownFor(lapsed(asking, 'noShow'), work, 1_000), undefined)
  assert.equal(coolDownFor(lapsed(work, 'noShow'), work, 1_000)?.because, 'noShow')
  assert.equal(coolDownFor(lapsed(work, 'noShow'), keeping, 1_000), undefined)
  for (const doing of [asking, keeping, talking, work])
    assert.equal(coolDownFor(lapsed(doing, 'fault'), work, 1_000)?.because, 'fault')
  const both = new Map([...lapsed(work, 'noShow'), ...lapsed(talking, 'fault')])
  assert.equal(coolDownFor(both, work, 1_000)?.because, 'fault', 'the worse of two')
})
