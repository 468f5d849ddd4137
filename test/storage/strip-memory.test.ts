import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { concat } from 'uint8arrays'

import { hashLeaves, leafBytes, segmentBytesOf } from '../../protocols/erasure/index.ts'
import { eachLeaf } from '../../protocols/transfer/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { realFiles, silentLog } from '../../src/environment.ts'
import { fetchObject } from '../../src/storage/fetch.ts'
import { KeptStripMemory, keptBytesMax } from '../../src/storage/strip-memory.ts'
import { WorkerMill } from '../../src/storage/workers/worker-mill.ts'
import { describedShards, sealedObject } from '../support/segments.ts'

const mib = 2 ** 20
const code = { k: 2, m: 1 }
const key = new Uint8Array(32).fill(5)

test('what a fetch had the next one has, and nobody once there was nothing to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pleach-strips-'))
  const clock = new VirtualClock(0)
  const mill = new WorkerMill({ workersMax: 1 }, { clock, log: silentLog })
  try {
    const plain = new Uint8Array(randomBytes(3 * segmentBytesOf(code)))
    const strips = [...sealedObject(code, key, plain)]
    const shards = [0, 1, 2].map((shard) => concat(strips.map((segment) => segment[shard]!)))
    const { roots, manifest } = describedShards(code, plain.byteLength, shards)
    const fetch = async (signal = new AbortController().signal): Promise<void> => {
      await fetchObject(
        {
          disk: realFiles,
          mill,
          onFault() {},
          transfer: {
            async get(_peer, root, _bytes, leaves, onLeaf, until) {
              const shard = shards[roots.findIndex((own) => Buffer.compare(own, root) === 0)]!
              for await (const leaf of eachLeaf(leaves, until)) {
                const bytes = shard.subarray(leaf * leafBytes, (leaf + 1) * leafBytes)
                await onLeaf(leaf, bytes, hashLeaves(bytes)[0]!)
              }
            },
          },
        },
        { manifest, key, sources: shards.map((_, shard) => ({ shard, peers: ['peer'] })), path: join(folder, 'out') },
        signal,
      )
      assert.equal(Buffer.compare(await readFile(join(folder, 'out')), plain), 0)
    }
    await fetch()
    const had = mill.strips.keptBytes
    assert.ok(had >= segmentBytesOf(code) && had <= 4 * (segmentBytesOf(code) + mib), `${had} bytes`)
    await fetch()
    assert.equal(mill.strips.keptBytes, had, 'the second took what the first had')
    await rm(join(folder, 'out'))
    await assert.rejects(fetch(AbortSignal.abort(new Error('enough'))), /enough/)
    assert.ok(clock.jump())
    assert.deepEqual([mill.threads, mill.strips.keptBytes], [0, 0])
  } finally {
    await mill[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  }
})

test('memory is of one owner at a time, long enough and not far too long, and what is kept is bounded', () => {
  const memory = new KeptStripMemory()
  const [first, second] = [memory.take(2 * mib + 4096), memory.take(2 * mib + 4096)]
  assert.notEqual(first, second)
  memory.keep(first)
  assert.notEqual(memory.take(3 * mib), first, 'it is too short')
  assert.notEqual(memory.take(mib), first, 'it would be for another')
  assert.equal(memory.take(2 * mib + 4096), first)
  assert.notEqual(memory.take(2 * mib + 4096), first, 'somebody has it')
  const many = Array.from({ length: 40 }, () => memory.take(mib))
  for (const one of many) memory.keep(one)
  assert.ok(memory.keptBytes <= keptBytesMax && memory.keptBytes > keptBytesMax - mib)
  memory.keep(memory.take(100 * mib))
  assert.ok(memory.keptBytes <= keptBytesMax)
  memory.clear()
  assert.equal(memory.keptBytes, 0)
})
