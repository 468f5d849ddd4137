// Two peers with one key: a data folder was copied, and both run.

import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { realClock, silentLog } from '../../src/environment.ts'
import { SequenceFloors } from '../../src/ledger/sequence-floors.ts'
import { Store } from '../../src/ledger/store.ts'
import { prints } from '../fixtures/programs.ts'
import { eventually, inTime, lendsNothing, Mesh, type MemberOptions } from '../support/mesh.ts'

test('a copied data folder is noticed, and then nothing is lent until the owner has decided', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, worker: {}, other: {} })
  await mesh.knows('consumer', ['worker', 'other'])
  await mesh.stop('worker')
  cpSync(mesh.dataDir('worker'), mesh.dataDir('copy'), { recursive: true })
  const worker = await mesh.startAgain('worker')
  assert.equal((await worker.control.status()).resting, null)
  await mesh.knows('consumer', ['worker'])
  const copy = await mesh.add('copy', {})
  assert.equal(copy.name, worker.name)
  const doubts = async (): Promise<boolean> => {
    const statuses = await Promise.all(
      [worker, copy].map(async ({ control }) => {
        await control.offers(true, inTime())
        return control.status()
      }),
    )
    return statuses.some(
      ({ resting, warnings }) => resting?.because === 'IN_DOUBT' && /another peer signs.*--only-one/.test(warnings[0]!),
    )
  }
  await eventually('one of them doubts', doubts)
})

test('a peer that is started again does not doubt itself', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, worker: {} })
  for (let life = 0; life < 2; life++) {
    await mesh.knows('consumer', ['worker'])
    const { control } = mesh.peer('worker')
    await control.offers(true, inTime())
    const { resting, warnings } = await control.status()
    assert.equal(resting, null)
    assert.deepEqual(
      warnings.filter((warning) => warning.includes('--only-one')),
      [],
    )
    await mesh.stop('worker')
    await mesh.startAgain('worker')
  }
})

test('a copy of a peer that lends nothing is noticed as well, and begins no job', async () => {
  const often: MemberOptions = { ...lendsNothing, ports: { lookForOwnEveryMs: 500 } }
  await using mesh = await Mesh.of({ middle: {}, consumer: often })
  await mesh.stop('consumer')
  cpSync(mesh.dataDir('consumer'), mesh.dataDir('copy'), { recursive: true })
  const twins = [await mesh.startAgain('consumer'), await mesh.add('copy', often)]
  assert.equal(new Set(twins.map(({ name }) => name)).size, 1)
  const module = await mesh.file('prints.wasm', prints([1, 'hello']))
  for (const { control } of twins) {
    await eventually('it doubts', async () =>
      (await control.status()).warnings.some((warning) => /another peer signs.*--only-one/.test(warning)),
    )
    await assert.rejects(control.submit({ module }, inTime()), { code: 'IN_DOUBT', cure: /--only-one/ })
  }
})

test('a peer that lends nothing does not doubt itself, and finds its own records of before', async () => {
  const often: MemberOptions = { ...lendsNothing, ports: { lookForOwnEveryMs: 50 } }
  await using mesh = await Mesh.of({ middle: {}, consumer: often })
  const records = (): number => {
    const store = Store.open(join(mesh.dataDir('consumer'), 'ledger.db'), realClock, silentLog)
    try {
      return new SequenceFloors(store).last('capability')
    } finally {
      store.close()
    }
  }
  let before = 0
  for (let life = 0; life < 2; life++) {
    if (life > 0) await mesh.startAgain('consumer')
    const { control } = mesh.peer('consumer')
    await control.offers(true, inTime())
    // Some turns more, each of which finds the record of the one before.
    await sleep(300)
    assert.deepEqual((await control.status()).warnings, [])
    await mesh.stop('consumer')
    const last = records()
    assert.ok(last > before, 'it put records')
    before = last
  }
})
