// What a peer does unasked for the objects of its owner.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { decodeObjectManifest } from '../../protocols/erasure/index.ts'
import { createPlacement } from '../../protocols/placement/index.ts'
import { cidOfDocument } from '../../protocols/wire/index.ts'
import { realClock, realRandom } from '../../src/environment.ts'
import { signer } from '../support/peers.ts'
import type { DataPlane } from '../../src/node/data.ts'
import { Planes } from '../support/planes.ts'

const day = 24 * 60 * 60_000
const never = new AbortController().signal
const [owner, other] = [0, 1]

async function staged(code: string, keepers: number) {
  const planes = await Planes.of(2 + keepers, 2)
  const data = realRandom.bytes(200_000)
  const { plane } = planes.peers[owner]!
  const put = await plane.puts.put({ path: await planes.file('data', data), code }, never)
  const silent = (count: number): void => {
    for (const { peer } of put.keepers.slice(0, count)) planes.board.dead.add(peer)
  }
  return { planes, plane, put, data, silent, listed: () => plane.objects.list()[0]! }
}

test('terms are renewed when a third is left, for years, and others learn of it', async () => {
  const { planes, plane, put, listed, data } = await staged('2+1', 4)
  await using _planes = planes
  planes.aheadMs = 10 * day
  await plane.care.tend(never)
  assert.equal(listed().keptUntilMs, put.keptUntilMs)
  for (let days = 20.5; days < 100; days += 20) {
    planes.aheadMs = days * day
    for (const peer of planes.peers) await peer.plane.store.sweep()
    await plane.care.tend(never)
    assert.ok(listed().keptUntilMs > planes.clock.nowMs() + 29 * day, `after ${days} days`)
  }
  const path = join(planes.folder, 'got')
  await planes.peers[other]!.plane.objects.get({ object: put.read, path }, never)
  assert.ok((await readFile(path)).equals(data))
  assert.equal(listed().healthy, 3)
})

test('nothing is repaired before half of what may be lost is lost, or while who is silent may come back', async () => {
  const { planes, plane, silent, put, listed } = await staged('4+4', 12)
  await using _planes = planes
  silent(1)
  planes.aheadMs = 60 * 60_000
  await plane.care.tend(never)
  assert.equal(listed().healthy, 7)
  silent(2)
  await plane.care.tend(never)
  // The second was there a moment ago.
  assert.equal(listed().healthy, 6)
  planes.aheadMs += 31 * 60_000
  await plane.care.tend(never)
  await plane.care.audit(put.object, never)
  assert.equal(listed().healthy, 8)
  assert.equal(listed().object, put.object)
  assert.deepEqual(planes.peers[owner]!.broken, [])
})

test('what is left is renewed also when there is nobody to repair with', async () => {
  // Three keepers for three shards: when one is gone, no other may take what it had.
  const { planes, plane, silent, put } = await staged('2+1', 3)
  await using _planes = planes
  silent(1)
  for (let days = 20.5; days < 60; days += 20) {
    planes.aheadMs = days * day
    for (const peer of planes.peers) await peer.plane.store.sweep()
    await plane.care.tend(never)
  }
  assert.equal((await plane.care.audit(put.object, never)).healthy, 2)
})

test('who was given up and comes back is asked again before anything is made anew', async () => {
  const { planes, plane, put, silent, data } = await staged('2+1', 4)
  await using _planes = planes
  const away = put.keepers[0]!.peer
  silent(1)
  planes.aheadMs = 60 * 60_000
  await plane.care.tend(never)
  planes.aheadMs += 31 * 60_000
  await plane.care.tend(never)
  const repaired = await plane.care.audit(put.object, never)
  assert.equal(repaired.healthy, 3)
  assert.ok(!repaired.results.some(({ keeper }) => keeper.peer === away))
  // It is back, and who got its shard is gone, with another: nobody names it any more, and without it the object would be lost.
  planes.board.dead.delete(away)
  const heir = repaired.results
    .map(({ keeper }) => keeper.peer)
    .find((peer) => !put.keepers.some((one) => one.peer === peer))
  for (const peer of [heir!, put.keepers[1]!.peer]) planes.board.dead.add(peer)
  planes.aheadMs += 31 * 60_000
  await plane.care.tend(never)
  const path = join(planes.folder, 'got')
  await planes.peers[other]!.plane.objects.get({ object: put.read, path }, never)
  assert.ok((await readFile(path)).equals(data))
})

test('a keeper that has not got what it said it keeps is held to it, once; one that is silent is not', async () => {
  const { planes, plane, put, silent } = await staged('2+2', 4)
  await using _planes = planes
  const [first, forgetful] = put.keepers
  silent(1)
  const { ledger } = planes.named(forgetful!.peer)
  ledger.writeNow((db) => db.exec('DELETE FROM shards'))
  for (let round = 0; round < 2; round++) await plane.care.audit(put.object, never)
  const { broken } = planes.peers[owner]!
  assert.equal(broken.length, 1, String(broken))
  assert.ok(broken[0]!.startsWith(`${forgetful!.peer} shard `))
  // Somebody with a string was promised nothing.
  await planes.peers[other]!.plane.care.audit(put.verify, never)
  assert.deepEqual(planes.peers[other]!.broken, [])
  assert.notEqual(first!.peer, forgetful!.peer)
})

test('what another repaired, the owner reads, and goes on to look after', async () => {
  const { planes, plane, put, silent, data } = await staged('2+2', 8)
  await using _planes = planes
  silent(2)
  const repaired = await planes.peers[other]!.plane.care.repair({ object: put.verify }, never)
  assert.deepEqual([repaired.healthyBefore, repaired.healthyAfter], [2, 4])
  silent(3)
  const path = join(planes.folder, 'got')
  await plane.objects.get({ object: put.object, path }, never)
  assert.ok((await readFile(path)).equals(data))
  const audit = await plane.care.audit(put.object, never)
  assert.equal(audit.healthy, 3)
})

test('a keeper that repairs asks itself too whether another repairs, and gives back what it claimed there', async () => {
  const { planes, put } = await staged('2+2', 8)
  await using _planes = planes
  const audit = await planes.peers[other]!.plane.care.audit(put.verify, never)
  const [first, , , last] = audit.results.map(({ keeper }) => keeper.peer)
  planes.board.dead.add(last!)
  const streams = planes.board.streamsOf(signer(other).peer)
  const elsewhere = createPlacement({ streams, timekeeper: realClock, archive: null as never })
  const claimThere = async (forMs: number) => elsewhere.claim(first!, put.object, forMs, never)
  const { care } = planes.named(first!).plane
  await claimThere(60_000)
  await assert.rejects(care.repair({ object: put.verify }, never), { code: 'REPAIR_CLAIMED' })
  await claimThere(0)
  const repaired = await care.repair({ object: put.verify }, never)
  assert.equal(repaired.healthyAfter, 4)
  assert.equal(await claimThere(60_000), 60_000)
})

async function keepersOfEach(planes: Planes, manifest: Uint8Array): Promise<string[][]> {
  for (const { plane } of planes.peers) await plane.store.sweep()
  const has = async (plane: DataPlane, root: Uint8Array): Promise<boolean> => {
    const source = await plane.store.open(root)
    await source?.close()
    return source !== undefined
  }
  const rows = decodeObjectManifest(manifest).shards.map(async (root) => {
    const found: string[] = []
    for (const {
      plane,
      signer: { peer },
    } of planes.peers.slice(2))
      if (await has(plane, root)) found.push(peer)
    return found
  })
  return Promise.all(rows)
}

test('of a shard that two keepers have, who was away lets go, and the other goes on', async () => {
  const { planes, plane, put, silent, listed } = await staged('2+1', 4)
  await using _planes = planes
  const { manifest } = plane.objects.sealed(put.object)!
  const away = put.keepers[0]!.peer
  silent(1)
  await planes.peers[other]!.plane.care.repair({ object: put.verify }, never)
  await plane.care.audit(put.object, never)
  planes.board.dead.delete(away)
  const before = await keepersOfEach(planes, manifest)
  assert.equal(before.flat().length, 4)
  planes.aheadMs = 20.5 * day
  await plane.care.tend(never)
  const after = await keepersOfEach(planes, manifest)
  assert.ok(after.every(([peer, ...more]) => more.length === 0 && peer !== away))
  assert.deepEqual([listed().healthy, listed().keepers], [3, 3])
})

test('of a shard that two keepers have, what another asked for is not made to last, nor forgotten before its time', async () => {
  const { planes, plane, put, silent, listed } = await staged('2+1', 4)
  await using _planes = planes
  const { manifest } = plane.objects.sealed(put.object)!
  const away = put.keepers[0]!.peer
  await plane.care.audit(put.object, never)
  silent(1)
  await planes.peers[other]!.plane.care.repair({ object: put.verify }, never)
  planes.board.dead.delete(away)
  planes.aheadMs = 20.5 * day
  await plane.care.tend(never)
  const both = await keepersOfEach(planes, manifest)
  assert.equal(both.flat().length, 4)
  assert.ok(listed().keptUntilMs > planes.clock.nowMs() + 29 * day)
  for (let days = 31; days < 100; days += 19) {
    planes.aheadMs = days * day
    await plane.care.tend(never)
    const kept = await keepersOfEach(planes, manifest)
    assert.deepEqual(
      kept.map(({ length }) => length),
      [1, 1, 1],
    )
    assert.ok(kept.flat().includes(away))
    assert.equal(listed().keepers, 3)
    assert.ok((await plane.care.audit(put.object, never)).results.every(({ verdict }) => verdict === 'passed'))
  }
})

test('a keeper that looks after an object itself makes its own term longer too', async () => {
  const { planes, plane, put } = await staged('2+1', 3)
  await using _planes = planes
  const { manifest } = plane.objects.sealed(put.object)!
  const { care } = planes.named(put.keepers[0]!.peer).plane
  await care.pin(put.read, never)
  for (let days = 20.5; days < 60; days += 20) {
    planes.aheadMs = days * day
    await care.tend(never)
  }
  assert.deepEqual(
    (await keepersOfEach(planes, manifest)).map(({ length }) => length),
    [1, 1, 1],
  )
})

test('who runs a keeper counts when shards are placed, and in what is said of them', async () => {
  const planes = await Planes.of(2 + 8, 2)
  await using _planes = planes
  for (const {
    signer: { peer },
  } of planes.peers.slice(2, 8))
    planes.operators.set(peer, 'one house')
  const { plane } = planes.peers[owner]!
  const put = await plane.puts.put({ path: await planes.file('data', realRandom.bytes(1_000)), code: '2+2' }, never)
  const sameHouse = put.keepers.filter(({ peer }) => planes.operators.has(peer))
  assert.ok(sameHouse.length <= 2)
  assert.deepEqual([put.lossesBorne, put.operatorsBorne], [2, 1])
  assert.equal((await plane.care.audit(put.object, never)).operatorsBorne, 1)
})

test('who lost a shard of an object gets none of it again while there is another', async () => {
  const { planes, plane, put, silent } = await staged('2+1', 5)
  await using _planes = planes
  const forgetful = put.keepers[0]!.peer
  planes.named(forgetful).ledger.writeNow((db) => db.exec('DELETE FROM shards'))
  const repairedAt = async () => {
    const { repaired } = await plane.care.repair({ object: put.object }, never)
    return repaired.map(({ keeper }) => keeper.peer)
  }
  const [heir] = await repairedAt()
  // It is the first in the list of keepers, and has none.
  silent(2)
  planes.board.dead.delete(forgetful)
  const [next] = await repairedAt()
  assert.ok(![forgetful, heir].includes(next))
  // There is nobody else.
  planes.board.dead.add(next!)
  assert.deepEqual(await repairedAt(), [forgetful])
})

test('where another placed it, the owner remembers from an audit on, though nobody says it again', async () => {
  const { planes, plane, put, silent, data } = await staged('2+2', 8)
  await using _planes = planes
  silent(2)
  await planes.peers[other]!.plane.care.repair({ object: put.verify }, never)
  assert.equal((await plane.care.audit(put.object, never)).healthy, 4)
  silent(3)
  planes.bulletin.records.clear()
  planes.bulletin.adverts.clear()
  const path = join(planes.folder, 'got')
  await plane.objects.get({ object: put.object, path }, never)
  assert.ok((await readFile(path)).equals(data))
})

test('whoever pins an object keeps it going when its owner is gone', async () => {
  const { planes, plane, put, listed } = await staged('2+1', 4)
  await using _planes = planes
  const friend = planes.peers[other]!.plane
  planes.aheadMs = 5 * day
  const pinned = await friend.care.pin(put.read, never)
  assert.equal(pinned.kept, true)
  assert.ok(pinned.keptUntilMs > put.keptUntilMs + 4 * day)
  for (let days = 25; days < 70; days += 20) {
    planes.aheadMs = days * day
    for (const peer of planes.peers) await peer.plane.store.sweep()
    await friend.care.tend(never)
  }
  assert.equal((await friend.care.audit(put.object, never)).healthy, 3)
  // The owner, back, finds it again by what the friend says of it.
  assert.ok(listed().keptUntilMs < planes.clock.nowMs())
  await plane.care.tend(never)
  assert.ok(listed().keptUntilMs > planes.clock.nowMs())
  await assert.rejects(planes.peers[2]!.plane.care.pin(put.verify, never), { code: 'CANNOT_READ' })
})

test('too few shards: the error names what is missing, and nothing is written', async () => {
  const { planes, plane, put, silent } = await staged('2+2', 4)
  await using _planes = planes
  silent(3)
  await assert.rejects(
    plane.care.repair({ object: put.object }, never),
    (error: Error & { code?: string; why?: string }) => {
      assert.equal(error.code, 'NOT_ENOUGH_SHARDS')
      assert.match(error.message, /2 shards are needed, 1 can be had/)
      assert.match(error.why!, /missing \d, \d, \d/)
      return true
    },
  )
  const nobody = planes.peers[other]!.plane.objects
  const unknown = `pleach:read:${cidOfDocument(Uint8Array.of(0xa0))}:${put.read.split(':')[3]}`
  await assert.rejects(nobody.get({ object: unknown, path: join(planes.folder, 'x') }, never), {
    code: 'OBJECT_NOT_FOUND',
  })
})
