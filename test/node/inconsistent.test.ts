// An object whose shards do not fit each other: nobody is blamed for it but by what they signed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { join } from 'node:path'

import {
  InconsistentObjectError,
  describeObject,
  encodeObjectManifest,
  formatObjectCapability,
} from '../../protocols/erasure/index.ts'
import { realFiles, realRandom, silentLog } from '../../src/environment.ts'
import { withPlacers } from '../../src/node/inconsistency.ts'
import { placeShards } from '../../src/storage/place.ts'
import { sealFile } from '../../src/storage/seal.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { Planes } from '../support/planes.ts'

const never = new AbortController().signal
const code = { k: 2, m: 2 }
const [maker, reader] = [0, 1]

/** The last shard is that of another object. */
async function forged(isAnnounced: boolean) {
  const planes = await Planes.of(8, 2)
  const { plane, signer } = planes.peers[maker]!
  const key = realRandom.bytes(32)
  const keepUntilMs = planes.clock.nowMs() + 3_600_000
  const sealed = async (name: string) => {
    const path = await planes.file(name, realRandom.bytes(100_000))
    const deps = { disk: realFiles, mill: new LocalMill(), store: plane.store }
    return sealFile(deps, path, code, realRandom.bytes(32), keepUntilMs, never)
  }
  const roots = [...(await sealed('one')).roots.slice(0, 3), (await sealed('another')).roots[3]!]
  const { cid, bytes: manifest } = encodeObjectManifest(describeObject(code, 100_000, roots))
  const candidates = planes.peers.slice(2).map((peer) => peer.signer.peer)
  const placed = await placeShards(
    { transfer: plane.transfer, store: plane.store, clock: planes.clock },
    { object: { roots, code }, candidates, keepUntilMs },
    never,
  )
  if (isAnnounced) await plane.objects.announce({ cid, manifest }, placed, [], never)
  planes.board.dead.add(placed[0]!.peer)
  planes.board.dead.add(placed[1]!.peer)
  return {
    planes,
    maker: signer.peer,
    cid,
    manifest,
    placed,
    read: formatObjectCapability({ can: 'read', object: cid, key }),
  }
}

test('whoever reads or repairs it is told, and the log says, who signed that it was placed', async () => {
  const { planes, maker: who, cid, read } = await forged(true)
  await using _planes = planes
  const { objects, care } = planes.peers[reader]!.plane
  const isTold = (error: Error & { code?: string; why?: string }) => {
    assert.equal(error.code, 'OBJECT_INCONSISTENT')
    assert.ok(error.why!.includes(`is signed by ${who} (`), error.why)
    assert.match(error.why!, /who made it is not proven/)
    return true
  }
  await assert.rejects(objects.get({ object: read, path: join(planes.folder, 'got') }, never), isTold)
  planes.board.dead.clear()
  const dead = (await care.audit(read, never)).results.find(({ shard }) => shard === 3)!.keeper.peer
  planes.board.dead.add(dead)
  await assert.rejects(care.repair({ object: `pleach:verify:${cid}` }, never), isTold)
  const said = planes.logged.filter(({ message }) => message === 'an object is inconsistent')
  assert.deepEqual(
    said.map(({ facts }) => [facts['object'], facts['placedBy']]),
    [
      [cid, [who]],
      [cid, [who]],
    ],
  )
  assert.deepEqual(planes.peers[reader]!.faults, [])
})

test('a record of our own is named as ours, and where there is none, that is what is said', async () => {
  const { planes, read, cid, manifest, placed } = await forged(false)
  await using _planes = planes
  const { plane } = planes.peers[reader]!
  await plane.objects.announce({ cid, manifest }, placed, [], never)
  // What the reader itself signed names the reader, and nobody else.
  await assert.rejects(
    plane.objects.get({ object: read, path: join(planes.folder, 'got') }, never),
    (error: Error & { why?: string }) => /is signed by this peer \(/.test(error.why!),
  )
  const locate = async () => Promise.reject(new Error('nobody'))
  const error = new InconsistentObjectError('it is none')
  const { message } = await withPlacers({ self: '', log: silentLog, locate }, error, cid, never)
  assert.match(message, /^it is none; who made it is not known: .* no signed record/)
})
