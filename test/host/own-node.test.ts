// A program that brings its own libp2p: what it adds is there, what the peer rests on may not be left out.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { generateKeyPair } from '@libp2p/crypto/keys'
import { createLibp2p } from 'libp2p'

import type { Services } from '../../src/host/configuration.ts'
import { createPeer, type MakeLibp2p } from '../../src/index.ts'
import { exits } from '../fixtures/programs.ts'
import { inTime } from '../support/mesh.ts'

test('a node with a service more is the peer, works for another, and is stopped with it', async () => {
  let made: Awaited<ReturnType<MakeLibp2p>> | undefined
  const libp2p: MakeLibp2p = async (options) => {
    const services = { ...options.services!, mine: () => ({ says: 'hello' }) }
    return (made = await createLibp2p<Services>({ ...options, services }))
  }
  await using lender = await createPeer({ offer: { cpuMilli: 1_000 }, signal: inTime() })
  {
    await using peer = await createPeer({ libp2p, bootstrap: lender.addresses(), signal: inTime() })
    assert.equal(made?.peerId.toString(), peer.id)
    assert.equal(made?.status, 'started')
    assert.deepEqual((made as { services: object } | undefined)?.services, {
      ...made?.services,
      mine: { says: 'hello' },
    })
    const job = await peer.run({
      module: exits(0),
      memory: '64Mi',
      disk: '1Mi',
      outputBytes: 1,
      logBytes: 1_024,
      wait: '20s',
    })
    await job.text({ signal: inTime() })
    assert.equal(job.exitCode, 0)
  }
  assert.equal(made?.status, 'stopped')
})

test('a node that the peer cannot rest on is refused, and stopped', async () => {
  const otherKey = await generateKeyPair('Ed25519')
  const made: Awaited<ReturnType<MakeLibp2p>>[] = []
  const by = (bend: (options: Parameters<MakeLibp2p>[0]) => object): MakeLibp2p => {
    return async (options) => {
      const node = await createLibp2p<Services>({ ...options, ...bend(options) })
      made.push(node)
      return node
    }
  }
  const cases: [MakeLibp2p, RegExp][] = [
    [by(() => ({ privateKey: otherKey })), /another key/],
    [
      by(({ services }) => ({
        services: Object.fromEntries(Object.entries(services!).filter(([name]) => name !== 'gossip')),
      })),
      /it has no gossip/,
    ],
    [by(() => ({ start: true })), /started already/],
  ]
  for (const [libp2p, message] of cases)
    await assert.rejects(createPeer({ libp2p, signal: inTime() }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'LIBP2P_UNFIT', error.stack)
      assert.match(error.message, message)
      return true
    })
  for (const { status } of made) assert.equal(status, 'stopped')
})
