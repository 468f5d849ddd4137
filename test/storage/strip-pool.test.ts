import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'

import { stripBytesMax } from '../../protocols/erasure/index.ts'
import { fileBlockBytes } from '../../src/environment.ts'
import { newStripMemory } from '../../src/storage/strip-memory.ts'
import { StripPool, put, type StripRoom } from '../../src/storage/strip-pool.ts'

test('bytes are put where they belong, from any place, and nothing beside them is touched', () => {
  const strip = new Uint8Array(new SharedArrayBuffer(1_000))
  strip.fill(7)
  const from = new Uint8Array(randomBytes(300))
  for (const [offset, count, at] of [
    [0, 300, 0],
    [6, 1, 999],
    [13, 200, 801 - 1],
    [5, 0, 1_000],
  ] as const) {
    const expected = strip.slice()
    expected.set(from.subarray(offset, offset + count), at)
    put(strip, from.subarray(offset, offset + count), at)
    assert.deepEqual(strip.slice(), expected)
  }
})

test('bytes that do not fit are refused', () => {
  const strip = new Uint8Array(new SharedArrayBuffer(10))
  assert.throws(() => put(strip, new Uint8Array(4), 7), RangeError)
  assert.deepEqual(strip.slice(), new Uint8Array(10))
})

const code = { k: 3, m: 2 }
const stripsOf = (room: StripRoom): Uint8Array[] => Array.from({ length: 5 }, (_, shard) => room.strip(shard))

test('strips are apart from each other, in one room and in many, and shared', () => {
  const pool = new StripPool(code, newStripMemory)
  const before = Array.from({ length: 2 }, (_, index) => pool.take(7 * index))
  for (const room of before) {
    stripsOf(room)
    room.giveBack()
  }
  const strips = Array.from({ length: 4 }, (_, index) => stripsOf(pool.take(1_000 * index))).flat()
  for (const [index, strip] of strips.entries()) strip.fill(index)
  for (const [index, strip] of strips.entries()) {
    assert.equal(strip.byteLength, stripBytesMax)
    assert.ok(strip.buffer instanceof SharedArrayBuffer, 'a worker opens it where it lies')
    assert.ok(strip.every((byte) => byte === index))
  }
})

test('what was given back is used again, wherever the next segment is', () => {
  const pool = new StripPool(code, newStripMemory)
  const memory = new Set<unknown>()
  for (const at of [0, 16, 4_080, 4_095, 10 * stripBytesMax - 16]) {
    const rooms = [pool.take(at), pool.take(at)]
    for (const { buffer } of rooms.flatMap(stripsOf)) memory.add(buffer)
    for (const room of rooms) room.giveBack()
  }
  assert.equal(memory.size, 2 * (1 + code.m))
})

test('data strips lie one behind the other, and as in the file, up to whole blocks', () => {
  const pool = new StripPool(code, newStripMemory)
  for (const at of [0, 16, 4_080, 4_095, 3 * stripBytesMax - 16]) {
    const room = pool.take(at)
    const places = [2, 0, 1].map((shard) => room.strip(shard).byteOffset)
    const first = at % fileBlockBytes
    assert.deepEqual(places, [first + 2 * stripBytesMax, first, first + stripBytesMax])
    room.giveBack()
  }
})

test('parity lies where data strips do not come, and what is decoded where no data strip is', () => {
  const pool = new StripPool(code, newStripMemory)
  const placeOf = ({ byteOffset }: Uint8Array): number => byteOffset / stripBytesMax
  const room = pool.take(0)
  assert.deepEqual(
    [4, 2, 0].map((shard) => placeOf(room.strip(shard))),
    [2, 1, 0],
    'whoever comes first has a place',
  )
  const decoded = room.spare(1)!
  assert.equal(placeOf(decoded), 2, 'that of parity, which was read')
  assert.equal(placeOf(room.spare(2)!), 1, 'of one that came in part, where that is')
  assert.equal(room.spare(4), undefined, 'and no other')
  room.giveBack()
  const next = pool.take(0)
  assert.deepEqual(
    [3, 2, 0].map((shard) => placeOf(next.strip(shard))),
    [1, 2, 0],
    'what did not come of the segment before is not waited for',
  )
  assert.equal(placeOf(next.spare(1)!), 1)
})
