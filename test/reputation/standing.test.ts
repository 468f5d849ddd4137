import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  asking,
  decay,
  faultsMax,
  halfLifeMs,
  keeping,
  talking,
  type Doing,
  type Experience,
} from '../../src/reputation/experience.ts'
import { standingOf, termsOf } from '../../src/reputation/standing.ts'
import { anyExperience, seenOf, work } from './worlds.ts'

const nowMs = 1_000
const standing = (
  rows: Readonly<Record<Doing, Experience>>,
  doing: Doing | undefined = work,
  vouched = 0,
  atMs = nowMs,
) => standingOf(termsOf(new Map(Object.entries(rows)), doing, vouched, atMs))

test('a stranger is neither trusted nor shunned', () => {
  assert.equal(standing({}), 0.5)
  assert.equal(standing({ [work]: seenOf({ refused: 9 }) }), 0.5, 'a lawful no is no reproach')
})

test('a standing is between 0 and 1, and never quite either', () => {
  fc.assert(
    fc.property(anyExperience, fc.double({ min: 0, max: 100, noNaN: true }), (one, vouched) => {
      const of = standing({ [work]: one }, work, vouched)
      assert.ok(of > 0 && of < 1)
    }),
  )
})

test('it rises with each success and each that vouches, and falls with each failure, whatever was before', () => {
  const more = fc.double({ min: 0.01, max: 100, noNaN: true })
  fc.assert(
    fc.property(anyExperience, more, (one, by) => {
      const before = standing({ [work]: one })
      assert.ok(standing({ [work]: { ...one, success: one.success + by } }) > before)
      assert.ok(standing({ [work]: { ...one, fault: one.fault + by } }) < before)
      assert.ok(standing({ [work]: { ...one, noShow: one.noShow + by } }) < before)
      assert.ok(standing({ [work]: one }, work, by) > before)
      for (const doing of [asking, keeping, 'oci']) {
        assert.ok(
          standing({ [work]: one, [doing]: seenOf({ success: by }) }) >= before,
          'and nothing good makes it worse',
        )
        assert.ok(standing({ [work]: one, [doing]: seenOf({ fault: by }) }) < before, 'a fault counts whatever it did')
      }
    }),
  )
})

test('time alone never turns an opinion round, and only makes it less sure', () => {
  fc.assert(
    fc.property(
      anyExperience,
      anyExperience,
      fc.nat(400 * 86_400_000),
      fc.nat(400 * 86_400_000),
      (one, other, a, b) => {
        const [soonMs, lateMs] = [nowMs + Math.min(a, b), nowMs + Math.max(a, b)]
        const [soon, late] = [soonMs, lateMs].map(
          (atMs) => standing({ [work]: one, [talking]: other }, work, 0, atMs) - 0.5,
        )
        assert.ok(soon! * late! >= 0, 'on the same side')
        assert.ok(Math.abs(late!) <= Math.abs(soon!) + 1e-12, 'and nearer')
      },
    ),
  )
})

test('a sum counts half after a half-life, whenever it is looked at meanwhile', () => {
  const one = seenOf({ success: 8, noShow: 4, paidMicro: 1_000 })
  const whole = decay(one, halfLifeMs)
  assert.equal(whole.success, 4)
  assert.equal(whole.paidMicro, 500)
  const twice = decay(decay(one, halfLifeMs / 3), halfLifeMs)
  assert.ok(Math.abs(twice.noShow - whole.noShow) < 1e-9)
  assert.equal(decay(one, -5), one, 'a clock that was set back changes nothing')
})

test('one bad day is forgotten after many good ones, and no opinion is so bad that time does not mend it', () => {
  assert.ok(standing({ [work]: seenOf({ fault: 1, success: 7 }) }) < 0.5)
  assert.ok(standing({ [work]: seenOf({ fault: 1, success: 9 }) }) > 0.5)
  const worst = { [talking]: seenOf({ fault: faultsMax }) }
  assert.ok(standing(worst) < 0.1)
  assert.ok(standing(worst, work, 0, 2 * halfLifeMs + nowMs) >= 0.1)
})

test('payments are no word of how it works; work is one of how it pays', () => {
  assert.equal(standing({ [asking]: seenOf({ success: 50 }) }, work), 0.5)
  assert.ok(standing({ [work]: seenOf({ success: 5 }) }, asking) > 0.8)
  const [same, like] = [
    standing({ [work]: seenOf({ success: 4 }) }, work),
    standing({ [work]: seenOf({ success: 4 }) }, 'oci'),
  ]
  assert.ok(same > like && like > 0.5, 'what is like it counts half')
})

test('however much is vouched for, it never makes a peer as good as one that we know', () => {
  assert.equal(standing({}, work, 1_000), 0.75)
})
