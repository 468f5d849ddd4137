// Streams between two libp2p hosts over the transport of the live simulator: what any transport and muxer must do.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'

import { perfectLink, type LinkQuality } from '../../sim/live/link.ts'
import { LiveNetwork } from '../../sim/live/network.ts'
import { liveTransport, type LiveListener, type LiveNet } from '../../sim/live/transport.ts'
import { TimerWheel } from '../../sim/live/wheel.ts'
import { SeededRandom } from '../../sim/random.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'

const limits = { streamsMax: 64, windowBytes: 64 * 1024, writeBufferBytesMax: 4 * 2 ** 20 }
const [nearIp, farIp] = ['20.0.0.1', '20.0.0.2']
const deadlineMs = 10_000
const inTime = (): AbortSignal => AbortSignal.timeout(deadlineMs)

const hostAt = async (network: LiveNet, ip: string): Promise<Libp2p> =>
  createLibp2p({
    addresses: { listen: [`/ip4/${ip}/tcp/4117`] },
    transports: [liveTransport(network, ip, limits)],
    logger: silentLogger,
  })

const text = (data: { subarray(): Uint8Array }): string => new TextDecoder().decode(data.subarray())
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content)

/** Everything that comes until the other side closes for writing. */
const readAll = async (stream: Stream): Promise<string> => {
  let all = ''
  for await (const data of stream) all += text(data)
  return all
}

const next = async (stream: Stream, type: 'message' | 'close' | 'drain' | 'remoteCloseWrite'): Promise<Event> =>
  new Promise((resolve) => {
    stream.addEventListener(type, resolve, { once: true })
  })

/** Resolves once no connection lives, nothing is under way, and nothing keeps the process alive. */
const atRest = async (network: LiveNet): Promise<void> => {
  const endMs = performance.now() + 1_000
  while ((network.linesCount > 0 || network.wheel.waiting > 0) && performance.now() < endMs) await sleep(5)
  assert.deepEqual({ lines: network.linesCount, waiting: network.wheel.waiting }, { lines: 0, waiting: 0 })
}

describe('a stream of the live transport', { timeout: 3 * deadlineMs }, () => {
  const wheel = new TimerWheel()
  let quality: LinkQuality = perfectLink
  let network: LiveNet
  let near: Libp2p
  let far: Libp2p
  let connection: Connection

  before(async () => {
    network = new LiveNetwork<LiveListener>(wheel, new SeededRandom(1), () => quality)
    near = await hostAt(network, nearIp)
    far = await hostAt(network, farIp)
    await far.handle('/echo/1', async (stream) => {
      for await (const data of stream) if (!stream.send(data)) await next(stream, 'drain')
      await stream.close()
    })
    connection = await near.dial(multiaddr(`/ip4/${farIp}/tcp/4117`))
  })

  after(async () => {
    await Promise.all([near.stop(), far.stop()])
    await atRest(network)
  })

  /** A stream that is not read, and its other end. */
  const pair = async (protocol: string): Promise<[near: Stream, far: Stream]> => {
    const { promise, resolve } = Promise.withResolvers<Stream>()
    await far.handle(protocol, (stream) => resolve(stream), { force: true })
    const stream = await connection.newStream(protocol, { signal: inTime() })
    return [stream, await promise]
  }

  test('names who is there and is not encrypted', () => {
    assert.equal(connection.remotePeer.toString(), far.peerId.toString())
    assert.equal(connection.encryption, 'native')
    assert.equal(connection.multiplexer, '/pleach-sim/1')
  })

  test('echoes, and ends when both sides have closed', async () => {
    const stream = await connection.newStream('/echo/1', { signal: inTime() })
    const heard = readAll(stream)
    stream.send(bytes('one '))
    stream.send(bytes('two'))
    await stream.close({ signal: inTime() })
    assert.equal(await heard, 'one two')
    assert.equal(stream.status, 'closed')
    assert.deepEqual(connection.streams, [])
  })

  test('negotiates where several protocols would do', async () => {
    const stream = await connection.newStream(['/echo/2', '/echo/1'], { signal: inTime() })
    assert.equal(stream.protocol, '/echo/1')
    const heard = readAll(stream)
    stream.send(bytes('hello'))
    await stream.close({ signal: inTime() })
    assert.equal(await heard, 'hello')
  })

  test('is refused where nobody speaks the protocol', async () => {
    await assert.rejects(connection.newStream('/nobody/1', { signal: inTime() }), { name: 'UnsupportedProtocolError' })
    assert.deepEqual(connection.streams, [])
  })

  test('carries in one direction after the other is closed', async () => {
    const [mine, theirs] = await pair('/half/1')
    const closed = next(theirs, 'remoteCloseWrite')
    const heard = readAll(mine)
    await mine.close({ signal: inTime() })
    await closed
    theirs.send(bytes('still here'))
    await theirs.close({ signal: inTime() })
    assert.equal(await heard, 'still here')
    assert.equal(theirs.status, 'closed')
  })

  test('is reset on one side when the other aborts', async () => {
    const [mine, theirs] = await pair('/abort/1')
    const closed = next(theirs, 'close')
    mine.abort(new Error('enough'))
    await closed
    assert.equal(mine.status, 'aborted')
    assert.equal(theirs.status, 'reset')
    assert.deepEqual(connection.streams, [])
  })

  test('holds a window on the reading side and the rest on the writing side, and loses nothing', async () => {
    const [mine, theirs] = await pair('/slow/1')
    theirs.pause()
    const chunk = new Uint8Array(16 * 1024).fill(7)
    let sent = 0
    let more = true
    while (more) {
      more = mine.send(chunk)
      sent += chunk.byteLength
    }
    assert.equal(mine.send(chunk), false)
    sent += chunk.byteLength
    await sleep(50)
    assert.equal(theirs.readBufferLength, limits.windowBytes)
    assert.equal(mine.writeBufferLength, sent - limits.windowBytes)
    let read = 0
    theirs.addEventListener('message', ({ data }) => {
      read += data.byteLength
    })
    const drained = next(mine, 'drain')
    theirs.resume()
    await drained
    for (; read < 40 * limits.windowBytes; sent += chunk.byteLength) {
      if (!mine.send(chunk)) await next(mine, 'drain')
      assert.ok(theirs.readBufferLength + mine.writeBufferLength <= limits.windowBytes + chunk.byteLength)
    }
    await mine.close({ signal: inTime() })
    while (read < sent) await sleep(5)
    assert.equal(read, sent)
    theirs.abort(new Error('done'))
  })

  test('is aborted when its writer goes on although nobody reads', async () => {
    const [mine, theirs] = await pair('/flood/1')
    theirs.pause()
    const chunk = new Uint8Array(512 * 1024)
    for (let sent = 0; mine.status === 'open'; sent += chunk.byteLength) {
      assert.ok(sent < 8 * limits.writeBufferBytesMax)
      mine.send(chunk)
    }
    assert.equal(mine.status, 'aborted')
    assert.ok(theirs.readBufferLength <= limits.windowBytes)
  })

  test('does not share bytes with its other end', async () => {
    const [mine, theirs] = await pair('/copy/1')
    const message = bytes('before')
    mine.send(message)
    message.fill(0x20)
    const { data } = (await next(theirs, 'message')) as unknown as { data: { subarray(): Uint8Array } }
    assert.equal(text(data), 'before')
    mine.abort(new Error('done'))
  })

  test('takes as long as the link is far', async () => {
    quality = { ...perfectLink, latencyMs: 30, jitterMs: 5 }
    const stream = await connection.newStream('/echo/1', { signal: inTime() })
    for (let round = 0; round < 5; round++) {
      const startedMs = performance.now()
      stream.send(bytes('ping'))
      await next(stream, 'message')
      const tookMs = performance.now() - startedMs
      assert.ok(tookMs >= 50 - 1 && tookMs < 120, `${tookMs} ms`)
    }
    stream.abort(new Error('done'))
    quality = perfectLink
  })

  test('takes as long as the bandwidth says', async () => {
    const [mine, theirs] = await pair('/wide/1')
    quality = { ...perfectLink, bytesPerSecond: 200_000 }
    const startedMs = performance.now()
    const closed = next(theirs, 'remoteCloseWrite')
    theirs.addEventListener('message', () => {})
    mine.send(new Uint8Array(40_000))
    await mine.close({ signal: inTime() })
    await closed
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs >= 199 && tookMs < 400, `${tookMs} ms`)
    theirs.abort(new Error('done'))
    quality = perfectLink
  })

  test('waits for what was lost, in order', async () => {
    quality = { ...perfectLink, loss: 0.2 }
    const stream = await connection.newStream('/echo/1', { signal: inTime() })
    const heard = readAll(stream)
    const words = Array.from({ length: 20 }, (_, index) => `${index} `)
    for (const word of words) stream.send(bytes(word))
    await stream.close({ signal: inTime() })
    assert.equal(await heard, words.join(''))
    quality = perfectLink
  })

  test('hears nothing from across a partition, and everything once it is mended', async () => {
    const stream = await connection.newStream('/echo/1', { signal: inTime() })
    const mend = network.partition([[nearIp], [farIp]])
    let heard = 0
    stream.addEventListener('message', () => heard++)
    stream.send(bytes('across'))
    await sleep(50)
    assert.equal(heard, 0)
    mend()
    await next(stream, 'message')
    stream.abort(new Error('done'))
  })
})

describe('a connection of the live transport', { timeout: 3 * deadlineMs }, () => {
  test('is not made across a partition, nor to an address where nobody or somebody else is', async () => {
    const wheel = new TimerWheel()
    const network: LiveNet = new LiveNetwork(wheel, new SeededRandom(1), { ...perfectLink, latencyMs: 5 })
    const [near, far] = [await hostAt(network, nearIp), await hostAt(network, farIp)]
    const mend = network.partition([[nearIp], [farIp]])
    await assert.rejects(near.dial(multiaddr(`/ip4/${farIp}/tcp/4117`), { signal: AbortSignal.timeout(100) }))
    mend()
    await assert.rejects(near.dial(multiaddr(`/ip4/${farIp}/tcp/4118`), { signal: inTime() }))
    await assert.rejects(near.dial(multiaddr(`/ip4/${farIp}/tcp/4117/p2p/${near.peerId.toString()}`)))
    const connection = await near.dial(multiaddr(`/ip4/${farIp}/tcp/4117/p2p/${far.peerId.toString()}`))
    assert.equal(connection.status, 'open')
    await Promise.all([near.stop(), far.stop()])
    await atRest(network)
  })

  test('ends on both sides when a loss is a reset, and when one side closes it', async () => {
    const wheel = new TimerWheel()
    let quality = perfectLink
    const network: LiveNet = new LiveNetwork(wheel, new SeededRandom(1), () => quality)
    const [near, far] = [await hostAt(network, nearIp), await hostAt(network, farIp)]
    await far.handle('/pleach/quiet/1', () => {})
    const lost = await near.dial(multiaddr(`/ip4/${farIp}/tcp/4117`))
    const stream = await lost.newStream('/pleach/quiet/1')
    quality = { ...perfectLink, loss: 1, lossIs: 'reset' }
    stream.send(bytes('lost'))
    while (far.getConnections().length > 0) await sleep(5)
    assert.equal(lost.status, 'reset')
    quality = perfectLink
    const closed = await near.dial(multiaddr(`/ip4/${farIp}/tcp/4117`))
    await closed.close()
    while (far.getConnections().length > 0) await sleep(5)
    assert.equal(network.linesCount, 0)
    await Promise.all([near.stop(), far.stop()])
  })
})

const elapsed = async (wheel: TimerWheel, delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    wheel.after(delayMs, resolve)
  })

describe('the timer wheel', () => {
  test('runs in order, never early, once, and not what was called off', async () => {
    const wheel = new TimerWheel()
    const ran: string[] = []
    const startedMs = performance.now()
    const { promise, resolve } = Promise.withResolvers<void>()
    wheel.after(30, () => ran.push(`c ${performance.now() - startedMs >= 30}`))
    wheel.after(10, () => ran.push('a'))
    wheel.after(10, () => ran.push('b'))
    const cancel = wheel.after(20, () => ran.push('never'))
    wheel.after(40, resolve)
    cancel()
    cancel()
    assert.equal(wheel.waiting, 4)
    await promise
    assert.deepEqual(ran, ['a', 'b', 'c true'])
    assert.equal(wheel.waiting, 0)
    assert.ok(wheel.takeLateness().p99Ms < 50)
  })

  test('goes on after a rest, and reaches what is more than a turn away', async () => {
    const wheel = new TimerWheel()
    await elapsed(wheel, 1)
    await sleep(20)
    const startedMs = performance.now()
    const far = elapsed(wheel, 4_200)
    await elapsed(wheel, 5)
    const soonMs = performance.now() - startedMs
    assert.ok(soonMs >= 5 && soonMs < 100, `${soonMs} ms`)
    await far
    const farMs = performance.now() - startedMs
    assert.ok(farMs >= 4_200 && farMs < 4_400, `${farMs} ms`)
  })
})
