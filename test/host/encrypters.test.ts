// What encrypts connections: TLS or Noise, between hosts over TCP that have both, one, or try something else.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'

import { multiaddr } from '@multiformats/multiaddr'

import { encodeFrame, type Channel, type ProtocolLimits } from '../../protocols/wire/index.ts'
import { realRandom } from '../../src/environment.ts'
import { ChannelClosedError, identityFromSeed, type EncrypterName, type Host } from '../../src/host/index.ts'
import { addressOf, bytes, deadlineMs, eventually, inTime, startedHost, stopAll } from './network.ts'
import { stranger } from './stranger.ts'

const limits: ProtocolLimits = { frameBytesMax: 64 * 1024, streamsPerPeerMax: 4 }
const protocol = '/pleach/echo/1'

const encrypterOf = (host: Host, peer: string): string | undefined =>
  host.connections().find((connection) => connection.peer === peer)?.encrypter

/** Two hosts, of which the first has dialled the second, and the name of what both say encrypts that. */
const met = async (
  near: { tls: boolean },
  far: { tls: boolean },
  work: (near: Host, far: Host) => Promise<void> = async () => {},
): Promise<string> => {
  const hosts = await Promise.all([startedHost(near), startedHost(far)])
  try {
    const [one, two] = hosts
    await one.dial(addressOf(two), inTime())
    await eventually('the other side has it too', () => encrypterOf(two, one.peer) !== undefined)
    assert.equal(encrypterOf(two, one.peer), encrypterOf(one, two.peer))
    await work(one, two)
    return encrypterOf(one, two.peer)!
  } finally {
    await stopAll(hosts)
  }
}

describe('a connection', { timeout: 3 * deadlineMs }, () => {
  test('is encrypted with TLS where both have it, and otherwise with Noise, whoever dials', async () => {
    assert.equal(await met({ tls: true }, { tls: true }), 'tls')
    assert.equal(await met({ tls: false }, { tls: true }), 'noise')
    assert.equal(await met({ tls: true }, { tls: false }), 'noise')
    assert.equal(await met({ tls: false }, { tls: false }), 'noise')
  })

  for (const [names, expected] of [
    [['tls'], '/tls/1.0.0'],
    [['noise'], '/noise'],
    [['noise', 'tls'], '/noise'],
    [['tls', 'noise'], '/tls/1.0.0'],
  ] as [EncrypterName[], string][]) {
    test(`of a stranger that dials with ${names.join(' before ')} is what that one proposes first`, async () => {
      const host = await startedHost()
      const other = await stranger(names)
      try {
        const connection = await other.dial(multiaddr(addressOf(host)))
        assert.equal(connection.encryption, expected)
        assert.equal(connection.multiplexer, '/yamux/1.0.0')
        await eventually('it is identified', () => host.readiness().dhtTableSize === 1)
      } finally {
        await Promise.all([host.stop(), other.stop()])
      }
    })
  }

  test('to a stranger that has either alone comes about', async () => {
    const host = await startedHost()
    const others = await Promise.all([stranger(['tls']), stranger(['noise'])])
    try {
      for (const other of others) await host.dial(String(other.getMultiaddrs()[0]), inTime())
      assert.deepEqual(
        others.map(({ peerId }) => encrypterOf(host, peerId.toString())),
        ['tls', 'noise'],
      )
    } finally {
      await Promise.all([host, ...others].map(async (one) => one.stop()))
    }
  })
})

for (const direction of ['inbound', 'outbound'] as const) {
  test(
    `a connection under TLS, ${direction} from libp2p's own, carries what it is given, both ways`,
    { timeout: 3 * deadlineMs },
    async () => {
      const host = await startedHost()
      const other = await stranger(['tls'])
      try {
        const given = realRandom.bytes(3 * 1024 * 1024 + 7)
        await host.streams.handle(protocol, limits, async (channel) => {
          for (let frame; (frame = await channel.read(inTime())) !== undefined;) await channel.write(frame, inTime())
          await channel.close(inTime())
        })
        if (direction === 'outbound') await host.dial(String(other.getMultiaddrs()[0]), inTime())
        else await other.dial(multiaddr(addressOf(host)))
        await eventually('it is there', () => encrypterOf(host, other.peerId.toString()) === 'tls')
        const stream = await other.getConnections()[0]!.newStream(protocol)
        const come: Uint8Array[] = []
        const over = Promise.withResolvers<void>()
        stream.addEventListener('remoteCloseWrite', () => over.resolve())
        stream.addEventListener('message', ({ data }) => void come.push(data.subarray()))
        const frames: Uint8Array[] = []
        for (let at = 0; at < given.byteLength; at += limits.frameBytesMax)
          frames.push(encodeFrame(given.subarray(at, at + limits.frameBytesMax)))
        for (const frame of frames) if (!stream.send(frame)) await stream.onDrain({ signal: inTime() })
        await stream.close({ signal: inTime() })
        await over.promise
        assert.equal(Buffer.compare(Buffer.concat(come), Buffer.concat(frames)), 0)
      } finally {
        await Promise.all([host.stop(), other.stop()])
      }
    },
  )
}

for (const tls of [true, false]) {
  const name = tls ? 'TLS' : 'Noise'

  describe(`under ${name}`, { timeout: 3 * deadlineMs }, () => {
    test('whoever answers for another is refused', async () => {
      const hosts = await Promise.all([startedHost({ tls }), startedHost({ tls })])
      const [near, far] = hosts
      const wanted = identityFromSeed(realRandom.bytes(32)).peer
      try {
        await assert.rejects(near.dial(addressOf(far).replace(far.peer, wanted), inTime()))
        assert.deepEqual(near.connections(), [])
        await eventually('nothing is left of it', () => far.connections().length === 0)
      } finally {
        await stopAll(hosts)
      }
    })

    test('a stream that is closed one way carries on the other way', async () => {
      await met({ tls }, { tls }, async (near, far) => {
        const ended: unknown[] = []
        await far.streams.handle(protocol, limits, async (channel) => {
          let heard = 0
          for (let frame; (frame = await channel.read(inTime())) !== undefined;) heard += frame.byteLength
          ended.push(heard)
          for (let sent = 0; sent < 64; sent++) await channel.write(new Uint8Array(limits.frameBytesMax), inTime())
        })
        const channel = await near.streams.open(far.peer, protocol, limits, inTime())
        for (let sent = 0; sent < 64; sent++) await channel.write(new Uint8Array(limits.frameBytesMax), inTime())
        await channel.close(inTime())
        let heard = 0
        for (let frame; (frame = await channel.read(inTime())) !== undefined;) heard += frame.byteLength
        assert.deepEqual([heard, ended], [64 * limits.frameBytesMax, [64 * limits.frameBytesMax]])
      })
    })

    test('a stream that is aborted ends as reset, and the connection and its other streams live on', async () => {
      await met({ tls }, { tls }, async (near, far) => {
        const ends: unknown[] = []
        await far.streams.handle(protocol, limits, async (channel) => {
          try {
            for (let frame; (frame = await channel.read(inTime())) !== undefined;) await channel.write(frame, inTime())
          } catch (error) {
            ends.push(error)
            throw error
          }
        })
        const [kept, given] = [await echoed(near, far), await echoed(near, far)]
        given.abort(new Error('changed my mind'))
        await eventually('it has ended there', () => ends.length === 1)
        assert.ok(ends[0] instanceof ChannelClosedError)
        assert.equal(ends[0].code, 'reset')
        await kept.write(bytes('still here'), inTime())
        assert.deepEqual(await kept.read(inTime()), bytes('still here'))
        assert.equal(near.connections().length, 1)
      })
    })

    test('a connection that is lost is not taken for a clean end', async () => {
      await met({ tls }, { tls }, async (near, far) => {
        await far.streams.handle(protocol, limits, async (channel) => {
          for (let frame; (frame = await channel.read(inTime())) !== undefined;) await channel.write(frame, inTime())
        })
        const channel = await echoed(near, far)
        await far.stop()
        await assert.rejects(channel.read(inTime()), ChannelClosedError)
      })
    })

    test('who writes to somebody that does not read waits, whatever else the connection carries', async () => {
      await met({ tls }, { tls }, async (near, far) => {
        const waiting = Promise.withResolvers<void>()
        await far.streams.handle('/pleach/deaf/1', limits, async () => waiting.promise)
        await far.streams.handle(protocol, limits, async (channel) => {
          for (let frame; (frame = await channel.read(inTime())) !== undefined;) await channel.write(frame, inTime())
        })
        const deaf = await near.streams.open(far.peer, '/pleach/deaf/1', limits, inTime())
        const enough = new AbortController()
        let written = 0
        const writing = (async () => {
          for (;;) {
            await deaf.write(new Uint8Array(limits.frameBytesMax), enough.signal)
            written += limits.frameBytesMax
          }
        })()
        const echo = await echoed(near, far)
        for (let sent = 0; sent < 256; sent++) {
          await echo.write(new Uint8Array(limits.frameBytesMax), inTime())
          await echo.read(inTime())
        }
        // Its window, and what the other side holds before it pauses.
        assert.ok(written <= 2 * 1024 * 1024, `${written} bytes`)
        enough.abort()
        await assert.rejects(writing, { name: 'AbortError' })
        waiting.resolve()
      })
    })
  })
}

const echoed = async (near: Host, far: Host): Promise<Channel> => {
  const channel = await near.streams.open(far.peer, protocol, limits, inTime())
  await channel.write(bytes('hello'), inTime())
  assert.deepEqual(await channel.read(inTime()), bytes('hello'))
  return channel
}

describe('who chose TLS', { timeout: 2 * deadlineMs }, () => {
  /** multistream-select: a length, the text, a line feed. */
  const said = (text: string): string => `${String.fromCharCode(text.length + 1)}${text}\n`

  const chosen = async (host: Host): Promise<Socket> => {
    const socket = connectTcp(Number(multiaddr(addressOf(host)).getComponents()[1]?.value), '127.0.0.1')
    socket.on('error', () => {})
    const agreed = said('/multistream/1.0.0') + said('/tls/1.0.0')
    socket.write(agreed, 'latin1')
    let heard = ''
    while (heard.length < agreed.length) heard += ((await once(socket, 'data')) as [Buffer])[0].toString('latin1')
    assert.equal(heard, agreed)
    return socket
  }

  test('and has no certificate is refused', async () => {
    const host = await startedHost()
    try {
      const socket = await chosen(host)
      const closed = once(socket, 'close')
      const secured = connectTls({
        socket,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
        ALPNProtocols: ['libp2p'],
      })
      secured.on('error', () => {})
      await closed
      assert.deepEqual(host.connections(), [])
    } finally {
      await host.stop()
    }
  })

  test('and says the first word of TLS in the same breath is heard', async () => {
    const host = await startedHost()
    const socket = connectTcp(Number(multiaddr(addressOf(host)).getComponents()[1]?.value), '127.0.0.1')
    try {
      await once(socket, 'connect')
      const choice = said('/multistream/1.0.0') + said('/tls/1.0.0')
      let toSkip = choice.length
      const first: Buffer[] = [Buffer.from(choice, 'latin1')]
      const behind = new Duplex({
        read() {},
        write(chunk: Buffer, _encoding, done) {
          // What was chosen and what TLS begins with are one packet.
          socket.write(Buffer.concat([...first.splice(0), chunk]))
          done()
        },
      })
      socket.on('data', (chunk) => {
        const skipped = Math.min(toSkip, chunk.byteLength)
        toSkip -= skipped
        if (skipped < chunk.byteLength) behind.push(chunk.subarray(skipped))
      })
      const secured = connectTls({
        socket: behind,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
        ALPNProtocols: ['/yamux/1.0.0', 'libp2p'],
      })
      secured.on('error', () => {})
      await once(secured, 'secureConnect', { signal: inTime() })
      assert.equal(secured.alpnProtocol, '/yamux/1.0.0')
      secured.destroy()
    } finally {
      socket.destroy()
      await host.stop()
    }
  })

  test('and says nothing more, or ends at once, is not waited for', async () => {
    const host = await startedHost({ limits: { inboundHandshakeMs: 200, inboundPendingMax: 4 } })
    const other = await startedHost()
    const sockets = await Promise.all(Array.from({ length: 4 }, async () => chosen(host)))
    try {
      sockets[0]!.end()
      await eventually('they are cut off', () => sockets.every(({ closed }) => closed))
      await other.dial(addressOf(host), inTime())
      assert.deepEqual(
        host.connections().map(({ peer }) => peer),
        [other.peer],
      )
    } finally {
      for (const socket of sockets) socket.destroy()
      await stopAll([host, other])
    }
  })
})
