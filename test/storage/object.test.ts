import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { open, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { concat, toString } from 'uint8arrays'

import { encodeObjectManifest, rootOf, hashLeaf, hashLeaves, segmentBytesOf } from '../../protocols/erasure/index.ts'
import type { Fault } from '../../protocols/wire/index.ts'
import { realClock, realFiles } from '../../src/environment.ts'
import {
  fetchObject,
  InconsistentObjectError,
  NotEnoughShardsError,
  type FetchSource,
} from '../../src/storage/fetch.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { placeShards, PlacementError } from '../../src/storage/place.ts'
import { sealFile } from '../../src/storage/seal.ts'
import { describedShards, sealedStrips } from '../support/segments.ts'
import { MemoryIndex, Warehouse } from '../support/shards.ts'

const code = { k: 4, m: 2 }
const only = { number: 0, isLast: true }
const mill = new LocalMill()
const never = new AbortController().signal
const soon = () => Date.now() + 600_000
const key = new Uint8Array(randomBytes(32))

/** Keeper 0 is the owner, 1 to 6 keep one shard each. */
async function placed(warehouse: Warehouse, plain: Uint8Array) {
  const owner = warehouse.keepers[0]!
  const source = join(warehouse.folder, 'plain')
  await writeFile(source, plain)
  const object = await sealFile({ disk: realFiles, mill, store: owner.store }, source, code, key, soon(), never)
  const candidates = warehouse.keepers.slice(1).map(({ name }) => name)
  const where = await placeShards(
    { transfer: owner.transfer, store: owner.store, clock: realClock },
    { object, candidates, keepUntilMs: soon() },
    never,
  )
  const sources: FetchSource[] = where.map(({ shard, peer }) => ({ shard, peers: [peer] }))
  return { object, sources, where }
}

async function fetched(
  warehouse: Warehouse,
  manifest: Uint8Array,
  sources: readonly FetchSource[],
  faults: { peer: string; fault: Fault }[] = [],
) {
  const path = join(warehouse.folder, 'fetched')
  const deps = {
    disk: realFiles,
    mill,
    transfer: warehouse.keepers[0]!.transfer,
    onFault: (peer: string, fault: Fault) => void faults.push({ peer, fault }),
  }
  const report = await fetchObject(deps, { manifest, key, sources, path }, never)
  return { report, bytes: new Uint8Array(await readFile(path)) }
}

const full = segmentBytesOf(code)
for (const size of [0, 1, 65_536 * 4 - 16, full - 1, full, full + 1, 2 * full + 300_000]) {
  test(`an object of ${size} bytes comes back as it went, with all keepers and with any two dead`, async () => {
    await using warehouse = await Warehouse.of(7)
    const plain = new Uint8Array(randomBytes(size))
    const { object, sources, where } = await placed(warehouse, plain)
    assert.equal(new Set(where.map(({ peer }) => peer)).size, 6, 'six shards on six keepers')
    const whole = await fetched(warehouse, object.manifest, sources)
    assert.equal(whole.report.decodedSegments, 0, 'with all data shards nothing is decoded')
    assert.ok(Buffer.from(whole.bytes).equals(plain))
    const [first, second] = size % 2 === 0 ? [0, 1] : [2, 5]
    warehouse.board.dead.add(where[first]!.peer).add(where[second]!.peer)
    const rest = await fetched(warehouse, object.manifest, sources)
    assert.ok(Buffer.from(rest.bytes).equals(plain))
    assert.ok(rest.report.decodedSegments > 0)
    assert.equal(
      rest.report.sources.some(({ peer }) => peer === where[first]!.peer),
      false,
    )
  })
}

test('with three of six dead the error names what is missing, and leaves no file', async () => {
  await using warehouse = await Warehouse.of(7)
  const { object, sources, where } = await placed(warehouse, new Uint8Array(randomBytes(100_000)))
  for (const shard of [0, 3, 4]) warehouse.board.dead.add(where[shard]!.peer)
  await assert.rejects(fetched(warehouse, object.manifest, sources), (error: unknown) => {
    assert.ok(error instanceof NotEnoughShardsError)
    assert.deepEqual([error.need, error.have, [...error.missing]], [4, 3, [0, 3, 4]])
    assert.equal(error.failed.length, 3)
    return true
  })
  assert.deepEqual(
    (await readdir(warehouse.folder)).filter((name) => name.startsWith('fetched')),
    [],
  )
})

test('a keeper whose disk has rotted is passed over', async () => {
  await using warehouse = await Warehouse.of(7)
  const plain = new Uint8Array(randomBytes(1_000_000))
  const { object, sources, where } = await placed(warehouse, plain)
  const rotten = warehouse.keepers.find(({ name }) => name === where[1]!.peer)!
  const root = toString(object.roots[1]!, 'hex')
  const file = await open(join(rotten.folder, 'shards', root.slice(0, 2), root), 'r+')
  await file.write(Uint8Array.of(1, 2, 3, 4), 0, 4, 70_000)
  await file.close()
  const { report, bytes } = await fetched(warehouse, object.manifest, sources)
  assert.ok(Buffer.from(bytes).equals(plain))
  assert.deepEqual(
    report.failed.map(({ shard }) => shard),
    [1],
  )
})

test('a keeper that lies is named, and the object comes from the others', async () => {
  await using warehouse = await Warehouse.of(7)
  const plain = new Uint8Array(randomBytes(1_000_000))
  const { object, sources, where } = await placed(warehouse, plain)
  const liar = warehouse.keepers.find(({ name }) => name === where[2]!.peer)!
  const openShard = liar.store.open.bind(liar.store)
  liar.store.open = async (root) => {
    const source = await openShard(root)
    if (source === undefined) return undefined
    return {
      ...source,
      leaf: async (leaf) => ({
        ...(await source.leaf(leaf)),
        bytes: new Uint8Array(Math.min(65_536, source.shardBytes - leaf * 65_536)),
      }),
    }
  }
  const faults: { peer: string; fault: Fault }[] = []
  const { bytes } = await fetched(warehouse, object.manifest, sources, faults)
  assert.ok(Buffer.from(bytes).equals(plain))
  assert.deepEqual(
    faults.map(({ peer, fault }) => [peer, fault.code]),
    [[liar.name, 'PROOF_INVALID']],
  )
})

test('an uploader that coded inconsistently is caught, whichever shards are read', async () => {
  await using warehouse = await Warehouse.of(7)
  const keeper = warehouse.keepers[1]!
  // Data shards of one plaintext, parity of another: every root is right, and no two readers would agree.
  const one = sealedStrips(code, key, only, new Uint8Array(1000).fill(1))
  const two = sealedStrips(code, key, only, new Uint8Array(1000).fill(2))
  const strips = [...one.slice(0, 4), ...two.slice(4)]
  const roots = strips.map((strip) => rootOf([hashLeaf(strip)]))
  for (const strip of strips) {
    const writer = await keeper.store.begin()
    await writer.write(0, strip, concat(hashLeaves(strip)))
    await keeper.store.adopt(writer, strip.byteLength, soon())
  }
  const { bytes: manifest } = encodeObjectManifest({
    v: 1,
    kind: 'object',
    code: { matrix: 'cauchy', ...code },
    cipher: 'aes-256-gcm',
    bytes: 1000,
    shardBytes: strips[0]!.byteLength,
    stripBytes: 1048576,
    leafBytes: 65536,
    shards: roots.map((root) => Uint8Array.from(root)),
  })
  const sourcesOf = (shards: number[]) => shards.map((shard) => ({ shard, peers: [keeper.name] }))
  await assert.rejects(fetched(warehouse, manifest, sourcesOf([2, 3, 4, 5])), InconsistentObjectError)
  await assert.rejects(fetched(warehouse, manifest, sourcesOf([0, 1, 2, 4])), InconsistentObjectError)
})

test('two plaintexts under one manifest: only one of them can ever be read', async () => {
  await using warehouse = await Warehouse.of(2)
  const keeper = warehouse.keepers[1]!
  // With k = m all data shards can be replaced by parity, and both halves open under the key. Only the roots tell.
  const twoOfTwo = { k: 2, m: 2 }
  const [one, two] = [new Uint8Array(1000).fill(1), new Uint8Array(1000).fill(2)]
  const strips = [
    ...sealedStrips(twoOfTwo, key, only, one).slice(0, 2),
    ...sealedStrips(twoOfTwo, key, only, two).slice(2),
  ]
  for (const strip of strips) {
    const writer = await keeper.store.begin()
    await writer.write(0, strip, concat(hashLeaves(strip)))
    await keeper.store.adopt(writer, strip.byteLength, soon())
  }
  const { manifest } = describedShards(twoOfTwo, 1000, strips)
  const sourcesOf = (shards: number[]) => shards.map((shard) => ({ shard, peers: [keeper.name] }))
  assert.deepEqual((await fetched(warehouse, manifest, sourcesOf([0, 1]))).bytes, one)
  await assert.rejects(fetched(warehouse, manifest, sourcesOf([2, 3])), InconsistentObjectError)
})

test('the wrong key opens nothing', async () => {
  await using warehouse = await Warehouse.of(7)
  const { object, sources } = await placed(warehouse, new Uint8Array(5000))
  const path = join(warehouse.folder, 'other')
  const deps = { disk: realFiles, mill, transfer: warehouse.keepers[0]!.transfer, onFault: () => {} }
  await assert.rejects(
    fetchObject(deps, { manifest: object.manifest, key: new Uint8Array(32), sources, path }, never),
    InconsistentObjectError,
  )
})

test('a keeper without room refuses, and the others take its share', async () => {
  await using warehouse = await Warehouse.of(7)
  const full = await warehouse.open(3, new MemoryIndex(), 10)
  const { where } = await placed(warehouse, new Uint8Array(randomBytes(300_000)))
  assert.equal(
    where.some(({ peer }) => peer === full.name),
    false,
  )
  assert.equal(where.length, 6)
  assert.equal(full.store.total().shards, 0)
})

test('without keepers nothing is said to be placed', async () => {
  await using warehouse = await Warehouse.of(3, 10)
  await assert.rejects(placed(warehouse, new Uint8Array(randomBytes(300_000))), (error: unknown) => {
    assert.ok(error instanceof PlacementError)
    assert.deepEqual([...error.missing], [0, 1, 2, 3, 4, 5])
    assert.ok(error.reasons.every(({ reason }) => reason === 'NO_SPACE'))
    return true
  })
})

test('an expired shard is swept, and so is a file without an entry and a half-written one', async () => {
  await using warehouse = await Warehouse.of(7)
  const { where } = await placed(warehouse, new Uint8Array(randomBytes(300_000)))
  const keeper = warehouse.keepers.find(({ name }) => name === where[0]!.peer)!
  const [entry] = [...keeper.index.entries.values()]
  await keeper.index.put({ ...entry!, keepUntilMs: Date.now() - 1 })
  await keeper.store.sweep()
  assert.equal(await keeper.files.size(entry!.root), undefined)
  assert.equal(keeper.store.total().shards, 0)
  const other = warehouse.keepers.find(({ name }) => name === where[1]!.peer)!
  const [orphan] = [...other.index.entries.values()]
  other.index.entries.clear()
  // Begun and never finished, as after a crash: the handle is closed, the file stays.
  await (await other.store.begin()).sync()
  const again = await warehouse.open(warehouse.keepers.indexOf(other), new MemoryIndex(), 2 ** 30)
  assert.equal(await again.files.size(orphan!.root), undefined)
  assert.deepEqual(await readdir(join(other.folder, 'incoming')), [])
})

test('a fetch that is cancelled ends at once and leaves no file', async () => {
  await using warehouse = await Warehouse.of(7)
  const { object, sources } = await placed(warehouse, new Uint8Array(randomBytes(3_000_000)))
  const controller = new AbortController()
  const path = join(warehouse.folder, 'cancelled')
  const deps = { disk: realFiles, mill, transfer: warehouse.keepers[0]!.transfer, onFault: () => {} }
  const fetch = fetchObject(deps, { manifest: object.manifest, key, sources, path }, controller.signal)
  controller.abort(new Error('enough'))
  await assert.rejects(fetch, /enough/)
  assert.deepEqual(
    (await readdir(warehouse.folder)).filter((name) => name.startsWith('cancelled')),
    [],
  )
})
