// For whom a relay carries, as the library asks before it does.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { CircuitRelayServerComponents } from '@libp2p/circuit-relay-v2'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'

import { realClock, silentLog } from '../../src/environment.ts'
import { createCarrier } from '../../src/host/carrier.ts'
import { identityFromSeed, limitsFor } from '../../src/host/index.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'
import { seedOf } from './network.ts'

const [first, second, third, elsewhere, hidden] = [1, 2, 3, 4, 5].map((seed) =>
  peerIdFromString(identityFromSeed(seedOf(seed)).peer),
) as [PeerId, PeerId, PeerId, PeerId, PeerId]
const relay = identityFromSeed(seedOf(9)).peer

/** Two at one address have a place already. */
const carrying = (isPublic: boolean) => {
  const limits = { ...limitsFor('public'), reservationsPerHouseMax: 2 }
  const carrier = createCarrier({ limits, isPublic, clock: realClock, log: silentLog, onCarried: () => {} })
  const at = (peer: PeerId): string => `/ip4/${peer.equals(elsewhere) ? '5.6.7.8' : '1.2.3.4'}/tcp/1`
  const service = carrier.service({
    logger: silentLogger,
    connectionManager: {
      getConnections: (peer: PeerId) =>
        peer.equals(hidden)
          ? [{ direct: false, remoteAddr: multiaddr(`/ip4/1.2.3.4/tcp/1/p2p/${relay}/p2p-circuit`) }]
          : [{ direct: true, remoteAddr: multiaddr(at(peer)) }],
    },
  } as unknown as CircuitRelayServerComponents)
  const place = { signal: { clear: () => {} } } as unknown as NonNullable<ReturnType<typeof service.reservations.get>>
  for (const peer of [first, second]) service.reservations.set(peer, place)
  return { carrier, isDenied: async (peer: PeerId) => carrier.gates.denyInboundRelayReservation!(peer) }
}

test('a relay of a public network carries for so many at one address, and renews what they have', async () => {
  const { carrier, isDenied } = carrying(true)
  assert.equal(await isDenied(third), true)
  assert.equal(await isDenied(first), false, 'it has a place')
  assert.equal(await isDenied(elsewhere), false)
  carrier.gone(second)
  assert.equal(await isDenied(third), false, 'there is room')
  assert.deepEqual(carrier.view().holders, [first.toString()])
})

test('where all have one address it says nothing', async () => {
  const { isDenied } = carrying(false)
  assert.equal(await isDenied(third), false)
})
