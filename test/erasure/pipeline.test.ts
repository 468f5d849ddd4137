import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import fc from 'fast-check'
import { pipe } from 'it-pipe'
import { concat, fromString, toString } from 'uint8arrays'

import {
  Commitment,
  InconsistentObjectError,
  MerkleBuilder,
  NotEnoughStripsError,
  codeSegments,
  createCoder,
  cutSegments,
  decodeObjectManifest,
  describeObject,
  encodeObjectManifest,
  hashLeaves,
  openSegments,
  segmentBytesOf,
  stripBytesMax,
  type Code,
  type CodedSegment,
  type OpenedSegment,
  type StripSet,
} from '../../protocols/erasure/index.ts'

interface Vector {
  k: number
  m: number
  bytes: number
  key: string
  shardBytes: number
  manifest: string
  cid: string
}

// An independent program in Python made these; the file says how.
const vectors = JSON.parse(readFileSync(new URL('../vectors/sealed-objects.json', import.meta.url), 'utf8')) as {
  cases: Vector[]
}
const key = new Uint8Array(32).fill(9)

function plainOf(bytes: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, index) => {
    const number = new Uint8Array(4)
    new DataView(number.buffer).setUint32(0, index)
    return fromString(hash('sha256', concat([fromString('pleach-object'), number]), 'hex'), 'hex')
  })
  return concat(blocks).subarray(0, bytes)
}

async function* chunked(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

const seal = async (code: Code, plain: Uint8Array, chunkBytes = 100_000, with_ = key): Promise<CodedSegment[]> =>
  all(pipe(chunked(plain, chunkBytes), cutSegments(code), codeSegments(createCoder(code.k, code.m), with_)))

const unseal = async (code: Code, sets: readonly StripSet[], bytes: number): Promise<OpenedSegment[]> =>
  all(openSegments(createCoder(code.k, code.m), key, bytes)(from(sets)))

async function* from<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items
}

for (const vector of vectors.cases) {
  const { k, m, bytes } = vector
  test(`an object of ${bytes} bytes, ${k}+${m}, is sealed as an independent program seals it`, async () => {
    const segments = await seal({ k, m }, plainOf(bytes), 65_000, fromString(vector.key, 'hex'))
    const roots = Array.from({ length: k + m }, (_, shard) => {
      const builder = new MerkleBuilder()
      for (const { strips } of segments) for (const leaf of hashLeaves(strips[shard]!)) builder.add(leaf)
      return builder.root()
    })
    const { cid, bytes: manifest } = encodeObjectManifest(describeObject({ k, m }, bytes, roots))
    assert.equal(toString(manifest, 'hex'), vector.manifest)
    assert.equal(cid, vector.cid)
    assert.equal(decodeObjectManifest(manifest).shardBytes, vector.shardBytes)
  })
}

test('segments are the same however the plaintext is cut into chunks', async () => {
  const code = { k: 2, m: 1 }
  const plain = plainOf(segmentBytesOf(code) + 1000)
  const expected = await seal(code, plain, plain.byteLength)
  assert.deepEqual(
    expected.map(({ number, isLast, plainBytes }) => [number, isLast, plainBytes]),
    [
      [0, false, segmentBytesOf(code)],
      [1, true, 1000],
    ],
  )
  for (const chunkBytes of [65_537, segmentBytesOf(code) - 1, segmentBytesOf(code), segmentBytesOf(code) + 1]) {
    const strips = (await seal(code, plain, chunkBytes)).flatMap((segment) => segment.strips)
    assert.ok(
      strips.every((strip, index) => Buffer.compare(strip, expected.flatMap((one) => one.strips)[index]!) === 0),
    )
  }
})

test('a plaintext that ends with a segment has no empty segment after it; one of no bytes has one', async () => {
  const code = { k: 1, m: 0 }
  for (const [bytes, segments] of [
    [0, 1],
    [1, 1],
    [segmentBytesOf(code), 1],
    [segmentBytesOf(code) + 1, 2],
    [2 * segmentBytesOf(code), 2],
  ] as const) {
    const sealed = await seal(code, new Uint8Array(bytes))
    assert.equal(sealed.length, segments, `${bytes} bytes`)
    assert.deepEqual(
      sealed.map(({ isLast }) => isLast),
      sealed.map((_, index) => index === segments - 1),
    )
    for (const { strips, isLast } of sealed) if (!isLast) assert.equal(strips[0]!.byteLength, stripBytesMax)
  }
})

test('any k strips of each segment give the plaintext, another k in each', async () => {
  const code = { k: 3, m: 2 }
  const plain = plainOf(segmentBytesOf(code) + 5000)
  const sealed = await seal(code, plain)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uniqueArray(fc.nat(4), { minLength: 3, maxLength: 5 }), { minLength: 2, maxLength: 2 }),
      async (kept) => {
        const sets = sealed.map(({ strips }, index) =>
          strips.map((strip, shard) => (kept[index]!.includes(shard) ? strip : undefined)),
        )
        const opened = await unseal(code, sets, plain.byteLength)
        assert.equal(Buffer.compare(concat(opened.map((segment) => segment.plain)), plain), 0)
        for (const [index, { rebuilt }] of opened.entries()) {
          const lost = [0, 1, 2].filter((shard) => !kept[index]!.includes(shard))
          assert.deepEqual([...rebuilt.keys()], lost, 'only what is missing is decoded')
        }
      },
    ),
    { numRuns: 8 },
  )
})

test('too few strips, bent strips, and strips of another place do not open', async () => {
  const code = { k: 2, m: 1 }
  const [{ strips }] = (await seal(code, plainOf(100))) as [CodedSegment]
  await assert.rejects(unseal(code, [[strips[0], undefined, undefined]], 100), NotEnoughStripsError)
  const bent = strips[2]!.slice()
  bent[3]! ^= 1
  await assert.rejects(unseal(code, [[strips[0], undefined, bent]], 100), InconsistentObjectError)
  await assert.rejects(unseal(code, [[strips[1], strips[0], undefined]], 100), InconsistentObjectError)
})

test('padding that is not zero does not open: the cipher does not cover it', async () => {
  const code = { k: 4, m: 0 }
  const [{ strips }] = (await seal(code, plainOf(1))) as [CodedSegment]
  const last = strips[3]!.slice()
  assert.equal(last.at(-1), 0)
  last[last.byteLength - 1] = 1
  await assert.rejects(unseal(code, [[...strips.slice(0, 3), last]], 1), InconsistentObjectError)
})

test('a rebuilt shard is held to the root of the manifest, segment upon segment', async () => {
  const code = { k: 2, m: 1 }
  const plain = plainOf(segmentBytesOf(code) + 70_000)
  const sealed = await seal(code, plain)
  const shardHashes = [0, 1, 2].map((shard) => sealed.map(({ strips }) => hashLeaves(strips[shard]!)))
  const roots = shardHashes.map((segments) => {
    const builder = new MerkleBuilder()
    for (const leaf of segments.flat()) builder.add(leaf)
    return builder.root()
  })
  /** Shard 0 comes in the first segment and is rebuilt in the second; shard 1 comes in both. */
  const read = (manifestRoots: Uint8Array[], rebuiltStrip: Uint8Array) => {
    const commitment = new Commitment(describeObject(code, plain.byteLength, manifestRoots))
    commitment.came(0, shardHashes[0]![0]!)
    commitment.came(1, shardHashes[1]![0]!)
    commitment.rebuilt(0, hashLeaves(rebuiltStrip))
    commitment.came(1, shardHashes[1]![1]!)
    commitment.check()
  }
  const right = sealed[1]!.strips[0]!
  read(roots, right)
  const wrong = right.slice()
  wrong[0]! ^= 1
  assert.throws(() => read(roots, wrong), InconsistentObjectError)
  assert.throws(() => read([roots[1]!, roots[1]!, roots[2]!], right), InconsistentObjectError)
})
