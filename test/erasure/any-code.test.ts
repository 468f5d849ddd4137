// Any 1 ≤ k, k + m ≤ 256, on every path and in a worker thread, against an oracle that shares nothing with what is tested.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

import fc from 'fast-check'

import { allocateStrips, kernelPaths, type MatrixName } from '../../protocols/erasure/index.ts'
import { parityOf } from './oracle.ts'
import { someStrips, ways } from './paths.ts'
import { choices, dataOf, sha256, vectors } from './vectors.ts'

const codes = fc
  .integer({ min: 1, max: 256 })
  .chain((k) => fc.record({ k: fc.constant(k), m: fc.integer({ min: 0, max: 256 - k }) }))
const matrices = fc.constantFrom<MatrixName>('cauchy', 'vandermonde')

for (const way of ways) {
  test(`${way.name}: what any code makes is what the oracle makes, and any k strips give back the others`, () => {
    fc.assert(
      fc.property(codes, matrices, fc.integer({ min: 1, max: 20 }), fc.integer(), ({ k, m }, matrix, length, seed) => {
        const data = someStrips(k, length, seed)
        const parity = way.encode(data, m, matrix)
        assert.deepEqual(parity, parityOf(data, m, matrix), `${k}+${m} ${matrix}`)
        const all = [...data, ...parity]
        const order = all
          .map((_, index) => index)
          .toSorted((left, right) => Math.imul(left + 1, seed | 1) - Math.imul(right + 1, seed | 1))
        const lost = order.slice(k)
        const kept = all.map((strip, index) => (lost.includes(index) ? undefined : strip))
        const back = way.reconstruct(k, kept, lost, matrix)
        assert.deepEqual(
          back,
          lost.map((index) => all[index]),
          `${k}+${m} ${matrix} without ${lost.join()}`,
        )
      }),
      { numRuns: 12 },
    )
  })
}

/** What a worker is asked to do with strips in memory that it shares: a coder's own method, on slots. */
interface Order {
  readonly shared: ReturnType<typeof allocateStrips>['shared']
  readonly k: number
  readonly m: number
  readonly matrix: MatrixName
  readonly encode?: readonly [readonly number[], readonly number[], number]
  readonly reconstruct?: readonly [readonly (number | undefined)[], readonly number[], readonly number[], number]
}

/** A thread that codes on one path. */
class CodingWorker implements AsyncDisposable {
  readonly #worker: Worker

  constructor(path: string) {
    const module = new URL('../../protocols/erasure/index.ts', import.meta.url).href
    const program = `
      const { parentPort, workerData: { path } } = require('node:worker_threads')
      import(${JSON.stringify(module)}).then(({ StripMemory, createStripCoder }) => {
        parentPort.on('message', ({ shared, k, m, matrix, encode, reconstruct }) => {
          const coder = createStripCoder(new StripMemory(shared, 0, path), k, m, { matrix })
          if (encode !== undefined) coder.encode(...encode)
          if (reconstruct !== undefined) coder.reconstruct(...reconstruct)
          parentPort.postMessage('done')
        })
      })`
    this.#worker = new Worker(program, { eval: true, workerData: { path } })
  }

  async run(order: Order): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#worker.once('message', () => resolve())
    this.#worker.once('error', reject)
    this.#worker.postMessage(order)
    await promise
    this.#worker.removeListener('error', reject)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}

for (const path of kernelPaths) {
  test(`a worker thread, ${path}: what it makes is what independent programs make`, async () => {
    await using worker = new CodingWorker(path)
    for (const { matrix, vector } of vectors) {
      const { k, m, shardBytes } = vector
      const memory = allocateStrips({ slots: k + m, stripBytes: shardBytes, threads: 1 }, path)
      for (const [slot, strip] of dataOf(vector).entries()) memory.strip(slot).set(strip)
      const slots = Array.from({ length: k + m }, (_, slot) => slot)
      const { shared } = memory
      await worker.run({ shared, k, m, matrix, encode: [slots.slice(0, k), slots.slice(k), shardBytes] })
      const parity = slots.slice(k).map((slot) => Uint8Array.from(memory.strip(slot)))
      const got = typeof vector.paritySha256 === 'string' ? sha256(Buffer.concat(parity)) : parity.map(sha256)
      assert.deepEqual(got, vector.paritySha256, `${k}+${m} of ${shardBytes} bytes, ${matrix}`)
    }
  })

  test(`a worker thread, ${path}: all 1,001 erasures of four of 10+4 are undone`, async () => {
    await using worker = new CodingWorker(path)
    const [k, m, stripBytes, matrix] = [10, 4, 37, 'cauchy' as const]
    const memory = allocateStrips({ slots: k + 2 * m, stripBytes, threads: 1 }, path)
    const data = someStrips(k, stripBytes, 4)
    const all = [...data, ...parityOf(data, m, matrix)]
    for (const [slot, strip] of all.entries()) memory.strip(slot).set(strip)
    const spare = Array.from({ length: m }, (_, index) => k + m + index)
    let patterns = 0
    for (const lost of choices(k + m, m)) {
      for (const slot of spare) memory.strip(slot).fill(0xee)
      const slots = all.map((_, index) => (lost.includes(index) ? undefined : index))
      await worker.run({ shared: memory.shared, k, m, matrix, reconstruct: [slots, lost, spare, stripBytes] })
      for (const [index, slot] of spare.entries())
        assert.ok(Buffer.compare(memory.strip(slot), all[lost[index]!]!) === 0, lost.join())
      patterns++
    }
    assert.equal(patterns, 1001)
  })
}
