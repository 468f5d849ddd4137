// How often the other side is told that it may send more: a real stream of yamux.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'

import { transferLimits } from '../../protocols/transfer/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { createChannel } from '../../src/host/channel.ts'
import { identityFromSeed } from '../../src/host/index.ts'
import { limitsFor } from '../../src/host/limits.ts'
import { createStreams } from '../../src/host/streams.ts'
import { updateWindowByHalves } from '../../src/host/window-updates.ts'
import { inTime } from './network.ts'
import { streamPair } from './stream-pair.ts'

const frameBytesMax = 64 * 1024
const frames = 256
const { channelQueueBytesMax, streamWindowBytes } = limitsFor('loopback')
const windowUpdate = 1

interface Sending {
  sendFrame(header: { readonly type: number }): boolean
}

for (const windowBytes of [streamWindowBytes, transferLimits.windowBytes!])
  test(`of a window of ${windowBytes} bytes half is acknowledged at a time, and all that is sent comes`, async (t) => {
    const { near, far } = await streamPair()
    const limits = { frameBytesMax, queueBytesMax: channelQueueBytesMax, windowBytes }
    const [from, to] = [createChannel(near, 'far', limits), createChannel(far, 'near', limits)]
    const { mock } = t.mock.method(far as unknown as Sending, 'sendFrame')
    const writing = (async () => {
      for (let sent = 0; sent < frames; sent++) await from.write(new Uint8Array(frameBytesMax).fill(sent), inTime())
      await from.close(inTime())
    })()
    for (let read = 0; read < frames; read++) assert.equal((await to.read(inTime()))?.[0], read % 256)
    assert.equal(await to.read(inTime()), undefined)
    await writing
    const updates = mock.calls.filter(({ arguments: [{ type }] }) => type === windowUpdate).length
    const most = (frames * (frameBytesMax + 3)) / (windowBytes / 2)
    // One more widens it.
    assert.ok(updates > 0 && updates <= Math.ceil(most) + 1, `${updates} for ${frames} frames`)
  })

test('whatever a protocol asks for, a window is no wider than the host allows', async () => {
  const { near, far } = await streamPair()
  const limits = limitsFor('loopback')
  let answer: ((stream: Stream, connection: Connection) => void) | undefined
  const streams = createStreams({
    node: {
      dialProtocol: async () => near,
      handle: async (_protocol, handler) => void (answer = handler as typeof answer),
    },
    limits,
    clock: realClock,
    log: silentLog,
    onFault: () => {},
  })
  const wide = { frameBytesMax, streamsPerPeerMax: 1, windowBytes: 100 * limits.streamWindowBytesMax }
  await streams.handle('/wide', wide, async (channel) => void (await channel.read(inTime())))
  const remotePeer = peerIdFromString(identityFromSeed(new Uint8Array(32).fill(3)).peer)
  answer!(far, { remotePeer } as unknown as Connection)
  const channel = await streams.open(remotePeer.toString(), '/wide', wide, inTime())
  for (const stream of [near, far])
    assert.equal((stream as unknown as { recvWindow: number }).recvWindow, limits.streamWindowBytesMax)
  await channel.close(inTime())
  streams.stop()
})

test('a stream that has no window that we know of is left as it is', () => {
  const sendWindowUpdate = (): void => {}
  for (const stream of [{ sendWindowUpdate }, { sendWindowUpdate, recvWindow: 1 }]) {
    updateWindowByHalves(stream)
    assert.equal(stream.sendWindowUpdate, sendWindowUpdate)
  }
})
