// A provider whose results look right and are wrong: what it makes of small deterministic work is compared while it is new to us, and it is found
// out. Real peers, over TCP, with real programs.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'

import type { Executor } from '../../src/execution/executor.ts'
import { executor } from '../fixtures/executions.ts'
import { prints } from '../fixtures/programs.ts'
import {
  deadlineMs,
  eventually,
  inTime,
  lendsNothing,
  Mesh,
  storyOf,
  type MemberOptions,
  type Story,
} from '../support/mesh.ts'

/** The program runs, and what is said of it is something else. */
const liar: Executor = {
  ...executor,
  run: async (task, limits, watch, signal) =>
    executor.run(
      task,
      limits,
      {
        ...watch,
        onLog: (stream, bytes) =>
          watch.onLog(
            stream,
            bytes.map(() => 0x3f),
          ),
      },
      signal,
    ),
}
const cheapLiar = (cpuHourMicro: number): MemberOptions => ({ offer: { cpuHourMicro }, ports: { executor: liar } })
const spec = { memoryBytes: 2 ** 26, diskBytes: 2 ** 20, logBytes: 2 ** 20, outputBytes: 2 ** 20, priceMax: '5' }

let mesh: Mesh
let module: string
before(async () => {
  mesh = await Mesh.of({ consumer: lendsNothing, first: cheapLiar(800_000), second: cheapLiar(900_000), honest: {} })
  module = await mesh.file('says.wasm', prints([1, 'true']))
  await mesh.knows('consumer', ['first', 'second', 'honest'])
})
after(async () => mesh[Symbol.asyncDispose]())

const run = async (over: object = {}): Promise<Story> =>
  mesh.run('consumer', { module, deterministic: true, ...spec, ...over })
/** Runs it until this one has it: another is tried out of turn now and then, and on a busy machine its offer may come too late. */
const runAt = async (name: string, over: object = {}): Promise<Story> => {
  const endMs = performance.now() + deadlineMs
  for (;;) {
    const story = await run(over)
    if (story.all('matched').some(({ peer }) => nameOf(peer) === name)) return story
    if (performance.now() > endMs) assert.fail(`${name} was not chosen within ${deadlineMs} ms`)
  }
}
const nameOf = (peer: { peer: string } | null): string => (peer === null ? 'nobody' : mesh.nameOf(peer.peer))
const checks = (story: Story) => (story.job.checked ?? []).map(({ peer, by, same }) => [nameOf(peer), nameOf(by), same])
const faultsOf = async (name: string): Promise<readonly string[]> => {
  const { experience } = await mesh.peer('consumer').control.peer(mesh.peer(name).name, inTime())
  return experience.filter(({ fault }) => fault > 0).flatMap(({ evidence }) => evidence)
}
const mostRecent = async (name: string): Promise<string[]> =>
  (await mesh.peer('consumer').control.receipts())
    .filter(({ other }) => nameOf(other) === name)
    .map(({ disputed, final }) => `${final} ${disputed}`)

test('where nobody is known, this machine does the work as well: the liar is found out, and another is asked', async () => {
  const deny = [mesh.peer('second').name]
  const honest = mesh.peer('honest').control
  await honest.pause({})
  // Too large to travel inline: what this machine needs of it, it has itself.
  const inputs = [{ path: await mesh.file('large', randomBytes(300_000)) }]
  const { id } = await mesh
    .peer('consumer')
    .control.submit({ module, deterministic: true, ...spec, deny, inputs, code: '2+1' }, inTime())
  await storyOf(mesh.peer('consumer'), id, 'replacing')
  await honest.resume()
  const story = await storyOf(mesh.peer('consumer'), id)
  assert.deepEqual([story.job.stage, nameOf(story.job.provider)], ['paid', 'honest'])
  assert.equal(story.bytes('stdout').toString(), 'true', 'not a byte of the lie is shown')
  assert.deepEqual(checks(story), [
    ['first', 'consumer', false],
    ['honest', 'consumer', true],
  ])
  assert.deepEqual(
    story.all('checked').map(({ peer, by, same }) => [nameOf(peer), nameOf(by), same]),
    [
      ['first', 'consumer', false],
      ['honest', 'consumer', true],
    ],
  )
  assert.deepEqual(
    story.all('replacing').map(({ peer, code }) => [nameOf(peer), code]),
    [['first', 'OUTCOME_DIFFERS']],
  )
  assert.deepEqual(await faultsOf('first'), [`made something else of job ${story.job.id} than this machine`])
  assert.deepEqual(await mostRecent('first'), ['true '], 'it is paid for what it did')
})

test('who is new to us is compared with one that we know, and that one is believed', async () => {
  // Known better, or the liar might check it: then it is the one that is believed.
  for (const _ of [1, 2]) await run({ allow: [mesh.peer('honest').name], check: 'never' })
  // Unseen, the lie is a success: so it is one of those that we know, and the cheaper of them.
  const unseen = await run({ allow: [mesh.peer('second').name], check: 'never' })
  assert.deepEqual([unseen.job.stage, unseen.bytes('stdout').toString(), checks(unseen)], ['paid', '????', []])

  const story = await runAt('second')
  assert.deepEqual([story.job.stage, nameOf(story.job.provider)], ['paid', 'honest'])
  assert.equal(story.bytes('stdout').toString(), 'true')
  const [found] = story.all('checked')
  assert.deepEqual([nameOf(found!.peer), found!.same], ['second', false])
  // The offer of the one that is known may come too late for it to be asked.
  const by = nameOf(found!.by) === 'honest' ? `${mesh.peer('honest').petname}, whom we know` : 'this machine'
  await eventually('the fault is written down', async () => (await faultsOf('second')).length > 0)
  assert.deepEqual(await faultsOf('second'), [`made something else of job ${story.job.id} than ${by}`])
  assert.deepEqual(await mostRecent('second'), ['true ', 'true '])

  const next = await run()
  assert.equal(nameOf(next.job.provider), 'honest')
})
