// Bytes on the wire, as a host is told of them, beside what a wire carried.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'

import { multiaddr } from '@multiformats/multiaddr'

import type { ProtocolLimits } from '../../protocols/wire/index.ts'
import type { Host, HostWatch } from '../../src/host/index.ts'
import { addressOf, eventually, inTime, startedHost, stopAll } from './network.ts'

const limits: ProtocolLimits = { frameBytesMax: 64 * 1024, streamsPerPeerMax: 4 }
const protocol = '/pleach/wire/1'
const frames = 16
/** What is written to somebody who has gone already: a farewell. */
const lostBytesMax = 1024

/** A wire between a host and whoever dials it, which counts what goes each way. */
const tapped = async (host: Host) => {
  const target = Number(multiaddr(addressOf(host)).getComponents()[1]?.value)
  const carried = { there: 0, back: 0 }
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    near.on('data', (piece) => {
      carried.there += piece.byteLength
      far.write(piece)
    })
    far.on('data', (piece) => {
      carried.back += piece.byteLength
      near.write(piece)
    })
    const ends: [Socket, Socket][] = [
      [near, far],
      [far, near],
    ]
    for (const [one, other] of ends)
      one
        .on('error', () => {})
        .on('end', () => other.end())
        .on('close', () => other.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { carried, close: () => server.close(), address: `/ip4/127.0.0.1/tcp/${port}/p2p/${host.peer}` }
}

/** As much as is needed to be told of bytes on the wire. */
const watching = () => {
  const told = { bytes: 0 }
  const traffic = { onSent: () => {}, onTaken: () => {}, onWire: (bytes: number) => void (told.bytes += bytes) }
  const watch: HostWatch = {
    traffic,
    onPublish: () => {},
    onCopy: () => {},
    onFirst: () => {},
    onQuery: () => ({ onRequest: () => {}, onFailure: () => {}, onEnd: () => {} }),
  }
  return { told, watch }
}

test('bytes on the wire are counted as they went', async () => {
  const [ours, theirs] = [watching(), watching()]
  const hosts = await Promise.all([startedHost({}, { watch: ours.watch }), startedHost({}, { watch: theirs.watch })])
  const [near, far] = hosts
  const wire = await tapped(far)
  try {
    await far.streams.handle(protocol, limits, async (channel) => {
      for (let frame; (frame = await channel.read(inTime())) !== undefined;) await channel.write(frame, inTime())
    })
    await near.dial(wire.address, inTime())
    assert.equal(near.connections()[0]?.encrypter, 'tls')
    const channel = await near.streams.open(far.peer, protocol, limits, inTime())
    for (let sent = 0; sent < frames; sent++) {
      await channel.write(new Uint8Array(limits.frameBytesMax), inTime())
      await channel.read(inTime())
    }
    for (const { told } of [ours, theirs])
      assert.ok(told.bytes > (frames - 1) * limits.frameBytesMax, 'told while it goes on')
    await channel.close(inTime())
  } finally {
    await stopAll(hosts)
    wire.close()
  }
  assert.ok(wire.carried.there > frames * limits.frameBytesMax)
  const isTold = ({ told }: typeof ours, carried: number): boolean =>
    told.bytes >= carried && told.bytes <= carried + lostBytesMax
  await eventually('all went through', () => isTold(ours, wire.carried.there) && isTold(theirs, wire.carried.back))
})
