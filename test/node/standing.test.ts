// Whom a peer trusts, and why it says so: real peers, over TCP. One that is new is introduced by what another has signed for its work.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import type { StandingView } from '../../src/control/api.ts'
import { prints } from '../fixtures/programs.ts'
import { eventually, inTime, lendsNothing, Mesh } from '../support/mesh.ts'

const mib = 2 ** 20
const small = { memoryBytes: 64 * mib, diskBytes: mib, logBytes: mib, outputBytes: mib }
let mesh: Mesh
before(async () => {
  mesh = await Mesh.of({ consumer: lendsNothing, spinner: {}, weaver: { offer: { cpuHourMicro: 900_000 } } })
  await mesh.knows('consumer', ['spinner', 'weaver'])
  await mesh.knows('spinner', ['weaver'])
})
after(async () => mesh[Symbol.asyncDispose]())

const work = async (asker: string, worker: string): Promise<void> => {
  const module = await mesh.file('says.wasm', prints([1, 'said']))
  const { job } = await mesh.run(asker, { module, ...small, allow: [mesh.peer(worker).name] })
  assert.deepEqual([job.stage, mesh.nameOf(job.provider!.peer)], ['paid', worker])
}
const why = async (who: string, whom: string): Promise<StandingView> =>
  mesh.peer(who).control.peer(mesh.peer(whom).name, inTime())
const until = async (who: string, whom: string, is: (view: StandingView) => boolean): Promise<StandingView> => {
  let view = await why(who, whom)
  await eventually(`${who} thinks so of ${whom}`, async () => is((view = await why(who, whom))))
  return view
}

test('of a stranger nothing is known, and that is said', async () => {
  const view = await why('consumer', 'weaver')
  assert.deepEqual([view.standing, view.familiarity, view.references, view.coolDown], [0.5, 'stranger', [], null])
  assert.deepEqual(
    view.terms.map(({ weight }) => weight),
    [1, -1],
  )
  assert.equal(view.trustInStrangers, 0.5)
})

test('who works for us is known, by what it did and what we signed for', async () => {
  await work('consumer', 'spinner')
  const view = await until('consumer', 'spinner', ({ familiarity }) => familiarity === 'known')
  const [row, ...others] = view.experience
  assert.deepEqual([others, row?.doing, row?.success, row?.noShow], [[], 'wasi-preview1', 1, 0])
  assert.ok(Number(row?.paid) > 0)
  assert.equal(view.standing, 0.667)
  const back = await until('spinner', 'consumer', ({ experience }) => experience.length > 0)
  assert.deepEqual([back.familiarity, back.experience[0]?.doing], ['stranger', 'asking'], 'who pays did no work')
})

test('who worked for one whom we know is introduced, with two signatures and by so much', async () => {
  await work('spinner', 'weaver')
  const view = await until('consumer', 'weaver', ({ familiarity }) => familiarity === 'introduced')
  const [reference] = view.references
  assert.equal(mesh.nameOf(reference!.peer), 'spinner')
  assert.ok(reference!.jobs > 0 && reference!.jobs <= 1, `${reference!.jobs} jobs`)
  assert.ok(view.standing > 0.5 && view.standing < 0.667)
  const other = await why('weaver', 'consumer')
  assert.deepEqual([other.familiarity, other.references], ['stranger', []])
})

test('a peer is named by its petname or a part of its id; nobody else is made up', async () => {
  const { control } = mesh.peer('consumer')
  const { name, petname } = mesh.peer('spinner')
  for (const wanted of [petname, name.slice(-8)]) assert.equal((await control.peer(wanted, inTime())).peer, name)
  await assert.rejects(control.peer('nobody-here', inTime()), { code: 'NOT_FOUND', exit: 2 })
  await assert.rejects(control.peer('12D3KooW', inTime()), { code: 'AMBIGUOUS' })
})
