// Earnings among several owners: the parts add up, and the same amount is always split alike.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { readRewardAddress } from '../../src/config/reward-address.ts'
import { readRewardShares } from '../../src/config/reward-shares.ts'
import { split } from '../../src/settlement/shares.ts'

const shares = fc
  .array(fc.integer({ min: 1, max: 999 }), { minLength: 0, maxLength: 12 })
  .map((cuts) => [...new Set([0, ...cuts, 1_000])].toSorted((one, other) => one - other))
  .map((cuts) => cuts.slice(1).map((cut, index) => ({ owner: `owner-${index}`, permille: cut - cuts[index]! })))

test('the parts add up to the amount, none is off by one or more, and what is left goes to those who lost most', () => {
  fc.assert(
    fc.property(shares, fc.bigInt({ min: 0n, max: 2n ** 70n }), (owners, micro) => {
      const parts = split(micro, owners)
      assert.equal(
        parts.reduce((sum, part) => sum + part.micro, 0n),
        micro,
      )
      for (const [index, part] of parts.entries()) {
        const exact = micro * BigInt(owners[index]!.permille)
        const gained = part.micro * 1_000n - exact
        assert.ok(gained > -1_000n && gained < 1_000n)
        for (const [other, { micro: theirs }] of parts.entries()) {
          const theirGain = theirs * 1_000n - micro * BigInt(owners[other]!.permille)
          // Whoever got one more had lost as much as anybody who got none, or was named first.
          if (gained > 0n && theirGain < 0n) assert.ok(1_000n - gained >= -theirGain)
        }
      }
      assert.deepEqual(split(micro, owners), parts)
    }),
  )
})

test('among equals who was named first has the micro-unit that is left', () => {
  const half = [
    { owner: 'alice', permille: 500 },
    { owner: 'bob', permille: 500 },
  ]
  assert.deepEqual(
    split(3n, half).map(({ micro }) => micro),
    [2n, 1n],
  )
  assert.deepEqual(split(3n, []), [])
})

test('shares as they are written', () => {
  const address = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
  assert.deepEqual(readRewardShares(['alice: 600'.replace(' ', ''), `${address.toLowerCase()}:400`]), [
    { owner: 'alice', permille: 600 },
    { owner: address, permille: 400 },
  ])
  assert.deepEqual(readRewardShares([]), [])
  for (const [texts, says] of [
    [['alice:600'], /come to 600 of 1000/],
    [['alice:500', 'alice:500'], /alice has two shares/],
    [['alice'], /write OWNER:PERMILLE/],
    [['alice:0', 'bob:1000'], /is no share/],
    [['alice:1001'], /is no share/],
    [['alice:0.5'], /is no share/],
    [['0x12:1000'], /is no address/],
    [Array.from({ length: 33 }, (_, index) => `o${index}:30`), /more than 32/],
  ] as const)
    assert.throws(() => readRewardShares(texts), says)
})

// The addresses of EIP-55 itself: https://eips.ethereum.org/EIPS/eip-55#test-cases
const examples = [
  '0x52908400098527886E0F7030069857D2E4169EE7',
  '0x8617E340B3D01FA5F11F306F4090FD50E238070D',
  '0xde709f2102306220921060314715629080e2fb77',
  '0x27b1fdb04752bbc536007a920d24acb045561c26',
  '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
  '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
  '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb',
]

test('addresses with the checksum of EIP-55: right ones are taken, one wrong letter is told with the right one', () => {
  for (const address of examples) {
    assert.equal(readRewardAddress(address), address)
    assert.equal(readRewardAddress(address.toLowerCase()), address)
  }
  const wrong = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD'
  assert.throws(
    () => readRewardAddress(wrong),
    /the checksum .* is wrong.*write 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/,
  )
  for (const text of ['', '0x', '5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', `0x${'g'.repeat(40)}`, `${wrong}0`])
    assert.throws(() => readRewardAddress(text), /is no address/)
})
