import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ControlError } from '../../src/control/api.ts'
import type { PeerEvent } from '../../src/host/index.ts'
import { checkJoined, connectionWarnings, introduced } from '../../src/node/joining.ts'

const line = (peer: string, network: string | undefined) => ({ peer, network })

test('an owner is told when there is nobody, or nobody of the same network', () => {
  assert.deepEqual(connectionWarnings([], 'main'), ['no other peer is connected'])
  assert.deepEqual(connectionWarnings([line('a', undefined)], 'main'), [], 'it has not said yet')
  assert.deepEqual(connectionWarnings([line('a', 'main')], 'main'), [])
  assert.deepEqual(connectionWarnings([line('a', 'trial'), line('b', 'main')], 'main'), [])
  assert.deepEqual(connectionWarnings([line('a', 'trial'), line('b', undefined)], 'main'), [])
  const [warning, ...others] = connectionWarnings([line('a', 'trial'), line('b', 'other')], 'main')
  assert.deepEqual(others, [])
  assert.match(warning!, /another network \(trial, this peer of main\).*pleach up --network trial, or --bootstrap/)
})

test('to join a peer of another network is told as such', () => {
  const lines = [line('a', 'trial'), line('b', 'main'), line('c', undefined)]
  assert.throws(
    () => checkJoined('/ip4/1.2.3.4', 'a', lines, 'main'),
    (error) =>
      error instanceof ControlError &&
      error.code === 'NETWORK_FOREIGN' &&
      /it is of trial, and this one of main/.test(error.why),
  )
  for (const peer of ['b', 'c', 'gone']) checkJoined('/ip4/1.2.3.4', peer, lines, 'main')
})

/** A host with one connection, whose other end says its network when it is told to. */
class Met {
  network: string | undefined
  readonly listeners = new Set<(event: PeerEvent) => void>()

  connections = () => [{ ...line('a', this.network), ...lineRest }]
  onPeer = (listener: (event: PeerEvent) => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  tell(event: PeerEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}

const lineRest = {
  address: '/ip4/1.2.3.4',
  direction: 'outbound',
  encrypter: 'tls',
  openedMs: 0,
  roundTripMs: undefined,
} as const

test('who was dialled is waited for until it has said who it is, and no longer', async () => {
  const endless = new AbortController()
  const met = new Met()
  let isOver = false
  const waiting = introduced(met, 'a', endless.signal).then(() => (isOver = true))
  met.tell({ kind: 'connected', peer: 'a' })
  met.tell({ kind: 'identified', peer: 'b' })
  await new Promise(setImmediate)
  assert.equal(isOver, false)
  met.network = 'trial'
  met.tell({ kind: 'identified', peer: 'a' })
  await waiting
  assert.equal(met.listeners.size, 0)

  await introduced(met, 'a', endless.signal)
  await introduced(met, 'gone', endless.signal)

  met.network = undefined
  const lost = introduced(met, 'a', endless.signal)
  met.tell({ kind: 'gone', peer: 'a' })
  await lost

  const patience = new AbortController()
  const silent = introduced(met, 'a', patience.signal)
  patience.abort()
  await silent
  await introduced(met, 'a', patience.signal)
  assert.equal(met.listeners.size, 0)
})
