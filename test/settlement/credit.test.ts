// How much a requester may owe: a pure function of what it has honoured, and what leases and receipts count for.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { capOf, creditPolicy } from '../../src/settlement/credit.ts'

const amount = fc.bigInt({ min: 0n, max: 2n ** 60n })

test('the cap begins at the floor, never falls with more honoured, and ends at the ceiling', () => {
  const { floorMicro, ceilingMicro } = creditPolicy
  assert.equal(capOf(creditPolicy, 0n), BigInt(floorMicro))
  fc.assert(
    fc.property(amount, amount, (one, more) => {
      const [before, after] = [capOf(creditPolicy, one), capOf(creditPolicy, one + more)]
      assert.ok(after >= before && after <= BigInt(ceilingMicro) && before >= BigInt(floorMicro))
    }),
  )
})

test('nobody gains by honouring first and running away later: whoever is let have more than the floor has honoured twice as much', () => {
  fc.assert(
    fc.property(amount, (honoured) => {
      const beyond = capOf(creditPolicy, honoured) - BigInt(creditPolicy.floorMicro)
      assert.ok(beyond * 2n <= honoured)
    }),
  )
})

test('an owner whose floor is above the ceiling means the floor', () => {
  assert.equal(capOf({ floorMicro: 5, ceilingMicro: 3 }, 100n), 5n)
})
