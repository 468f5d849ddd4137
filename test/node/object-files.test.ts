// What cannot be put, and where nothing can be written, is said before anything is done.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { controlErrorOf } from '../support/mesh.ts'
import { Planes } from '../support/planes.ts'

const never = new AbortController().signal
const owner = 0

test('what is no file that can be read is not put, and leaves nothing', async () => {
  const planes = await Planes.of(4, 1)
  await using _planes = planes
  const { plane, folder } = planes.peers[owner]!
  const at = (name: string): string => join(planes.folder, name)
  execFileSync('mkfifo', [at('pipe')])
  await mkdir(at('linked'))
  await symlink('nowhere', at('linked/link'))
  await writeFile(at('secret'), 'x')
  await chmod(at('secret'), 0)
  const cases: [string, RegExp][] = [
    ['missing', /is not there/],
    ['pipe', /neither a file nor a folder/],
    ['linked', /neither a file nor a folder; links/],
  ]
  // Root reads everything.
  if (process.getuid?.() !== 0) cases.push(['secret', /may not read it/])
  for (const [name, why] of cases) {
    for (const convergent of [false, true]) {
      const error = await controlErrorOf(plane.puts.put({ path: at(name), code: '2+1', convergent }, never))
      assert.deepEqual([error.code, error.exit], ['PATH_UNUSABLE', 2])
      assert.match(error.message, new RegExp(name))
      assert.match(error.why, why)
    }
  }
  assert.equal((await controlErrorOf(plane.cars.take({ path: at('linked') }, never))).code, 'CAR_MALFORMED')
  assert.equal((await controlErrorOf(plane.cars.take({ path: at('missing') }, never))).code, 'PATH_UNUSABLE')
  assert.deepEqual(plane.objects.list(), [])
  assert.deepEqual(await readdir(join(folder, 'incoming')), [])
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.tar')),
    [],
  )
})

test('where it cannot be written nothing is fetched', async () => {
  const planes = await Planes.of(4, 1)
  await using _planes = planes
  const { plane } = planes.peers[owner]!
  const at = (name: string): string => join(planes.folder, name)
  await mkdir(at('full/deep'), { recursive: true })
  await mkdir(at('empty'))
  const file = await plane.puts.put({ path: await planes.file('file', Buffer.from('one')), code: '2+1' }, never)
  const folder = await plane.puts.put({ path: at('full'), code: '2+1' }, never)
  const before = await readdir(planes.folder)
  for (const [object, to, why] of [
    [file, 'nowhere/file', /there is no folder/],
    [file, 'full', /it is a folder/],
    [folder, 'file', /it is a file/],
    [folder, 'full', /holds something already/],
  ] as const) {
    const error = await controlErrorOf(plane.objects.get({ object: object.object, path: at(to) }, never))
    assert.equal(error.code, 'PATH_UNUSABLE')
    assert.match(error.why, why)
  }
  assert.equal(
    (await controlErrorOf(plane.cars.write({ object: file.object, path: at('full') }, never))).code,
    'PATH_UNUSABLE',
  )
  assert.deepEqual(await readdir(planes.folder), before)
  await plane.objects.get({ object: folder.object, path: at('empty') }, never)
  assert.deepEqual(await readdir(at('empty')), ['deep'])
})
