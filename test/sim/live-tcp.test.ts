// Live peers over TCP of the machine: the transport of production, and nothing in its place.

import assert from 'node:assert/strict'
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer, Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'

import { perfectLink } from '../../sim/live/link.ts'
import type { LivePeer } from '../../sim/live/live-peer.ts'
import { Measures } from '../../sim/live/measures/measures.ts'
import { ProcessTap } from '../../sim/live/measures/process-tap.ts'
import { spreadOf } from '../../sim/live/measures/spread.ts'
import { tcpCarrier } from '../../sim/live/tcp-carrier.ts'
import { until } from '../../sim/live/waits.ts'
import { LiveWorld } from '../../sim/live/world.ts'
import { plainRoles } from '../support/live.ts'

const peers = 16
const deadlineMs = 30_000
const quietMs = 200

/** multistream-select: a length, the text, a line feed. */
const said = (text: string): string => `${String.fromCharCode(text.length + 1)}${text}\n`

/** What whoever listens there answers to somebody who wants to go on with this protocol. */
const answerTo = async (protocol: string, ip: string, port: number): Promise<string> => {
  const socket = connect(port, ip)
  socket.setTimeout(deadlineMs, () => socket.destroy(new Error('nothing was answered')))
  try {
    socket.write(said('/multistream/1.0.0') + said(protocol), 'latin1')
    let heard = ''
    while (!heard.startsWith(said('/multistream/1.0.0')) || heard.length === said('/multistream/1.0.0').length) {
      const [bytes] = (await once(socket, 'data')) as [Buffer]
      heard += bytes.toString('latin1')
    }
    return heard.slice(said('/multistream/1.0.0').length)
  } finally {
    socket.destroy()
  }
}

/**
 * How much all sockets of this process that are made from now on have sent. All peers are here. What they read says the same, but not at once: what is
 * on its way when one begins to count was sent before, and is read after.
 */
const sentBytes = (): (() => number) => {
  const sockets = new Set<Socket>()
  for (const channel of ['net.client.socket', 'net.server.socket'])
    subscribe(channel, (message) => void sockets.add((message as { socket: Socket }).socket))
  return () => [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
}

/**
 * Whether nothing more was sent for a while, in time. What a peer sends is counted once it is written, and its handshake with the first that follows: while
 * nothing is on its way, all that sockets sent is counted.
 */
const isQuiet = async (sent: () => number): Promise<boolean> => {
  let [bytes, sinceMs] = [sent(), performance.now()]
  return until(() => {
    if (sent() !== bytes) [bytes, sinceMs] = [sent(), performance.now()]
    return performance.now() - sinceMs > quietMs
  }, deadlineMs)
}

/** What is written to sockets from now on, encrypted or not; the returned function ends it, and says how much it was. */
const writtenBytes = (): (() => number) => {
  const write = Socket.prototype.write
  let bytes = 0
  Socket.prototype.write = function (this: Socket, ...given: unknown[]) {
    bytes += (given[0] as Uint8Array).byteLength
    return Reflect.apply(write, this, given) as boolean
  }
  return () => {
    Socket.prototype.write = write
    return bytes
  }
}

describe('16 live peers over TCP', { timeout: 3 * deadlineMs }, () => {
  let world: LiveWorld
  let sent: () => number

  before(async () => {
    const options = { peers: plainRoles(peers, 4), seed: 7, carrier: 'tcp', boot: 'fast', link: perfectLink } as const
    sent = sentBytes()
    world = await LiveWorld.boot(options, () => {})
  })

  after(async () => {
    await world.stop()
    assert.deepEqual(world.errors, [])
  })

  test('listen each at an IP address of its own, and announce it', () => {
    assert.equal(new Set(world.peers.map(({ place }) => place.ip)).size, peers)
    for (const { host, place, name } of world.peers)
      assert.deepEqual(host.addresses(), [`${place.address}/p2p/${name}`])
  })

  test('speak noise and TLS to whoever dials, and nothing that is not encrypted', async () => {
    const { place } = world.peers[3]!
    const port = Number(place.address.split('/').at(-1))
    assert.equal(await answerTo('/noise', place.ip, port), said('/noise'))
    assert.equal(await answerTo('/tls/1.0.0', place.ip, port), said('/tls/1.0.0'))
    assert.equal(await answerTo('/plaintext/2.0.0', place.ip, port), said('na'))
  })

  test('have no weather', () => {
    assert.equal(world.net, undefined)
  })

  test('form a mesh, hear every bid, and find every record', async () => {
    assert.ok(await world.waitForMesh(4, deadlineMs), `the least has ${world.meshDegreeMin}`)
    const process = new ProcessTap('test')
    const measures = new Measures(world, { seed: 7, process })
    assert.ok(await isQuiet(sent))
    const sentBefore = sent()
    measures.start()
    await measures.probeBids(3, 500)
    assert.ok(await world.waitForRecords(deadlineMs))
    await measures.probeFinds(10)
    assert.ok(await isQuiet(sent))
    measures.stop()
    process.stop()
    const socketBytes = sent() - sentBefore
    const { gossip, finds, traffic } = measures.findings()
    assert.equal(spreadOf(gossip!).coverage, 1)
    assert.equal(finds!.found, 10)
    const carried = Object.values(traffic!)
    const sum = carried.reduce((all, { bytes }) => all + bytes, 0)
    assert.ok(Math.abs(sum / socketBytes - 1) < 0.002, `${sum} bytes counted, ${socketBytes} sent by sockets`)
    // A bid of 3 to 15 peers, signed and with who it is of, is not less than that.
    assert.ok(traffic!['/meshsub/1.2.0']!.bytes > 3 * 15 * 200)
    assert.ok(traffic!['/pleach/kad/1']!.streams > 10)
    // What it takes to encrypt, to frame, and to agree on protocols.
    assert.ok(traffic!['connections']!.bytes > sum / 20)
  })
})

describe('live peers over TCP that are killed', { timeout: 3 * deadlineMs }, () => {
  let world: LiveWorld

  before(async () => {
    const options = { peers: plainRoles(10, 3), seed: 8, carrier: 'tcp', boot: 'fast', link: perfectLink } as const
    world = await LiveWorld.boot(options, () => {})
    assert.ok(await world.waitForMesh(4, deadlineMs))
  })

  after(async () => {
    await world.stop()
    assert.deepEqual(world.errors, [])
  })

  test('are gone for others at once, dial in vain, and come back to their port with their disk', async () => {
    const peer = world.peers[1]!
    const { host, folder, place } = peer
    const connected = (to: LivePeer): boolean => to.host.connections().some((one) => one.peer === peer.name)
    const friends = world.peers.filter((other) => other !== peer && connected(other))
    assert.ok(friends.length >= 4)
    const written = writtenBytes()
    peer.crash()
    assert.equal(written(), 0)
    assert.deepEqual(host.connections(), [])
    await assert.rejects(answerTo('/noise', place.ip, Number(place.address.split('/').at(-1))), /ECONNREFUSED/)
    await assert.rejects(host.dial(friends[0]!.place.address, AbortSignal.timeout(deadlineMs)))
    assert.ok(await until(() => !friends.some(connected), deadlineMs))
    assert.ok(existsSync(`${peer.folder}/ledger.db`))
    assert.notEqual(peer.folder, folder)
    await peer.restart()
    assert.notEqual(peer.host, host)
    assert.ok(await until(() => peer.host.gossip.meshDegree(world.topic) > 0, deadlineMs))
    // The old life ends on its own, and its disk with it.
    assert.ok(await until(() => !existsSync(folder), deadlineMs))
  })

  test('while they dial and are dialled have nothing left of that', async () => {
    const [peer, other] = [world.peers[2]!, world.peers[7]!]
    const dials = world.peers
      .filter((one) => one !== peer && one.isUp)
      .flatMap((one) => [
        peer.host.dial(one.place.address, AbortSignal.timeout(deadlineMs)),
        one.host.dial(peer.place.address, AbortSignal.timeout(deadlineMs)),
      ])
    const ended = Promise.allSettled(dials)
    peer.crash()
    await ended
    assert.deepEqual(peer.host.connections(), [])
    await peer.restart()
    await peer.control.join(other.place.address, AbortSignal.timeout(deadlineMs))
    assert.ok(await until(() => peer.host.gossip.meshDegree(world.topic) > 0, deadlineMs))
  })
})

test('worlds with different numbers take no address from each other, and keep their places until they are taken', async () => {
  const carriers = [tcpCarrier(1), tcpCarrier(2)] as const
  const [one, other] = await Promise.all(carriers.map(async (carrier) => carrier.places(300)))
  assert.equal(new Set([...one!, ...other!].map(({ ip }) => ip)).size, 600)
  const { ip, address } = one![299]!
  assert.match(address, /^\/ip4\/127\.2\.1\.43\/tcp\/\d+$/)
  const listening = async (): Promise<void> => {
    const server = createServer().listen(Number(address.split('/').at(-1)), ip)
    await once(server, 'listening')
    server.close()
  }
  await assert.rejects(listening(), { code: 'EADDRINUSE' })
  for (const carrier of carriers) carrier.close()
  await listening()
  await assert.rejects(tcpCarrier(1).places(2 ** 16 + 1), RangeError)
})
