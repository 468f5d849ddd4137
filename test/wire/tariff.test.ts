// The formula of what use costs.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  costOfUse,
  decodeTariff,
  encodeTariff,
  freeTariff,
  mibSeconds,
  microMax,
  noUsage,
  raised,
  tariffNames,
  usageNames,
  type Tariff,
  type Usage,
} from '../../protocols/wire/index.ts'

const gib = 2 ** 30
const hourMs = 3_600_000

test('one of each thing costs its price', () => {
  const one: readonly [keyof Tariff, Partial<Usage>][] = [
    ['cpuHourMicro', { wallMs: hourMs }],
    ['gigaGasMicro', { gas: 10 ** 9 }],
    ['memoryGibHourMicro', { memMibS: mibSeconds(gib, hourMs) }],
    ['gpuHourMicro', { gpuMs: hourMs }],
    ['inGibMicro', { inBytes: gib }],
    ['outGibMicro', { outBytes: gib }],
    ['storeGibHourMicro', { storeMibS: mibSeconds(gib, hourMs) }],
  ]
  assert.deepEqual(
    one.map(([name]) => name),
    tariffNames,
  )
  for (const [name, usage] of one) {
    const tariff = { ...freeTariff, [name]: 1_234_567 }
    assert.equal(costOfUse(tariff, 1_000, { ...noUsage, ...usage }, microMax), 1_234_567, name)
    assert.equal(costOfUse({ ...freeTariff, [name]: 1 }, 1_000, { ...noUsage, ...usage }, microMax), 1, name)
  }
  assert.equal(costOfUse({ ...freeTariff, cpuHourMicro: 10 }, 2_500, { ...noUsage, wallMs: hourMs }, microMax), 25)
})

test('each part is rounded up by itself, processor time is owed by no tariff, and nothing goes over the ceiling', () => {
  const all = Object.fromEntries(tariffNames.map((name) => [name, 1])) as unknown as Tariff
  const least = Object.fromEntries(usageNames.map((name) => [name, 1])) as unknown as Usage
  assert.equal(costOfUse(all, 1_000, least, microMax), 7)
  assert.equal(costOfUse(all, 1_000, { ...noUsage, cpuMs: microMax }, microMax), 0)
  assert.equal(costOfUse(freeTariff, 1_000, least, microMax), 0)
  assert.equal(costOfUse(all, 1_000, least, 6), 6)
})

const plain = { noNullPrototype: true } as const
const amount = fc.oneof(fc.nat(), fc.maxSafeNat())
const anyTariff = fc.record(
  Object.fromEntries(tariffNames.map((name) => [name, amount])),
  plain,
) as fc.Arbitrary<Tariff>
const anyUsage = fc.record(Object.fromEntries(usageNames.map((name) => [name, amount])), plain) as fc.Arbitrary<Usage>

test('whatever is used at whatever price: exact, no more than the ceiling, and never less for more', () => {
  fc.assert(
    fc.property(anyTariff, anyUsage, anyUsage, amount, amount, (tariff, usage, other, cpuMilli, ceiling) => {
      const owed = costOfUse(tariff, cpuMilli, usage, ceiling)
      assert.ok(Number.isSafeInteger(owed) && owed >= 0 && owed <= ceiling)
      const more = Object.fromEntries(usageNames.map((name) => [name, Math.max(usage[name], other[name])]))
      assert.ok(costOfUse(tariff, cpuMilli, more as unknown as Usage, ceiling) >= owed)
    }),
  )
})

test('a tariff reads back as it was written, and a raised one is never lower', () => {
  fc.assert(
    fc.property(anyTariff, fc.nat(10_000), (tariff, percent) => {
      assert.deepEqual(decodeTariff(encodeTariff(tariff)), tariff)
      const dearer = raised(tariff, percent)
      for (const name of tariffNames) assert.ok(dearer[name] >= tariff[name] && dearer[name] <= microMax)
    }),
  )
  assert.deepEqual(raised({ ...freeTariff, cpuHourMicro: 1_001 }, 10).cpuHourMicro, 1_102)
})
