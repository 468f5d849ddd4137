// A job that is over is run again: the same work under another name; and what cannot be, with the reason.

import assert from 'node:assert/strict'
import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { ControlError } from '../../src/control/api.ts'
import { realRandom } from '../../src/environment.ts'
import { sleeps } from '../fixtures/programs.ts'
import { inTime, keeper, lendsNothing, Mesh, storyOf } from '../support/mesh.ts'
import { everything } from './programs.ts'

const refusedAs = (code: string, why: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ControlError, String(error))
  assert.equal(error.code, code)
  assert.match(error.why, why)
  return true
}

test('the same program, arguments and inputs, large ones too, though their files are gone; another job, paid for itself', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, worker: {}, keeper1: keeper, keeper2: keeper })
  await mesh.knows('consumer', ['worker', 'keeper1', 'keeper2'])
  const { control } = mesh.peer('consumer')
  const large = realRandom.bytes(200_000)
  const paths = {
    module: await mesh.file('everything.wasm', everything(3, 'well, well')),
    small: await mesh.file('small', 'a small file\n'),
    large: await mesh.file('large', large),
    stdin: await mesh.file('stdin', 'from stdin'),
  }
  const first = await mesh.run('consumer', {
    module: paths.module,
    args: ['one'],
    env: { COLOUR: 'green' },
    inputs: [{ path: paths.small }, { path: paths.large, guestPath: '/in/large' }],
    stdin: paths.stdin,
    out: join(mesh.folder, 'out'),
    code: '2+1',
    priceMax: '5',
    retries: 0,
  })
  assert.equal(first.job.stage, 'paid')
  for (const path of Object.values(paths)) await rm(path)

  await assert.rejects(
    control.rerun(first.job.id, { out: join(mesh.folder, 'out') }, inTime()),
    refusedAs('OUT_NOT_EMPTY', /files or folders/),
  )
  const out = join(mesh.folder, 'again')
  const { id } = await control.rerun(first.job.id, { out }, inTime())
  assert.notEqual(id, first.job.id)
  const again = await storyOf(mesh.peer('consumer'), id)
  const { stage, exitCode, name } = again.job
  assert.deepEqual([stage, exitCode, name], ['paid', first.job.exitCode, first.job.name])
  assert.ok(again.bytes('stdout').equals(first.bytes('stdout')))
  assert.ok((await readFile(join(out, 'copy'))).equals(large))
  assert.deepEqual(again.job.asked, first.job.asked)
  // That one can be run again as well.
  assert.ok((await storyOf(mesh.peer('consumer'), (await control.rerun(id, {}, inTime())).id)).job.outputFiles > 0)

  const theirs = (await mesh.peer('worker').control.jobs())[0]!
  await assert.rejects(
    mesh.peer('worker').control.rerun(theirs.id, {}, inTime()),
    refusedAs('NOT_OURS', /another peer/),
  )

  // Two hours later, say: the large one is gone, and is named.
  await mesh.stop('consumer')
  const folders = await readdir(mesh.dataDir('consumer'), { recursive: true, withFileTypes: true })
  const shards = folders.find((one) => one.isDirectory() && one.name === 'shards') ?? assert.fail('where are they?')
  await rm(join(shards.parentPath, shards.name), { recursive: true })
  const after = await mesh.startAgain('consumer')
  await assert.rejects(
    after.control.rerun(first.job.id, {}, inTime()),
    refusedAs('INPUTS_GONE', /any more are \/in\/large$/),
  )
  await rm(join(mesh.dataDir('consumer'), 'jobs', first.job.id), { recursive: true })
  await assert.rejects(after.control.rerun(first.job.id, {}, inTime()), refusedAs('INPUTS_GONE', /asked with/))
})

test('what is at work is stopped first', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, worker: {} })
  const { control } = mesh.peer('consumer')
  const module = await mesh.file('sleeps.wasm', sleeps(60_000, 'tick\n'))
  const { id } = await control.submit({ module }, inTime())
  await storyOf(mesh.peer('consumer'), id, 'log')
  await assert.rejects(control.rerun(id, {}, inTime()), refusedAs('AT_WORK', /it is running/))
  await control.cancel(id)
  await storyOf(mesh.peer('consumer'), id)
  const next = await control.rerun(id, {}, inTime())
  await storyOf(mesh.peer('consumer'), next.id, 'log')
  await control.cancel(next.id)
  assert.equal((await storyOf(mesh.peer('consumer'), next.id)).job.reason, 'cancelled')
})
