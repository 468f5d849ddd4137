// Objects that others read, verify and repair, with nothing but a string.

import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { realRandom } from '../../src/environment.ts'
import { controlErrorOf, eventually, inTime, keeper, lendsNothing, Mesh } from '../support/mesh.ts'

const keepers = ['keeper1', 'keeper2', 'keeper3', 'keeper4']

test('whoever has the read string reads, also when its owner is gone; who can only verify, repairs', async () => {
  await using mesh = await Mesh.of({
    hub: lendsNothing,
    owner: lendsNothing,
    reader: lendsNothing,
    ...Object.fromEntries(keepers.map((name) => [name, keeper])),
  })
  for (const name of ['owner', 'reader']) await mesh.knows(name, keepers)
  const owner = mesh.peer('owner').control
  const reader = mesh.peer('reader').control
  const content = realRandom.bytes(3_000_000)
  const put = await owner.put({ path: await mesh.file('letters', content), code: '2+1' }, inTime())
  assert.deepEqual([put.happiness, put.lossesBorne, put.keepersTold], [3, 1, 3])
  assert.ok(put.recordsStored > 0)

  const got = await reader.get({ object: put.read, path: join(mesh.folder, 'got') }, inTime())
  assert.ok((await readFile(got.path)).equals(content))
  assert.equal((await controlErrorOf(reader.get({ object: put.verify, path: got.path }, inTime()))).code, 'CANNOT_READ')
  assert.equal((await controlErrorOf(reader.get({ object: put.object, path: got.path }, inTime()))).code, 'NOT_FOUND')

  await mesh.stop('owner')
  const lost = mesh.nameOf(put.keepers[0]!.peer)
  await mesh.stop(lost)
  const before = await reader.audit(put.verify, inTime())
  assert.deepEqual([before.healthy, before.n, before.missing.length], [2, 3, 1])
  const repaired = await reader.repair({ object: put.verify }, inTime())
  assert.deepEqual(
    [repaired.healthyBefore, repaired.healthyAfter, repaired.missing, repaired.object],
    [2, 3, [], put.object],
  )
  assert.equal((await reader.audit(put.verify, inTime())).healthy, 3)

  // One more is lost, of those that had it first.
  await mesh.stop(mesh.nameOf(put.keepers[1]!.peer))
  const again = await reader.get({ object: put.read, path: join(mesh.folder, 'again') }, inTime())
  assert.ok((await readFile(again.path)).equals(content))

  await mesh.stop(mesh.nameOf(put.keepers[2]!.peer))
  const error = await controlErrorOf(reader.get({ object: put.read, path: join(mesh.folder, 'none') }, inTime()))
  assert.equal(error.code, 'NOT_ENOUGH_SHARDS')
  assert.match(error.why, /missing \d/)
  assert.ok(!(await readdir(mesh.folder)).includes('none'))
})

test('a key is exported and imported, a folder comes back as one, and what is removed is forgotten', async () => {
  await using mesh = await Mesh.of({
    owner: lendsNothing,
    keeper1: keeper,
    keeper2: keeper,
    keeper3: keeper,
    reader: lendsNothing,
  })
  for (const name of ['owner', 'reader']) await mesh.knows(name, ['keeper1', 'keeper2', 'keeper3'])
  const [owner, reader] = [mesh.peer('owner').control, mesh.peer('reader').control]
  const folder = join(mesh.folder, 'notes')
  await mkdir(join(folder, 'deep'), { recursive: true })
  await writeFile(join(folder, 'deep', 'one.txt'), 'one\n')
  const put = await owner.put({ path: folder, code: '2+1' }, inTime())
  assert.deepEqual([put.folder, put.name], [true, 'notes'])
  const { read } = await owner.exportKey(put.object.slice(-8))
  assert.equal(read, put.read)
  const imported = await reader.importKey({ read, name: 'from a friend' }, inTime())
  assert.deepEqual([imported.kept, imported.name, imported.keepers], [false, 'from a friend', 3])
  const out = join(mesh.folder, 'out')
  await reader.get({ object: put.object, path: out, unpack: true }, inTime())
  assert.equal(await readFile(join(out, 'deep', 'one.txt'), 'utf8'), 'one\n')
  const [listed] = await owner.objects()
  assert.deepEqual([listed?.object, listed?.healthy, listed?.lossesBorne], [put.object, null, 1])
  await owner.audit(put.object, inTime())
  assert.equal((await owner.objects())[0]!.healthy, 3)
  const removed = await owner.removeObject(put.object, inTime())
  assert.deepEqual([removed.shardsPlaced, removed.shardsReleased], [3, 3])
  assert.deepEqual(await owner.objects(), [])
  for (const name of ['keeper1', 'keeper2', 'keeper3'])
    assert.equal((await mesh.peer(name).control.status()).keeping.shards, 0)
  assert.equal((await controlErrorOf(owner.exportKey(put.object))).code, 'NOT_FOUND')
})

test('what one has read another has from there, over TCP, when every keeper is gone', async () => {
  await using mesh = await Mesh.of({
    hub: lendsNothing,
    owner: lendsNothing,
    keeper1: keeper,
    keeper2: keeper,
    keeper3: keeper,
    first: { ...lendsNothing, cacheBytes: 2 ** 24 },
    second: lendsNothing,
  })
  await mesh.knows('owner', ['keeper1', 'keeper2', 'keeper3'])
  const content = realRandom.bytes(3_000_000)
  const put = await mesh.peer('owner').control.put({ path: await mesh.file('film', content), code: '2+1' }, inTime())
  const first = mesh.peer('first')
  await first.control.get({ object: put.read, path: join(mesh.folder, 'once') }, inTime())
  await eventually('it is in the cache', async () => (await first.control.status()).cached.shards === 2)
  await mesh.stop('owner')
  for (const { peer } of put.keepers) await mesh.stop(mesh.nameOf(peer))
  const path = join(mesh.folder, 'twice')
  // Its advert may be still on its way.
  await eventually('the second has it', async () =>
    mesh
      .peer('second')
      .control.get({ object: put.read, path }, inTime())
      .then(
        ({ sources }) => sources.every(({ peer }) => peer.peer === first.name),
        () => false,
      ),
  )
  assert.ok((await readFile(path)).equals(content))
})
