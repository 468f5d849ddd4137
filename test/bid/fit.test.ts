// What a record lacks for a bid, requirement by requirement.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  cpuHourMicroOf,
  rateOf,
  tariffFor,
  lacksOf,
  needs,
  noWishes,
  openForMs,
  type Ask,
  type Requirements,
} from '../../protocols/bid/index.ts'
import { freeTariff, type Tariff } from '../../protocols/wire/index.ts'
import { plainPrice, unsaid, weekMinutes, type Capability, type Hours } from '../../protocols/capability/index.ts'

/** A Monday, ten o'clock in the morning, UTC. */
const mondayMs = Date.UTC(2026, 10, 23, 10)
const minuteMs = 60_000
const gib = 2 ** 30

const record: Capability = {
  ...unsaid,
  sequence: 1,
  issuedMs: 0,
  expiresMs: 1,
  withdrawn: false,
  software: '',
  storage: null,
  compute: {
    arch: 'x86_64',
    cpuMilli: { value: 4_000, evidence: 'measured' },
    memoryBytes: { value: 8 * gib, evidence: 'challenged' },
    diskBytes: { value: 100 * gib, evidence: 'claimed' },
    wallMsMax: 3_600_000,
    model: '',
    features: ['avx2', 'avx512f'],
    egress: false,
  },
  runtimes: [{ name: 'wasi-preview1', version: '1', isolation: 'bubblewrap' }],
  price: { ...plainPrice, unit: 'credit', cpuHourMicro: 1_000_000 },
  gpus: [
    {
      vendor: 'NVIDIA',
      model: 'NVIDIA RTX 4090',
      memoryBytes: { value: 24 * gib, evidence: 'claimed' },
      count: 2,
      driver: '',
    },
    {
      vendor: 'NVIDIA',
      model: 'NVIDIA L4',
      memoryBytes: { value: 48 * gib, evidence: 'claimed' },
      count: 1,
      driver: '',
    },
  ],
  network: {
    upBytesPerSecond: { value: 1, evidence: 'claimed' },
    downBytesPerSecond: { value: 1, evidence: 'claimed' },
    reachability: 'public',
    region: 'de',
    trips: [],
  },
  tee: { kind: 'sev-snp', evidence: 'claimed' },
}
const ask = (over: Partial<Requirements> = {}, more: Partial<Ask> = {}): Ask => ({
  requirements: {
    ...noWishes,
    runtime: 'wasi-preview1',
    cpuMilli: 1_000,
    memoryBytes: gib,
    diskBytes: 0,
    wallMsMax: 60_000,
    ...over,
  },
  unit: 'credit',
  cpuHourMicroMax: 1_000_000,
  ...more,
})
const gpus = { count: 1, memoryBytes: 0, vendor: '', model: '' }
const lacks = (over: Partial<Requirements>, capability: Partial<Capability> = {}) =>
  lacksOf(ask(over), { ...record, ...capability }, mondayMs)

test('what has all that is asked for lacks nothing', () => {
  assert.deepEqual(lacks({}), [])
  const all: Partial<Requirements> = {
    arch: 'x86_64',
    features: ['avx2'],
    isolation: 'bubblewrap',
    regions: ['fr', 'de'],
    tee: 'sev-snp',
    gpus: { count: 2, memoryBytes: 24 * gib, vendor: 'nvidia', model: 'rtx 4090' },
  }
  assert.deepEqual(lacks(all), [])
})

test('every requirement is missed by itself, with what was wanted and what there is', () => {
  const table: [Partial<Requirements>, string, unknown, unknown, Partial<Capability>?][] = [
    [{ runtime: 'oci' }, 'runtime', 'oci', 'wasi-preview1'],
    [{ isolation: 'vm' }, 'isolation', 'vm', 'bubblewrap'],
    [{ arch: 'aarch64' }, 'arch', 'aarch64', 'x86_64'],
    [{ features: ['avx2', 'amx'] }, 'features', 'amx', 'avx2 avx512f'],
    [{ gpus: { ...gpus, model: 'h100' } }, 'gpu-model', 'h100', 'NVIDIA RTX 4090, NVIDIA L4'],
    [{ gpus }, 'gpu-model', 'any', '', { gpus: [] }],
    [{ gpus: { ...gpus, memoryBytes: 80 * gib } }, 'gpu-memory', 80 * gib, 48 * gib],
    [{ gpus: { ...gpus, memoryBytes: 30 * gib, count: 2 } }, 'gpus', 2, 1],
    [{ tee: 'tdx' }, 'tee', 'tdx', 'sev-snp'],
    [{ regions: ['us', 'uk'] }, 'region', 'us uk', 'de'],
    [{ egress: true }, 'egress', 'yes', 'no'],
    [{ cpuMilli: 4_001 }, 'cpu', 4_001, 4_000],
    [{ memoryBytes: 8 * gib + 1 }, 'memory', 8 * gib + 1, 8 * gib],
    [{ diskBytes: 101 * gib }, 'disk', 101 * gib, 100 * gib],
    [{ wallMsMax: 3_600_001 }, 'time', 3_600_001, 3_600_000],
    [{ evidence: 'challenged' }, 'evidence', 'challenged', 'measured'],
    [{ evidence: 'measured', diskBytes: 1 }, 'evidence', 'measured', 'claimed'],
    [{ wallMsMax: 600_000 }, 'hours', 600_000, 5 * minuteMs, { hours: [{ fromMinute: 0, toMinute: 605 }] }],
    [{ cpuMilli: 2_001 }, 'free', 2_001, 2_000, { free: { cpuEighths: 3, memoryEighths: 8, keepEighths: 8 } }],
  ]
  for (const [over, need, wanted, has, capability] of table)
    assert.deepEqual(lacks(over, capability), [{ need, wanted, has }], JSON.stringify(over))
  assert.deepEqual(lacksOf(ask({}, { unit: 'franc' }), record, mondayMs), [
    { need: 'unit', wanted: 'franc', has: 'credit' },
  ])
  assert.deepEqual(lacksOf(ask({}, { cpuHourMicroMax: 999_999 }), record, mondayMs), [
    { need: 'price', wanted: 999_999, has: 1_000_000 },
  ])
})

test('several are named in the order of what can change least', () => {
  const named = lacks({ cpuMilli: 9_000, arch: 'riscv64', tee: 'tdx', runtime: 'oci' }).map(({ need }) => need)
  assert.deepEqual(named, ['runtime', 'arch', 'tee', 'cpu'])
  assert.deepEqual(
    named,
    needs.filter((need) => named.includes(need)),
  )
})

test('a record that says nothing lacks everything, and no number is negative or none', () => {
  const silent = { ...record, ...unsaid, compute: null, storage: null, runtimes: [], price: null }
  const found = lacksOf(ask({ diskBytes: 1, gpus, arch: 'x86_64', evidence: 'measured' }), silent, mondayMs)
  assert.deepEqual(
    found.map(({ need }) => need),
    ['runtime', 'arch', 'gpu-model', 'cpu', 'memory', 'disk', 'time', 'evidence', 'unit'],
  )
})

test('what a job takes beside processors is laid on its processors, rounded up', () => {
  const price = { ...plainPrice, unit: 'credit', cpuHourMicro: 1_000, memoryGibHourMicro: 100, gpuHourMicro: 5_000 }
  const of = (over: Partial<Requirements>, more = {}): number =>
    cpuHourMicroOf({ ...price, ...more }, ask({ memoryBytes: 0, ...over }).requirements)
  assert.equal(of({}), 1_000)
  assert.equal(of({ memoryBytes: 3 * gib }), 1_300)
  assert.equal(of({ memoryBytes: 3 * gib, cpuMilli: 2_000 }), 1_150)
  assert.equal(of({ memoryBytes: 2 ** 20 }), 1_001, 'never short by a fraction')
  assert.equal(of({ gpus: { ...gpus, count: 2 }, cpuMilli: 4_000 }), 3_500)
  assert.equal(of({ evidence: 'measured' }, { measuredPercent: 10, challengedPercent: 50 }), 1_100)
  assert.equal(of({ evidence: 'challenged' }, { measuredPercent: 10, challengedPercent: 50 }), 1_500)
  assert.equal(of({ memoryBytes: 2 ** 52 }, { memoryGibHourMicro: 2 ** 52 }), Number.MAX_SAFE_INTEGER)
})

test('what a job executes and carries is laid on its processors as far as it says, and as is usual where it does not', () => {
  const of = (tariff: Partial<Tariff>, over: Partial<Requirements> = {}): number =>
    rateOf({ ...freeTariff, ...tariff }, ask({ memoryBytes: 0, wallMsMax: 600_000, ...over }).requirements)
  const gas = { gigaGasMicro: 1_000 }
  assert.equal(of(gas), 3_600_000, 'ten to the nine a second, where there is no limit')
  assert.equal(of(gas, { cpuMilli: 500 }), 7_200_000)
  assert.equal(of(gas, { gasMax: 5_000_000_000 }), 30_000, 'the limit, six times an hour')
  assert.equal(of(gas, { gasMax: 10 ** 15 }), 3_600_000, 'no more than is usual')
  assert.equal(of(gas, { runtime: 'oci' }), 0, 'nobody counts in a container')
  assert.equal(of({ inGibMicro: 1_000 }, { inBytes: 2 * gib }), 12_000)
  assert.equal(of({ outGibMicro: 1_000 }, { inBytes: 2 * gib }), 12_000, 'as much comes out')
  assert.equal(of({ outGibMicro: 1_024_000 }), 6_000, 'and no less than a MiB')
  assert.equal(of({ storeGibHourMicro: 1_000 }, { diskBytes: 3 * gib }), 3_000)
  assert.equal(of({ cpuHourMicro: 7, ...gas }, { wallMsMax: 0, gasMax: 1 }), 7 + 4)
})

test('an offer has each price of the record, raised by what evidence costs', () => {
  const price = { ...plainPrice, unit: 'credit', cpuHourMicro: 1_001, gigaGasMicro: 3, measuredPercent: 10 }
  const { requirements } = ask()
  assert.deepEqual(tariffFor(price, requirements), { ...freeTariff, cpuHourMicro: 1_001, gigaGasMicro: 3 })
  const measured = tariffFor(price, { ...requirements, evidence: 'measured' })
  assert.deepEqual(measured, { ...freeTariff, cpuHourMicro: 1_102, gigaGasMicro: 4 })
})

test('hours: until when, past the end of the week, touching, and never', () => {
  const open = (hours: Hours[]): number => openForMs(hours, mondayMs) / minuteMs
  const hour = 60
  assert.equal(open([]), Infinity)
  assert.equal(open([{ fromMinute: 9 * hour, toMinute: 12 * hour }]), 2 * hour)
  assert.equal(open([{ fromMinute: 11 * hour, toMinute: 12 * hour }]), 0)
  assert.equal(open([{ fromMinute: 9 * hour, toMinute: 10 * hour }]), 0, 'its last minute is over')
  assert.equal(open([{ fromMinute: 6 * 24 * hour, toMinute: 11 * hour }]), hour, 'since Sunday')
  const parts = [
    { fromMinute: 11 * hour, toMinute: 13 * hour },
    { fromMinute: 9 * hour, toMinute: 11 * hour },
  ]
  assert.equal(open(parts), 3 * hour)
  assert.equal(open([{ fromMinute: 5, toMinute: 5 }]), Infinity, 'a whole week')
})

test('hours agree with looking at every minute', () => {
  const minute = fc.nat(weekMinutes - 1)
  const hours = fc.array(fc.record({ fromMinute: minute, toMinute: minute }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(hours, minute, (list, at) => {
      const isOpen = (when: number): boolean =>
        list.some(({ fromMinute, toMinute }) =>
          fromMinute < toMinute ? when >= fromMinute && when < toMinute : when >= fromMinute || when < toMinute,
        )
      let open = 0
      while (open < weekMinutes && isOpen((at + open) % weekMinutes)) open++
      const expected = open === weekMinutes ? Infinity : open
      assert.equal(openForMs(list, Date.UTC(2026, 10, 23) + at * minuteMs) / minuteMs, expected)
    }),
  )
})
