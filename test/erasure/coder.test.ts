import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { equals } from 'uint8arrays'

import {
  cauchyMatrix,
  createCoder,
  kernelPaths,
  NotEnoughStripsError,
  vandermondeMatrix,
} from '../../protocols/erasure/index.ts'
import { plainLoom, someStrips, ways } from './paths.ts'
import { dataOf, sha256, vectors } from './vectors.ts'

for (const { matrix, vector } of vectors) {
  const { k, m, shardBytes } = vector
  test(`${k}+${m} of ${shardBytes} bytes, ${matrix}, is what an independent program makes of it, on every path`, () => {
    const data = dataOf(vector)
    assert.equal(sha256(Buffer.concat(data)), vector.dataSha256, 'the test makes the data as the file says')
    if (vector.coefficients !== undefined) {
      const rows = matrix === 'cauchy' ? cauchyMatrix(k, m) : vandermondeMatrix(k, m)
      assert.deepEqual(
        rows.slice(k).map((row) => [...row]),
        vector.coefficients,
      )
    }
    for (const way of ways) {
      const parity = way.encode(data, m, matrix)
      const got = typeof vector.paritySha256 === 'string' ? sha256(Buffer.concat(parity)) : parity.map(sha256)
      assert.deepEqual(got, vector.paritySha256, way.name)
    }
  })
}

test('any k strips give back all the others', () => {
  const codes = fc
    .integer({ min: 1, max: 20 })
    .chain((k) => fc.record({ k: fc.constant(k), m: fc.integer({ min: 0, max: 20 }) }))
  fc.assert(
    fc.property(codes, fc.integer({ min: 1, max: 100 }), fc.integer(), ({ k, m }, length, seed) => {
      const data = Array.from({ length: k }, (_, row) =>
        Uint8Array.from({ length }, (_unused, at) => (Math.imul(seed ^ row, 0x9e3779b1) >>> (at % 24)) & 255),
      )
      const coder = createCoder(k, m)
      const all = [...data, ...coder.encode(data)]
      const order = all
        .map((_, index) => index)
        .sort((left, right) => Math.imul(left + 1, seed | 1) - Math.imul(right + 1, seed | 1))
      const kept = new Set(order.slice(0, k))
      const lost = order.slice(k)
      const back = coder.reconstruct(
        all.map((strip, index) => (kept.has(index) ? strip : undefined)),
        lost,
      )
      assert.deepEqual(
        back,
        lost.map((index) => all[index]),
      )
    }),
  )
})

test('every choice of four of six gives back the data', () => {
  const coder = createCoder(4, 2)
  const data = [1, 2, 3, 4].map((value) => Uint8Array.of(value, value * 7, 255 - value))
  const all = [...data, ...coder.encode(data)]
  for (let mask = 0; mask < 64; mask++) {
    const strips = all.map((strip, index) => ((mask >> index) & 1 ? strip : undefined))
    const have = strips.filter((strip) => strip !== undefined).length
    if (have < 4) {
      assert.throws(
        () => coder.reconstruct(strips, [0]),
        (error: unknown) => error instanceof NotEnoughStripsError && error.need === 4 && error.have.length === have,
      )
    } else assert.deepEqual(coder.reconstruct(strips, [0, 1, 2, 3, 4, 5]), all)
  }
})

for (const { name, ...options } of [
  ...kernelPaths.map((path) => ({ name: path, path })),
  { name: 'programs', weaver: plainLoom() },
]) {
  test(`${name}: what is made again may be put where strips lie that it is made of`, () => {
    // Longer than a piece, and more rows than are worked on at once.
    const [k, m, length] = [7, 6, 3 * 32 * 1024 + 77]
    const coder = createCoder(k, m, options)
    const data = someStrips(k, length, 5)
    const all = [...data, ...coder.encode(data)]
    const lost = [0, 1, 2, 4, 5, 6]
    const strips = all.map((strip, index) => (lost.includes(index) ? undefined : strip.slice()))
    const own = new Uint8Array(length)
    const into = [strips[7], strips[8], own, strips[10], undefined, strips[12]]
    const back = coder.reconstruct(strips, lost, into)
    for (const [index, shard] of lost.entries()) {
      assert.ok(equals(back[index]!, all[shard]!), `strip ${shard}`)
      if (into[index] !== undefined) assert.equal(back[index], into[index], `where strip ${shard} is`)
    }
    for (const shard of [3, 9, 11]) assert.ok(equals(strips[shard]!, all[shard]!), `strip ${shard} is left alone`)
    assert.throws(() => coder.reconstruct(all, [0], [new Uint8Array(length - 1)]), RangeError)
  })
}

test('what is not a code, or not strips of one length, is refused', () => {
  for (const [k, m] of [
    [0, 1],
    [-1, 2],
    [200, 57],
    [1.5, 1],
    [1, -1],
  ] as const)
    assert.throws(() => createCoder(k, m), RangeError)
  assert.throws(() => createCoder(2, 1).encode([new Uint8Array(3)]), RangeError)
  assert.throws(() => createCoder(2, 1).encode([new Uint8Array(3), new Uint8Array(4)]), RangeError)
})
