// Whole hosts over TCP on 127.0.0.1.

import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { multiaddr } from '@multiformats/multiaddr'

import { HostError, identityFromSeed, memoryKeyValue, type Host, type PeerEvent } from '../../src/host/index.ts'
import {
  addressOf,
  bytes,
  called,
  deadlineMs,
  eventually,
  hostOf,
  inTime,
  listener,
  seedOf,
  startedHost,
  stopAll,
  topic,
} from './network.ts'
import { stranger } from './stranger.ts'

const connected = (host: Host, other: Host): boolean => host.connections().some(({ peer }) => peer === other.peer)

describe('hosts', { timeout: 3 * deadlineMs }, () => {
  test('two meet by an address, and tell of it', async () => {
    const one = await startedHost()
    const two = await hostOf()
    const events: PeerEvent[] = []
    const quiet = two.onPeer((event) => events.push(event))
    await two.start()
    try {
      assert.equal(await two.dial(addressOf(one), inTime()), one.peer)
      assert.deepEqual(events, [
        { kind: 'connected', peer: one.peer },
        { kind: 'identified', peer: one.peer },
      ])
      const [view] = two.connections()
      assert.deepEqual(
        { ...view, openedMs: 0 },
        {
          peer: one.peer,
          address: addressOf(one),
          direction: 'outbound',
          encrypter: 'tls',
          openedMs: 0,
          roundTripMs: undefined,
          network: 'sim',
        },
      )
      assert.ok(Math.abs(Date.now() - view!.openedMs) < deadlineMs)
      await eventually('each is in the other’s table', () =>
        [one, two].every((host) => host.readiness().dhtTableSize === 1),
      )
      await one.stop()
      await eventually('it is gone', () => events.at(-1)?.kind === 'gone')
      quiet()
    } finally {
      await stopAll([one, two])
    }
    assert.equal(events.length, 3)
  })

  test('twelve dial one at once, and all succeed and are heard by all', async () => {
    const listeners = Array.from({ length: 13 }, () => listener())
    // Whatever would hold against them that they are of one address holds from the second on.
    const first = await startedHost({ limits: { gossipPeersPerIpMax: 1 } })
    const others = await Promise.all(listeners.slice(1).map(async () => hostOf()))
    const hosts = [first, ...others]
    try {
      for (const [index, host] of hosts.entries()) host.gossip.subscribe(topic, listeners[index]!)
      await Promise.all(others.map(async (host) => host.start()))
      await Promise.all(others.map(async (host) => host.dial(addressOf(first), inTime())))
      await eventually('all are in the mesh', () => hosts.every((host) => host.gossip.meshDegree(topic) > 0))
      await others[0]!.gossip.publish(topic, bytes('hello'))
      const said = `${others[0]!.peer} hello`
      await eventually('all heard it', () => listeners.every(({ heard }, index) => index === 1 || heard.includes(said)))
      assert.deepEqual(listeners[1]!.heard, [], 'it does not hear itself')
      for (const { heard } of listeners) assert.ok(heard.length <= 1, 'nobody hears it twice')
      assert.deepEqual(Object.keys(first.readiness().meshDegrees), [topic])
    } finally {
      await stopAll(hosts)
    }
  })

  test('one that is beset with idle sockets is still reached', async () => {
    const host = await startedHost()
    const port = Number(multiaddr(addressOf(host)).getComponents()[1]?.value)
    const sockets = Array.from({ length: 60 }, () => connect(port, '127.0.0.1').on('error', () => {}))
    await Promise.all(sockets.map(async (socket) => called((done) => socket.once('connect', done))))
    const other = await startedHost()
    try {
      assert.equal(await other.dial(addressOf(host), inTime()), host.peer)
    } finally {
      for (const socket of sockets) socket.destroy()
      await stopAll([host, other])
    }
  })

  test('of another network neither gossip nor keep records together', async () => {
    const one = await startedHost()
    const two = await startedHost({ network: 'other', bootstrap: [addressOf(one)] })
    const hearing = listener()
    one.gossip.subscribe(topic, hearing)
    assert.throws(() => two.gossip.subscribe(topic, listener()), RangeError)
    try {
      await eventually('they are connected', () => connected(two, one))
      assert.equal(await two.gossip.publish(topic, bytes('hello')), 0)
      assert.equal(one.readiness().dhtTableSize, 0)
      const seenBy = (host: Host): string | undefined => host.connections()[0]?.network
      await eventually(
        'each knows of which network the other is',
        () => seenBy(one) === 'other' && seenBy(two) === 'sim',
      )
    } finally {
      await stopAll([one, two])
    }
  })

  test('announce nothing that is out of reach', async () => {
    const host = await startedHost({ reach: 'public', announce: ['/ip4/10.1.2.3/tcp/4'] })
    try {
      assert.deepEqual(
        host.addresses(),
        [`/ip4/10.1.2.3/tcp/4/p2p/${host.peer}`],
        'what a person said, and not 127.0.0.1',
      )
    } finally {
      await host.stop()
    }
  })
})

describe('a host that cannot start says why', { timeout: deadlineMs }, () => {
  const refused = (code: HostError['code'], message: RegExp) => (error: unknown) =>
    error instanceof HostError && error.code === code && message.test(error.message)

  test('its port is in use', async () => {
    const server = createServer()
    await called((done) => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as { port: number }
    const host = await hostOf({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })
    const us = new RegExp(`tcp/${port} on 127.0.0.1 is used by .* \\(pid ${process.pid}\\)`)
    await assert.rejects(host.start(), refused('PORT_IN_USE', us))
    await called((done) => server.close(done))
  })

  test('the address is not this machine’s', async () => {
    const host = await hostOf({ listen: ['/ip4/203.0.113.1/tcp/0'] })
    await assert.rejects(host.start(), refused('LISTEN_FAILED', /203\.0\.113\.1/))
  })

  test('an address to begin from is none', async () => {
    await assert.rejects(
      hostOf({ bootstrap: ['/ip4/1.2.3.4/tcp/x'] }),
      refused('ADDRESS_INVALID', /1\.2\.3\.4\/tcp\/x/),
    )
  })

  test('the network has no name', async () => {
    await assert.rejects(hostOf({ network: '../x' }), refused('NETWORK_INVALID', /\.\.\/x/))
  })
})

describe('redialling', { timeout: 3 * deadlineMs }, () => {
  test('finds a peer that comes up later, and again after it was restarted', async () => {
    const identity = identityFromSeed(seedOf(7))
    const first = await startedHost({}, { identity })
    const address = addressOf(first)
    const listen = [address.replace(/\/p2p\/.*/, '')]
    await first.stop()

    // So that nothing but the failure, and then the loss, can be what makes it dial.
    const two = await startedHost({ bootstrap: [address], limits: { lookEveryMs: 60_000 } })
    await sleep(300) // Long enough for it to have been refused, which is the point.
    assert.deepEqual(two.connections(), [])
    const second = await startedHost({ listen }, { identity })
    await eventually('it is found', () => connected(two, second))
    await second.stop()
    await eventually('it is lost', () => !connected(two, second))
    const third = await startedHost({ listen }, { identity })
    await eventually('it is found again', () => connected(two, third))
    await stopAll([two, third])
  })

  test('knows after a restart whom it met before, without being told', async () => {
    const one = await startedHost()
    const store = memoryKeyValue()
    const identity = identityFromSeed(seedOf(8))
    const before = await startedHost({ bootstrap: [addressOf(one)] }, { store, identity })
    await eventually('they are connected', () => connected(before, one))
    await eventually(
      'it is known',
      () => [...store.list('/peers/')].length > 1 && before.readiness().dhtTableSize === 1,
    )
    await before.stop()
    const after = await startedHost({}, { store, identity })
    await eventually('they are connected again', () => connected(after, one))
    await stopAll([one, after])
  })

  test('tells of the protocols of this run, and not of those of an earlier one', async () => {
    const store = memoryKeyValue()
    const identity = identityFromSeed(seedOf(10))
    const before = await hostOf({}, { store, identity })
    await before.streams.handle('/pleach/old/1', { frameBytesMax: 1, streamsPerPeerMax: 1 }, async () => {})
    await before.start()
    await before.stop()
    const after = await startedHost({}, { store, identity })
    const other = await stranger()
    const told = new Promise<readonly string[]>((resolve) => {
      other.addEventListener('peer:identify', ({ detail }) => resolve(detail.protocols))
    })
    try {
      await other.dial(multiaddr(addressOf(after)))
      const protocols = await told
      assert.ok(protocols.includes('/pleach/sim/kad/1'))
      assert.ok(!protocols.includes('/pleach/old/1'))
    } finally {
      await after.stop()
      await other.stop()
    }
  })

  test('does not stop at a dead address', async () => {
    const one = await startedHost()
    const two = await startedHost({ bootstrap: ['/ip4/127.0.0.1/tcp/1', addressOf(one)], limits: { pacedDialsMax: 1 } })
    await eventually('they are connected', () => connected(two, one))
    await stopAll([one, two])
  })
})

test(
  'dials on the word of others stay within reach, and what a person types does not',
  { timeout: deadlineMs },
  async () => {
    const one = await startedHost()
    const two = await startedHost({ reach: 'public', listen: [] })
    const limits = { frameBytesMax: 64, streamsPerPeerMax: 1 }
    await one.streams.handle('/pleach/x/1', limits, async () => {})
    // The third says where the first is, and would be believed: a look-up in the DHT gives 127.0.0.1.
    const three = await startedHost({ bootstrap: [addressOf(one)] })
    try {
      await eventually('the third knows the first', () => three.readiness().dhtTableSize > 0)
      await two.dial(addressOf(three), inTime())
      await assert.rejects(two.streams.open(one.peer, '/pleach/x/1', limits, inTime()))
      assert.equal(await two.dial(addressOf(one), inTime()), one.peer)
      const channel = await two.streams.open(one.peer, '/pleach/x/1', limits, inTime())
      channel.abort(new Error('enough'))
    } finally {
      await stopAll([one, two, three])
    }
  },
)
