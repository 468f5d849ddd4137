// The bulletin and gossip between honest hosts and one that speaks kad-dht and gossipsub as it pleases.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'

import { memoryKeyValue, type Host, type KeyValue } from '../../src/host/index.ts'
import {
  addressOf,
  bytes,
  deadlineMs,
  eventually,
  inTime,
  listener,
  network,
  numbered,
  startedHost,
  stopAll,
  topic,
} from './network.ts'
import { stranger, type Stranger } from './stranger.ts'

const all = async <Item>(items: AsyncIterable<Item>): Promise<Item[]> => {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

/** What the stranger tells the others to store; resolves with how many said yes. */
const putRaw = async ({ services }: Stranger, path: string, value: string): Promise<number> => {
  let acknowledged = 0
  for await (const event of services.dht.put(bytes(path), bytes(value), { signal: inTime() })) {
    if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') acknowledged += 1
  }
  return acknowledged
}

describe('the bulletin', { timeout: 3 * deadlineMs }, () => {
  let hosts: Host[] = []
  let stores: KeyValue[] = []
  let evil: Stranger
  const stored = (): number => stores.reduce((sum, store) => sum + [...store.list('/dht/record/')].length, 0)
  const read = async (host: Host, key: string): Promise<string | undefined> => {
    const value = await host.bulletin.get('numbered', bytes(key), inTime())
    return value === undefined ? undefined : new TextDecoder().decode(value)
  }

  before(async () => {
    stores = Array.from({ length: 4 }, () => memoryKeyValue())
    const options = { records: [numbered], limits: { recordsPerAuthorMax: 3 } }
    const first = await startedHost(options, { store: stores[0]! })
    const rest = await Promise.all(
      stores.slice(1).map(async (store) => startedHost({ ...options, bootstrap: [addressOf(first)] }, { store })),
    )
    hosts = [first, ...rest]
    evil = await stranger()
    for (const host of hosts) await evil.dial(multiaddr(addressOf(host)))
    await eventually('all are in the tables', () => hosts.every((host) => host.readiness().dhtTableSize >= 2))
  })
  after(async () => {
    await stopAll(hosts)
    await evil.stop()
  })

  test('gives what was put, to everybody, and the newest', async () => {
    const [one, two, three] = hosts as [Host, Host, Host]
    assert.equal(await read(two, 'ann'), undefined)
    assert.ok((await one.bulletin.put('numbered', bytes('ann'), bytes('1:a'), inTime())) >= 3)
    for (const host of hosts) assert.equal(await read(host, 'ann'), '1:a')
    await three.bulletin.put('numbered', bytes('ann'), bytes('2:b'), inTime())
    for (const host of hosts) assert.equal(await read(host, 'ann'), '2:b')
  })

  test('does not let a replayed record roll a newer one back, and a reader does not believe it', async () => {
    const [one, two] = hosts as [Host, Host]
    await one.bulletin.put('numbered', bytes('bob'), bytes('5:new'), inTime())
    assert.equal(await read(two, 'bob'), '5:new')
    assert.equal(await putRaw(evil, '/numbered/bob', '4:old'), 0)
    for (const host of hosts) assert.equal(await read(host, 'bob'), '5:new')
    await assert.rejects(one.bulletin.put('numbered', bytes('bob'), bytes('4:old'), inTime()), { code: 'STALE' })
  })

  test('refuses what no rule allows: over the cap, unlawful, of no namespace, of a name that every object has', async () => {
    const before = stored()
    assert.equal(await putRaw(evil, '/numbered/cat', `1:${'x'.repeat(64)}`), 0)
    assert.equal(await putRaw(evil, '/numbered/cat', 'not a number'), 0)
    assert.equal(await putRaw(evil, '/free/x', '1:x'), 0)
    assert.equal(await putRaw(evil, '/constructor/x', '1:x'), 0)
    assert.equal(await putRaw(evil, '/toString/x', '1:x'), 0)
    assert.equal(await putRaw(evil, '/__proto__/x', '1:x'), 0)
    assert.equal(stored(), before)
    for (const host of hosts) assert.equal(await read(host, 'cat'), undefined)
    await assert.rejects(hosts[0]!.bulletin.put('free', bytes('x'), bytes('1:x'), inTime()), { code: 'FIELD_INVALID' })
  })

  test('keeps so many records of an author', async () => {
    const before = stored()
    const acknowledged: number[] = []
    for (const key of ['a', 'b', 'c', 'd']) acknowledged.push(await putRaw(evil, `/numbered/dan/${key}`, '1:x'))
    assert.deepEqual(acknowledged, [4, 4, 4, 0])
    assert.equal(stored(), before + 3 * hosts.length)
  })

  test('gives the answer even when a liar will not be corrected', async () => {
    const [one, two] = hosts as [Host, Host]
    await one.bulletin.put('numbered', bytes('eve'), bytes('2:new'), inTime())
    // Its own store has the old value, and it never takes another.
    const takes = evil.services.dht as unknown as {
      components: { datastore: { put(key: unknown, value: unknown): unknown } }
    }
    await putRaw(evil, '/numbered/eve', '1:old')
    const { datastore } = takes.components
    const put = datastore.put.bind(datastore)
    datastore.put = () => {
      throw new Error('no')
    }
    try {
      assert.equal(await read(two, 'eve'), '2:new')
    } finally {
      datastore.put = put
    }
  })

  test('finds who advertised a name, once each, no more than asked for, and not oneself', async () => {
    const [one, two, three, four] = hosts as [Host, Host, Host, Host]
    const name = '/pleach/sim/can/keep'
    const found = async (host: Host, limit: number): Promise<string[]> => all(host.bulletin.find(name, limit, inTime()))
    assert.deepEqual(await found(four, 5), [])
    await Promise.all([one, two, three].map(async (host) => host.bulletin.advertise(name, inTime())))
    assert.deepEqual((await found(four, 5)).toSorted(), [one.peer, two.peer, three.peer].toSorted())
    assert.deepEqual((await found(one, 5)).toSorted(), [two.peer, three.peer].toSorted())
    assert.equal((await found(four, 2)).length, 2)
    assert.deepEqual(await found(four, 0), [])
    assert.equal(
      [...stores[0]!.list('/dht/provider/')].some(([key]) => key.endsWith(one.peer)),
      true,
    )
    await one.bulletin.withdraw(name)
    assert.equal(
      [...stores[0]!.list('/dht/provider/')].some(([key]) => key.endsWith(one.peer)),
      false,
    )
  })

  test('stops when told to', async () => {
    await assert.rejects(
      hosts[0]!.bulletin.put('numbered', bytes('fox'), bytes('1:x'), AbortSignal.abort(new Error('enough'))),
    )
  })
})

describe('gossip', { timeout: 3 * deadlineMs }, () => {
  test('passes on what is accepted, and neither what is ignored nor what is rejected', async () => {
    // A chain: what the far end hears, the middle has passed on.
    const middle = await startedHost()
    const [near, far] = (await Promise.all(
      [1, 2].map(async () => startedHost({ bootstrap: [addressOf(middle)], limits: { connectionsMin: 1 } })),
    )) as [Host, Host]
    const hosts = [near, middle, far]
    const listeners = hosts.map(() => listener())
    try {
      // The near end rejects nothing, so that what it sends is unlawful only to the others.
      near.gossip.subscribe(topic, { ...listeners[0]!, judge: () => 'accept' })
      middle.gossip.subscribe(topic, listeners[1]!)
      far.gossip.subscribe(topic, listeners[2]!)
      await eventually(
        'the middle is in both meshes',
        () => middle.gossip.meshDegree(topic) === 2 && far.gossip.meshDegree(topic) > 0,
      )
      for (const text of ['ignored', 'rejected', 'accepted']) await near.gossip.publish(topic, bytes(text))
      await eventually('the far end hears', () => listeners[2]!.heard.length > 0)
      assert.deepEqual(listeners[1]!.judged.toSorted(), ['accepted', 'ignored', 'rejected'])
      assert.deepEqual(listeners[1]!.heard, [`${near.peer} accepted`])
      assert.deepEqual(listeners[2]!.heard, [`${near.peer} accepted`], 'with its author, and not who passed it on')
      assert.deepEqual(new Set(listeners[2]!.judged), new Set(['accepted']))
    } finally {
      await stopAll(hosts)
    }
  })

  test('a stranger’s messages: over the cap not judged, a judge’s Fault a rejection, unknown topics not touched', async () => {
    const host = await startedHost()
    const evil = await stranger()
    const hearing = listener()
    host.gossip.subscribe(topic, hearing)
    const hostile = `/pleach/${network}/test/1/hostile`
    host.gossip.subscribe(hostile, {
      ...hearing,
      judge: () => {
        throw new Error('our own mistake')
      },
    })
    try {
      await evil.dial(multiaddr(addressOf(host)))
      const knows = (name: string): boolean =>
        evil.services.gossip.getSubscribers(name).some((peer) => peer.equals(peerIdFromString(host.peer)))
      await eventually('it knows of the topics', () => knows(topic) && knows(hostile))
      const { gossip } = evil.services
      // To reach a host that has not asked for a topic, one only has to say that it did.
      const topics = (gossip as unknown as { topics: Map<string, Set<string>> }).topics
      for (const name of ['__proto__', 'constructor', `/pleach/other/x`]) {
        topics.set(name, new Set([host.peer]))
        await gossip.publish(name, bytes('x'))
      }
      await gossip.publish(topic, new Uint8Array(65))
      await gossip.publish(hostile, bytes('x'))
      await gossip.publish(topic, bytes('hello'))
      await eventually('the lawful one is heard', () => hearing.heard.length > 0)
      assert.deepEqual(hearing.heard, [`${evil.peerId.toString()} hello`])
      assert.deepEqual(hearing.judged, ['hello'])
      assert.deepEqual(Object.keys(Object.prototype), [], 'nobody wrote into the prototype of everything')
    } finally {
      await stopAll([host])
      await evil.stop()
    }
  })

  test('one leaves a topic, and it may have another handler then', async () => {
    const one = await startedHost()
    const two = await startedHost({ bootstrap: [addressOf(one)] })
    const [first, second] = [listener(), listener()]
    try {
      const leave = one.gossip.subscribe(topic, first)
      assert.throws(() => one.gossip.subscribe(topic, second), /has a handler/)
      await eventually('two can publish', () => two.connections().length > 0)
      leave()
      leave()
      assert.deepEqual(one.readiness().meshDegrees, {})
      one.gossip.subscribe(topic, second)
      two.gossip.subscribe(topic, listener())
      await eventually('the mesh is there', () => two.gossip.meshDegree(topic) > 0)
      await two.gossip.publish(topic, bytes('hello'))
      await eventually('the second hears', () => second.heard.length === 1)
      assert.deepEqual(first.heard, [])
      await assert.rejects(two.gossip.publish(topic, new Uint8Array(65)), RangeError)
    } finally {
      await stopAll([one, two])
    }
  })
})
