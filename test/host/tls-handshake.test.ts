// The handshake of TLS over a socket: who the other side is, and what is left of one that comes to nothing.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'

import { realRandom } from '../../src/environment.ts'
import { certificateMsMax } from '../../src/host/tls-context.ts'
import { deadlineMs, eventually, inTime } from './network.ts'
import { plainCertificate } from './plain-certificate.ts'
import { bare, end, muxer, openSockets, ownCertificate, Port, type Raw } from './raw-connections.ts'

const unhandled: unknown[] = []
process.on('unhandledRejection', (error) => unhandled.push(error))

/** What is rejected has left nothing behind. */
const refused = async (raw: Raw, encrypting: Promise<unknown>, why?: RegExp | object): Promise<void> => {
  await assert.rejects(encrypting, why as RegExp)
  await eventually('its socket is closed', () => raw.socket.closed)
  assert.equal(raw.status === 'open' || raw.status === 'closing', false)
}

describe('of a handshake', { timeout: 6 * deadlineMs }, () => {
  test('that stands still nothing is left once it is given up, by either side', async () => {
    await using port = await new Port().listen()
    const before = openSockets()
    const [socket, raw] = await port.dialled()
    const giveUp = new AbortController()
    const encrypting = end().secureInbound(raw, { signal: giveUp.signal })
    // It says that a handshake of 512 bytes comes, and no more.
    socket.write(Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3))
    await eventually('it was taken', () => raw.socket.bytesRead > 0)
    giveUp.abort(new Error('too late'))
    await refused(raw, encrypting, { name: 'AbortError' })
    const [near, silent] = await port.pair()
    await refused(near, end().secureOutbound(near, { signal: AbortSignal.timeout(50) }), { name: 'AbortError' })
    silent.socket.destroy()
    socket.destroy()
    await eventually('no socket is left', () => openSockets() <= before)
  })

  test('that was given up before it began the connection is ended', async () => {
    await using port = await new Port().listen()
    const [near, far] = await port.pair()
    await refused(near, end().secureOutbound(near, { signal: AbortSignal.abort(new Error('no')) }))
    await refused(far, end().secureInbound(far, { signal: inTime() }))
  })

  for (const [what, say] of [
    ['is of no such protocol', (socket: Socket) => void socket.write(realRandom.bytes(4096).fill(0x42, 0, 8))],
    ['ends at once', (socket: Socket) => void socket.end()],
    ['ends in the midst', (socket: Socket) => void socket.end(Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3))],
    ['is cut off', (socket: Socket) => void socket.resetAndDestroy()],
  ] as const) {
    for (const direction of ['secureInbound', 'secureOutbound'] as const) {
      test(`what ${what} is refused, ${direction}`, async () => {
        await using port = await new Port().listen()
        const [socket, raw] = await port.dialled()
        // Nothing bounds it but what the other side does.
        const encrypting = end()[direction](raw)
        say(socket)
        await refused(raw, encrypting)
        socket.destroy()
      })
    }
  }

  test('whoever is another than was wanted is refused', async () => {
    await using port = await new Port().listen()
    const [near, far] = await port.pair()
    const wanted = end().peerId
    const answered = end().secureInbound(far, { signal: inTime() })
    await refused(near, end().secureOutbound(near, { signal: inTime(), remotePeer: wanted }), {
      name: 'UnexpectedPeerError',
    })
    await answered.catch(() => {})
    await eventually('the other end is closed', () => far.socket.closed)
  })

  test('a certificate must be there, of libp2p, and of our time', async (t) => {
    await using port = await new Port().listen()
    const good = await ownCertificate()
    for (const [options, year, why] of [
      [{}, undefined, /no certificate/],
      [plainCertificate, 2100, /libp2p public key extension/],
      [good, 2300, /expired/],
      [good, 1999, /not valid yet/],
    ] as const) {
      const host = end()
      const [socket, raw] = await port.dialled()
      if (year !== undefined) t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(year) })
      const refusing = refused(raw, host.secureInbound(raw, { signal: inTime() }), why)
      await bare(socket, options)
      await refusing
      t.mock.timers.reset()
    }
  })

  test('TLS 1.2 is refused', async () => {
    await using port = await new Port().listen()
    const [socket, raw] = await port.dialled()
    const refusing = refused(raw, end().secureInbound(raw, { signal: inTime() }))
    await assert.rejects(bare(socket, { ...(await ownCertificate()), maxVersion: 'TLSv1.2' }))
    await refusing
  })

  test('the muxer is what the other side would have, and is left open where one of the two does without', async () => {
    await using port = await new Port().listen()
    for (const [offered, chosen] of [
      [['/other/1', muxer, 'libp2p'], muxer],
      [['libp2p'], 'libp2p'],
      [['/other/1', 'libp2p'], 'libp2p'],
    ] as const) {
      const [socket, raw] = await port.dialled()
      const encrypting = end().secureInbound(raw, { signal: inTime() })
      const secured = await bare(socket, { ...(await ownCertificate()), ALPNProtocols: [...offered] })
      assert.equal(secured.alpnProtocol, chosen)
      assert.equal((await encrypting).streamMuxer?.protocol, chosen === muxer ? muxer : undefined)
    }
    const [none, raw] = await port.dialled()
    const refusing = refused(raw, end().secureInbound(raw, { signal: inTime() }))
    await assert.rejects(bare(none, { ...(await ownCertificate()), ALPNProtocols: ['/other/1'] }))
    await refusing
    for (const skips of ['near', 'far'] as const) {
      const [one, two] = await port.pair()
      const [dialled, answered] = await Promise.all([
        end().secureOutbound(one, { signal: inTime(), skipStreamMuxerNegotiation: skips === 'near' }),
        end().secureInbound(two, { signal: inTime(), skipStreamMuxerNegotiation: skips === 'far' }),
      ])
      assert.deepEqual([dialled.streamMuxer, answered.streamMuxer], [undefined, undefined])
    }
  })

  test('whoever comes again shows its certificate again: nothing is resumed', async () => {
    await using port = await new Port().listen()
    const host = end()
    const own = await ownCertificate()
    let session: Buffer | undefined
    const peers = new Set<string>()
    for (let time = 0; time < 2; time++) {
      const [socket, raw] = await port.dialled()
      const encrypting = host.secureInbound(raw, { signal: inTime() })
      const secured = connectTls({
        socket,
        rejectUnauthorized: false,
        ALPNProtocols: ['libp2p'],
        ...own,
        ...(session === undefined ? {} : { session }),
      })
      secured.on('error', () => {})
      const ticket = once(secured, 'session', { signal: inTime() })
      await once(secured, 'secure', { signal: inTime() })
      assert.equal(secured.isSessionReused(), false)
      const { remotePeer, connection } = await encrypting
      peers.add(remotePeer.toString())
      connection.send(new Uint8Array(1))
      secured.resume()
      session = ((await ticket) as [Buffer])[0]
    }
    assert.equal(peers.size, 1)
  })

  test('one certificate serves all connections of a host, until it has had its time', async () => {
    await using port = await new Port().listen()
    let nowMs = 0
    const host = end({ clock: { monotonicMs: () => nowMs } })
    const shown = async (): Promise<string> => {
      const [socket, raw] = await port.dialled()
      const [secured] = await Promise.all([
        bare(socket, await ownCertificate()),
        host.secureInbound(raw, { signal: inTime() }),
      ])
      const { fingerprint256, valid_to } = secured.getPeerCertificate()
      assert.ok(new Date(valid_to).getFullYear() - new Date().getFullYear() >= 99)
      return fingerprint256
    }
    const [first, beside] = await Promise.all([shown(), shown()])
    nowMs = certificateMsMax - 1
    assert.deepEqual([beside, await shown()], [first, first])
    nowMs = certificateMsMax
    assert.notEqual(await shown(), first)
  })

  test('no promise was rejected without somebody to hear of it', () => assert.deepEqual(unhandled, []))
})
