// Whom a host dials back that was dialled through a relay.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Connection, IdentifyResult } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

import { silentLog } from '../../src/environment.ts'
import { isWithin } from '../../src/host/address.ts'
import { createCallBack } from '../../src/host/call-back.ts'
import { identityFromSeed } from '../../src/host/index.ts'
import { seedOf } from './network.ts'

const caller = identityFromSeed(seedOf(1)).peer
const relay = identityFromSeed(seedOf(2)).peer
const open = `/ip4/127.0.0.1/tcp/4117`
const behind = `/ip4/127.0.0.1/tcp/4118/p2p/${relay}/p2p-circuit`

const dialled = (
  told: Partial<Pick<Connection, 'direct' | 'direction'>>,
  listens: string[],
  others: boolean[] = [],
) => {
  const dials: string[][] = []
  const events = new EventTarget()
  const callBack = createCallBack({
    node: Object.assign(events, {
      getConnections: () => others.map((direct) => ({ direct }) as Connection),
    }),
    dialler: {
      dial: async (target) => {
        dials.push((target as Multiaddr[]).map(String))
        throw new Error('nobody answers')
      },
      isIdentified: () => true,
      stop: () => {},
    },
    addressesPerPeerMax: 2,
    isAllowed: (address) => isWithin('loopback', address),
    log: silentLog,
  })
  callBack.start()
  const detail = {
    peerId: peerIdFromString(caller),
    connection: { direct: false, direction: 'inbound', ...told },
    listenAddrs: listens.map((address) => multiaddr(address)),
  } as unknown as IdentifyResult
  events.dispatchEvent(new CustomEvent('peer:identify', { detail }))
  callBack.stop()
  events.dispatchEvent(new CustomEvent('peer:identify', { detail }))
  return dials
}

test('who was dialled through a relay dials back, where the caller can be dialled', () => {
  assert.deepEqual(dialled({}, [behind, open]), [[`${open}/p2p/${caller}`]])
  assert.deepEqual(dialled({}, [`${open}/p2p/${caller}`], [false]), [[`${open}/p2p/${caller}`]])
  const many = [1, 2, 3].map((port) => `/ip4/127.0.0.1/tcp/${port}`)
  assert.equal(dialled({}, many)[0]!.length, 2)
})

test('and not otherwise', () => {
  assert.deepEqual(dialled({}, [behind]), [], 'it is behind a relay itself')
  assert.deepEqual(dialled({}, ['/ip4/10.0.0.1/tcp/4117']), [], 'an address that is not dialled on the word of others')
  assert.deepEqual(dialled({ direct: true }, [open]), [], 'there was no relay between')
  assert.deepEqual(dialled({ direction: 'outbound' }, [open]), [], 'we dialled, and had tried')
  assert.deepEqual(dialled({}, [open], [false, true]), [], 'there is a direct connection')
})
