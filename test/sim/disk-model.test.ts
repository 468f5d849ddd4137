import assert from 'node:assert/strict'
import { test } from 'node:test'

import { VirtualClock } from '../../sim/clock.ts'
import { ModelDisk, type LifeFiles } from '../../sim/model/files.ts'
import { LifeClock } from '../../sim/model/life.ts'
import { settled } from '../../sim/model/settled.ts'
import { SeededRandom } from '../../sim/random.ts'

const seeds = 60
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1')

/** What is left under a path after the power went, over many seeds. */
async function leftOver(path: string, work: (files: LifeFiles) => Promise<void>): Promise<Set<string | undefined>> {
  const left = new Set<string | undefined>()
  for (let seed = 0; seed < seeds; seed++) {
    const disk = await worked(seed, work)
    disk.losePower()
    left.add(text(disk.content(path)))
  }
  return left
}

async function worked(seed: number, work: (files: LifeFiles) => Promise<void>): Promise<ModelDisk> {
  const clock = new VirtualClock(0)
  const disk = new ModelDisk(new SeededRandom(seed))
  let isDone = false
  const working = work(disk.files(new LifeClock(clock, 0))).finally(() => (isDone = true))
  working.catch(() => {})
  for (await settled(); !isDone; await settled()) clock.jump()
  await working
  return disk
}

async function write(files: LifeFiles, path: string, content: string, isSynced: boolean): Promise<void> {
  const file = await files.create(path, 'new')
  await file.write(Buffer.from(content, 'latin1'), 0)
  if (isSynced) await file.datasync()
  await file.close()
}

test('what is synced, with its name, outlives a loss of power', async () => {
  const left = await leftOver('/a', async (files) => {
    await write(files, '/a', 'all', true)
    await files.syncFolder('/')
  })
  assert.deepEqual([...left], ['all'])
})

test('a name whose folder was not synced can vanish, also one that a file was renamed to', async () => {
  assert.deepEqual(await leftOver('/a', async (files) => write(files, '/a', 'all', true)), new Set(['all', undefined]))
  const renamed = async (files: LifeFiles): Promise<void> => {
    await write(files, '/a', 'all', true)
    await files.syncFolder('/')
    await files.rename('/a', '/b')
  }
  assert.deepEqual(await leftOver('/b', renamed), new Set(['all', undefined]))
  for (let seed = 0; seed < seeds; seed++) {
    const disk = await worked(seed, renamed)
    disk.losePower()
    assert.equal(disk.paths('/').length, 1, 'it is under one name, the old or the new')
  }
})

test('a folder whose own name was not synced takes what is in it along', async () => {
  const left = await leftOver('/f/a', async (files) => {
    await files.makeFolder('/f')
    await write(files, '/f/a', 'all', true)
    await files.syncFolder('/f')
  })
  assert.deepEqual(left, new Set(['all', undefined]))
})

test('a file that was removed can be back, and one that was replaced can be the old one', async () => {
  const first = async (files: LifeFiles): Promise<void> => {
    await write(files, '/a', 'old', true)
    await write(files, '/b', 'new', true)
    await files.syncFolder('/')
  }
  assert.deepEqual(
    await leftOver('/a', async (files) => {
      await first(files)
      await files.remove('/a')
    }),
    new Set(['old', undefined]),
  )
  assert.deepEqual(
    await leftOver('/a', async (files) => {
      await first(files)
      await files.rename('/b', '/a')
    }),
    new Set(['old', 'new']),
  )
})

test('bytes that were not synced are there, or not, or in part, or zeros; those that were stay', async () => {
  const [before, after] = ['b'.repeat(600), 'a'.repeat(1_200)]
  const left = await leftOver('/a', async (files) => {
    await write(files, '/a', before, true)
    await files.syncFolder('/')
    const file = await files.create('/other', 'new')
    await file.write(Buffer.from(after), 0)
    await files.rename('/other', '/c')
    await files.syncFolder('/')
  })
  assert.deepEqual([...left], [before])
  const torn = await leftOver('/a', async (files) => {
    await write(files, '/a', after, false)
    await files.syncFolder('/')
  })
  assert.ok(torn.has(after) && torn.has('') && torn.has(after.slice(0, 512)), [...torn].map((it) => it?.length).join())
  assert.ok([...torn].some((content) => content?.includes('\0')))
})

test('when only the process dies, all that was written stays', async () => {
  const disk = await worked(1, async (files) => write(files, '/a', 'all', false))
  assert.equal(text(disk.content('/a')), 'all')
})

test('a life that is over changes nothing, and is told nothing', async () => {
  const clock = new VirtualClock(0)
  const disk = new ModelDisk(new SeededRandom(1), { syncMs: [5, 5], slowProbability: 1, slowMs: [5, 5] })
  const life = new LifeClock(clock, 0)
  let isTold = false
  void write(disk.files(life), '/a', 'all', true).finally(() => (isTold = true))
  await settled()
  life.isOver = true
  while (clock.jump()) await settled()
  assert.deepEqual([isTold, disk.paths('/')], [false, []])
})

test('a full disk says so, and takes again once there is room', async () => {
  const disk = await worked(1, async () => {})
  const files = disk.files({
    isOver: false,
    after(_delayMs, run) {
      run()
      return () => {}
    },
  })
  disk.isFull = true
  await assert.rejects(write(files, '/a', 'all', true), { code: 'ENOSPC' })
  await assert.rejects(files.makeFolder('/f'), { code: 'ENOSPC' })
  await assert.rejects(files.open('/none'), { code: 'ENOENT' })
  disk.isFull = false
  await write(files, '/a', 'all', true)
  await assert.rejects(files.create('/a', 'new'), { code: 'EEXIST' })
  assert.equal(files.opened, 0)
})

test('rot is one bit of one file', async () => {
  const disk = await worked(1, async (files) => write(files, '/a', 'aaaa', true))
  assert.equal(
    disk.rot((path) => path === '/none'),
    undefined,
  )
  assert.equal(
    disk.rot(() => true),
    '/a',
  )
  const differing = [...disk.content('/a')!].map((byte) => (byte ^ 0x61).toString(2).replaceAll('0', '').length)
  assert.equal(
    differing.reduce((sum, bits) => sum + bits, 0),
    1,
  )
})
