// States are written by a form of our own, for speed: byte for byte it is what the package for DAG-CBOR writes.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as dagCbor from '@ipld/dag-cbor'

import { decodeState, encodeState } from '../../src/state-form.ts'
import { SeededRandom } from '../../sim/random.ts'

const seed = Number(process.env['PLEACH_SEED'] ?? 9)
const documents = 500

const edges = (
  [
    [0, 1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1],
    [-1, -24, -25, -256, -257, -65_537, -(2 ** 32), -(2 ** 32) - 1, -(2 ** 53) + 1],
    ['', 'plain', 'é', '€uro', '😀', 'x'.repeat(23), 'x'.repeat(24), 'é'.repeat(200), 'x'.repeat(70_000)],
    [new Uint8Array(), new Uint8Array(31).fill(7), new Uint8Array(33).fill(8), new Uint8Array(70_000).fill(9)],
    [null, true, false, [], {}],
  ] as unknown[][]
).flat()
const names = ['a', 'b', 'at', 'lease', 'éa', 'zz', 'zzz', '', '😀', '\uffff', '1', '10', 'receipt', 'previous']

function anything(random: SeededRandom, depth: number): unknown {
  const kind = depth > 3 ? 0 : random.between(0, 3)
  if (kind === 1)
    return Array.from({ length: random.pick([0, 1, 3, 25 >> (2 * depth)]) }, () => anything(random, depth + 1))
  if (kind < 2) return random.pick(edges)
  const chosen = names.filter(() => random.chance(0.25))
  if (random.chance(0.5)) chosen.reverse()
  return Object.fromEntries(chosen.map((name) => [name, anything(random, depth + 1)]))
}

test(`${documents} documents of chance are written as the package writes them`, () => {
  const random = new SeededRandom(seed)
  for (let index = 0; index < documents; index++) {
    const document = anything(random, 0)
    const bytes = encodeState(document)
    assert.deepEqual(
      Buffer.from(bytes),
      Buffer.from(dagCbor.encode(document)),
      `document ${index}, PLEACH_SEED=${seed}`,
    )
    if (index % 25 === 0) assert.deepEqual(decodeState(bytes), dagCbor.decode(bytes))
  }
})

test('a record of many names, names in another order, and what lies deep', () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`name ${(index * 7919) % 300}`, index]))
  let deep: unknown = 1
  for (let level = 0; level < 200; level++) deep = { deep, [`${level}`]: [deep === 1] }
  const turned = [
    { b: 1, a: 2 },
    { a: 2, b: 1 },
    { b: 1, a: 2, c: 3 },
  ]
  for (const document of [many, ...edges, turned, ...turned])
    assert.deepEqual(Buffer.from(encodeState(document)), Buffer.from(dagCbor.encode(document)))
  assert.deepEqual(decodeState(encodeState(turned)), turned)
  let nested: unknown = 'end'
  for (let level = 0; level < 200; level++) nested = [nested]
  assert.deepEqual(decodeState(encodeState(nested)), nested)
})

test('what is no plain data is written or refused as the package does it', () => {
  for (const document of [0.5, 2 ** 53, 10n, new Map([['a', 1]])])
    assert.deepEqual(Buffer.from(encodeState({ document })), Buffer.from(dagCbor.encode({ document })))
  for (const document of [undefined, NaN, Infinity, () => 1, Symbol('x')])
    assert.throws(() => encodeState({ before: 'x', document }), /support|cannot/)
  assert.deepEqual(Buffer.from(encodeState({ after: 1 })), Buffer.from(dagCbor.encode({ after: 1 })))
})

test('what was returned is not written to again', () => {
  const first = encodeState({ a: 'first' })
  const copy = first.slice()
  encodeState({ b: 'second' })
  assert.deepEqual(first, copy)
})
