// An object leaves the mesh as a file, and comes back from it as the object it was.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { controlErrorOf } from '../support/mesh.ts'
import { Planes } from '../support/planes.ts'

const never = new AbortController().signal
const [owner, stranger] = [0, 1]

test('an object that is nowhere any more comes back from its file, with the id that it had, at a peer that never knew it', async () => {
  const planes = await Planes.of(8, 2)
  await using _planes = planes
  const content = randomBytes(300_000)
  const [one, other] = [planes.peers[owner]!.plane, planes.peers[stranger]!.plane]
  const put = await one.puts.put({ path: await planes.file('letters', content), code: '2+1' }, never)
  const path = join(planes.folder, 'letters.car')
  // Whoever may verify may export.
  const written = await other.cars.write({ object: put.verify, path }, never)
  assert.deepEqual([written.object, written.read, written.bytes], [put.object, null, (await readFile(path)).byteLength])
  const own = await one.cars.write({ object: put.object.slice(-8), path: `${path}.2` }, never)
  assert.equal(own.read, put.read)
  assert.deepEqual(await readFile(`${path}.2`), await readFile(path))

  for (const { peer } of put.keepers) planes.board.dead.add(peer)
  assert.equal((await controlErrorOf(other.cars.take({ path }, never))).code, 'CANNOT_READ')
  const back = await other.cars.take({ path, read: put.read }, never)
  assert.deepEqual([back.object, back.name, back.shardsThere, back.keepers.length], [put.object, 'letters', 0, 3])
  const to = join(planes.folder, 'got')
  await other.objects.get({ object: back.object, path: to }, never)
  assert.ok((await readFile(to)).equals(content))

  // Once more, and nothing is sent: its keepers have it.
  const twice = await other.cars.take({ path }, never)
  assert.deepEqual([twice.object, twice.shardsThere], [put.object, 3])
  assert.equal(other.objects.list().length, 1)
})

test('what is wrong with a file or its string is said, and nothing is remembered of it', async () => {
  const planes = await Planes.of(5, 2)
  await using _planes = planes
  const [one, other] = [planes.peers[owner]!.plane, planes.peers[stranger]!.plane]
  const put = async (name: string) =>
    one.puts.put({ path: await planes.file(name, randomBytes(100_000)), code: '2+1' }, never)
  const [first, second] = [await put('first'), await put('second')]
  const path = join(planes.folder, 'first.car')
  await one.cars.write({ object: first.object, path }, never)
  const codeOf = async (input: { readonly path: string; readonly read?: string }) =>
    (await controlErrorOf(other.cars.take(input, never))).code
  assert.equal(await codeOf({ path, read: second.read }), 'CAR_OF_ANOTHER')
  assert.equal(await codeOf({ path, read: first.verify }), 'CANNOT_READ')
  assert.equal(await codeOf({ path, read: 'pleach:read:nonsense' }), 'BAD_STRING')
  assert.equal(await codeOf({ path, read: first.read.slice(0, -43) + second.read.slice(-43) }), 'CAR_KEY')
  const bytes = await readFile(path)
  const bent = join(planes.folder, 'bent.car')
  await writeFile(bent, bytes.subarray(0, 50_000))
  assert.equal(await codeOf({ path: bent, read: first.read }), 'CAR_TRUNCATED')
  await copyFile(join(planes.folder, 'second'), bent)
  assert.match(await codeOf({ path: bent, read: first.read }), /^CAR_/)
  assert.deepEqual(other.objects.list(), [])
  assert.equal(
    planes.peers[stranger]!.ledger.read((db) => db.prepare('SELECT count(*) AS n FROM objects').get())!['n'],
    0,
  )
})
