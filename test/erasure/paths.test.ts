// Whichever path is taken, the bytes are the same: those of the field's own arithmetic, one byte after the other.

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

import fc from 'fast-check'

import {
  allocateStrips,
  cauchyMatrix,
  createStripCoder,
  kernelPaths,
  NotEnoughStripsError,
  StripMemory,
  vandermondeMatrix,
  type Matrix,
} from '../../protocols/erasure/index.ts'
import { multiply } from '../../protocols/erasure/field.ts'
import { someStrips, ways } from './paths.ts'
import { choices } from './vectors.ts'

const edges = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 8191, 8192, 8193]
const lengths = fc.oneof(fc.constantFrom(...edges), fc.integer({ min: 0, max: 300 }))

/** By definition. */
function product(rows: Matrix, strips: readonly Uint8Array[]): Uint8Array[] {
  return rows.map((row) =>
    Uint8Array.from(strips[0]!, (_, at) =>
      strips.reduce((sum, strip, column) => sum ^ multiply(row[column]!, strip[at]!), 0),
    ),
  )
}

for (const way of ways) {
  test(`${way.name}: parity is the product with the rows, for any k, m and length`, () => {
    const codes = fc
      .integer({ min: 1, max: 40 })
      .chain((k) => fc.record({ k: fc.constant(k), m: fc.integer({ min: 0, max: 20 }) }))
    const matrices = fc.constantFrom('cauchy' as const, 'vandermonde' as const)
    fc.assert(
      fc.property(codes, matrices, lengths, fc.integer(), ({ k, m }, matrix, length, seed) => {
        const data = someStrips(k, length % 1000, seed)
        const rows = (matrix === 'cauchy' ? cauchyMatrix(k, m) : vandermondeMatrix(k, m)).slice(k)
        assert.deepEqual(way.encode(data, m, matrix), product(rows, data))
      }),
      { numRuns: 150 },
    )
  })

  test(`${way.name}: lengths at every edge`, () => {
    for (const length of edges) {
      const data = someStrips(5, length, length)
      assert.deepEqual(way.encode(data, 7), product(cauchyMatrix(5, 7).slice(5), data), `${length} bytes`)
    }
  })

  test(`${way.name}: the widest codes`, () => {
    for (const [k, m] of [
      [128, 128],
      [255, 1],
      [256, 0],
      [1, 255],
      [200, 56],
    ] as const) {
      const data = someStrips(k, 70, k)
      assert.deepEqual(way.encode(data, m), product(cauchyMatrix(k, m).slice(k), data), `${k}+${m}`)
    }
  })

  test(`${way.name}: all 1,001 erasures of four of 10+4 are undone`, () => {
    for (const matrix of ['cauchy', 'vandermonde'] as const) {
      const data = someStrips(10, 37, 4)
      const all = [...data, ...way.encode(data, 4, matrix)]
      let patterns = 0
      for (const lost of choices(14, 4)) {
        const strips = all.map((strip, index) => (lost.includes(index) ? undefined : strip))
        const back = way.reconstruct(10, strips, lost, matrix)
        for (const [at, strip] of back.entries()) assert.ok(Buffer.compare(strip, all[lost[at]!]!) === 0, lost.join())
        patterns++
      }
      assert.equal(patterns, 1001)
    }
  })
}

test('two matrices are two codes, and both begin with the identity', () => {
  for (const matrix of [cauchyMatrix(10, 4), vandermondeMatrix(10, 4)]) {
    assert.deepEqual(
      matrix.slice(0, 10).map((row) => [...row]),
      Array.from({ length: 10 }, (_, row) => Array.from({ length: 10 }, (_unused, column) => Number(row === column))),
    )
  }
  assert.notDeepEqual(cauchyMatrix(10, 4)[10], vandermondeMatrix(10, 4)[10])
})

for (const path of kernelPaths) {
  test(`${path}: threads share one memory, each a span of every strip`, async (t) => {
    const [k, m, bytes, threads] = [6, 3, 100_001, 2]
    const memory = allocateStrips({ slots: k + m, stripBytes: bytes, threads }, path)
    const data = someStrips(k, bytes, 5)
    for (const [slot, strip] of data.entries()) memory.strip(slot).set(strip)
    const middle = 50_048
    const module = new URL('../../protocols/erasure/index.ts', import.meta.url).href
    const workers = [
      { from: 0, to: middle },
      { from: middle, to: bytes },
    ].map((span, thread) => {
      const program = `
        const { workerData: { shared, thread, path, span } } = require('node:worker_threads')
        import(${JSON.stringify(module)}).then(({ StripMemory, createStripCoder }) => {
          const coder = createStripCoder(new StripMemory(shared, thread, path), ${k}, ${m})
          coder.encode([0, 1, 2, 3, 4, 5], [6, 7, 8], ${bytes}, span)
        })`
      return new Worker(program, { eval: true, workerData: { shared: memory.shared, thread, path, span } })
    })
    t.after(async () => Promise.all(workers.map(async (worker) => worker.terminate())))
    await Promise.all(
      workers.map(
        async (worker) =>
          new Promise((resolve, reject) => {
            worker.once('error', reject)
            worker.once('exit', resolve)
          }),
      ),
    )
    const expected = product(cauchyMatrix(k, m).slice(k), data)
    for (let row = 0; row < m; row++) {
      assert.equal(hash('sha256', memory.strip(k + row)), hash('sha256', expected[row]!), `parity ${row}`)
    }
  })

  test(`${path}: two views of one memory in one thread do not take each other's tables`, () => {
    const memory = allocateStrips({ slots: 4, stripBytes: 64, threads: 1 }, path)
    const data = someStrips(2, 64, 8)
    for (const [slot, strip] of data.entries()) memory.strip(slot).set(strip)
    const coders = (['cauchy', 'vandermonde'] as const).map((matrix) =>
      createStripCoder(new StripMemory(memory.shared, 0, path), 2, 2, { matrix }),
    )
    const parities = [0, 1, 0].map((which) => {
      coders[which]!.encode([0, 1], [2, 3], 64)
      return [2, 3].map((slot) => memory.strip(slot).slice())
    })
    assert.deepEqual(parities[2], parities[0])
    assert.notDeepEqual(parities[1], parities[0])
  })

  test(`${path}: a shorter length and a span write nothing but it, up to the kernel's step`, () => {
    const memory = allocateStrips({ slots: 3, stripBytes: 256, threads: 1 }, path)
    const coder = createStripCoder(memory, 2, 1)
    for (const slot of [0, 1, 2]) memory.strip(slot).fill(slot + 1)
    coder.encode([0, 1], [2], 256, { from: 64, to: 128 })
    const parity = memory.strip(2)
    assert.ok(parity.subarray(0, 64).every((byte) => byte === 3))
    assert.ok(parity.subarray(64, 128).every((byte) => byte !== 3))
    assert.ok(parity.subarray(128).every((byte) => byte === 3))
    coder.encode([0, 1], [2], 130)
    assert.ok(parity.subarray(128, 130).every((byte) => byte !== 3))
    assert.ok(parity.subarray(160).every((byte) => byte === 3))
  })

  test(`${path}: what does not fit the memory is refused before anything is written`, () => {
    const memory = allocateStrips({ slots: 6, stripBytes: 128, threads: 1 }, path)
    const coder = createStripCoder(memory, 3, 2)
    const before = memory.strip(4).slice()
    for (const attempt of [
      () => coder.encode([0, 1], [3, 4], 128),
      () => coder.encode([0, 1, 2], [3], 128),
      () => coder.encode([0, 1, 2], [2, 3], 128),
      () => coder.encode([0, 1, 2], [3, 3], 128),
      () => coder.encode([0, 1, 6], [3, 4], 128),
      () => coder.encode([0, 1, -1], [3, 4], 128),
      () => coder.encode([0, 1, 0.5], [3, 4], 128),
      () => coder.encode([0, 1, 2], [4, 6], 128),
      () => coder.encode([0, 1, 2], [3, 4], 129),
      () => coder.encode([0, 1, 2], [3, 4], -1),
      () => coder.encode([0, 1, 2], [3, 4], Number.NaN),
      () => coder.encode([0, 1, 2], [3, 4], 128, { from: 1, to: 128 }),
      () => coder.encode([0, 1, 2], [3, 4], 128, { from: 64, to: 63 }),
      () => coder.encode([0, 1, 2], [3, 4], 128, { from: 64, to: 70 }),
      () => coder.encode([0, 1, 2], [3, 4], 64, { from: 0, to: 128 }),
      () => coder.reconstruct([0, 1, 2, undefined, undefined, undefined], [3], [3], 128),
      () => coder.reconstruct([0, 1, 2], [5], [3], 128),
      () => memory.strip(6),
      () => memory.strip(0, 129),
    ]) {
      assert.throws(attempt, RangeError, attempt.toString())
    }
    assert.throws(() => coder.reconstruct([0, undefined, 2], [1], [3], 128), NotEnoughStripsError)
    assert.deepEqual(memory.strip(4), before)
    for (const thread of [1, -1, 0.5]) {
      assert.throws(() => new StripMemory(memory.shared, thread, path), RangeError)
    }
    for (const wrong of [
      { slots: 3000 },
      { stripBytes: 100_000 },
      { threads: 4 },
      { slots: -1 },
      { stripBytes: 0.5 },
    ]) {
      const shared = { ...memory.shared, shape: { ...memory.shared.shape, ...wrong } }
      assert.throws(() => new StripMemory(shared, 0, path), RangeError, JSON.stringify(wrong))
    }
    assert.throws(() => allocateStrips({ slots: -1, stripBytes: 1, threads: 1 }, path), RangeError)
    assert.throws(() => allocateStrips({ slots: 5000, stripBytes: 1024 * 1024, threads: 1 }, path), RangeError)
  })
}

/** Every choice of `count` of the numbers below `below`. */
