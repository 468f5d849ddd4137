import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { standingOf, type Seen } from '../../src/reputation/standing.ts'

const nothing: Seen = { success: 0, refused: 0, fault: 0, noShow: 0 }
const count = fc.nat(10_000)
const seen = fc.record<Seen>({ success: count, refused: count, fault: count, noShow: count })

test('a stranger is neither trusted nor shunned', () => {
  assert.equal(standingOf(undefined), 0.5)
  assert.equal(standingOf(nothing), 0.5)
})

test('a standing is between 0 and 1, and never quite either', () => {
  fc.assert(
    fc.property(seen, (one) => {
      const standing = standingOf(one)
      assert.ok(standing > 0 && standing < 1)
    }),
  )
})

test('every success raises it, every fault and no-show lowers it, a refusal leaves it', () => {
  fc.assert(
    fc.property(seen, fc.integer({ min: 1, max: 50 }), (one, more) => {
      const before = standingOf(one)
      assert.ok(standingOf({ ...one, success: one.success + more }) > before)
      assert.ok(standingOf({ ...one, fault: one.fault + more }) < before)
      assert.ok(standingOf({ ...one, noShow: one.noShow + more }) < before)
      assert.equal(standingOf({ ...one, refused: one.refused + more }), before)
    }),
  )
})

test('a fault weighs more than a no-show, and takes several good leases to make up for', () => {
  fc.assert(
    fc.property(seen, (one) => {
      assert.ok(standingOf({ ...one, fault: one.fault + 1 }) < standingOf({ ...one, noShow: one.noShow + 1 }))
    }),
  )
  assert.ok(standingOf({ ...nothing, fault: 1, success: 7 }) < 0.5)
  assert.ok(standingOf({ ...nothing, fault: 1, success: 9 }) > 0.5)
  assert.ok(standingOf({ ...nothing, fault: 1, success: 1_000 }) > 0.98, 'and is forgotten after many')
})
