import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { checkedInteger, costOf, Fault, formatMicro, microMax, parseMicro } from '../../protocols/wire/index.ts'

test('amounts read back as they were written', () => {
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (micro) => assert.equal(parseMicro(formatMicro(micro)), micro)),
  )
})

test('what is not an amount is not read as one', () => {
  for (const text of ['', '-1', '1e3', '0x1', '1.1234567', '1,5', '.5', '1.', 'NaN', '99999999999'])
    assert.equal(parseMicro(text), undefined, text)
  assert.equal(parseMicro('1.5'), 1_500_000)
})

test('a cost is rounded up, so that a provider is never short of a fraction', () => {
  assert.equal(costOf(1n, 1, 3n), 1)
  assert.equal(costOf(0n, 5, 3n), 0)
  assert.equal(costOf(3_000n * 1_000n, 1_000_000, 3_600_000_000n), 834)
})

test('an integer that is not exact everywhere is a fault', () => {
  assert.equal(checkedInteger(BigInt(microMax), 'x'), microMax)
  assert.throws(() => checkedInteger(BigInt(microMax) + 1n, 'x'), Fault)
  assert.throws(() => checkedInteger(-1n, 'x'), Fault)
})
