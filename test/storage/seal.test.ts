import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFile, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { concat } from 'uint8arrays'

import { decodeObjectManifest, hashLeaf, rootOf, segmentBytesOf } from '../../protocols/erasure/index.ts'
import { realFiles } from '../../src/environment.ts'
import { hashOfFile } from '../../src/storage/convergent.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { SourceChangedError, sealChunks, sealFile } from '../../src/storage/seal.ts'
import type { ShardStore } from '../../src/storage/shard-store.ts'
import { Warehouse } from '../support/shards.ts'

const code = { k: 2, m: 1 }
const key = new Uint8Array(32).fill(1)
const mill = new LocalMill()
const never = new AbortController().signal
const soon = () => Date.now() + 600_000

test('a file and a stream of the same bytes are the same object, durable here', async () => {
  await using warehouse = await Warehouse.of(1)
  const { store, index, folder } = warehouse.keepers[0]!
  const plain = new Uint8Array(segmentBytesOf(code) + 70_000).fill(3)
  const path = join(warehouse.folder, 'plain')
  await writeFile(path, plain)
  const keptUntilMs = soon()
  const sealed = await sealFile({ disk: realFiles, mill, store }, path, code, key, keptUntilMs, never)
  const stream = async function* () {
    for (let at = 0; at < plain.byteLength; at += 333_333) yield plain.subarray(at, at + 333_333)
  }
  assert.deepEqual(await sealChunks({ mill, store }, stream(), code, key, keptUntilMs, never), sealed)
  const manifest = decodeObjectManifest(sealed.manifest)
  assert.deepEqual([manifest.bytes, manifest.shardBytes], [plain.byteLength, sealed.shardBytes])
  assert.deepEqual(manifest.shards, sealed.roots)
  assert.deepEqual(
    [...index.entries.values()].map(({ bytes, owner, keepUntilMs }) => [bytes, owner, keepUntilMs]),
    Array.from({ length: 3 }, () => [sealed.shardBytes, warehouse.keepers[0]!.name, keptUntilMs]),
  )
  assert.deepEqual(await readdir(join(folder, 'incoming')), [])
  for (const root of sealed.roots) {
    const source = await store.open(root)
    assert.equal(source?.shardBytes, sealed.shardBytes)
    await source?.close()
  }
})

test('a file that is written to while it is sealed is not sealed, and leaves nothing', async () => {
  await using warehouse = await Warehouse.of(1)
  const { store, index, folder } = warehouse.keepers[0]!
  const path = join(warehouse.folder, 'plain')
  await writeFile(path, new Uint8Array(3 * segmentBytesOf(code)))
  const begin = store.begin.bind(store)
  let begun = 0
  store.begin = async () => {
    const writer = await begin()
    const write = writer.write.bind(writer)
    writer.write = async (...leaves) => {
      if (begun++ === 0) await appendFile(path, 'more')
      return write(...leaves)
    }
    return writer
  }
  await assert.rejects(sealFile({ disk: realFiles, mill, store }, path, code, key, soon(), never), SourceChangedError)
  assert.deepEqual(await readdir(join(folder, 'incoming')), [])
  assert.equal(index.entries.size, 0)
})

test('a key that was made from other bytes than those of the file seals nothing that stays', async () => {
  await using warehouse = await Warehouse.of(1)
  const { store, index, folder } = warehouse.keepers[0]!
  const path = join(warehouse.folder, 'plain')
  for (const bytes of [0, 300_000, segmentBytesOf(code) + 70_000]) {
    const plain = new Uint8Array(bytes).fill(5)
    await writeFile(path, plain)
    const deps = { disk: realFiles, mill, store }
    const hash = await hashOfFile(realFiles, path, never)
    assert.deepEqual(hash, new Uint8Array(createHash('sha256').update(plain).digest()))
    await assert.rejects(sealFile(deps, path, code, key, soon(), never, new Uint8Array(32)), SourceChangedError)
    assert.deepEqual(await readdir(join(folder, 'incoming')), [])
    assert.equal(index.entries.size, 0)
    const keptUntilMs = soon()
    const known = await sealFile(deps, path, code, key, keptUntilMs, never, hash)
    assert.deepEqual(await sealFile(deps, path, code, key, keptUntilMs, never), known)
    for (const root of known.roots) await index.delete(Buffer.from(root).toString('hex'))
  }
})

test('sealing that is given up leaves nothing', async () => {
  await using warehouse = await Warehouse.of(1)
  const { store, index, folder } = warehouse.keepers[0]!
  const controller = new AbortController()
  const endless = async function* () {
    for (let count = 0; ; count++) {
      if (count === 5) controller.abort(new Error('enough'))
      yield new Uint8Array(segmentBytesOf(code))
    }
  }
  await assert.rejects(sealChunks({ mill, store }, endless(), code, key, soon(), controller.signal), /enough/)
  assert.deepEqual(await readdir(join(folder, 'incoming')), [])
  assert.equal(index.entries.size, 0)
})

test('strips of a segment are written a few at once: what follows each write is work of the thread that answers others', async () => {
  await using warehouse = await Warehouse.of(1)
  const { store } = warehouse.keepers[0]!
  const writing = { now: 0, most: 0 }
  const counted = {
    async begin() {
      const writer = await store.begin()
      const write = writer.write.bind(writer)
      writer.write = async (...strip) => {
        writing.most = Math.max(writing.most, ++writing.now)
        await write(...strip).finally(() => writing.now--)
      }
      return writer
    },
    adopt: store.adopt.bind(store),
  } as ShardStore
  const chunks = async function* () {
    yield new Uint8Array(300_000)
  }
  await sealChunks({ mill, store: counted }, chunks(), { k: 10, m: 4 }, key, soon(), never)
  assert.deepEqual(writing, { now: 0, most: 4 })
})

test('the hashes of a shard of many leaves are all kept, however many are written at once', async () => {
  await using warehouse = await Warehouse.of(1)
  const { store } = warehouse.keepers[0]!
  const hashes = Array.from({ length: 1_500 }, (_, leaf) => hashLeaf(Uint8Array.of(leaf & 255, leaf >> 8)))
  const writer = await store.begin()
  for (const [from, to] of [
    [0, 250],
    [250, 1_490],
    [1_490, 1_500],
  ] as const) {
    await writer.write(from, new Uint8Array(1), concat(hashes.slice(from, to)))
    assert.equal(writer.leaves, to)
  }
  await writer.sync()
  assert.deepEqual(new Uint8Array(await readFile(`${writer.path}.leaves`)), concat(hashes))
  assert.deepEqual(writer.root, rootOf(hashes))
  await assert.rejects(writer.write(3, new Uint8Array(1), hashes[0]!), RangeError)
  await writer.discard()
})
