import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  advertsOf,
  capabilityBytesMax,
  capabilityRules,
  capabilityTermMsMax,
  clockSkewMsMax,
  decodeCapability,
  encodeCapability,
  keeperAdvert,
  openCapability,
  runtimeAdvert,
  sealCapability,
  selectCapability,
  type Capability,
  type Quantity,
  plainCompute,
  plainPrice,
  unsaid,
  reachabilities,
  weekMinutes,
  type Tee,
} from '../../protocols/capability/index.ts'
import { microMax, networkCharsMax } from '../../protocols/wire/index.ts'
import { faultOf, flipped } from '../negotiate/parties.ts'
import { network, signer } from '../support/peers.ts'

const nowMs = 1_700_000_000_000
const [lender, stranger] = [signer(1), signer(2)]
const rules = capabilityRules(stranger, network)

const record = (over: Partial<Capability> = {}): Capability => ({
  sequence: 7,
  issuedMs: nowMs,
  expiresMs: nowMs + 600_000,
  withdrawn: false,
  software: 'pleach/0.1.0',
  ...unsaid,
  compute: {
    ...plainCompute,
    arch: 'x86_64',
    cpuMilli: { value: 4_000, evidence: 'measured' },
    memoryBytes: { value: 2 ** 33, evidence: 'claimed' },
    diskBytes: { value: 2 ** 30, evidence: 'measured' },
    wallMsMax: 3_600_000,
  },
  storage: { keepBytes: { value: 2 ** 40, evidence: 'challenged' }, termMsMax: 86_400_000 },
  runtimes: [{ name: 'wasi-preview1', version: '0.4.2', isolation: 'process' }],
  price: { ...plainPrice, unit: 'credit', cpuHourMicro: 1_000_000, gbMonthMicro: 10_000 },
  ...over,
})
const sealed = (over: Partial<Capability> = {}, by = lender, on = network) => sealCapability(by, on, record(over))
const verdictOn = (envelope: Uint8Array, atMs = nowMs) =>
  faultOf(() => rules.validate(lender.publicKey, envelope, atMs))

const integer = fc.nat(microMax)
const text = fc.string({ maxLength: 64, unit: 'grapheme-ascii' })
/** Without null prototypes, which no decoder makes. */
const shaped = <Shape>(model: { [Key in keyof Shape]: fc.Arbitrary<Shape[Key]> }) =>
  fc.record<Shape>(model, { noNullPrototype: true })
const evidence = fc.constantFrom('claimed', 'measured', 'challenged')
const peer = fc.nat(9).map((number) => signer(number).peer)
const attested = { atMs: fc.integer({ min: 1, max: microMax }), by: fc.array(peer, { minLength: 1, maxLength: 4 }) }
const quantity: fc.Arbitrary<Quantity> = fc.record(
  { value: integer, evidence, ...attested },
  { requiredKeys: ['value', 'evidence'], noNullPrototype: true },
)
const tee: fc.Arbitrary<Tee> = fc.record(
  { kind: fc.string({ maxLength: 24, unit: 'grapheme-ascii' }), evidence, ...attested },
  { requiredKeys: ['kind', 'evidence'], noNullPrototype: true },
)
const word = fc.string({ maxLength: 24, unit: 'grapheme-ascii' })
const minute = fc.nat(weekMinutes - 1)
const eighths = fc.nat(8)
const anyRecord = shaped<Capability>({
  sequence: integer,
  issuedMs: integer,
  expiresMs: integer,
  withdrawn: fc.boolean(),
  software: text,
  operator: text,
  compute: fc.option(
    shaped({
      arch: text,
      cpuMilli: quantity,
      memoryBytes: quantity,
      diskBytes: quantity,
      wallMsMax: fc.maxSafeNat(),
      model: text,
      features: fc.array(word, { maxLength: 32 }),
      egress: fc.boolean(),
    }),
  ),
  storage: fc.option(shaped({ keepBytes: quantity, termMsMax: integer })),
  runtimes: fc.array(shaped({ name: text, version: text, isolation: text }), { maxLength: 32 }),
  price: fc.option(
    shaped({
      unit: text,
      cpuHourMicro: integer,
      gigaGasMicro: integer,
      gbMonthMicro: integer,
      memoryGibHourMicro: integer,
      gpuHourMicro: integer,
      inGibMicro: integer,
      outGibMicro: integer,
      storeGibHourMicro: integer,
      measuredPercent: fc.nat(10_000),
      challengedPercent: fc.nat(10_000),
    }),
  ),
  gpus: fc.array(shaped({ vendor: text, model: text, memoryBytes: quantity, count: fc.nat(1_024), driver: text }), {
    maxLength: 8,
  }),
  network: fc.option(
    shaped({
      upBytesPerSecond: quantity,
      downBytesPerSecond: quantity,
      reachability: fc.constantFrom(...reachabilities),
      region: word,
      trips: fc.array(shaped({ peer, ms: fc.nat(60_000) }), { maxLength: 8 }),
    }),
  ),
  tee: fc.option(tee),
  hours: fc.array(shaped({ fromMinute: minute, toMinute: minute }), { maxLength: 16 }),
  free: fc.option(shaped({ cpuEighths: eighths, memoryEighths: eighths, keepEighths: eighths })),
})

test('a record reads back as it was written', () => {
  fc.assert(
    fc.property(anyRecord, (capability) =>
      assert.deepEqual(decodeCapability(encodeCapability(capability)), capability),
    ),
  )
})

test('a lawful record says whose it is and how new', () => {
  assert.deepEqual(rules.validate(lender.publicKey, sealed(), nowMs), { sequence: 7, by: lender.peer })
  assert.deepEqual(openCapability(stranger, network, sealed(), nowMs).body, record())
  assert.ok(sealed().byteLength < 300, 'a typical record is small')
})

test('dates: a record lives from thirty seconds before it was issued until it expires, at most an hour', () => {
  const rows: readonly [string, Partial<Capability>, string][] = [
    ['issued now', {}, 'no fault'],
    ['issued as far ahead as clocks differ', { issuedMs: nowMs + clockSkewMsMax }, 'no fault'],
    ['issued further ahead', { issuedMs: nowMs + clockSkewMsMax + 1 }, 'FIELD_INVALID'],
    ['in its last moment', { expiresMs: nowMs + 1, issuedMs: nowMs - 1 }, 'no fault'],
    ['expired this moment', { expiresMs: nowMs, issuedMs: nowMs - 1 }, 'FIELD_INVALID'],
    ['expired long ago', { expiresMs: 2, issuedMs: 1 }, 'FIELD_INVALID'],
    ['the longest term', { expiresMs: nowMs + capabilityTermMsMax }, 'no fault'],
    ['a term too long', { expiresMs: nowMs + capabilityTermMsMax + 1 }, 'FIELD_INVALID'],
    ['no term', { issuedMs: nowMs + 10, expiresMs: nowMs + 10 }, 'FIELD_INVALID'],
    ['a term that runs backwards', { issuedMs: nowMs + 10, expiresMs: nowMs + 5 }, 'FIELD_INVALID'],
  ]
  for (const [what, over, code] of rows) assert.equal(verdictOn(sealed(over)), code, what)
})

test('a record under the key of another peer, by another signer or of another network is not stored', () => {
  assert.equal(verdictOn(sealed({}, stranger)), 'SIGNER_UNEXPECTED')
  assert.equal(verdictOn(sealed({}, lender, 'main')), 'NETWORK_FOREIGN')
  for (const key of [stranger.publicKey, new Uint8Array(32), new Uint8Array(), lender.publicKey.subarray(1)])
    assert.equal(
      faultOf(() => rules.validate(key, sealed(), nowMs)),
      'SIGNER_UNEXPECTED',
    )
})

test('what is over a limit is a fault', () => {
  const runtime = { name: 'x'.repeat(50), version: 'x'.repeat(40), isolation: 'x'.repeat(10) }
  const many = (count: number) => Array.from({ length: count }, () => runtime)
  const longest = sealed({ runtimes: many(32) }, lender, 'x'.repeat(networkCharsMax))
  assert.ok(longest.byteLength <= capabilityBytesMax, 'the cap has room for all runtimes')
  const rows: readonly [string, Partial<Capability>, string][] = [
    ['the most runtimes', { runtimes: many(32) }, 'no fault'],
    [
      'a runtime too many',
      { runtimes: Array.from({ length: 33 }, () => ({ ...runtime, name: 'x' })) },
      'FIELD_INVALID',
    ],
    ['a record over its cap', { runtimes: many(40) }, 'FRAME_TOO_LARGE'],
    ['a text too long', { software: 'x'.repeat(65) }, 'FIELD_INVALID'],
    ['a text that moves the cursor', { software: '\u001b[2J' }, 'FIELD_INVALID'],
    ['a number that is not exact', { sequence: 2 ** 53 }, 'FIELD_INVALID'],
    ['a price that is not exact', { price: { ...plainPrice, unit: 'c', cpuHourMicro: 2 ** 53 } }, 'FIELD_INVALID'],
  ]
  for (const [what, over, code] of rows) assert.equal(verdictOn(sealed(over)), code, what)
})

test('a flipped bit or random bytes are a fault and nothing worse', () => {
  const envelope = sealed()
  fc.assert(
    fc.property(fc.nat(envelope.byteLength * 8 - 1), (bit) =>
      assert.notEqual(verdictOn(flipped(envelope, bit)), 'no fault'),
    ),
    { numRuns: 300 },
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.notEqual(verdictOn(bytes), 'no fault')))
  fc.assert(
    // A payload under a good signature may be anything.
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void faultOf(() => decodeCapability(bytes))),
  )
})

test('an evidence word of a later version counts as a claim', () => {
  const bytes = encodeCapability(record({ storage: null, compute: null }))
  // Field 7 (storage) with keep_bytes { value: 5, evidence: 9 }, as a later program may say it.
  const later = Uint8Array.of(...bytes, 0x3a, 0x06, 0x0a, 0x04, 0x08, 0x05, 0x10, 0x09)
  assert.deepEqual(decodeCapability(later).storage?.keepBytes, { value: 5, evidence: 'claimed' })
})

test('every reader picks the same record, whatever the order in which they came', () => {
  const lawful = [1, 2, 2, 3, 3, 3].map((sequence, index) =>
    sealed({ sequence, issuedMs: nowMs + index, withdrawn: index === 4 }),
  )
  const values = [...lawful, Uint8Array.of(1, 2, 3), new Uint8Array()]
  fc.assert(
    fc.property(fc.shuffledSubarray(values, { minLength: 1 }), (some) => {
      const picked = some[rules.select(lender.publicKey, some)]!
      const turned = some.toReversed()
      assert.deepEqual(picked, turned[rules.select(lender.publicKey, turned)])
      const sequences = some.filter((value) => lawful.includes(value)).map((value) => sequenceOf(value))
      if (sequences.length > 0) assert.equal(sequenceOf(picked), Math.max(...sequences))
    }),
    { numRuns: 80 },
  )
})
const sequenceOf = (envelope: Uint8Array) => openCapability(stranger, network, envelope, nowMs).body.sequence

test('the choice is a total order: the best of all is the best of the best of any two parts', () => {
  const candidate = shaped({ value: fc.uint8Array({ maxLength: 3 }), sequence: fc.integer({ min: -1, max: 3 }) })
  const best = (some: { value: Uint8Array; sequence: number }[]) => some[selectCapability(some)]!
  fc.assert(
    fc.property(
      fc.array(candidate, { minLength: 1, maxLength: 6 }),
      fc.array(candidate, { minLength: 1, maxLength: 6 }),
      (left, right) => assert.deepEqual(best([...left, ...right]), best([best(right), best(left)])),
    ),
  )
})

test('a peer lets itself be found by what it runs, and as a keeper when it keeps anything', () => {
  const runtimes = ['wasi-preview1', 'wasi-preview2'].map((name) => ({ name, version: '1', isolation: 'process' }))
  const storage = { keepBytes: { value: 0, evidence: 'claimed' as const }, termMsMax: 1 }
  const runs = [runtimeAdvert(network, 'wasi-preview1'), runtimeAdvert(network, 'wasi-preview2')]
  assert.deepEqual(runs[0], '/pleach/test/can/run/wasi-preview1')
  assert.deepEqual(advertsOf(network, record({ runtimes })), [...runs, keeperAdvert(network)])
  assert.deepEqual(advertsOf(network, record({ runtimes, storage })), runs)
  assert.deepEqual(advertsOf(network, record({ runtimes: [], storage: null })), [])
  assert.deepEqual(advertsOf(network, record({ withdrawn: true })), [], 'a withdrawn record leads nobody here')
})
