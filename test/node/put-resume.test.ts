// A put that broke off goes on when the same bytes are put again; and what is the same is known as the same.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { decodeObjectManifest, leafBytes } from '../../protocols/erasure/index.ts'
import { creditLeavesMax } from '../../protocols/transfer/index.ts'
import { killedAtHalf } from '../../bench/data/resume.ts'
import { Objects } from '../../src/ledger/objects.ts'
import { Puts } from '../../src/ledger/puts.ts'
import { unfinishedKeptMs } from '../../src/node/object-puts.ts'
import { controlErrorOf } from '../support/mesh.ts'
import { Planes } from '../support/planes.ts'

const never = new AbortController().signal
const owner = 0

test('a peer that is killed at half of a put or a get sends and fetches hardly anything again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pleach-resume-'))
  try {
    const bytes = 48 * 1024 * 1024
    const signal = AbortSignal.timeout(90_000)
    const resumed = await killedAtHalf({ folder, bytes, code: { k: 2, m: 1 }, signal })
    const { putAgainBytes, putAllowedBytes, gotAgainBytes, gotAllowedBytes } = resumed
    assert.ok(resumed.isSame)
    assert.ok(putAgainBytes >= 0 && putAgainBytes <= putAllowedBytes, `put: ${putAgainBytes} of ${putAllowedBytes}`)
    assert.ok(gotAgainBytes >= 0 && gotAgainBytes <= gotAllowedBytes, `get: ${gotAgainBytes} of ${gotAllowedBytes}`)
    assert.equal(putAllowedBytes, 3 * creditLeavesMax * leafBytes + 0.01 * bytes)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** An owner and keepers of which some are dead, so that a put of 2+1 breaks off. */
async function brokenOff(content: Uint8Array, convergent = false) {
  const planes = await Planes.of(4, 1)
  const { plane, ledger } = planes.peers[owner]!
  const [, , ...away] = planes.peers.slice(1).map(({ signer }) => signer.peer)
  const path = await planes.file('data', content)
  const put = async (from = path, also: { readonly convergent?: boolean } = convergent ? { convergent } : {}) =>
    plane.puts.put({ path: from, code: '2+1', ...also }, never)
  for (const peer of away) planes.board.dead.add(peer)
  // Each keeper takes m shards at most.
  assert.equal((await controlErrorOf(put())).code, 'NO_KEEPERS')
  for (const peer of away) planes.board.dead.delete(peer)
  return { planes, plane, put, path, puts: new Puts(ledger), objects: new Objects(ledger) }
}

test('what keepers acknowledged is not sealed nor sent again, whatever the file is called', async () => {
  const content = randomBytes(300_000)
  const { planes, plane, put, puts, objects } = await brokenOff(content)
  await using _planes = planes
  const [begun] = puts.ofBytes(content.byteLength, 9)
  assert.ok(begun)
  assert.equal(puts.shards(begun.entry.cid).filter(({ keepUntilMs }) => keepUntilMs > 0).length, 2)
  assert.deepEqual(plane.objects.list(), [])
  const before = new Set(puts.shards(begun.entry.cid).map(({ keeper }) => keeper))

  const again = await put(await planes.file('copy', content))
  assert.deepEqual([again.object, again.shardsThere, again.name], [begun.entry.cid, 2, 'copy'])
  assert.equal(again.keepers.length, 3)
  assert.ok(again.keepers.filter(({ peer }) => before.has(peer)).length >= 2)
  assert.deepEqual(puts.ofBytes(content.byteLength, 9), [])
  assert.equal(objects.list().length, 1)
  const to = join(planes.folder, 'got')
  await plane.objects.get({ object: again.object, path: to }, never)
  assert.ok((await readFile(to)).equals(content))
  // It is over: put once more it is another object, since nobody asked for the same.
  const other = await put()
  assert.notEqual(other.object, again.object)
  assert.equal(other.shardsThere, 0)
})

test('a file that changed meanwhile is another object, under another key', async () => {
  const content = randomBytes(300_000)
  const { planes, put, path, puts, objects } = await brokenOff(content)
  await using _planes = planes
  const [begun] = puts.ofBytes(content.byteLength, 9)
  content[200_000]! ^= 1
  await writeFile(path, content)
  const changed = await put()
  assert.notEqual(changed.object, begun!.entry.cid)
  assert.equal(changed.shardsThere, 0)
  assert.notDeepEqual(objects.get(changed.object)!.key, begun!.entry.key)
})

test('when our own copy of what broke off is damaged, that is said once, and then it is sealed anew', async () => {
  const { planes, plane, put, puts } = await brokenOff(randomBytes(1_000))
  await using _planes = planes
  const [begun] = puts.ofBytes(1_000, 9)
  const { cid, manifest } = begun!.entry
  const missing = [0, 1, 2].find(
    (shard) => !puts.shards(cid).some((one) => one.shard === shard && one.keepUntilMs > 0),
  )!
  const root = Buffer.from(decodeObjectManifest(manifest).shards[missing]!).toString('hex')
  const file = join(planes.peers[owner]!.folder, 'shards', root.slice(0, 2), root)
  await writeFile(file, randomBytes((await stat(file)).size))
  // Data that is damaged is noticed when it is compared, parity when it is to be sent.
  if (missing === 2) assert.equal((await controlErrorOf(put())).code, 'OWN_COPY_DAMAGED')
  const again = await put()
  assert.notEqual(again.object, cid)
  assert.equal(plane.objects.list().length, 1)
})

test('what was not gone on with for a day is forgotten, with its key', async () => {
  const { planes, plane, puts, objects, put } = await brokenOff(randomBytes(1_000))
  await using _planes = planes
  const [begun] = puts.ofBytes(1_000, 9)
  await plane.puts.tidy()
  assert.ok(puts.get(begun!.entry.cid))
  planes.aheadMs = unfinishedKeptMs + 1
  await plane.store.sweep()
  await plane.puts.tidy()
  assert.deepEqual([puts.get(begun!.entry.cid), objects.list()], [undefined, []])
  assert.notEqual((await put()).object, begun!.entry.cid)
})

test('our own shards of a put that has ended stay no longer than an hour', async () => {
  const { planes, plane, put } = await brokenOff(randomBytes(1_000))
  await using _planes = planes
  await put()
  assert.equal(plane.store.total().shards, 0)
  const own = planes.peers[owner]!.ledger.read((db) => db.prepare('SELECT keep_until_ms FROM shards').all())
  assert.equal(own.length, 3)
  for (const row of own) assert.ok((row['keep_until_ms'] as number) <= planes.clock.nowMs() + 60 * 60_000)
})

test('convergent: the same bytes are the same object and are not sent twice; another code, owner or content is another', async () => {
  const planes = await Planes.of(5, 2)
  await using _planes = planes
  const [one, other] = planes.peers
  const content = randomBytes(300_000)
  const path = await planes.file('data', content)
  const put = async (peer: typeof one, from = path, code = '2+1') =>
    peer!.plane.puts.put({ path: from, code, convergent: true }, never)
  const first = await put(one)
  assert.equal(first.shardsThere, 0)
  const copy = await planes.file('copy', content)
  const [second, third] = await Promise.all([put(one, copy), put(one, copy)])
  assert.deepEqual([second.object, second.shardsThere], [first.object, 3])
  assert.deepEqual([third.object, third.read], [first.object, first.read])
  assert.equal(one!.plane.objects.list().length, 1)

  const keys = new Set([first.read.slice(-43)])
  for (const [peer, from, code] of [
    [other, path, '2+1'],
    [one, path, '1+2'],
    [one, await planes.file('longer', Buffer.concat([content, content])), '2+1'],
  ] as const) {
    const differs = await put(peer, from, code)
    assert.notEqual(differs.object, first.object)
    assert.equal(differs.shardsThere, 0)
    keys.add(differs.read.slice(-43))
  }
  assert.equal(keys.size, 4)
  // And by default chance decides.
  const random = await one!.plane.puts.put({ path, code: '2+1' }, never)
  assert.notEqual(random.object, first.object)
})

test('convergent: what keepers lost since is placed again, sealed again when it has to be', async () => {
  const planes = await Planes.of(5, 1)
  await using _planes = planes
  const { plane } = planes.peers[owner]!
  const path = await planes.file('data', randomBytes(300_000))
  const put = async () => plane.puts.put({ path, code: '2+1', convergent: true }, never)
  const first = await put()
  planes.board.dead.add(first.keepers[0]!.peer)
  planes.aheadMs = 2 * 60 * 60_000
  await plane.store.sweep()
  const again = await put()
  assert.deepEqual([again.object, again.shardsThere], [first.object, 2])
  assert.equal(again.keepers.length, 3)
  assert.ok(!again.keepers.some(({ peer }) => peer === first.keepers[0]!.peer))
  assert.equal((await plane.care.audit(first.object, never)).healthy, 3)
})
