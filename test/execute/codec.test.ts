import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  decodeExecution,
  encodeExecution,
  executeLimits,
  grantsMax,
  inlineBytesMax,
  inlineTotalBytesMax,
  keepersNamedMax,
  logChunkBytesMax,
  logCreditBytes,
  type Execution,
  type Grant,
  type StartOrder,
} from '../../protocols/execute/index.ts'
import { microMax } from '../../protocols/wire/index.ts'
import { faultOf, flipped, nobody, provider, requester } from '../negotiate/parties.ts'
import { signer } from '../support/peers.ts'

const lease = 'ab'.repeat(32)
const shaped = <Shape>(model: { [Key in keyof Shape]: fc.Arbitrary<Shape[Key]> }) =>
  fc.record<Shape>(model, { noNullPrototype: true })
const integer = fc.nat(microMax)
const peers = fc.subarray([provider, requester, nobody])
const none = fc.constant(new Uint8Array())
const sources = fc.array(shaped({ shard: fc.nat(255), peers }), { maxLength: 4 })
const kind = fc.constantFrom('module', 'file', 'tar', 'stdin')

/** A grant as the requester gives it (with its key), or as the provider gives it back (without). */
const grant = (keyBytes: number): fc.Arbitrary<Grant> =>
  kind.chain((word) => {
    const guestPath = fc.constant(word === 'file' || word === 'tar' ? '/in/a' : '')
    const inline = fc.uint8Array({ maxLength: 50 })
    const manifest = fc.uint8Array({ minLength: 1, maxLength: 50 })
    const key = fc.uint8Array({ minLength: keyBytes, maxLength: keyBytes })
    return fc.oneof(
      shaped<Grant>({ guestPath, kind: fc.constant(word), manifest: none, key: none, sources, inline }),
      shaped<Grant>({ guestPath, kind: fc.constant(word), manifest, key, sources, inline: none }),
    )
  })
const order = shaped<StartOrder>({
  module: grant(32),
  inputs: fc.array(grant(32), { maxLength: 3 }),
  outputKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  outputKeepers: peers,
})
const say = <Word extends Execution['say']>(word: Word) => fc.constant(word)
const id = fc.constant(lease)
const bytes = fc.uint8Array({ maxLength: 100 })

const kinds: { readonly [Word in Execution['say']]: fc.Arbitrary<Extract<Execution, { say: Word }>> } = {
  start: shaped({ lease: id, say: say('start'), order }),
  started: shaped({ lease: id, say: say('started') }),
  follow: shaped({
    lease: id,
    say: say('follow'),
    stdoutOffset: integer,
    stderrOffset: integer,
    creditBytes: fc.nat(logCreditBytes),
  }),
  log: shaped({
    lease: id,
    say: say('log'),
    channel: fc.constantFrom('stdout', 'stderr'),
    offset: integer,
    bytes: fc.uint8Array({ maxLength: 1_000 }),
  }),
  progress: shaped({
    lease: id,
    say: say('progress'),
    progress: shaped({
      stage: fc.constantFrom('waiting', 'staging', 'running', 'sealing', 'ended'),
      wallMs: integer,
      cpuMs: integer,
      memoryBytes: integer,
      gas: integer,
    }),
  }),
  cancel: shaped({ lease: id, say: say('cancel') }),
  result: shaped({
    lease: id,
    say: say('result'),
    result: shaped({ statement: bytes, outputs: fc.option(grant(0)) }),
  }),
  'result-seen': shaped({ lease: id, say: say('result-seen') }),
  unknown: shaped({ lease: id, say: say('unknown') }),
}

for (const [name, message] of Object.entries(kinds)) {
  test(`${name.toUpperCase()} reads back as it was written`, () => {
    fc.assert(
      fc.property(message as fc.Arbitrary<Execution>, (one) =>
        assert.deepEqual(decodeExecution(encodeExecution(one)), one),
      ),
      { numRuns: 30 },
    )
  })

  test(`${name.toUpperCase()} with a bit flipped or cut short is lawful or a fault, and nothing worse`, () => {
    fc.assert(
      fc.property(message as fc.Arbitrary<Execution>, fc.nat(), fc.nat(), (one, bit, cut) => {
        const frame = encodeExecution(one)
        faultOf(() => decodeExecution(flipped(frame, bit)))
        faultOf(() => decodeExecution(frame.subarray(0, cut % frame.byteLength)))
      }),
      { numRuns: 80 },
    )
  })
}

test('random bytes are a fault and nothing worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (some) =>
      assert.notEqual(
        faultOf(() => decodeExecution(some)),
        'no fault',
      ),
    ),
    { numRuns: 500 },
  )
})

const inline = (count: number): Grant => ({
  guestPath: '/in/a',
  kind: 'file',
  manifest: new Uint8Array(),
  key: new Uint8Array(),
  sources: [],
  inline: new Uint8Array(count),
})
const program: Grant = { ...inline(8), guestPath: '', kind: 'module' }
const object: Grant = { ...inline(0), manifest: Uint8Array.of(1), key: new Uint8Array(32) }
const good: StartOrder = { module: program, inputs: [object], outputKey: new Uint8Array(32), outputKeepers: [provider] }
const startCode = (over: Partial<StartOrder>) =>
  faultOf(() => decodeExecution(encodeExecution({ lease, say: 'start', order: { ...good, ...over } })))

test('a START that no honest requester sends is a fault', () => {
  const many = <Value>(count: number, value: Value) => Array.from({ length: count }, () => value)
  const shard = { shard: 0, peers: [provider] }
  const rows: readonly [string, Partial<StartOrder>, string][] = [
    ['a lawful one', {}, 'no fault'],
    ['the most inputs', { inputs: many(grantsMax, object) }, 'no fault'],
    ['an input too many', { inputs: many(grantsMax + 1, object) }, 'FIELD_INVALID'],
    ['the most keepers', { outputKeepers: many(keepersNamedMax, provider) }, 'no fault'],
    ['a keeper too many', { outputKeepers: many(keepersNamedMax + 1, provider) }, 'FIELD_INVALID'],
    ['a keeper that is no peer', { outputKeepers: ['somebody'] }, 'FIELD_INVALID'],
    ['no output key', { outputKey: new Uint8Array() }, 'FIELD_INVALID'],
    ['an output key too long', { outputKey: new Uint8Array(33) }, 'FIELD_INVALID'],
    ['the largest inline input', { inputs: [inline(inlineBytesMax)] }, 'no fault'],
    ['an inline input too large', { inputs: [inline(inlineBytesMax + 1)] }, 'FRAME_TOO_LARGE'],
    ['the most inline bytes', { inputs: [...many(2, inline(65_536)), inline(32_768 - 8)] }, 'no fault'],
    ['an inline byte too many', { inputs: [...many(2, inline(65_536)), inline(32_768 - 7)] }, 'FRAME_TOO_LARGE'],
    ['an empty inline input', { inputs: [inline(0)] }, 'no fault'],
    ['an inline input with a key', { inputs: [{ ...inline(1), key: new Uint8Array(32) }] }, 'FIELD_INVALID'],
    ['an object without a key', { inputs: [{ ...object, key: new Uint8Array() }] }, 'FIELD_INVALID'],
    ['an object with half a key', { inputs: [{ ...object, key: new Uint8Array(16) }] }, 'FIELD_INVALID'],
    ['an object that is inline too', { inputs: [{ ...object, inline: Uint8Array.of(1) }] }, 'FIELD_INVALID'],
    ['an input of no known kind', { inputs: [{ ...object, kind: 'zip' as 'tar' }] }, 'FIELD_INVALID'],
    ['an input outside /in', { inputs: [{ ...object, guestPath: '/in/../etc' }] }, 'FIELD_INVALID'],
    ['an input without a path', { inputs: [{ ...object, guestPath: '' }] }, 'FIELD_INVALID'],
    ['a module with a path', { module: { ...program, guestPath: '/in/a' } }, 'FIELD_INVALID'],
    ['the most sources', { inputs: [{ ...object, sources: many(256, shard) }] }, 'no fault'],
    ['a source too many', { inputs: [{ ...object, sources: many(257, shard) }] }, 'FIELD_INVALID'],
    ['a shard too high', { inputs: [{ ...object, sources: [{ ...shard, shard: 256 }] }] }, 'FIELD_INVALID'],
    ['a source that is no peer', { inputs: [{ ...object, sources: [{ shard: 0, peers: [''] }] }] }, 'FIELD_INVALID'],
    [
      'a shard with too many peers',
      { inputs: [{ ...object, sources: [{ shard: 0, peers: many(17, provider) }] }] },
      'FIELD_INVALID',
    ],
  ]
  for (const [what, over, code] of rows) assert.equal(startCode(over), code, what)
  assert.equal(inlineTotalBytesMax, 2 * 65_536 + 32_768)
})

test('the greatest START of the requester fits into a frame', () => {
  const keepers = Array.from({ length: keepersNamedMax }, (_, seed) => signer(seed).peer)
  const spread = { ...object, manifest: new Uint8Array(600), guestPath: `/in/${'x'.repeat(100)}` }
  const sources = Array.from({ length: 20 }, (_, shard) => ({ shard, peers: [keepers[shard]!] }))
  const inputs = [inline(65_536), inline(65_536), ...Array.from({ length: 62 }, () => ({ ...spread, sources }))]
  const frame = encodeExecution({ lease, say: 'start', order: { ...good, inputs, outputKeepers: keepers } })
  assert.ok(frame.byteLength <= executeLimits.frameBytesMax, String(frame.byteLength))
})

test('what is over a limit in any other message is a fault', () => {
  const code = (message: Execution) => faultOf(() => decodeExecution(encodeExecution(message)))
  const log = (count: number): Execution => ({
    lease,
    say: 'log',
    channel: 'stdout',
    offset: 0,
    bytes: new Uint8Array(count),
  })
  const follow = (creditBytes: number): Execution => ({
    lease,
    say: 'follow',
    stdoutOffset: 0,
    stderrOffset: 0,
    creditBytes,
  })
  const idle = { stage: 'running', wallMs: 0, cpuMs: 0, memoryBytes: 0, gas: 0 } as const
  assert.equal(code(log(logChunkBytesMax)), 'no fault')
  assert.equal(code(log(logChunkBytesMax + 1)), 'FRAME_TOO_LARGE')
  assert.equal(code(follow(logCreditBytes)), 'no fault')
  assert.equal(code(follow(logCreditBytes + 1)), 'FIELD_INVALID')
  assert.equal(code({ lease, say: 'progress', progress: { ...idle, wallMs: 2 ** 53 } }), 'FIELD_INVALID')
  const health = (failures: number, failuresMax: number): string =>
    code({ lease, say: 'progress', progress: { ...idle, health: { state: 'failing', failures, failuresMax } } })
  assert.equal(health(1_000, 1_000), 'no fault')
  for (const [failures, failuresMax] of [
    [0, 0],
    [4, 3],
    [0, 1_001],
  ] as const)
    assert.equal(health(failures, failuresMax), 'FIELD_INVALID')
  assert.equal(code({ lease: 'ab', say: 'cancel' }), 'FIELD_INVALID')
  assert.equal(code({ lease: '', say: 'cancel' }), 'FIELD_INVALID')
  const outputs = { ...object, kind: 'tar' } as const
  assert.equal(
    code({ lease, say: 'result', result: { statement: new Uint8Array(), outputs } }),
    'FIELD_INVALID',
    'the key of the outputs does not travel',
  )
})
