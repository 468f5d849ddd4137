import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { concat } from 'uint8arrays'

import {
  decodeObjectManifest,
  encodeObjectManifest,
  formatObjectCapability,
  objectBytesMax,
  openSegment,
  parseCode,
  parseObjectCapability,
  segmentBytesOf,
  segmentCount,
  segmentLength,
  shardLength,
  stripBytesMax,
  stripLength,
  type ObjectManifest,
} from '../../protocols/erasure/index.ts'
import { Fault } from '../../protocols/wire/index.ts'
import { sealedStrips } from '../support/segments.ts'

const key = new Uint8Array(32).fill(7)
const code = { k: 4, m: 2 }
const root = new Uint8Array(32)
const manifest: ObjectManifest = {
  v: 1,
  kind: 'object',
  code: { matrix: 'cauchy', ...code },
  cipher: 'aes-256-gcm',
  bytes: 1000,
  shardBytes: shardLength(code, 1000),
  stripBytes: 1048576,
  leafBytes: 65536,
  shards: Array.from({ length: 6 }, () => root),
}

test('a segment opens to what was sealed, and to nothing when anything about it changed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(1000), fc.boolean(), (plain, number, isLast) => {
      const strips = sealedStrips(code, key, { number, isLast }, plain).slice(0, 4)
      const place = { number, isLast, plainBytes: plain.byteLength }
      const copies = () => strips.map((strip) => strip.slice())
      assert.deepEqual(concat(openSegment(key, place, copies())!), plain)
      assert.equal(openSegment(key, { ...place, number: number + 1 }, copies()), undefined)
      assert.equal(openSegment(key, { ...place, isLast: !isLast }, copies()), undefined)
      assert.equal(openSegment(new Uint8Array(32), place, copies()), undefined)
      const bent = copies()
      bent[0]![0]! ^= 1
      assert.equal(openSegment(key, place, bent), undefined)
    }),
  )
})

test('a full segment makes strips of exactly one MiB', () => {
  assert.equal(segmentBytesOf(code), 4 * stripBytesMax - 16)
  const strips = sealedStrips(code, key, { number: 0, isLast: false }, new Uint8Array(segmentBytesOf(code)))
  assert.deepEqual(
    strips.map((strip) => strip.byteLength),
    Array.from({ length: 6 }, () => stripBytesMax),
  )
})

test('the arithmetic of sizes fits together at every boundary', () => {
  for (const { k, m } of [
    { k: 1, m: 0 },
    { k: 4, m: 2 },
    { k: 10, m: 4 },
    { k: 255, m: 1 },
  ]) {
    const full = segmentBytesOf({ k, m })
    for (const bytes of [0, 1, 15, 16, 17, full - 1, full, full + 1, 2 * full, 2 * full + 1, 7 * full + 12345]) {
      const count = segmentCount({ k, m }, bytes)
      let plain = 0
      let shard = 0
      for (let segment = 0; segment < count; segment++) {
        plain += segmentLength({ k, m }, bytes, segment)
        shard += stripLength({ k, m }, bytes, segment)
        if (segment < count - 1) assert.equal(stripLength({ k, m }, bytes, segment), stripBytesMax)
      }
      assert.equal(plain, bytes)
      assert.equal(shard, shardLength({ k, m }, bytes))
    }
  }
})

test('an object manifest reads back as it was written', () => {
  const { cid, bytes } = encodeObjectManifest(manifest)
  assert.match(cid, /^bafyrei/)
  assert.deepEqual(decodeObjectManifest(bytes), manifest)
})

const bad: [string, unknown][] = [
  ['an unknown key', { ...manifest, key: 'secret' }],
  ['a missing key', { ...manifest, cipher: undefined }],
  ['another version', { ...manifest, v: 2 }],
  ['too few shards', { ...manifest, shards: manifest.shards.slice(1) }],
  ['sizes that do not fit', { ...manifest, shardBytes: manifest.shardBytes + 1 }],
  ['a root that is no hash', { ...manifest, shards: [...manifest.shards.slice(1), new Uint8Array(31)] }],
  [
    'a code that is none',
    {
      ...manifest,
      code: { matrix: 'cauchy', k: 200, m: 100 },
      shardBytes: shardLength({ k: 200, m: 100 }, 1000),
      shards: Array.from({ length: 300 }, () => root),
    },
  ],
  ['another cipher', { ...manifest, cipher: 'none' }],
  ['a code of no data', { ...manifest, code: { matrix: 'cauchy', k: 0, m: 6 } }],
  ['less than no parity', { ...manifest, code: { matrix: 'cauchy', k: 7, m: -1 }, shardBytes: 146 }],
  ['half a shard', { ...manifest, code: { matrix: 'cauchy', k: 4.5, m: 1.5 } }],
  ['257 shards', ofShards(256, 1)],
  ['more bytes than an object may have', ofBytes(objectBytesMax + 1)],
  ['bytes that no number holds', ofBytes(2 ** 53)],
  ['fewer bytes than none', { ...manifest, bytes: -1, shardBytes: 4 }],
  ['bytes that are no number', { ...manifest, bytes: '1000' }],
  ['shards of no bytes', { ...manifest, shardBytes: 0 }],
  ['other leaves', { ...manifest, leafBytes: 32768 }],
  ['other strips', { ...manifest, stripBytes: 2097152 }],
  ['another matrix', { ...manifest, code: { ...manifest.code, matrix: 'vandermonde' } }],
]

function ofShards(k: number, m: number): unknown {
  const shards = Array.from({ length: k + m }, () => root)
  return { ...manifest, code: { matrix: 'cauchy', k, m }, shardBytes: shardLength({ k, m }, 1000), shards }
}

function ofBytes(bytes: number): unknown {
  return { ...manifest, bytes, shardBytes: shardLength(code, bytes) }
}

for (const [name, value] of bad) {
  test(`an object manifest with ${name} is a fault`, () => {
    const plain = Object.fromEntries(Object.entries(value as object).filter(([, field]) => field !== undefined))
    assert.throws(() => decodeObjectManifest(dagCbor.encode(plain)), Fault)
  })
}

test('a manifest in another spelling than the deterministic one is a fault', () => {
  const { bytes } = encodeObjectManifest(manifest)
  // The first entry of the map is `v: 1`; as two bytes the 1 means the same and is not minimal.
  assert.deepEqual([...bytes.subarray(1, 4)], [0x61, 0x76, 0x01])
  const longer = Uint8Array.from([...bytes.subarray(0, 3), 0x18, 0x01, ...bytes.subarray(4)])
  const swapped = Uint8Array.from([bytes[0]!, ...bytes.subarray(4), ...bytes.subarray(1, 4)])
  for (const other of [longer, swapped, Uint8Array.from([...bytes, 0])])
    assert.throws(
      () => decodeObjectManifest(other),
      (error: unknown) => error instanceof Fault && error.code === 'FRAME_MALFORMED',
    )
})

test('a manifest of which a bit is another is none, or has another name', () => {
  const { cid, bytes } = encodeObjectManifest(manifest)
  const names = new Set([cid])
  let lawful = 0
  for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
    const bent = bytes.slice()
    bent[bit >> 3]! ^= 1 << (bit & 7)
    try {
      names.add(encodeObjectManifest(decodeObjectManifest(bent)).cid)
      lawful++
    } catch (error) {
      assert.ok(error instanceof Fault, `bit ${bit}: ${String(error)}`)
    }
  }
  assert.equal(names.size, lawful + 1)
  // Roots may be any; of all else a few bits may make another lawful object, of another length.
  assert.ok(lawful >= 6 * 256 && lawful < 6 * 256 + 16, `${lawful} of ${bytes.byteLength * 8}`)
})

test('a document that says it is huge costs no more than it is', () => {
  const claims = ['9b0000001fffffffff', '5b0000001fffffffff', 'bb0000001fffffffff', '7b0000001fffffffff', '9a7fffffff']
  for (const hex of [...claims, 'd82a'.repeat(4_000), '81'.repeat(16_000), 'a1'.repeat(16_000)]) {
    const before = process.memoryUsage().rss
    assert.throws(() => decodeObjectManifest(Buffer.from(hex, 'hex')), Fault, hex.slice(0, 20))
    assert.ok(process.memoryUsage().rss - before < 2 ** 26, hex.slice(0, 20))
  }
})

test('a capability of which a character is another is none, or says exactly what it is', () => {
  const { cid } = encodeObjectManifest(manifest)
  const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))
  for (const capability of [{ can: 'read', object: cid, key } as const, { can: 'verify', object: cid } as const]) {
    const text = formatObjectCapability(capability)
    for (let at = 0; at <= text.length; at++) {
      for (const other of ['', ...printable, (text[at] ?? '').repeat(2)]) {
        const bent = `${text.slice(0, at)}${other}${text.slice(at + 1)}`
        const parsed = parseObjectCapability(bent)
        if (parsed !== undefined) assert.equal(formatObjectCapability(parsed), bent)
      }
    }
  }
})

test('no other key opens a segment, not by one bit', () => {
  const plain = new Uint8Array(100).fill(9)
  const place = { number: 0, isLast: true, plainBytes: plain.byteLength }
  const strips = sealedStrips(code, key, place, plain).slice(0, 4)
  for (let bit = 0; bit < 256; bit++) {
    const other = key.slice()
    other[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(
      openSegment(
        other,
        place,
        strips.map((strip) => strip.slice()),
      ),
      undefined,
    )
  }
})

test('what we could not read ourselves is not written', () => {
  assert.throws(() => encodeObjectManifest({ ...manifest, shards: [] }), RangeError)
  assert.throws(() => encodeObjectManifest({ ...manifest, shardBytes: 1 }), RangeError)
})

test('random bytes are no manifest, and no exception of another kind', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => assert.throws(() => decodeObjectManifest(bytes), Fault)),
  )
  assert.throws(
    () => decodeObjectManifest(new Uint8Array(20_000)),
    (error: unknown) => error instanceof Fault && error.code === 'FRAME_TOO_LARGE',
  )
})

test('capabilities and codes read back as text', () => {
  const { cid } = encodeObjectManifest(manifest)
  const read = formatObjectCapability({ can: 'read', object: cid, key })
  assert.deepEqual(parseObjectCapability(read), { can: 'read', object: cid, key })
  assert.deepEqual(parseObjectCapability(`pleach:verify:${cid}`), { can: 'verify', object: cid })
  const lastBits = `${read.slice(0, -1)}${read.endsWith('c') ? 'd' : 'c'}`
  for (const text of [
    '',
    cid,
    'pleach:read:' + cid,
    `${read}x`,
    lastBits,
    `pleach:read:${cid}:${'A'.repeat(42)}`,
    'pleach:verify:bafy',
    'pleach:write:x',
  ])
    assert.equal(parseObjectCapability(text), undefined, text)
  assert.deepEqual(parseCode('4+8'), { k: 4, m: 8 })
  assert.deepEqual(parseCode('ship'), { k: 10, m: 4 })
  for (const text of ['', '4', '0+2', '200+100', '4+2+1', 'constructor']) assert.equal(parseCode(text), undefined, text)
})
