// Two peers with one key: a data folder was copied, and both run.

import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { test } from 'node:test'

import { eventually, inTime, lendsNothing, Mesh } from '../support/mesh.ts'

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
