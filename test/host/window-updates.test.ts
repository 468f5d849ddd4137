// How often the other side is told that it may send more: a real stream of yamux.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createChannel } from '../../src/host/channel.ts'
import { limitsFor } from '../../src/host/limits.ts'
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

for (const windowBytes of [streamWindowBytes, 640 * 1024])
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

test('a stream that has no window that we know of is left as it is', () => {
  const sendWindowUpdate = (): void => {}
  for (const stream of [{ sendWindowUpdate }, { sendWindowUpdate, recvWindow: 1 }]) {
    updateWindowByHalves(stream)
    assert.equal(stream.sendWindowUpdate, sendWindowUpdate)
  }
})
