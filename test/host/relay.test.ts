// Hosts that cannot be dialled, and relays between them, over TCP on 127.0.0.1.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Channel } from '../../protocols/wire/index.ts'
import { realRandom } from '../../src/environment.ts'
import type { Host, HostOptions } from '../../src/host/index.ts'
import { addressOf, deadlineMs, eventually, inTime, startedHost, stopAll } from './network.ts'

const protocol = '/pleach/sim/mirror/1'
const limits = { frameBytesMax: 64 * 1024, streamsPerPeerMax: 4 }

const mirror = async (channel: Channel): Promise<void> => {
  for (let frame; (frame = await channel.read(inTime())) !== undefined;) await channel.write(frame, inTime())
}

const relayOf = async (options: Partial<HostOptions> = {}): Promise<Host> =>
  startedHost({ relay: { serve: true }, ...options })

/** Listens on nothing: whoever wants to reach it needs a relay. */
const behindNat = async (relays: readonly Host[], options: Partial<HostOptions> = {}): Promise<Host> =>
  startedHost({ listen: [], bootstrap: relays.map(addressOf), ...options })

const reached = (host: Host, count: number): Promise<void> =>
  eventually('relays carry for it', () => host.relaying().through.length === count && host.addresses().length > 0)

/** Opened once the DHT has heard of where the other is. */
const found = async (host: Host, peer: string, signal: AbortSignal): Promise<Channel> => {
  for (;;) {
    try {
      return await host.streams.open(peer, protocol, limits, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Error && error.name === 'NoValidAddressesError')) throw error
      await sleep(20, undefined, { signal })
    }
  }
}

const never = (): void => assert.fail('it is not counted')

const throughOf = (host: Host, other: Host): string[] =>
  host
    .connections()
    .filter(({ peer }) => peer === other.peer)
    .map(({ address }) => (address.includes('/p2p-circuit') ? 'relay' : 'direct'))

describe('relays', { timeout: 6 * deadlineMs }, () => {
  test('two that cannot be dialled meet through a relay, which sees ciphertext and counts it', async () => {
    const counts = { carried: 0, one: 0, two: 0 }
    const relay = await startedHost(
      { relay: { serve: true } },
      {
        relayed: {
          onCarried: (holder, more) => (counts.carried += holder === one.peer ? more : NaN),
          onServed: never,
        },
      },
    )
    const servedTo = (name: 'one' | 'two') => ({
      relayed: {
        onCarried: never,
        onServed: (by: string, more: number) => (counts[name] += by === relay.peer ? more : NaN),
      },
    })
    const one = await startedHost({ listen: [], bootstrap: [addressOf(relay)] }, servedTo('one'))
    const two = await startedHost({ listen: [], bootstrap: [addressOf(relay)] }, servedTo('two'))
    try {
      await one.streams.handle(protocol, limits, mirror)
      await Promise.all([one, two].map(async (host) => reached(host, 1)))
      assert.ok(one.addresses().every((address) => address.includes(`/p2p/${relay.peer}/p2p-circuit/p2p/${one.peer}`)))
      await two.dial(addressOf(one), inTime())
      assert.deepEqual(throughOf(two, one), ['relay'])
      const [view] = two.connections().filter(({ peer }) => peer === one.peer)
      assert.equal(view!.encrypter, 'tls')

      const before = relay.relaying().carries!.bytes
      const channel = await two.streams.open(one.peer, protocol, limits, inTime())
      const said = realRandom.bytes(32 * 1024)
      for (let round = 0; round < 40; round++) {
        await channel.write(said, inTime())
        assert.deepEqual(await channel.read(inTime()), said)
      }
      await channel.close(inTime())
      assert.equal(await channel.read(inTime()), undefined)
      const carries = relay.relaying().carries!
      const carried = carries.bytes - before
      // There and back, and what encryption and the muxer add.
      assert.ok(carried > 80 * 32 * 1024 && carried < 1.05 * 80 * 32 * 1024, String(carried))
      assert.deepEqual([...carries.holders].toSorted(), [one.peer, two.peer].toSorted())
      assert.equal(carries.circuits, 1)
      // Both count it as carried for the one that was dialled; it alone does not count the handshake, of some KiB.
      await eventually('all is there', () => counts.carried - counts.one < 16 * 1024)
      assert.ok(counts.one > 80 * 32 * 1024 && counts.one <= counts.carried, JSON.stringify(counts))
      assert.equal(counts.two, 0)
    } finally {
      await stopAll([one, two, relay])
    }
  })

  test('one is found by its name alone, and what can go directly does', async () => {
    const relay = await relayOf()
    const hidden = await behindNat([relay])
    const open = await startedHost({ bootstrap: [addressOf(relay)] })
    try {
      await hidden.streams.handle(protocol, limits, mirror)
      await reached(hidden, 1)
      // Nobody told it where the other is: the DHT does.
      await eventually('it is in the table', () => open.readiness().dhtTableSize > 0)
      const channel = await found(open, hidden.peer, inTime())
      await channel.write(Uint8Array.of(7), inTime())
      assert.deepEqual(await channel.read(inTime()), Uint8Array.of(7))
      await eventually('they have a direct connection', () => throughOf(open, hidden).includes('direct'))
      await channel.close(inTime())
      const { bytes } = relay.relaying().carries!
      const direct = await open.streams.open(hidden.peer, protocol, limits, inTime())
      for (let round = 0; round < 16; round++) {
        await direct.write(realRandom.bytes(60_000), inTime())
        await direct.read(inTime())
      }
      assert.ok(relay.relaying().carries!.bytes - bytes < 100_000, 'it went past the relay')
    } finally {
      await stopAll([hidden, open, relay])
    }
  })

  test('when a relay goes away another is used, and when none is left that is said', async () => {
    const relays = [await relayOf(), await relayOf(), await relayOf()]
    const limits = { reserveAgainAfterMs: 100 }
    const hidden = await behindNat(relays, { limits })
    try {
      await reached(hidden, 2)
      const used = hidden.relaying().through
      const spare = relays.find(({ peer }) => !used.includes(peer))!
      await relays.find(({ peer }) => peer === used[0])!.stop()
      await eventually('the third is used', () => hidden.relaying().through.includes(spare.peer))
      assert.equal(hidden.relaying().through.length, 2)
      assert.ok(hidden.addresses().some((address) => address.includes(spare.peer)))
      assert.ok(hidden.addresses().every((address) => !address.includes(used[0]!)))
      await stopAll(relays)
      await eventually('none is left', () => hidden.relaying().through.length === 0)
      assert.equal(hidden.relaying().isWanted, true)
      assert.deepEqual(hidden.addresses(), [])
    } finally {
      await stopAll([hidden, ...relays])
    }
  })

  test('a relay declines whom it has no room for, and says why; who goes makes room', async () => {
    const relay = await relayOf({ limits: { reservationsMax: 1 } })
    const limits = { reserveAgainAfterMs: 50, reserveAgainAfterMsMax: 100 }
    const first = await behindNat([relay])
    await reached(first, 1)
    const second = await behindNat([relay], { limits })
    try {
      await eventually('it is declined', () => second.relaying().refusal !== undefined)
      assert.equal(second.relaying().refusal, 'it carries for as many as it may')
      await first.stop()
      await reached(second, 1)
      assert.equal(second.relaying().refusal, undefined)
      assert.deepEqual(relay.relaying().carries!.holders, [second.peer])
    } finally {
      await stopAll([first, second, relay])
    }
  })

  test('no more circuits than a relay allows, and none longer than it allows', async () => {
    const relay = await relayOf({ limits: { circuitsPerHolderMax: 1, circuitBytesMax: 300_000 } })
    const hidden = await behindNat([relay])
    const callers = [await behindNat([relay]), await behindNat([relay])]
    try {
      await hidden.streams.handle(protocol, limits, mirror)
      await Promise.all([hidden, ...callers].map(async (host) => reached(host, 1)))
      const [first, second] = callers
      await first!.dial(addressOf(hidden), inTime())
      await assert.rejects(second!.dial(addressOf(hidden), inTime()), /PERMISSION_DENIED/)
      const channel = await first!.streams.open(hidden.peer, protocol, limits, inTime())
      await assert.rejects(async () => {
        for (;;) {
          await channel.write(new Uint8Array(50_000), inTime())
          await channel.read(inTime())
        }
      }, /reset|lost|closed/)
      await eventually('it is over', () => relay.relaying().carries!.circuits === 0)
      await eventually('there is room', () => throughOf(first!, hidden).length === 0)
      await second!.dial(addressOf(hidden), inTime())
    } finally {
      await stopAll([hidden, ...callers, relay])
    }
  })

  test('what is carried keeps to the rate, and nothing of it is lost', async () => {
    const bytesPerSecond = 4_000_000
    const relay = await relayOf({ relay: { serve: true, bytesPerSecond } })
    const hidden = await behindNat([relay])
    const caller = await behindNat([relay])
    const heard = Promise.withResolvers<number>()
    try {
      await hidden.streams.handle(protocol, limits, async (channel) => {
        let bytes = 0
        for (let frame; (frame = await channel.read(inTime())) !== undefined;) bytes += frame.byteLength
        heard.resolve(bytes)
      })
      await Promise.all([hidden, caller].map(async (host) => reached(host, 1)))
      await caller.dial(addressOf(hidden), inTime())
      const channel = await caller.streams.open(hidden.peer, protocol, limits, inTime())
      const startMs = performance.now()
      for (let frames = 0; frames < 60; frames++) await channel.write(new Uint8Array(50_000), inTime())
      await channel.close(inTime())
      assert.equal(await heard.promise, 3_000_000)
      const seconds = (performance.now() - startMs) / 1_000
      // Half of it is for one peer; the last that is sent ahead is not waited for.
      assert.ok(3_000_000 / seconds < bytesPerSecond, `in ${seconds} s`)
    } finally {
      await stopAll([hidden, caller, relay])
    }
  })

  test('a host that can be dialled uses no relay, and one that is told so neither', async () => {
    const relay = await relayOf()
    const open = await startedHost({ bootstrap: [addressOf(relay)] })
    const never = await behindNat([relay], { relay: { use: 'never' } })
    const named = await startedHost({ relay: { use: [addressOf(relay)] } })
    try {
      await reached(named, 1)
      await eventually('they are there', () => [open, never].every((host) => host.connections().length > 0))
      assert.equal(open.relaying().isWanted, false)
      assert.deepEqual(never.relaying(), { isWanted: false, through: [], refusal: undefined, carries: undefined })
      assert.deepEqual(relay.relaying().carries!.holders, [named.peer])
      assert.equal(named.addresses().filter((address) => address.includes('p2p-circuit')).length, 1)
    } finally {
      await stopAll([open, never, named, relay])
    }
  })

  test('who is no relay of a host does not become one by saying that somebody dials it through them', async () => {
    const stranger = await relayOf()
    const host = await behindNat([stranger], { relay: { use: 'never' } })
    try {
      await eventually('they are connected', () => stranger.connections().length > 0)
      const channel = await stranger.streams.open(host.peer, '/libp2p/circuit/relay/0.2.0/stop', limits, inTime())
      await assert.rejects(channel.read(inTime()), /reset/)
      assert.deepEqual(stranger.relaying().carries!.holders, [])
      assert.deepEqual(host.addresses(), [])
    } finally {
      await stopAll([host, stranger])
    }
  })

  test('a question to a relay that is longer than any is not heard to its end', async () => {
    const relay = await relayOf()
    const stranger = await startedHost({ bootstrap: [addressOf(relay)] })
    const long = { ...limits, frameBytesMax: 2 ** 20 }
    try {
      await eventually('they are connected', () => stranger.connections().length > 0)
      const channel = await stranger.streams.open(relay.peer, '/libp2p/circuit/relay/0.2.0/hop', long, inTime())
      await channel.write(new Uint8Array(200_000), inTime())
      // Heard to its end it would be answered: that it is malformed.
      await assert.rejects(channel.read(inTime()), /reset/)
    } finally {
      await stopAll([relay, stranger])
    }
  })
})
