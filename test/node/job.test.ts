// One job from one peer to another, with everything that a job can bring and leave.

import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { didOf } from '../../protocols/receipt/credential.ts'
import { verifyReceiptFile, type ReceiptFile } from '../../protocols/receipt/verify.ts'
import { realRandom } from '../../src/environment.ts'
import { verifyReceipts } from '../../verify/index.ts'
import { sleeps } from '../fixtures/programs.ts'
import { eventually, inTime, keeper, lendsNothing, Mesh, storyOf } from '../support/mesh.ts'
import { everything } from './programs.ts'

test('a job brings its files, its outputs and log come back byte for byte, and both sides sign for it', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, worker: {}, keeper1: keeper, keeper2: keeper })
  await mesh.knows('consumer', ['worker', 'keeper1', 'keeper2'])
  const consumer = mesh.peer('consumer')
  const worker = mesh.peer('worker')
  const large = realRandom.bytes(200_000)
  const stdin = realRandom.bytes(70_000)
  const out = join(mesh.folder, 'out')
  const story = await mesh.run('consumer', {
    name: 'everything',
    module: await mesh.file('everything.wasm', everything(3, 'well, well')),
    args: ['one', 'two words', ''],
    env: { COLOUR: 'green', EMPTY: '' },
    inputs: [
      { path: await mesh.file('small', 'a small file\n') },
      { path: await mesh.file('elsewhere', large), guestPath: '/in/large' },
    ],
    stdin: await mesh.file('stdin', stdin),
    out,
    code: '2+1',
    priceMax: '5',
  })

  const { job } = story
  assert.equal(job.stage, 'paid')
  assert.equal(job.exitCode, 3)
  assert.equal(job.reason, 'exited')
  assert.equal(job.provider?.peer, worker.name)
  assert.ok(Number(job.cost) > 0, job.cost)
  const staged = story.the('staged')
  assert.equal(staged.shards, 6)
  assert.equal(staged.code, '2+1')
  assert.equal(staged.keepers.length, 3)
  // A manifest is canonical: shorter names come first.
  const told = 'everything\0one\0two words\0\0EMPTY=\0COLOUR=green\0'
  const printed = Buffer.concat([Buffer.from(told), stdin, Buffer.from('a small file\n')])
  assert.ok(story.bytes('stdout').equals(printed), 'stdout is what the program wrote')
  assert.equal(story.bytes('stderr').toString(), 'well, well')
  assert.deepEqual((await readdir(out)).toSorted(), ['copy', 'note'])
  assert.ok((await readFile(join(out, 'copy'))).equals(large), 'the output is what the program wrote')
  assert.equal(await readFile(join(out, 'note'), 'utf8'), 'well, well')
  assert.equal(job.outputFiles, 2)
  assert.equal(job.out, out)

  const sides = await Promise.all(
    [consumer, worker].map(async (peer) => {
      await eventually('the last receipt is signed by both', async () => {
        const [receipt] = await peer.control.receipts()
        return receipt?.final === true && receipt.bothSigned === receipt.receipts
      })
      const [receipt] = await peer.control.receipts()
      return { receipt: receipt!, file: (await peer.control.receiptFile(receipt!.lease)) as ReceiptFile }
    }),
  )
  const [spent, earned] = sides
  assert.deepEqual(spent!.file, earned!.file)
  assert.equal(spent!.receipt.role, 'requester')
  assert.equal(earned!.receipt.role, 'provider')
  for (const { receipt, file } of sides) {
    assert.equal(receipt.amount, job.cost)
    assert.equal(receipt.bothSigned, receipt.receipts)
    const verdict = verifyReceiptFile(file)
    assert.ok(verdict.ok, JSON.stringify(verdict))
    assert.equal(verdict.bothSigned, receipt.receipts)
    assert.equal(verdict.final, true)
    assert.equal(verdict.payable, job.cost)
    assert.equal(verdict.provider, worker.name)
    assert.equal(verdict.requester, consumer.name)
    assert.equal(verdict.job, job.id)
  }
  // Either of them says it to somebody who has nothing of ours.
  for (const peer of [consumer, worker]) {
    const credential = await peer.control.receiptCredential(job.id)
    const verdict = await verifyReceipts(JSON.stringify(credential))
    assert.ok(verdict.ok && verdict.kind === 'pleach-receipts' && verdict.credential !== null, JSON.stringify(verdict))
    assert.deepEqual([verdict.payable, verdict.provider], [job.cost, worker.name])
    assert.equal(verdict.credential.issuer, didOf(peer.name))
  }
  assert.equal((await consumer.control.status()).receipts.spent, job.cost)
  const { receipts, jobs } = await worker.control.status()
  assert.equal(receipts.earned, job.cost)
  assert.deepEqual(jobs, { done: 1, failed: 0, running: 0 })
})

test('a running job is cancelled: it ends, its provider is free, and what it ran is paid', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, worker: { offer: { cpuMilli: 1_000 } } })
  await mesh.knows('consumer', ['worker'])
  const { control } = mesh.peer('consumer')
  const module = await mesh.file('sleeps.wasm', sleeps(30_000, 'working\n'))
  const { id } = await control.submit({ module, name: 'sleeper' }, inTime())
  await storyOf(mesh.peer('consumer'), id, 'log')
  await control.cancel(id)
  const { job } = await storyOf(mesh.peer('consumer'), id)
  assert.equal(job.stage, 'paid')
  assert.equal(job.reason, 'cancelled')
  assert.equal(job.exitCode, null)
  assert.ok(Number(job.cost) < 0.001, job.cost)
  await eventually('the worker is free', async () => (await mesh.peer('worker').control.status()).jobs.running === 0)
  const next = await mesh.run('consumer', { module: await mesh.file('next.wasm', sleeps(1, 'next\n')) })
  assert.equal(next.job.stage, 'paid')
  assert.equal(next.bytes('stdout').toString(), 'next\nnext\n')
})
