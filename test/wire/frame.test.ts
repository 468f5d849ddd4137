import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { concat } from 'uint8arrays'

import { encodeFrame, Fault, FrameDecoder } from '../../protocols/wire/index.ts'

const faultOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof Fault, String(error))
    return error.code
  }
  return 'no fault'
}

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.array(fc.nat(20), { minLength: 1 }),
      (bodies, cuts) => {
        const stream = concat(bodies.map(encodeFrame))
        const decoder = new FrameDecoder(300)
        const got: Uint8Array[] = []
        let at = 0
        for (let turn = 0; at < stream.byteLength; turn++) {
          const take = cuts[turn % cuts.length]! + 1
          got.push(...decoder.push(stream.subarray(at, at + take)))
          at += take
        }
        decoder.end()
        assert.deepEqual(
          got.map((frame) => [...frame]),
          bodies.map((body) => [...body]),
        )
      },
    ),
  )
})

test('a length over the cap is a fault before its body is awaited', () => {
  assert.equal(
    faultOf(() => new FrameDecoder(10).push(encodeFrame(new Uint8Array(11)).subarray(0, 1))),
    'FRAME_TOO_LARGE',
  )
  assert.equal(new FrameDecoder(10).push(encodeFrame(new Uint8Array(10))).length, 1)
})

test('a length prefix that is too long or not minimal is a fault', () => {
  assert.equal(
    faultOf(() => new FrameDecoder(10).push(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x01))),
    'FRAME_MALFORMED',
  )
  assert.equal(
    faultOf(() => new FrameDecoder(10).push(Uint8Array.of(0x81, 0x00))),
    'FRAME_MALFORMED',
  )
})

test('a stream that ends inside a frame is a fault', () => {
  const decoder = new FrameDecoder(100)
  decoder.push(encodeFrame(new Uint8Array(50)).subarray(0, 20))
  assert.equal(
    faultOf(() => decoder.end()),
    'FRAME_TRUNCATED',
  )
  const inPrefix = new FrameDecoder(1000)
  inPrefix.push(Uint8Array.of(0x80))
  assert.equal(
    faultOf(() => inPrefix.end()),
    'FRAME_TRUNCATED',
  )
})
