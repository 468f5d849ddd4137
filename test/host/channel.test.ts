// A channel against a raw stream that speaks for the other side, honest or not.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Stream } from '@libp2p/interface'
import { varint } from 'multiformats'

import { Fault, encodeFrame, type FaultCode } from '../../protocols/wire/index.ts'
import { ChannelClosedError, createChannel, type StreamChannel } from '../../src/host/channel.ts'
import { limitsFor } from '../../src/host/limits.ts'
import { deadlineMs, eventually, inTime } from './network.ts'
import { streamPair } from './stream-pair.ts'

const frameBytesMax = 64 * 1024
const { channelQueueBytesMax, streamWindowBytes } = limitsFor('loopback')
const channelOf = (stream: Stream): StreamChannel =>
  createChannel(stream, 'them', { frameBytesMax, queueBytesMax: channelQueueBytesMax })

const fault =
  (code: FaultCode) =>
  (error: unknown): boolean =>
    error instanceof Fault && error.code === code
const closed =
  (code: ChannelClosedError['code']) =>
  (error: unknown): boolean =>
    error instanceof ChannelClosedError && error.code === code

const pair = async () => {
  const { near, far, cut } = await streamPair()
  return { near: channelOf(near), far: channelOf(far), nearStream: near, farStream: far, cut }
}

describe('frames', { timeout: deadlineMs }, () => {
  test('arrive whole, in order, both ways, and then the end', async () => {
    const { near, far } = await pair()
    for (const size of [0, 1, 127, 128, frameBytesMax]) {
      await near.write(new Uint8Array(size).fill(size), inTime())
      assert.deepEqual(await far.read(inTime()), new Uint8Array(size).fill(size))
      await far.write(Uint8Array.of(7), inTime())
      assert.deepEqual(await near.read(inTime()), Uint8Array.of(7))
    }
    await near.close(inTime())
    assert.equal(await far.read(inTime()), undefined)
    assert.equal(await far.read(inTime()), undefined)
    await far.write(Uint8Array.of(9), inTime())
    await far.close(inTime())
    assert.deepEqual(await near.read(inTime()), Uint8Array.of(9))
    assert.equal(await near.read(inTime()), undefined)
    await Promise.all([near.closed, far.closed])
    await assert.rejects(near.write(Uint8Array.of(1), inTime()), ChannelClosedError)
  })

  test('that came before the channel was made are read', async () => {
    const { near, far } = await streamPair()
    near.send(encodeFrame(Uint8Array.of(1, 2)))
    await near.close()
    await eventually('the end has come', () => far.remoteWriteStatus === 'closed')
    const channel = channelOf(far)
    assert.deepEqual(await channel.read(inTime()), Uint8Array.of(1, 2))
    assert.equal(await channel.read(inTime()), undefined)
  })

  test('over the cap are not sent', async () => {
    const { near } = await pair()
    await assert.rejects(near.write(new Uint8Array(frameBytesMax + 1), inTime()), RangeError)
  })

  test('a million empty ones cost no more than their bytes', async () => {
    const { farStream, near } = await pair()
    const bytes = channelQueueBytesMax / 2
    farStream.send(new Uint8Array(bytes))
    await eventually('all are here', () => near.queuedBytes >= bytes)
    assert.ok(near.queuedBytes <= bytes + 64 * 128)
    const signal = inTime()
    for (let count = 0; count < bytes; count++) assert.equal((await near.read(signal))?.byteLength, 0)
  })
})

describe('back-pressure', { timeout: 2 * deadlineMs }, () => {
  test('64 MiB to a reader that stops: neither side holds more than its bounds, and nothing is lost', async () => {
    const { near, far, nearStream, farStream } = await pair()
    const frames = (64 * 1024 * 1024) / frameBytesMax
    let sent = 0
    let heldBytesMax = 0
    const sending = (async () => {
      for (; sent < frames; sent++) {
        await near.write(new Uint8Array(frameBytesMax).fill(sent), inTime())
        assert.equal(nearStream.writeBufferLength, 0, 'a write ends when libp2p holds nothing of it')
      }
      await near.close(inTime())
    })()
    const look = (): void => {
      heldBytesMax = Math.max(heldBytesMax, far.queuedBytes)
      assert.ok(nearStream.writeBufferLength <= frameBytesMax + 3)
      // Nothing measures a round trip here, and so the window does not grow.
      assert.ok(farStream.readBufferLength <= streamWindowBytes, `libp2p holds ${farStream.readBufferLength} B`)
    }

    // Read some, so that the window has grown; then stop until the sender is stuck.
    for (let index = 0; index < frames / 2; index++) {
      assert.equal((await far.read(inTime()))?.[0], index & 0xff)
      look()
    }
    // Three times, because the second pause is made of what a resume has let in, and is made while it resumes.
    let index = frames / 2
    for (let stop = 0; stop < 3; stop++) {
      let before = -1
      let stuckLooks = 0
      await eventually('the sender is stuck', () => {
        look()
        const stuck = before === sent && nearStream.writableNeedsDrain && farStream.readStatus === 'paused'
        stuckLooks = stuck ? stuckLooks + 1 : 0
        before = sent
        return stuckLooks === 5
      })
      assert.ok(sent < frames, 'the sender must not be done')
      // Up to the read that lets more in than it takes out, and stop right there.
      for (let grown = false; !grown; index++) {
        const queuedBytes = far.queuedBytes
        assert.equal((await far.read(inTime()))?.[0], index & 0xff)
        grown = far.queuedBytes > queuedBytes
      }
    }
    for (; index < frames; index++) {
      assert.equal((await far.read(inTime()))?.[0], index & 0xff)
      look()
    }
    assert.equal(await far.read(inTime()), undefined)
    await sending
    const overhead = 128 * 1024
    assert.ok(heldBytesMax <= channelQueueBytesMax + streamWindowBytes + overhead, `held ${heldBytesMax} B`)
  })

  test('a peer that grants a few bytes at a time cannot make us hold frame upon frame', async () => {
    const { near, nearStream, farStream } = await pair()
    farStream.pause()
    let written = 0
    const writing = assert.rejects(async () => {
      for (;;) {
        await near.write(new Uint8Array(frameBytesMax), inTime())
        written += 1
      }
    }, /enough/)
    await eventually('the window is used up', () => nearStream.writableNeedsDrain && nearStream.writeBufferLength > 0)
    const stuckAt = written
    const granting = farStream as unknown as { recvWindowCapacity: number; sendFrame(header: object): void }
    for (let grants = 1; grants <= 50; grants++) {
      const before = farStream.readBufferLength
      granting.recvWindowCapacity += 100
      granting.sendFrame({ type: 1, flag: 0, streamID: Number(farStream.id), length: 100 })
      await eventually('the grant is used', () => farStream.readBufferLength === before + 100)
      assert.ok(nearStream.writeBufferLength <= frameBytesMax + 3, `holds ${nearStream.writeBufferLength} B`)
    }
    assert.ok(written <= stuckAt + 1, 'at most the frame that waited is through')
    near.abort(new Error('enough'))
    await writing
  })
})

describe('what the other side does wrong ends the stream and is a fault', { timeout: deadlineMs }, () => {
  const cases: [name: string, bytes: number[], code: FaultCode][] = [
    ['an oversized frame', [...varint.encodeTo(frameBytesMax + 1, new Uint8Array(3))], 'FRAME_TOO_LARGE'],
    ['a malformed prefix', [0x80, 0x80, 0x80, 0x80, 0x01], 'FRAME_MALFORMED'],
    ['a prefix that is not minimal', [0x81, 0x00], 'FRAME_MALFORMED'],
    ['the end inside a frame', [0x05, 1, 2], 'FRAME_TRUNCATED'],
    ['the end inside a prefix', [0x80], 'FRAME_TRUNCATED'],
  ]
  for (const [name, bytes, code] of cases) {
    test(name, async () => {
      const { near, farStream } = await pair()
      farStream.send(encodeFrame(Uint8Array.of(42)))
      farStream.send(Uint8Array.from(bytes))
      await farStream.close()
      assert.deepEqual(await near.read(inTime()), Uint8Array.of(42), 'what came before is read')
      await assert.rejects(near.read(inTime()), fault(code))
      await assert.rejects(near.read(inTime()), fault(code))
      await assert.rejects(near.write(Uint8Array.of(1), inTime()), fault(code))
      await near.closed
    })
  }
})

describe('ends that are nobody’s fault', { timeout: deadlineMs }, () => {
  test('our abort fails the waiting reader and the waiting writer with its reason, and resets the other side', async () => {
    const { near, far, farStream } = await pair()
    farStream.pause()
    const reading = assert.rejects(near.read(inTime()), /because/)
    const writing = assert.rejects(
      near.write(new Uint8Array(frameBytesMax), inTime()).then(async () => {
        for (;;) await near.write(new Uint8Array(frameBytesMax), inTime())
      }),
      /because/,
    )
    await eventually('the writer waits', () => farStream.readBufferLength > 200_000)
    near.abort(new Error('because'))
    near.abort(new Error('of another reason'))
    await Promise.all([reading, writing, near.closed, far.closed])
    await assert.rejects(far.write(Uint8Array.of(1), inTime()), closed('reset'))
  })

  test('a reset lets what came before be read, and is then told', async () => {
    const { near, farStream } = await pair()
    farStream.send(encodeFrame(Uint8Array.of(1)))
    await eventually('the frame is here', () => near.queuedBytes > 0)
    farStream.abort(new Error('gone'))
    assert.deepEqual(await near.read(inTime()), Uint8Array.of(1))
    await assert.rejects(near.read(inTime()), closed('reset'))
  })

  test('a lost connection is not a clean end', async () => {
    const { near, far, cut } = await pair()
    await far.write(Uint8Array.of(1), inTime())
    await eventually('the frame is here', () => near.queuedBytes > 0)
    cut()
    assert.deepEqual(await near.read(inTime()), Uint8Array.of(1))
    await assert.rejects(near.read(inTime()), closed('lost'))
    await assert.rejects(far.read(inTime()), closed('lost'))
  })

  test('a lost connection under a paused stream does not hide what had come', async () => {
    const { near, far, nearStream, cut } = await pair()
    const sending = assert.rejects(async () => {
      for (let index = 0; ; index++) await far.write(new Uint8Array(frameBytesMax).fill(index), inTime())
    }, ChannelClosedError)
    await eventually('libp2p holds some', () => nearStream.readStatus === 'paused' && nearStream.readBufferLength > 0)
    cut()
    await sending
    await assert.rejects(async () => {
      for (let index = 0; ; index++) assert.equal((await near.read(inTime()))?.[0], index)
    }, closed('lost'))
  })

  test('a signal that fires fails the read or the write, and leaves the channel', async () => {
    const { near, far, farStream } = await pair()
    const stop = new AbortController()
    const reading = assert.rejects(near.read(stop.signal), /enough/)
    stop.abort(new Error('enough'))
    await reading
    await far.write(Uint8Array.of(3), inTime())
    assert.deepEqual(await near.read(inTime()), Uint8Array.of(3))

    farStream.pause()
    const stopWriting = new AbortController()
    const writing = assert.rejects(async () => {
      for (;;) await near.write(new Uint8Array(frameBytesMax), stopWriting.signal)
    }, /too long/)
    await eventually('the writer waits', () => farStream.readBufferLength > 200_000)
    stopWriting.abort(new Error('too long'))
    await writing
  })

  test('a channel has one reader', async () => {
    const { near, far } = await pair()
    const first = near.read(inTime())
    await assert.rejects(near.read(inTime()), /one reader/)
    await far.write(Uint8Array.of(1), inTime())
    assert.deepEqual(await first, Uint8Array.of(1))
  })
})
