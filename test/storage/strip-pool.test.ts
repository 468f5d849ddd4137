import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'

import { stripBytesMax } from '../../protocols/erasure/index.ts'
import { StripPool, put } from '../../src/storage/strip-pool.ts'

test('bytes are put where they belong, from any place, and nothing beside them is touched', () => {
  const strip = new StripPool().take(1_000)
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
  const strip = new StripPool().take(10)
  assert.throws(() => put(strip, new Uint8Array(4), 7), RangeError)
  assert.deepEqual(strip.slice(), new Uint8Array(10))
})

test('a full strip that was given back is another strip next; a short one is not', () => {
  const pool = new StripPool()
  const [full, short] = [pool.take(stripBytesMax), pool.take(100)]
  assert.ok(full.buffer instanceof SharedArrayBuffer, 'a worker opens it where it lies')
  pool.giveBack(full)
  pool.giveBack(short)
  assert.notEqual(pool.take(100).buffer, short.buffer)
  assert.equal(pool.take(stripBytesMax).buffer, full.buffer)
  assert.notEqual(pool.take(stripBytesMax).buffer, full.buffer, 'and only once')
})
