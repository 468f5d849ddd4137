// What the owner is told of how a peer is reached.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { identityFromSeed, petnameOf, type RelayView } from '../../src/host/index.ts'
import { relayView, relayWarnings } from '../../src/node/relays.ts'

const relay = identityFromSeed(new Uint8Array(32).fill(7)).peer
const name = petnameOf(relay)
const open = '/ip4/203.0.113.7/tcp/4117/p2p/P'
const behind = `/ip4/203.0.113.8/tcp/4117/p2p/${relay}/p2p-circuit/p2p/P`
const hidden: RelayView = { isWanted: true, through: [], refusal: undefined, carries: undefined }
const carries = { holders: ['A', 'B'], circuits: 3, bytes: 7 }

const hostOf = (view: Partial<RelayView>, addresses: string[]): Parameters<typeof relayView>[0] => ({
  addresses: () => addresses,
  connections: () => [
    {
      peer: relay,
      address: open,
      direction: 'outbound',
      encrypter: 'tls',
      openedMs: 0,
      roundTripMs: 38,
      network: undefined,
    },
  ],
  relaying: () => ({ ...hidden, ...view }),
})
const told = (view: Partial<RelayView>, ...addresses: string[]): string[] => relayWarnings(hostOf(view, addresses))

test('a peer that can be dialled is warned of nothing, whoever carries for it', () => {
  assert.deepEqual(told({ isWanted: false }, open), [])
  assert.deepEqual(told({ through: [relay], carries }, open, behind), [])
})

test('one that cannot is told by whom it is reached, or why by nobody, and what to do', () => {
  assert.deepEqual(told({ through: [relay] }, behind), [
    `not reachable from outside (NAT): inbound only by ${name}, which is slower`,
  ])
  const [nobody] = told({})
  assert.match(nobody!, /no relay carries for it \(none of the peers that it knows is one\); forward a port/)
  const [full] = told({ refusal: 'it carries for as many as it may' })
  assert.match(full!, /no relay carries for it \(the last that was asked: it carries for as many as it may\)/)
  const [far] = told({ through: [relay] })
  assert.match(far!, new RegExp(`and nobody can dial ${name}; forward a port`))
})

test('a relay that nobody can dial is of no use, and that is said', () => {
  assert.deepEqual(told({ isWanted: false, carries }), [
    'it is a relay that nobody can dial: none of its addresses is public',
  ])
})

test('status has who carries, how far away, and for how many this peer does', () => {
  assert.deepEqual(relayView(hostOf({ through: [relay], carries }, [behind])), {
    through: [{ peer: relay, petname: name, rttMs: 38 }],
    carries: { peers: 2, connections: 3, bytes: 7 },
  })
  assert.deepEqual(relayView(hostOf({}, [])), { through: [], carries: null })
})
