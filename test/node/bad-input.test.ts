// Bad jobs, and jobs that nobody takes. After each of them the mesh works as before.

import assert from 'node:assert/strict'
import { mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import type { JobSpec, JobView } from '../../src/control/api.ts'
import { floodsStdout, growsAndAborts, importsUnknown, prints, spins } from '../fixtures/programs.ts'
import { controlErrorOf, eventually, inTime, lendsNothing, Mesh, storyOf } from '../support/mesh.ts'

const mib = 2 ** 20
let mesh: Mesh
before(async () => {
  // Each has room for one of these jobs at a time.
  const one = { offer: { cpuMilli: 1_000, memoryBytes: 64 * mib, wallMsMax: 60_000 } }
  mesh = await Mesh.of({ consumer: lendsNothing, worker1: one, worker2: one })
  await mesh.knows('consumer', ['worker1', 'worker2'])
})
after(async () => mesh[Symbol.asyncDispose]())

const small = { memoryBytes: 64 * mib, wallMs: 10_000 }
const spec = async (name: string, module: Uint8Array, more: Partial<JobSpec> = {}): Promise<JobSpec> => ({
  name,
  module: await mesh.file(`${name}.wasm`, module),
  ...small,
  ...more,
})
const settled = async (): Promise<void> => {
  for (const name of ['worker1', 'worker2']) {
    await eventually(`${name} is free`, async () => (await mesh.peer(name).control.status()).jobs.running === 0)
  }
}
const attemptsOf = async (requester: string): Promise<number> => {
  await settled()
  const lists = await Promise.all(['worker1', 'worker2'].map(async (name) => mesh.peer(name).control.jobs()))
  return lists.flat().filter((view) => view.requester?.peer === requester).length
}

/** A good job is done afterwards, nobody is at work still, and whatever was there before is as it was. */
const undisturbed = async (work: () => Promise<void>): Promise<void> => {
  const { control } = mesh.peer('consumer')
  const jobs = async (): Promise<Map<string, JobView>> => new Map((await control.jobs()).map((view) => [view.id, view]))
  await settled()
  const known = await jobs()
  await work()
  await settled()
  const module = await mesh.file('good.wasm', prints([1, 'good']))
  const story = await mesh.run('consumer', { module, ...small })
  assert.equal(story.job.stage, 'paid', story.job.code)
  assert.equal(story.bytes('stdout').toString(), 'good')
  const now = await jobs()
  for (const [id, view] of known) assert.deepEqual(now.get(id), view)
  for (const name of ['worker1', 'worker2']) {
    const folder = join(mesh.dataDir(name), 'work')
    await eventually(`nothing is left in ${folder}`, async () => (await readdir(folder)).length === 0)
  }
}

test('what is no WebAssembly is refused once, and not tried on a second provider', async () => {
  await undisturbed(async () => {
    for (const [name, module] of [
      ['words', new TextEncoder().encode('certainly no module')],
      ['empty', new Uint8Array()],
      ['imports', importsUnknown],
    ] as const) {
      const earlier = await attemptsOf(mesh.peer('consumer').name)
      const story = await mesh.run('consumer', await spec(name, module))
      assert.equal(story.job.stage, 'refused')
      assert.equal(story.job.code, 'MODULE_INVALID')
      assert.notEqual(story.job.detail, '')
      assert.equal(story.job.cost, '0')
      assert.deepEqual(story.all('replacing'), [])
      assert.equal((await attemptsOf(mesh.peer('consumer').name)) - earlier, 1)
    }
  })
})

const limits: [string, Uint8Array, Partial<JobSpec>, string][] = [
  ['loops', spins, { wallMs: 1_000 }, 'wall-limit'],
  ['grows', growsAndAborts(16), { memoryBytes: 16 * mib }, 'memory-limit'],
  ['floods', floodsStdout, { logBytes: 100_000 }, 'log-limit'],
]
for (const [name, module, more, reason] of limits) {
  test(`a program that ${name} without end is ended by its ${reason}`, async () => {
    await undisturbed(async () => {
      const story = await mesh.run('consumer', await spec(name, module, more))
      assert.equal(story.job.stage, 'paid')
      assert.equal(story.job.reason, reason)
      assert.equal(story.job.exitCode, null)
      assert.equal(story.job.attempts, 1)
      assert.ok(story.bytes('stdout').byteLength <= (more.logBytes ?? 0))
    })
  })
}

test('a job that nobody can take expires, and says what is missing', async () => {
  const cases: [Partial<JobSpec>, RegExp, string | null][] = [
    [{ cpuMilli: 8_000 }, /^cpu >= 8$/, '--cpu 1'],
    [{ memoryBytes: 1_024 * mib }, /^memory >= 1Gi$/, '--memory 64Mi'],
    [{ priceMax: '0.5' }, /^price <= 0.5\/h$/, '--max-price 1'],
  ]
  await undisturbed(async () => {
    const module = await mesh.file('wanted.wasm', prints([1, 'wanted']))
    const stories = await Promise.all(
      cases.map(async ([more], index) =>
        mesh.run('consumer', { name: `wanted${index}`, module, ...small, waitMs: 1_200, ...more }),
      ),
    )
    for (const [index, [, requirement, relax]] of cases.entries()) {
      const end = stories[index]!.the('end')
      assert.equal(end.job.stage, 'expired')
      assert.equal(end.job.code, 'NO_MATCH')
      assert.equal(end.explanation?.known, 2)
      assert.equal(end.explanation.reachable, 2)
      const [row, ...others] = end.explanation.excluded
      assert.deepEqual(others, [])
      assert.match(row!.requirement, requirement)
      assert.deepEqual([row!.count, row!.onlyThis, row!.relax], [2, 2, relax])
    }
  })
})

test('what cannot be submitted is refused at once, and leaves no job behind', async () => {
  await undisturbed(async () => {
    const { control } = mesh.peer('consumer')
    const before = (await control.jobs()).length
    const module = await mesh.file('fine.wasm', prints([1, 'fine']))
    const full = join(mesh.folder, 'full')
    await mkdir(full, { recursive: true })
    const kept = await mesh.file('full/kept', 'mine')
    const codeOf = async (job: JobSpec): Promise<string> => (await controlErrorOf(control.submit(job, inTime()))).code
    assert.equal(await codeOf({ module, out: full }), 'OUT_NOT_EMPTY')
    assert.equal(await codeOf({ module, out: kept }), 'OUT_UNUSABLE')
    assert.equal(await codeOf({ module: join(full, 'missing.wasm') }), 'NO_SUCH_FILE')
    assert.equal(await codeOf({ module, inputs: [{ path: join(full, 'missing') }] }), 'NO_SUCH_FILE')
    assert.equal(await codeOf({ module, stdin: join(full, 'missing') }), 'NO_SUCH_FILE')
    assert.equal(await codeOf({ module, code: '0+1' }), 'BAD_SPEC')
    assert.equal(await codeOf({ module, priceMax: 'much' }), 'BAD_SPEC')
    assert.equal(await codeOf({ module, inputs: [{ path: kept, guestPath: '/etc/passwd' }] }), 'BAD_SPEC')
    assert.equal(await codeOf({ module, inputs: [{ path: kept, guestPath: '/in/../kept' }] }), 'BAD_SPEC')
    assert.equal(await codeOf({ module, memoryBytes: 0 }), 'BAD_SPEC')
    assert.equal((await control.jobs()).length, before)
    assert.equal(await readFile(kept, 'utf8'), 'mine')
  })
})

test('a job is found by any prefix that fits no other', async () => {
  const { control } = mesh.peer('consumer')
  const module = await mesh.file('found.wasm', prints([1, 'found']))
  const { id } = await control.submit({ module, name: 'found', ...small }, inTime())
  await control
    .submit({ module, name: 'other', ...small }, inTime())
    .then(async (other) => storyOf(mesh.peer('consumer'), other.id))
  assert.equal((await control.job(id)).name, 'found')
  assert.equal((await control.job(id.slice(0, 24))).id, id)
  assert.equal((await controlErrorOf(control.job('bafyrei'))).code, 'AMBIGUOUS')
  assert.equal((await controlErrorOf(control.job(''))).code, 'AMBIGUOUS')
  for (const work of [control.job('zzz'), control.cancel('zzz'), control.receiptFile('zzz')])
    assert.equal((await controlErrorOf(work)).code, 'NOT_FOUND')
  assert.throws(() => control.jobEvents('zzz', { logs: true, follow: true }, inTime()), { code: 'NOT_FOUND' })
})
