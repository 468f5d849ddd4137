import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'

import {
  argCharsMax,
  argsMax,
  checkedGuestPath,
  decodeJobManifest,
  encodeJobManifest,
  inputsMax,
  nearestName,
  openResult,
  sealResult,
} from '../../protocols/execute/index.ts'
import { resultBytesMax, isWorkDone, isWorthRetrying, endReasons } from '../../protocols/execute/result.ts'
import { resultType } from '../../protocols/execute/messages.ts'
import { manifestBytesMax } from '../../protocols/negotiate/index.ts'
import { cidOfDocument, Fault, microMax, sealEnvelope } from '../../protocols/wire/index.ts'
import { asker, faultOf, flipped, leaseOf, manifestOf, provider, worker } from '../negotiate/parties.ts'
import { network } from '../support/peers.ts'
import { documentOf } from '../receipt/accounts.ts'

type Tree = Record<string, unknown>
const good = manifestOf('tests')
const cid = cidOfDocument(Uint8Array.of(1))

/** The good manifest with one place changed: `resources.cpuMilli`, `inputs.0.path`. */
function changed(place: string, value: unknown, from: unknown = good): unknown {
  const copy = structuredClone(from) as Tree
  const steps = place.split('.')
  const last = steps.pop()!
  const holder = steps.reduce<Tree>((at, step) => at[step] as Tree, copy)
  Object.defineProperty(holder, last, { value, enumerable: true, configurable: true, writable: true })
  return copy
}
const messageOf = (manifest: unknown): string => {
  try {
    decodeJobManifest(dagCbor.encode(manifest))
    return 'lawful'
  } catch (error) {
    assert.ok(error instanceof Fault && error.code === 'FIELD_INVALID', String(error))
    return error.message
  }
}

test('a manifest reads back as it was written, under the name of its bytes', () => {
  const { job, bytes } = encodeJobManifest(good)
  assert.deepEqual(decodeJobManifest(bytes), good)
  assert.equal(job, cidOfDocument(bytes))
  assert.notEqual(encodeJobManifest({ ...good, nonce: 'two' }).job, job, 'two runs of one work are two jobs')
})

test('an unknown key is refused with the nearest right name', () => {
  const rows: readonly [string, string][] = [
    ['naem', 'naem is not a key; did you mean name?'],
    ['Args', 'Args is not a key; did you mean args?'],
    ['resource', 'resource is not a key; did you mean resources?'],
    ['zebra', 'zebra is not a key'],
    ['__proto__', '__proto__ is not a key'],
    ['resources.memroyBytes', 'resources.memroyBytes is not a key; did you mean memoryBytes?'],
    ['resources.wallMS2', 'resources.wallMS2 is not a key; did you mean wallMs?'],
    ['module.sha', 'module.sha is not a key'],
    ['module.byte', 'module.byte is not a key; did you mean bytes?'],
    ['price.ceiling', 'price.ceiling is not a key'],
    ['price.ceilingMirco', 'price.ceilingMirco is not a key; did you mean ceilingMicro?'],
    ['code.n', 'code.n is not a key; did you mean k?'],
    ['inputs.0.pth', 'inputs.0.pth is not a key; did you mean path?'],
    ['stdin.sha265', 'stdin.sha265 is not a key; did you mean sha256?'],
  ]
  const withStdin = { ...good, stdin: { bytes: 1, sha256: '0'.repeat(64), object: null } }
  for (const [place, message] of rows) assert.equal(messageOf(changed(place, 1, withStdin)), `job manifest: ${message}`)
})

test('a container has no gas, and is not deterministic', () => {
  const container = { image: null, digest: null, entrypoint: null, egress: false, gpus: 0, service: null }
  const contained = { ...good, engine: 'oci', container }
  assert.equal(messageOf(contained), 'lawful')
  assert.match(messageOf(changed('resources.gas', 1, contained)), /^job manifest: resources\.gas: .*wasi-preview1$/)
  assert.match(messageOf(changed('deterministic', true, contained)), /^job manifest: deterministic: .*wasi-preview1$/)
})

test('the nearest name is the one at the smallest distance, and none when all are far', () => {
  assert.equal(nearestName('memry', ['memory', 'memo']), 'memory')
  assert.equal(nearestName('', ['memory']), undefined)
  assert.equal(nearestName('x', []), undefined)
  const names = ['cpuMilli', 'memoryBytes', 'diskBytes', 'wallMs']
  for (const name of names) assert.equal(nearestName(name, names), name)
})

test('every key is needed', () => {
  const walk = (node: Tree, path: readonly string[]): void => {
    for (const [key, value] of Object.entries(node)) {
      const place = [...path, key].join('.')
      if (path[0] !== 'env') assert.notEqual(messageOf(without(place)), 'lawful', place)
      if (typeof value === 'object' && value !== null && key !== 'env' && key !== 'args')
        walk(value as Tree, [...path, key])
    }
  }
  const without = (place: string): unknown => {
    const copy = structuredClone(good) as unknown as Tree
    const steps = place.split('.')
    const last = steps.pop()!
    const holder = steps.reduce<Tree>((at, step) => at[step] as Tree, copy)
    if (Array.isArray(holder)) holder[Number(last)] = {}
    else delete holder[last]
    return copy
  }
  walk(good, [])
})

test('every limit holds at its edge', () => {
  const many = (count: number, value: unknown) => Array.from({ length: count }, () => value)
  const input = good.inputs[0]!
  const rows: readonly [string, unknown, unknown][] = [
    ['name', 'x'.repeat(64), 'x'.repeat(65)],
    ['nonce', 'x'.repeat(64), 'x'.repeat(65)],
    ['apiVersion', 'pleach/v1', 'pleach/v2'],
    ['kind', 'job', 'jobs'],
    ['engine', 'wasi-preview1', 'wasi-preview2'],
    ['args', many(argsMax, ''), many(argsMax + 1, '')],
    ['args', ['x'.repeat(argCharsMax)], ['x'.repeat(argCharsMax + 1)]],
    ['args', ['ä\n'], ['a\0b']],
    ['args', [], 'ls'],
    ['env', { _A9: 'x'.repeat(argCharsMax) }, { _A9: 'x'.repeat(argCharsMax + 1) }],
    ['env', { A: '' }, { A: 'a\0' }],
    ['env', {}, { '9A': '' }],
    ['env', { ['a'.repeat(128)]: '' }, { ['a'.repeat(129)]: '' }],
    ['env', { A: 'x' }, { 'A=B': 'x' }],
    ['inputs', many(inputsMax, input), many(inputsMax + 1, input)],
    ['inputs.0.kind', 'tar', 'stdin'],
    ['inputs.0.object', cid, 'bafy'],
    ['inputs.0.sha256', 'a'.repeat(64), 'A'.repeat(64)],
    ['inputs.0.sha256', 'f'.repeat(64), 'f'.repeat(63)],
    ['inputs.0.bytes', 0, -1],
    ['inputs.0.bytes', microMax, 0.5],
    ['module.object', null, 7],
    ['stdin', null, 'text'],
    ['resources.cpuMilli', 1, 0],
    ['resources.memoryBytes', 65_536, 65_535],
    ['resources.wallMs', 1, 0],
    ['resources.logBytes', 0, -1],
    ['resources.outputBytes', microMax, '1'],
    ['code.k', 255, 256],
    ['code.k', 1, 0],
    ['code.m', 0, -1],
    ['code.m', 255, 256],
    ['price.unit', 'x', ''],
    ['price.unit', 'x'.repeat(64), 'x'.repeat(65)],
    ['price.ceilingMicro', microMax, -1],
    ['price.cpuHourMicroMax', 0, 1.5],
  ]
  for (const [place, lawful, unlawful] of rows) {
    assert.equal(messageOf(changed(place, lawful)), 'lawful', place)
    const message = messageOf(changed(place, unlawful))
    assert.ok(message.startsWith(`job manifest: ${place.split('.')[0]}`), `${place}: ${message}`)
  }
})

test('an integer beyond 2^53 - 1 is refused, as a number and as a big one', () => {
  // As CBOR writes 2^53, which JavaScript cannot: 1b 0020000000000000.
  const bytes = dagCbor.encode(changed('price.ceilingMicro', microMax))
  const at = Buffer.from(bytes).indexOf(Buffer.from('1b001fffffffffffff', 'hex'))
  assert.ok(at > 0)
  const beyond = bytes.slice()
  beyond.set(Buffer.from('1b0020000000000000', 'hex'), at)
  assert.notEqual(
    faultOf(() => decodeJobManifest(beyond)),
    'no fault',
  )
})

test('a manifest over its cap is not made', () => {
  const args = Array.from({ length: 5 }, () => 'x'.repeat(argCharsMax))
  assert.throws(() => encodeJobManifest({ ...good, args }), RangeError)
  assert.ok(5 * argCharsMax > manifestBytesMax)
})

test('a path of an input stays under /in, and has one spelling', () => {
  const lawful = ['/in/a', '/in/a/b.csv', '/in/...', '/in/.hidden', '/in/ä b', '/in/a..b', `/in/${'x'.repeat(508)}`]
  const unlawful = [
    '',
    '/',
    '/in',
    '/in/',
    'in/a',
    '/inn/a',
    '/etc/passwd',
    '/out/a',
    '/in//a',
    '/in/a/',
    '/in/.',
    '/in/./a',
    '/in/..',
    '/in/../etc/passwd',
    '/in/a/../../b',
    '/in/a/..',
    '/in\\a',
    '/in/a\\..\\b',
    '/in/a\0b',
    '/in/a\nb',
    '/in/\u001b[2J',
    '/in/\u007f',
    '/IN/a',
    ' /in/a',
    `/in/${'x'.repeat(509)}`,
  ]
  for (const path of lawful) {
    assert.equal(checkedGuestPath(path), path)
    assert.equal(messageOf(changed('inputs.0.path', path)), 'lawful', path)
  }
  for (const path of unlawful) {
    assert.equal(
      faultOf(() => checkedGuestPath(path)),
      'FIELD_INVALID',
      path,
    )
    assert.equal(
      messageOf(changed('inputs.0.path', path)),
      'job manifest: inputs.0.path: is not an absolute path under /in',
    )
  }
})

test('a path that is lawful never leaves /in, however it is made up', () => {
  const part = fc.constantFrom('', '.', '..', 'a', 'in', '\\', '...', '\n', ' ')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const path = `/in/${parts.join('/')}`
      const code = faultOf(() => checkedGuestPath(path))
      if (code === 'no fault') assert.equal(new URL(`file://${encodeURI(path)}`).pathname, encodeURI(path))
    }),
  )
})

const anyDocument = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.string(),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('node'), { maxKeys: 4 }),
  ),
})).node
const places = ['name', 'module', 'module.bytes', 'args', 'env', 'inputs', 'inputs.0', 'inputs.0.path', 'stdin', 'code']

test('any document, and any bytes, are a fault and nothing worse', () => {
  fc.assert(
    fc.property(anyDocument, (document) =>
      assert.notEqual(
        faultOf(() => decodeJobManifest(dagCbor.encode(document))),
        'no fault',
      ),
    ),
    { numRuns: 200 },
  )
  fc.assert(
    fc.property(fc.constantFrom(...places), anyDocument, (place, value) => {
      faultOf(() => decodeJobManifest(dagCbor.encode(changed(place, value))))
    }),
    { numRuns: 200 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
      assert.notEqual(
        faultOf(() => decodeJobManifest(bytes)),
        'no fault',
      ),
    ),
    { numRuns: 300 },
  )
  const { bytes } = encodeJobManifest(good)
  fc.assert(
    fc.property(fc.nat(bytes.byteLength * 8 - 1), (bit) => {
      faultOf(() => decodeJobManifest(flipped(bytes, bit)))
    }),
    { numRuns: 300 },
  )
})

test('a document that nests without end, or names a length that is not there, is a fault', () => {
  const deep = new Uint8Array(manifestBytesMax).fill(0x81)
  const rows = [
    deep,
    Uint8Array.from(Buffer.from('9bffffffffffffffff', 'hex')),
    Uint8Array.of(0x7b, 255, 255, 255, 255),
  ]
  for (const bytes of rows)
    assert.equal(
      faultOf(() => decodeJobManifest(bytes)),
      'FRAME_MALFORMED',
    )
})

// The result document, the other of the two.
const lease = leaseOf()
const document = documentOf(lease)
const resultCode = (payload: unknown) => {
  const bytes = payload instanceof Uint8Array ? payload : dagCbor.encode(payload)
  return faultOf(() => openResult(asker, sealEnvelope(worker.signer, network, resultType, bytes)))
}

test('a result reads back as it was written, under the name of its document', () => {
  const { cid: named, envelope } = sealResult(worker, document)
  const opened = openResult(asker, envelope)
  assert.deepEqual([opened.by, opened.body, opened.cid], [provider, document, named])
  assert.equal(named, cidOfDocument(dagCbor.encode(document)))
})

test('a result that no honest provider makes is a fault', () => {
  const rows: readonly [string, unknown, string][] = [
    ['detail', 'x'.repeat(1_000), 'no fault'],
    ['detail', 'x'.repeat(1_001), 'FIELD_INVALID'],
    ['v', 2, 'FIELD_INVALID'],
    ['kind', 'results', 'FIELD_INVALID'],
    ['job', 'bafy', 'FIELD_INVALID'],
    ['lease', 'x', 'FIELD_INVALID'],
    ['epoch', -1, 'FIELD_INVALID'],
    ['reason', 'bored', 'FIELD_INVALID'],
    ['exitCode', 2 ** 32 - 1, 'no fault'],
    ['exitCode', 2 ** 32, 'FIELD_INVALID'],
    ['exitCode', -1, 'FIELD_INVALID'],
    ['exitCode', null, 'no fault'],
    ['stdout.bytes', -1, 'FIELD_INVALID'],
    ['stdout.sha256', '0'.repeat(63), 'FIELD_INVALID'],
    ['outputs', cid, 'no fault'],
    ['outputs', 'bafy', 'FIELD_INVALID'],
    ['usage.wallMs', 0.5, 'FRAME_MALFORMED'],
    ['usage.price', 1, 'FIELD_INVALID'],
    ['more', 1, 'FIELD_INVALID'],
  ]
  for (const [place, value, code] of rows)
    assert.equal(resultCode(changed(place, value, document)), code, `${place} ${String(value).slice(0, 20)}`)
  assert.equal(resultCode(new Uint8Array()), 'FRAME_MALFORMED')
  assert.equal(resultCode(new Uint8Array(resultBytesMax)), 'FRAME_TOO_LARGE')
  assert.equal(
    faultOf(() => openResult({ ...asker, network: 'elsewhere' }, sealResult(worker, document).envelope)),
    'NETWORK_FOREIGN',
  )
})

test('a result has one spelling', () => {
  const bytes = dagCbor.encode({ ...document, exitCode: null })
  const spelt = (from: readonly number[], to: readonly number[]): Uint8Array => {
    const at = Buffer.from(bytes).indexOf(Uint8Array.from(from))
    assert.ok(at >= 0)
    return Uint8Array.of(...bytes.subarray(0, at), ...to, ...bytes.subarray(at + from.length))
  }
  const v = [0x61, 0x76]
  const exitCode = [0x68, ...Buffer.from('exitCode')]
  assert.equal(resultCode(spelt([...v, 0x01], [...v, 0x01])), 'no fault')
  // 1 as a fraction of 64 bits, null as undefined, and the first key behind the second.
  assert.equal(resultCode(spelt([...v, 0x01], [...v, 0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0])), 'FRAME_MALFORMED')
  assert.equal(resultCode(spelt([...exitCode, 0xf6], [...exitCode, 0xf7])), 'FRAME_MALFORMED')
  const job = [0x63, ...Buffer.from('job'), 0x78, 0x3b, ...Buffer.from(document.job)]
  assert.equal(resultCode(spelt([...v, 0x01, ...job], [...job, ...v, 0x01])), 'FRAME_MALFORMED')
})

test('any document under a good signature, and any bit flipped, are a fault and nothing worse', () => {
  fc.assert(
    fc.property(anyDocument, (value) => assert.notEqual(resultCode(value), 'no fault')),
    { numRuns: 150 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => assert.notEqual(resultCode(bytes), 'no fault')),
    { numRuns: 150 },
  )
  const { envelope } = sealResult(worker, document)
  fc.assert(
    fc.property(fc.nat(envelope.byteLength * 8 - 1), (bit) =>
      assert.notEqual(
        faultOf(() => openResult(asker, flipped(envelope, bit))),
        'no fault',
      ),
    ),
    { numRuns: 150 },
  )
})

test('every way to end is either paid for or not, and only what another peer might do better is tried again', () => {
  const table = endReasons.map((reason) => [reason, isWorkDone(reason), isWorthRetrying(reason)])
  assert.deepEqual(table, [
    ['exited', true, false],
    ['trapped', true, false],
    ['wall-limit', true, false],
    ['memory-limit', true, false],
    ['output-limit', true, false],
    ['log-limit', true, false],
    ['gas-limit', true, false],
    ['cancelled', true, false],
    ['module-invalid', false, false],
    ['inputs-missing', false, true],
    ['provider-failed', false, true],
  ])
})
