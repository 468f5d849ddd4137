// TLS over the socket of a connection itself: what is carried, and how it ends.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'

import type { MessageStream } from '@libp2p/interface'

import type { ProtocolLimits } from '../../protocols/wire/index.ts'
import { realRandom, realTurns, type Turns } from '../../src/environment.ts'
import { SocketStream } from '../../src/host/socket-stream.ts'
import { TurnBudget, turnBytesMax } from '../../src/host/turn-budget.ts'
import { addressOf, deadlineMs, eventually, inTime, startedHost, stopAll } from './network.ts'
import { bare, end, listenTo, met, muxer, openSockets, ownCertificate, Port, send } from './raw-connections.ts'

const limits: ProtocolLimits = { frameBytesMax: 64 * 1024, streamsPerPeerMax: 4 }
const protocol = '/pleach/socket/1'
const frames = 16
/** Version, type, flags, stream and length of yamux; the second byte is 0 when data follow. */
const muxerHeaderBytes = 12

const unhandled: unknown[] = []
process.on('unhandledRejection', (error) => unhandled.push(error))

/** Turns that come as they do, which a handshake needs, and from `hold` on when the test says. */
class HeldTurns implements Turns {
  readonly waiting: (() => void)[] = []
  #areHeld = false

  hold(): void {
    this.#areHeld = true
  }

  release(): void {
    this.#areHeld = false
    for (const run of this.waiting.splice(0)) run()
  }

  next(run: () => void): void {
    if (this.#areHeld) this.waiting.push(run)
    else realTurns.next(run)
  }
}

describe('TLS over a socket', { timeout: 6 * deadlineMs }, () => {
  for (const [near, far] of [
    ['ours', 'ours'],
    ['ours', 'library'],
    ['library', 'ours'],
  ] as const) {
    test(`${near} to ${far}: each knows the other and the muxer, again and again, and everything that was sent comes before the end`, async () => {
      await using port = await new Port().listen()
      const [one, two] = [end({}, near), end({}, far)]
      for (let time = 0; time < 3; time++) {
        const [dialled, answered, raw] = await met(port, one, two)
        assert.deepEqual([dialled.remotePeer.toString(), answered.remotePeer.toString()], [two.peer, one.peer])
        assert.deepEqual([dialled.streamMuxer?.protocol, answered.streamMuxer?.protocol], [muxer, muxer])
        assert.equal(dialled.connection instanceof SocketStream, near === 'ours')
        const given = realRandom.bytes(1_000_003)
        const [there, back] = [listenTo(answered.connection), listenTo(dialled.connection)]
        await Promise.all([send(dialled.connection, given), send(answered.connection, given)])
        await eventually('all came', () => there.count === given.byteLength && back.count === given.byteLength)
        assert.ok(there.bytes().equals(given) && back.bytes().equals(given))
        // libp2p closes the connection below, and not the encrypted one.
        await raw.close({ signal: inTime() })
        assert.deepEqual([(await there.over).status, (await back.over).status], ['closed', 'closed'])
      }
    })
  }

  for (const side of ['below', 'above'] as const) {
    test(`what waits when it is closed ${side} goes out before the end, and to who was held`, async () => {
      await using port = await new Port().listen()
      const [dialled, answered, near, far] = await met(port, end(), end())
      const heard = listenTo(answered.connection)
      answered.connection.pause()
      const given = realRandom.bytes(12 * 1024 * 1024)
      // More than the kernel and the socket take: the rest waits in the stream.
      for (let at = 0; at < given.byteLength; at += 1024 * 1024)
        dialled.connection.send(given.subarray(at, at + 1024 * 1024))
      assert.ok((dialled.connection as SocketStream).writeBufferLength > 0)
      const closing =
        side === 'below' ? near.close({ signal: inTime() }) : dialled.connection.close({ signal: inTime() })
      assert.throws(() => dialled.connection.send(new Uint8Array(1)), { name: 'StreamStateError' })
      answered.connection.resume()
      await closing
      assert.deepEqual(await heard.over, { status: 'closed', error: undefined })
      assert.ok(heard.bytes().equals(given), `${heard.count} of ${given.byteLength}`)
      assert.deepEqual([dialled.connection.status, near.status, far.status], ['closed', 'closed', 'closed'])
    })
  }

  test('what came in the last turn is handed on before the end', async () => {
    const turns = new HeldTurns()
    await using port = await new Port().listen()
    const [dialled, answered, near] = await met(port, end(), end({ turns }))
    turns.hold()
    const heard = listenTo(answered.connection)
    dialled.connection.send(new Uint8Array(7))
    await near.close({ signal: inTime() })
    await heard.over
    assert.equal(heard.count, 7)
    assert.ok(turns.waiting.length > 0, 'no turn came meanwhile')
  })

  test('what the other side sends before we are through with the handshake comes first', async () => {
    const turns = new HeldTurns()
    await using port = await new Port().listen()
    const [near, far] = [end(), end({ turns })]
    const [one, two] = await port.pair()
    turns.hold()
    const answering = far.secureInbound(two, { signal: inTime() })
    const { connection } = await near.secureOutbound(one, { signal: inTime(), remotePeer: far.peerId })
    const given = realRandom.bytes(3 * turnBytesMax)
    const early = turnBytesMax / 2
    await send(connection, given.subarray(0, early))
    await eventually('it came', () => two.socket.bytesRead > early)
    turns.release()
    const heard = listenTo((await answering).connection)
    await send(connection, given.subarray(early))
    await eventually('all came', () => heard.count === given.byteLength)
    assert.ok(heard.bytes().equals(given))
  })

  test('pieces are collected up to the budget of a turn, and the rest waits for the next', async () => {
    const turns = new HeldTurns()
    await using port = await new Port().listen()
    const [dialled, answered] = await met(port, end(), end({ turns }))
    turns.hold()
    const heard = listenTo(answered.connection)
    const given = realRandom.bytes(8 * turnBytesMax)
    const sent = send(dialled.connection, given)
    while (heard.count < given.byteLength) {
      const before = heard.count
      await eventually('something came', () => turns.waiting.length > 0)
      for (const run of turns.waiting.splice(0)) run()
      assert.ok(heard.count - before < turnBytesMax + 64 * 1024, `${heard.count - before} at once`)
    }
    await sent
    assert.ok(heard.bytes().equals(given))
  })

  test('what ten have read at once is handed on over several turns', async () => {
    const turns = new HeldTurns()
    const all = { turns, budget: new TurnBudget(turns) }
    await using port = await new Port().listen()
    const met10 = await Promise.all(Array.from({ length: 10 }, async () => met(port, end(), end(all))))
    turns.hold()
    const heard = met10.map(([, answered]) => listenTo(answered.connection))
    const given = realRandom.bytes(2 * turnBytesMax)
    const sent = met10.map(async ([dialled]) => send(dialled.connection, given))
    const count = (): number => heard.reduce((sum, one) => sum + one.count, 0)
    while (count() < 10 * given.byteLength) {
      const before = count()
      await eventually('something came', () => turns.waiting.length > 0)
      // All of them have something to read.
      await nextTurn()
      for (const run of turns.waiting.splice(0)) run()
      // Up to the budget, and what the last one of a turn had taken.
      assert.ok(count() - before < 2 * turnBytesMax + 64 * 1024, `${count() - before} at once`)
    }
    await Promise.all(sent)
    for (const one of heard) assert.ok(one.bytes().equals(given))
  })

  for (const paused of [false, true]) {
    test(`an abort is a reset to the other side${paused ? ', also while it waits to send' : ''}`, async () => {
      await using port = await new Port().listen()
      const [dialled, answered, near, far] = await met(port, end(), end())
      const [here, there] = [listenTo(dialled.connection), listenTo(answered.connection)]
      // The other side has sent all of its own by now: what it would write into the reset would hide that from it.
      answered.connection.send(new Uint8Array(1))
      await eventually('it came', () => here.count === 1)
      if (paused) for (let sent = 0; sent < 12; sent++) answered.connection.send(new Uint8Array(1024 * 1024))
      const why = new Error('changed my mind')
      dialled.connection.abort(why)
      assert.deepEqual(await here.over, { status: 'aborted', error: why })
      const { status, error } = await there.over
      assert.deepEqual([status, error?.name], ['reset', 'StreamResetError'])
      await eventually('both sockets are closed', () => near.socket.closed && far.socket.closed)
    })
  }

  test('one that does not come to its close, since nobody reads, is cut off by an abort', async () => {
    await using port = await new Port().listen()
    const before = openSockets()
    const [dialled, answered, near, far] = await met(port, end(), end())
    answered.connection.pause()
    for (let sent = 0; sent < 12; sent++) dialled.connection.send(new Uint8Array(1024 * 1024))
    await assert.rejects(near.close({ signal: AbortSignal.timeout(50) }))
    near.abort(new Error('it takes too long'))
    await eventually('it is closed', () => near.socket.closed)
    far.socket.destroy()
    await eventually('nothing is left open', () => openSockets() <= before)
  })

  test('one that is aborted while its end is being sent leaves nothing open', async () => {
    await using port = await new Port().listen()
    const before = openSockets()
    const [dialled, , near, far] = await met(port, end(), end())
    const heard = listenTo(dialled.connection)
    const closing = near.close({ signal: inTime() })
    // The kernel has been asked for the end by now, and Node hears of it in the next turn.
    near.abort(new Error('it takes too long'))
    await heard.over
    await closing
    await eventually('both are closed', () => near.socket.closed && far.socket.closed)
    await eventually('nothing is left open', () => openSockets() <= before)
  })

  test('who waits to send is told when there is room, and is never left waiting', async () => {
    await using port = await new Port().listen()
    const [dialled, answered] = await met(port, end(), end())
    const heard = listenTo(answered.connection)
    let waits = 0
    for (const bytes of [1, 256 * 1024 - 1, 256 * 1024, 300_000, 5_000_000, 16 * 1024])
      for (let time = 0; time < 5; time++) {
        if (dialled.connection.send(new Uint8Array(bytes))) continue
        waits += 1
        await dialled.connection.onDrain({ signal: inTime() })
      }
    await eventually('all came', () => heard.count === 5 * (1 + 512 * 1024 - 1 + 300_000 + 5_000_000 + 16 * 1024))
    assert.ok(waits > 0)
  })
})

describe('after the handshake', { timeout: 6 * deadlineMs }, () => {
  for (const direction of ['inbound', 'outbound'] as const) {
    test(`what is no record of TLS ends the connection, ${direction}`, async () => {
      await using port = await new Port().listen()
      const [socket, raw] = await port.dialled()
      const own = await ownCertificate()
      let stream: MessageStream
      if (direction === 'inbound') {
        const encrypting = end().secureInbound(raw, { signal: inTime() })
        await bare(socket, own)
        stream = (await encrypting).connection
      } else {
        const other = new TLSSocket(socket, { ...own, isServer: true, requestCert: true, rejectUnauthorized: false })
        other.on('error', () => {})
        stream = (await end().secureOutbound(raw, { signal: inTime() })).connection
      }
      const heard = listenTo(stream)
      // Past TLS of that side, whose socket only carries it.
      const handle = (socket as unknown as { _handle: { writeBuffer(request: object, bytes: Uint8Array): number } })
        ._handle
      handle.writeBuffer({ handle, oncomplete() {} }, Buffer.from('this is not for you at all'))
      const { status } = await heard.over
      assert.equal(status, 'aborted')
      await eventually('its socket is closed', () => raw.socket.closed)
    })
  }

  test('traffic keeps a connection from its timeout, either way, and silence does not', async () => {
    const inactivityMs = 400
    await using port = await new Port(inactivityMs).listen()
    const [dialled, answered, near] = await met(port, end(), end())
    const [here, there] = [listenTo(dialled.connection), listenTo(answered.connection)]
    const beganMs = performance.now()
    while (performance.now() - beganMs < 3 * inactivityMs) {
      const before = there.count
      dialled.connection.send(new Uint8Array(1))
      await eventually('it came', () => there.count > before)
      await sleep(inactivityMs / 8)
      assert.equal(near.status, 'open')
    }
    const { status, error } = await here.over
    assert.ok(status === 'aborted' ? error?.name === 'TimeoutError' : status === 'reset', `${status} ${error?.name}`)
    await there.over
  })

  test('what bounded the handshake has no say over the connection', async () => {
    await using port = await new Port().listen()
    const handshakes = new AbortController()
    const { signal } = handshakes
    const [near, far] = await port.pair()
    const [dialled] = await Promise.all([end().secureOutbound(near, { signal }), end().secureInbound(far, { signal })])
    assert.deepEqual(getEventListeners(signal, 'abort'), [])
    handshakes.abort(new Error('much later'))
    assert.equal(dialled.connection.status, 'open')
    await near.close({ signal: inTime() })
  })

  test('no promise was rejected without somebody to hear of it', () => assert.deepEqual(unhandled, []))
})

test('under TLS a frame goes out with what the muxer says of it', async (t) => {
  const hosts = await Promise.all([startedHost(), startedHost()])
  const [near, far] = hosts
  try {
    const heard = Promise.withResolvers<void>()
    await far.streams.handle(protocol, limits, async (channel) => {
      for (let frame = 0; frame < frames; frame++) await channel.read(inTime())
      heard.resolve()
    })
    await near.dial(addressOf(far), inTime())
    const channel = await near.streams.open(far.peer, protocol, limits, inTime())
    const alone = t.mock.method(Socket.prototype, '_write')
    for (let sent = 0; sent < frames; sent++) await channel.write(new Uint8Array(limits.frameBytesMax), inTime())
    await heard.promise
    const headersAlone = alone.mock.calls.filter(({ this: socket, arguments: [chunk] }) => {
      const bytes = chunk as Uint8Array
      return socket instanceof TLSSocket && bytes.byteLength === muxerHeaderBytes && bytes[1] === 0
    })
    assert.deepEqual(headersAlone, [])
    assert.equal(near.connections()[0]?.encrypter, 'tls')
    await channel.close(inTime())
  } finally {
    await stopAll(hosts)
  }
})
