import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'

import { stripBytesMax } from '../../protocols/erasure/index.ts'
import { fileBlockBytes } from '../../src/environment.ts'
import { StripPool, put } from '../../src/storage/strip-pool.ts'

test('bytes are put where they belong, from any place, and nothing beside them is touched', () => {
  const strip = new StripPool().take(1_000, 0)
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
  const strip = new StripPool().take(10, 0)
  assert.throws(() => put(strip, new Uint8Array(4), 7), RangeError)
  assert.deepEqual(strip.slice(), new Uint8Array(10))
})

test('a full strip that was given back is another strip next; a short one is not', () => {
  const pool = new StripPool()
  const [full, short] = [pool.take(stripBytesMax, 0), pool.take(100, 0)]
  assert.ok(full.buffer instanceof SharedArrayBuffer, 'a worker opens it where it lies')
  pool.giveBack(full)
  pool.giveBack(short)
  assert.notEqual(pool.take(100, 0).buffer, short.buffer)
  full.fill(7)
  assert.deepEqual(pool.take(stripBytesMax, 0).slice(), full.slice())
  for (const strip of Array.from({ length: 12 }, () => pool.take(stripBytesMax, 0))) pool.giveBack(strip)
  const others = Array.from({ length: 20 }, (_, index) => pool.take(stripBytesMax, 1_000 * index))
  for (const [index, strip] of others.entries()) strip.fill(index)
  for (const [index, strip] of others.entries()) assert.ok(strip.every((byte) => byte === index))
})

test('strips come back whatever place of the file they were for, and lie in memory as there, up to whole blocks', () => {
  const pool = new StripPool()
  const slabs = new Set<unknown>()
  for (const at of [0, 16, 4_080, 4_095, 10 * stripBytesMax - 16]) {
    const strips = Array.from({ length: 16 }, () => pool.take(stripBytesMax, at))
    for (const { byteOffset } of strips) assert.equal(byteOffset % fileBlockBytes, at % fileBlockBytes)
    for (const strip of strips) {
      slabs.add(strip.buffer)
      pool.giveBack(strip)
    }
  }
  assert.equal(slabs.size, 2)
})
