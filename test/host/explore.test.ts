// Hosts that know one address between them: how they find each other, also when they come before whom they begin from.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'

import { createExplore } from '../../src/host/explore.ts'
import { identityFromSeed, type Host } from '../../src/host/index.ts'
import { deadlineMs, eventually, inTime, seedOf, startedHost, stopAll } from './network.ts'

/** After its start kad-dht looks round once, and then not for five minutes. */
const kadLooksMs = 1_000
const connectionsMin = 4
const others = 7

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const peersOf = (host: Host): number => new Set(host.connections().map(({ peer }) => peer)).size

test(
  'hosts that were there before the one that they begin from find each other',
  { timeout: 3 * deadlineMs },
  async (t) => {
    const address = `/ip4/127.0.0.1/tcp/${await freePort()}`
    const limits = { connectionsMin, redialAfterMs: 100, redialAfterMsMax: 400, lookEveryMs: 250 }
    const hosts = await Promise.all(
      Array.from({ length: others }, async () => startedHost({ bootstrap: [address], limits })),
    )
    t.after(async () => stopAll(hosts))
    await sleep(2 * kadLooksMs)
    assert.ok(hosts.every((host) => host.connections().length === 0))
    hosts.push(await startedHost({ listen: [address], limits }))
    await eventually(`each has ${connectionsMin} peers`, () => hosts.every((host) => peersOf(host) >= connectionsMin))
  },
)

const peers = Array.from({ length: 9 }, (_, index) => peerIdFromString(identityFromSeed(seedOf(index + 1)).peer))

/** A DHT of which each answer names these; it says where it was asked for, and whether the asking went on to its end. */
const dhtOf = (...answers: readonly (readonly PeerId[])[]) => {
  const seen = { keys: [] as Uint8Array[], answers: 0 }
  const dht = {
    async *getClosestPeers(key: Uint8Array) {
      seen.keys.push(key)
      yield { name: 'SEND_QUERY' }
      for (const closer of answers) {
        seen.answers += 1
        yield { name: 'PEER_RESPONSE', closer: closer.map((id) => ({ id })) }
      }
      throw new Error('nobody else answers')
    },
  }
  return { dht: dht as unknown as Parameters<typeof createExplore>[0], seen }
}

test('who is named is wanted, once each, no more than asked for, and no more is asked than that takes', async () => {
  const random = { bytes: (count: number) => new Uint8Array(count).fill(7), float: () => 0 }
  const { dht, seen } = dhtOf(peers.slice(0, 3), peers.slice(2, 6), peers.slice(6))
  const explore = createExplore(dht, random, (peer) => peer !== peers[0])
  assert.deepEqual(await explore(4, inTime()), peers.slice(1, 5))
  assert.deepEqual(seen, { keys: [new Uint8Array(32).fill(7)], answers: 2 })
  assert.deepEqual(await explore(100, inTime()), peers.slice(1), 'what was found counts, though the end was bad')
  await assert.rejects(createExplore(dhtOf().dht, random, () => true)(4, inTime()), /nobody else/)
})
