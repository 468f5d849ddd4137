// Streams between hosts: who may open how many, and whose fault an end is.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { multiaddr } from '@multiformats/multiaddr'

import { Fault, type Channel, type ProtocolLimits } from '../../protocols/wire/index.ts'
import type { LogLevel } from '../../src/environment.ts'
import { ChannelClosedError, type Host } from '../../src/host/index.ts'
import { addressOf, bytes, deadlineMs, eventually, inTime, startedHost, stopAll } from './network.ts'
import { stranger } from './stranger.ts'

const limits: ProtocolLimits = { frameBytesMax: 1024, streamsPerPeerMax: 2 }

describe('streams', { timeout: 2 * deadlineMs }, () => {
  let near: Host
  let far: Host
  const faults: [peer: string, protocol: string, code: string][] = []
  const logged: [LogLevel, string][] = []
  const unhandled: unknown[] = []
  const onUnhandled = (error: unknown): void => void unhandled.push(error)

  before(async () => {
    process.on('unhandledRejection', onUnhandled)
    far = await startedHost(
      { limits: { streamLingerMs: 200 } },
      {
        onFault: (peer, protocol, fault) => faults.push([peer, protocol, fault.code]),
        log: (level, message) => logged.push([level, message]),
      },
    )
    near = await startedHost()
    await near.dial(addressOf(far), inTime())
  })
  after(async () => {
    await stopAll([near, far])
    process.off('unhandledRejection', onUnhandled)
    assert.deepEqual(unhandled, [])
  })

  const open = async (protocol: string): Promise<Channel> => near.streams.open(far.peer, protocol, limits, inTime())

  test('carry frames to a handler that knows who speaks, and end when both are done', async () => {
    const remotes: string[] = []
    await far.streams.handle('/pleach/echo/1', limits, async (channel) => {
      remotes.push(channel.remote)
      for (let frame; (frame = await channel.read(inTime())) !== undefined;) await channel.write(frame, inTime())
    })
    const channel = await open('/pleach/echo/1')
    assert.equal(channel.remote, far.peer)
    await channel.write(bytes('hello'), inTime())
    assert.deepEqual(await channel.read(inTime()), bytes('hello'))
    await channel.close(inTime())
    assert.equal(await channel.read(inTime()), undefined)
    assert.deepEqual(remotes, [near.peer])
  })

  test('above the limit of a peer are reset, and those below live on', async () => {
    let open_ = 0
    await far.streams.handle('/pleach/few/1', limits, async (channel) => {
      open_ += 1
      await channel.write(bytes('in'), inTime())
      await channel.read(inTime())
      open_ -= 1
    })
    const [one, two] = [await open('/pleach/few/1'), await open('/pleach/few/1')]
    for (const channel of [one, two]) assert.deepEqual(await channel.read(inTime()), bytes('in'))
    const three = await open('/pleach/few/1')
    await assert.rejects(three.read(inTime()), (error) => error instanceof ChannelClosedError && error.code === 'reset')
    assert.equal(open_, 2)
    await one.close(inTime())
    assert.equal(await one.read(inTime()), undefined)
    await eventually('there is room again', () => open_ === 1)
    const four = await open('/pleach/few/1')
    assert.deepEqual(await four.read(inTime()), bytes('in'))
    for (const channel of [two, four]) await channel.close(inTime())
  })

  test('of a peer count over all its connections', async () => {
    const evil = await stranger()
    let answered = 0
    await far.streams.handle('/pleach/counted/1', limits, async (channel) => {
      answered += 1
      await channel.read(inTime())
    })
    try {
      for (let count = 0; count < 3; count++) {
        const connection = await evil.dial(multiaddr(addressOf(far)), { force: true })
        await connection.newStream('/pleach/counted/1')
      }
      await eventually('one was refused', () => logged.some(([, message]) => message.startsWith('refused a stream')))
      assert.equal(answered, 2)
    } finally {
      await evil.stop()
    }
  })

  test('that break the protocol end, and are told of', async () => {
    await far.streams.handle('/pleach/strict/1', { ...limits, frameBytesMax: 4 }, async (channel) => {
      if ((await channel.read(inTime()))?.[0] === 0x21) throw new Fault('OUT_OF_TURN', 'not now')
    })
    for (const [text, code] of [
      ['!', 'OUT_OF_TURN'],
      ['too long', 'FRAME_TOO_LARGE'],
    ] as const) {
      const channel = await open('/pleach/strict/1')
      await channel.write(bytes(text), inTime())
      await assert.rejects(channel.read(inTime()), ChannelClosedError)
      await eventually('it is told', () => faults.some(([, , told]) => told === code))
    }
    assert.deepEqual(faults, [
      [near.peer, '/pleach/strict/1', 'OUT_OF_TURN'],
      [near.peer, '/pleach/strict/1', 'FRAME_TOO_LARGE'],
    ])
  })

  test('whose handler fails by our own mistake end, and nobody is blamed', async () => {
    const before = faults.length
    await far.streams.handle('/pleach/broken/1', limits, async () => {
      throw new TypeError('our mistake')
    })
    const channel = await open('/pleach/broken/1')
    await assert.rejects(channel.read(inTime()), ChannelClosedError)
    assert.equal(faults.length, before)
    await eventually('it is logged', () =>
      logged.some(([level, message]) => level === 'error' && message === 'a handler failed'),
    )
  })

  test('whose other side will not close are cut off after a while', async () => {
    await far.streams.handle('/pleach/brief/1', limits, async () => {})
    const channel = await open('/pleach/brief/1')
    assert.equal(await channel.read(inTime()), undefined)
    await assert.rejects(async () => {
      for (;;) await channel.write(new Uint8Array(1024), inTime())
    }, ChannelClosedError)
  })

  test('that nobody answers, or to a peer that is not there, are not opened', async () => {
    await assert.rejects(open('/pleach/nobody/1'))
    const absent = '12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi'
    await assert.rejects(near.streams.open(absent, '/pleach/echo/1', limits, inTime()))
    await assert.rejects(
      near.streams.open(far.peer, '/pleach/echo/1', limits, AbortSignal.abort(new Error('enough'))),
      /enough/,
    )
  })
})

test(
  'a host that stops ends its streams itself: here, that is no lost connection',
  { timeout: deadlineMs },
  async () => {
    const [near, far] = [await startedHost(), await startedHost()]
    const ends: unknown[] = []
    await far.streams.handle('/pleach/open/1', limits, async (channel) => {
      await channel.read(inTime()).catch((error: unknown) => ends.push(error))
    })
    try {
      await near.dial(addressOf(far), inTime())
      const channel = await near.streams.open(far.peer, '/pleach/open/1', limits, inTime())
      const reading = assert.rejects(channel.read(inTime()), { name: 'ChannelClosedError', code: 'aborted' })
      await near.stop()
      await reading
      await eventually('the far end knows', () => ends.length === 1)
      assert.ok(ends[0] instanceof ChannelClosedError)
    } finally {
      await stopAll([near, far])
    }
  },
)

test('64 MiB between two hosts arrive whole', { timeout: 2 * deadlineMs }, async () => {
  const frameBytesMax = 64 * 1024
  const bulk = { frameBytesMax, streamsPerPeerMax: 1 }
  const [near, far] = [await startedHost(), await startedHost()]
  const frames = 1024
  let received = 0
  await far.streams.handle('/pleach/bulk/1', bulk, async (channel) => {
    const signal = inTime()
    for (let frame; (frame = await channel.read(signal)) !== undefined; received++) {
      if (frame.byteLength !== frameBytesMax || frame[frameBytesMax - 1] !== (received & 0xff))
        throw new Error('not what was sent')
    }
  })
  try {
    await near.dial(addressOf(far), inTime())
    const channel = await near.streams.open(far.peer, '/pleach/bulk/1', bulk, inTime())
    const startMs = performance.now()
    const signal = inTime()
    for (let index = 0; index < frames; index++) await channel.write(new Uint8Array(frameBytesMax).fill(index), signal)
    await channel.close(signal)
    assert.equal(await channel.read(signal), undefined)
    assert.equal(received, frames)
    console.log(`# ${(64 / ((performance.now() - startMs) / 1000)).toFixed(0)} MiB/s`)
  } finally {
    await stopAll([near, far])
  }
})
