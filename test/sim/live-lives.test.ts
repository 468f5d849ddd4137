// What becomes of live peers that hang, are killed, leave and come back.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { perfectLink } from '../../sim/live/link.ts'
import type { LivePeer } from '../../sim/live/live-peer.ts'
import { program } from '../fixtures/programs.ts'
import { LiveWorld } from '../../sim/live/world.ts'
import { plainRoles, until as untilWithin } from '../support/live.ts'

const deadlineMs = 30_000
const until = async (what: string, holds: () => boolean): Promise<void> => untilWithin(what, holds, deadlineMs)
let scratch: string

/** The path of a program that does nothing. */
async function noop(): Promise<string> {
  const path = join(scratch, 'noop.wasm')
  await writeFile(
    path,
    program(() => []),
  )
  return path
}

function isConnected(peer: LivePeer, other: LivePeer): boolean {
  return peer.host.connections().some((connection) => connection.peer === other.name)
}

describe('live peers', { timeout: 4 * deadlineMs }, () => {
  let world: LiveWorld
  const friendsOf = (peer: LivePeer): LivePeer[] =>
    world.peers.filter((other) => other !== peer && other.isUp && isConnected(other, peer))

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'pleach-lives-'))
    const link = { ...perfectLink, latencyMs: 5 }
    world = await LiveWorld.boot({ peers: plainRoles(10, 3), seed: 3, carrier: 'own', boot: 'fast', link }, () => {})
    assert.ok(await world.waitForMesh(4, deadlineMs))
  })

  after(async () => {
    await world.stop()
    await rm(scratch, { recursive: true, force: true })
    await new Promise((resolve) => {
      world.net!.wheel.after(100, () => resolve(undefined))
    })
    assert.equal(world.net!.linesCount, 0)
    assert.deepEqual(world.errors, [])
  })

  test('that are killed are gone for others at once, and come back with their disk and their friends', async () => {
    const peer = world.peers[1]!
    const friends = friendsOf(peer)
    assert.ok(friends.length >= 4)
    const [host, folder] = [peer.host, peer.folder]
    peer.crash()
    await until('friends see that it is gone', () => friends.every((friend) => !isConnected(friend, peer)))
    await assert.rejects(host.dial(friends[0]!.place.address, AbortSignal.timeout(5_000)))
    assert.equal(peer.isUp, false)
    assert.notEqual(peer.folder, folder)
    assert.ok(existsSync(`${peer.folder}/ledger.db`))
    await peer.restart()
    assert.notEqual(peer.host, host)
    assert.equal((await peer.control.status()).peer, peer.name)
    await until(
      'it is in the mesh again, with nobody telling it whom to dial',
      () => peer.host.gossip.meshDegree(world.topic) > 0,
    )
  })

  test('that hang keep their connections, say and hear nothing, and hear later what was under way', async () => {
    const [peer, other, author] = [world.peers[2]!, world.peers[6]!, world.peers[5]!]
    const friends = friendsOf(peer)
    let [heard, heardByOther] = [0, 0]
    const unwatch = [peer.watchers.add({ onCopy: () => heard++ }), other.watchers.add({ onCopy: () => heardByOther++ })]
    peer.freeze()
    // More processors than anybody has: a bid that nobody answers.
    await author.control.submit({ module: await noop(), cpuMilli: 500_000 }, AbortSignal.timeout(deadlineMs))
    await until('a bid is heard', () => heardByOther > 0)
    assert.ok(friends.every((friend) => isConnected(friend, peer)))
    assert.equal(heard, 0)
    peer.thaw()
    await until('what was under way arrives', () => heard > 0)
    assert.ok(peer.frozenMs > 0)
    for (const end of unwatch) end()
  })

  test('whose disk is full refuse what they would have to keep, and go on when there is room again', async () => {
    const peer = world.peers[7]!
    const path = join(scratch, 'object')
    await writeFile(path, Buffer.alloc(200_000, 7))
    const put = async () => peer.control.put({ path, code: '2+1' }, AbortSignal.timeout(deadlineMs))
    const job = async (name: string) =>
      peer.control.submit(
        { name, module: await noop(), cpuMilli: 500_000, waitMs: 100 },
        AbortSignal.timeout(deadlineMs),
      )
    const { object } = await put()
    peer.disk.isFull = true
    await assert.rejects(put())
    assert.ok(peer.disk.refused > 0)
    // The ledger has room for some jobs in the pages that it has.
    await assert.rejects(async () => {
      for (let count = 0; count < 64; count++) await job(`${count} ${'x'.repeat(40)}`)
    })
    peer.disk.isFull = false
    peer.crash()
    await peer.restart()
    await peer.control.get({ object, path: join(scratch, 'again') }, AbortSignal.timeout(deadlineMs))
    await job('there is room')
    // What it logged about its disk is no surprise.
    world.errors.splice(0)
  })

  test('that leave are not there, and come back', async () => {
    const peer = world.peers[3]!
    const friends = friendsOf(peer)
    await peer.leave()
    await until('friends see that it left', () => friends.every((friend) => !isConnected(friend, peer)))
    await peer.restart()
    await until('it is in the mesh again', () => peer.host.gossip.meshDegree(world.topic) > 0)
    assert.ok(await world.waitForRecords(deadlineMs))
  })

  test('whose disk is lost are who they were and remember nothing', async () => {
    const peer = world.peers[4]!
    peer.crash()
    await peer.loseDisk()
    assert.equal(existsSync(peer.folder), false)
    await peer.restart()
    assert.equal((await peer.control.status()).peer, peer.name)
    await peer.control.join(world.peers[0]!.place.address, AbortSignal.timeout(10_000))
    await until('it is in the mesh again', () => peer.host.gossip.meshDegree(world.topic) > 0)
  })
})
