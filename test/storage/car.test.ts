// Objects as CARs: what others' programs find in them, what comes back, and what is refused.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { CarBlockIterator } from '@ipld/car/iterator'

import {
  BadCarError,
  InconsistentObjectError,
  decodeObjectManifest,
  encodeCarBlockHead,
  encodeCarHeader,
  segmentBytesOf,
  segmentCount,
  stripLength,
} from '../../protocols/erasure/index.ts'
import { cidOfDocument } from '../../protocols/wire/index.ts'
import { realFiles } from '../../src/environment.ts'
import { takeCar } from '../../src/storage/car-read.ts'
import { writeCar } from '../../src/storage/car-write.ts'
import { NotEnoughShardsError } from '../../src/storage/fetch.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { carCode, carDepsOf, carSourcesOf, exportedCar } from '../support/cars.ts'
import { Warehouse } from '../support/shards.ts'

const mill = new LocalMill()
const never = new AbortController().signal
const code = carCode
const soon = () => Date.now() + 600_000
const [owner, importer] = [0, 2]

async function taken(warehouse: Warehouse, path: string, key: Uint8Array, keeper = importer) {
  const { store } = warehouse.keepers[keeper]!
  return takeCar({ disk: realFiles, mill, store }, path, () => key, soon(), never)
}

async function isEmpty(warehouse: Warehouse, keeper = importer): Promise<void> {
  const { index, folder } = warehouse.keepers[keeper]!
  assert.equal(index.entries.size, 0)
  assert.deepEqual(await readdir(join(folder, 'incoming')), [])
}

const plainOf = (segments: number): Uint8Array => new Uint8Array(randomBytes(segments * segmentBytesOf(code) + 200_001))

test('an independent reader finds the manifest and then all leaves of the data shards, each with its own name', async () => {
  await using warehouse = await Warehouse.of(3)
  const { object, path, report, car } = await exportedCar(warehouse, plainOf(1))
  assert.equal(report.bytes, car.byteLength)
  const blocks = await CarBlockIterator.fromIterable(createReadStream(path))
  assert.deepEqual((await blocks.getRoots()).map(String), [object.cid])
  const found: { codec: number; bytes: Uint8Array }[] = []
  for await (const { cid, bytes } of blocks) {
    assert.deepEqual(cid.multihash.digest, new Uint8Array(createHash('sha256').update(bytes).digest()))
    found.push({ codec: cid.code, bytes })
  }
  assert.equal(found[0]!.codec, 0x71)
  assert.deepEqual(found[0]!.bytes, object.manifest)
  assert.ok(found.slice(1).every(({ codec, bytes }) => codec === 0x55 && bytes.byteLength <= 65_536))
  // Joined, they are the segments as the cipher left them, each filled up to k strips.
  const { bytes } = decodeObjectManifest(object.manifest)
  const strips = Array.from({ length: segmentCount(code, bytes) }, (_, number) => stripLength(code, bytes, number))
  const joined = Buffer.concat(found.slice(1).map((block) => block.bytes))
  assert.equal(joined.byteLength, code.k * strips.reduce((sum, strip) => sum + strip, 0))
  const source = await warehouse.keepers[owner]!.store.open(object.roots[1]!)
  assert.deepEqual((await source!.leaf(0)).bytes, new Uint8Array(joined.subarray(strips[0], strips[0]! + 65_536)))
  await source!.close()
})

for (const [what, bytes, lacking] of [
  ['of several segments', 2 * segmentBytesOf(code) + 200_001, []],
  ['that ends with a full segment', segmentBytesOf(code), []],
  ['of nothing', 0, []],
  ['of one byte', 1, []],
  ['of which data shards are lost', segmentBytesOf(code) + 70_000, [0, 2]],
] as const) {
  test(`an object ${what} comes back with the shards and the id that it had`, async () => {
    await using warehouse = await Warehouse.of(3)
    const { object, path } = await exportedCar(warehouse, new Uint8Array(randomBytes(bytes)), lacking)
    const again = await taken(warehouse, path, object.key)
    assert.deepEqual([again.cid, again.bytes], [object.cid, bytes])
    assert.deepEqual(again.manifest, object.manifest)
    const { index, store } = warehouse.keepers[importer]!
    assert.equal(index.entries.size, code.k + code.m)
    for (const root of object.roots) {
      const source = await store.open(root)
      assert.equal(source?.shardBytes, object.shardBytes)
      await source?.close()
    }
  })
}

test('an object that cannot be had whole leaves no file', async () => {
  await using warehouse = await Warehouse.of(3)
  const { object, path } = await exportedCar(warehouse, plainOf(0))
  const other = `${path}.2`
  const sources = carSourcesOf(warehouse, object, [0, 1, 2])
  await assert.rejects(writeCar(carDepsOf(warehouse), { ...object, sources, path: other }, never), NotEnoughShardsError)
  assert.deepEqual(
    (await readdir(warehouse.folder)).filter((name) => name.startsWith('object')),
    ['object.car'],
  )
})

test('every kind of wrong CAR is refused for what it is, and nothing of it is kept', async () => {
  await using warehouse = await Warehouse.of(3)
  const { object, path, car } = await exportedCar(warehouse, plainOf(1))
  const { cid, manifest, key } = object
  const header = encodeCarHeader(cid)
  const document = Buffer.concat([encodeCarBlockHead('document', manifest), manifest])
  const head = header.byteLength + document.byteLength
  const leafSection = encodeCarBlockHead('leaf', new Uint8Array(65_536)).byteLength + 65_536
  const swapped = Buffer.concat([
    car.subarray(0, head),
    car.subarray(head + leafSection, head + 2 * leafSection),
    car.subarray(head, head + leafSection),
    car.subarray(head + 2 * leafSection),
  ])
  const foreign = Buffer.from(randomBytes(65_536))
  const replaced = Buffer.concat([
    car.subarray(0, head),
    encodeCarBlockHead('leaf', foreign),
    foreign,
    car.subarray(head + leafSection),
  ])
  const short = Buffer.concat([
    car.subarray(0, head),
    encodeCarBlockHead('leaf', foreign.subarray(1)),
    foreign.subarray(1),
  ])
  const flipped = Buffer.from(car)
  flipped[head + leafSection + 1_000]! ^= 4
  const another = cidOfDocument(Uint8Array.of(0xa0))
  const noManifest = Uint8Array.of(0xa0)
  const cases: [string, Uint8Array, BadCarError['flaw']][] = [
    ['nothing', new Uint8Array(), 'truncated'],
    ['text', Buffer.from('this is no archive at all, is it? '.repeat(9)), 'malformed'],
    ['a length without end', new Uint8Array(20).fill(0xff), 'malformed'],
    ['a header of a megabyte', Buffer.concat([Uint8Array.of(0x80, 0x80, 0x40), car]), 'malformed'],
    ['a header alone', header, 'truncated'],
    ['no leaves', car.subarray(0, head), 'truncated'],
    ['half', car.subarray(0, car.byteLength >> 1), 'truncated'],
    ['all but a byte', car.subarray(0, -1), 'truncated'],
    ['a byte more', Buffer.concat([car, Uint8Array.of(0)]), 'mismatch'],
    ['a block more', Buffer.concat([car, car.subarray(head, head + leafSection)]), 'mismatch'],
    ['a bit turned over', flipped, 'mismatch'],
    ['two leaves exchanged', swapped, 'mismatch'],
    ['a leaf of something else', replaced, 'mismatch'],
    ['a leaf that is too short', short, 'mismatch'],
    ['the root of another', Buffer.concat([encodeCarHeader(another), car.subarray(header.byteLength)]), 'mismatch'],
    [
      'a document that is no manifest',
      Buffer.concat([encodeCarHeader(another), encodeCarBlockHead('document', noManifest), noManifest]),
      'malformed',
    ],
    [
      'a leaf of a gigabyte',
      Buffer.concat([car.subarray(0, head), Uint8Array.of(0x80, 0x80, 0x80, 0x80, 4)]),
      'malformed',
    ],
  ]
  for (const [what, bytes, flaw] of cases) {
    await writeFile(path, bytes)
    await assert.rejects(
      taken(warehouse, path, key),
      (error: unknown) => {
        assert.ok(error instanceof BadCarError, `${what}: ${String(error)}`)
        assert.equal(error.flaw, flaw, `${what}: ${error.message}`)
        return true
      },
      what,
    )
    await isEmpty(warehouse)
  }
  await writeFile(path, car)
  await assert.rejects(taken(warehouse, path, new Uint8Array(32)), InconsistentObjectError)
  await isEmpty(warehouse)
  await taken(warehouse, path, key)
})

test('each bit of the first kilobytes and of the end counts', async () => {
  await using warehouse = await Warehouse.of(3)
  const { object, path, car } = await exportedCar(warehouse, new Uint8Array(randomBytes(1_000)))
  const places = Array.from({ length: 60 }, (_, index) => Math.floor((index / 60) * car.byteLength))
  for (const at of [...places, car.byteLength - 1]) {
    const bent = Buffer.from(car)
    bent[at]! ^= 1 << (at % 8)
    await writeFile(path, bent)
    await assert.rejects(taken(warehouse, path, object.key), BadCarError, `byte ${at}`)
    await isEmpty(warehouse)
  }
})
