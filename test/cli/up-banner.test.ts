// How a peer is reached, as `up` says it.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { bannerLines } from '../../src/cli/up-banner.ts'
import type { PeerOptions } from '../../src/config/options.ts'
import { FakeControl } from '../control/fake-control.ts'

const relay = '12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi'
const name = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
const through = `/ip4/203.0.113.7/tcp/4117/p2p/${relay}/p2p-circuit/p2p/${name}`
const open = `/ip4/203.0.113.8/tcp/4117/p2p/${name}`

const networkLine = (...addresses: string[]): string => {
  const facts = {
    connections: 2,
    meshDegree: 2,
    records: 1,
    firstRun: false,
    keyPath: '/k',
    offering: null,
    isolation: 'wasm only',
    measured: { cores: 1, memoryBytes: 1, diskFreeBytes: 1 },
  }
  const peer = {
    name,
    petname: 'cedar-heddle',
    addresses: () => addresses,
    control: new FakeControl(),
    ready: async () => facts,
    stop: async () => {},
  }
  const options = { network: 'main', bootstrap: [] as readonly string[] } as PeerOptions
  return bannerLines(peer, facts, options, 1_000, undefined).find((line) => line.startsWith('network'))!
}

test('a peer behind a NAT says by which relay it is reached, or that there is none yet', () => {
  assert.equal(
    networkLine(through),
    'network    main, 2 connections - not reachable from outside (NAT), relayed by 12D3KooW…vRAi',
  )
  assert.equal(
    networkLine(),
    'network    main, 2 connections - not reachable from outside (NAT), and by no relay yet: pleach status',
  )
})

test('a peer that can be dialled says nothing of it', () => {
  assert.equal(networkLine(through, open), 'network    main, 2 connections')
  assert.equal(networkLine(open), 'network    main, 2 connections')
})
