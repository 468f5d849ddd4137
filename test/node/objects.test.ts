// Objects of a peer's owner, kept by others.

import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { realRandom } from '../../src/environment.ts'
import { controlErrorOf, eventually, inTime, keeper, lendsNothing, Mesh } from '../support/mesh.ts'

const keepers = ['keeper1', 'keeper2', 'keeper3']

test('an object of 2+1 shards survives one keeper of three, and not two', async () => {
  await using mesh = await Mesh.of({ owner: lendsNothing, keeper1: keeper, keeper2: keeper, keeper3: keeper })
  await mesh.knows('owner', keepers)
  const { control } = mesh.peer('owner')
  const content = realRandom.bytes(2_000_000)
  const put = await control.put({ path: await mesh.file('holiday.tar', content), code: '2+1' }, inTime())
  assert.deepEqual([put.k, put.n, put.bytes, put.name], [2, 3, content.byteLength, 'holiday.tar'])
  assert.deepEqual(put.keepers.map(({ peer }) => mesh.nameOf(peer)).toSorted(), keepers)
  for (const name of keepers) {
    const { keeping } = await mesh.peer(name).control.status()
    assert.equal(keeping.shards, 1)
    assert.ok(keeping.bytes > content.byteLength / 2)
  }

  const get = async (to: string) => control.get({ object: put.object, path: join(mesh.folder, to) }, inTime())
  const whole = await get('whole')
  assert.equal(whole.decodedSegments, 0)
  assert.equal(whole.sources.length, 2)
  assert.ok((await readFile(whole.path)).equals(content))

  // One that held data, so that its part has to be computed.
  const lost = mesh.nameOf(whole.sources[0]!.peer.peer)
  await mesh.stop(lost)
  const rebuilt = await get('rebuilt')
  assert.ok(rebuilt.decodedSegments > 0)
  assert.ok((await readFile(rebuilt.path)).equals(content))

  await mesh.stop(keepers.find((name) => name !== lost)!)
  const before = await readdir(mesh.folder)
  const error = await controlErrorOf(get('nothing'))
  assert.equal(error.code, 'NOT_ENOUGH_SHARDS')
  assert.match(error.message, /holiday\.tar cannot be read now: 2 shards are needed, 1 can be had/)
  assert.match(error.why, /missing \d, \d/)
  assert.equal(error.exit, 5)
  assert.deepEqual(await readdir(mesh.folder), before)

  await mesh.startAgain(lost)
  const back = await get('back')
  assert.ok((await readFile(back.path)).equals(content))
})

test('an object that finds too few keepers is not said to be kept', async () => {
  await using mesh = await Mesh.of({ owner: lendsNothing, keeper1: { offer: { keepBytes: 1_000 } } })
  await mesh.knows('owner', ['keeper1'])
  const { control } = mesh.peer('owner')
  const path = await mesh.file('large', realRandom.bytes(100_000))
  const error = await controlErrorOf(control.put({ path, code: '1+1' }, inTime()))
  assert.equal(error.code, 'NO_KEEPERS')
  assert.match(error.why, /NO_SPACE/)
  assert.equal((await mesh.peer('keeper1').control.status()).keeping.shards, 0)
  assert.equal((await controlErrorOf(control.put({ path, code: 'many' }, inTime()))).code, 'BAD_SPEC')
  const nowhere = join(mesh.folder, 'nowhere')
  assert.equal((await controlErrorOf(control.get({ object: 'bafyq', path: nowhere }, inTime()))).code, 'NOT_FOUND')
  const put = await control.put({ path: await mesh.file('small', 'some words'), code: '1+0' }, inTime())
  assert.equal(put.keepers.length, 1)
  await eventually('it is kept', async () => (await mesh.peer('keeper1').control.status()).keeping.shards === 1)
  const got = await control.get({ object: put.object.slice(0, 12), path: join(mesh.folder, 'got') }, inTime())
  assert.equal(await readFile(got.path, 'utf8'), 'some words')
})
