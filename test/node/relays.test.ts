// Peers behind NATs: all that peers do with one another, through a relay.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { verifyReceiptFile } from '../../protocols/receipt/verify.ts'
import { relayBytesMin } from '../../protocols/storage/index.ts'
import { realRandom } from '../../src/environment.ts'
import { prints } from '../fixtures/programs.ts'
import { eventually, inTime, keeper, lendsNothing, Mesh, type MemberOptions } from '../support/mesh.ts'

const often = { ports: { receiptsEveryMs: 200 } }
const hidden = (options: MemberOptions): MemberOptions => ({ ...options, ...often, listen: [] })

test('a job, its receipts and an object between peers that can all be reached through a relay only', async () => {
  await using mesh = await Mesh.of({
    relay: { ...lendsNothing, ...often, relay: { serve: true } },
    consumer: hidden(lendsNothing),
    worker: hidden({}),
    keeper1: hidden(keeper),
  })
  const relay = mesh.peer('relay')
  const consumer = mesh.peer('consumer')
  const worker = mesh.peer('worker')
  await eventually('all are reached through the relay', async () => {
    const views = await Promise.all(
      ['consumer', 'worker', 'keeper1'].map(async (name) => mesh.peer(name).control.status()),
    )
    return views.every((view) => view.relay.through.some(({ peer }) => peer === relay.name))
  })
  await mesh.knows('consumer', ['worker', 'keeper1'])

  const story = await mesh.run('consumer', {
    module: await mesh.file('well.wasm', prints([1, 'well, well'])),
    inputs: [{ path: await mesh.file('large', realRandom.bytes(100_000)) }],
    code: '1+1',
  })
  assert.equal(story.job.stage, 'paid')
  assert.equal(story.job.provider?.peer, worker.name)
  assert.equal(story.bytes('stdout').toString(), 'well, well')
  await eventually('the receipt is signed by both', async () => {
    const [receipt] = await worker.control.receipts()
    return receipt?.final === true && receipt.bothSigned === receipt.receipts
  })
  const [receipt] = await worker.control.receipts()
  const verdict = verifyReceiptFile(await worker.control.receiptFile(receipt!.lease))
  assert.ok(verdict.ok, JSON.stringify(verdict))

  const content = realRandom.bytes(1_500_000)
  const put = await consumer.control.put({ path: await mesh.file('holiday.tar', content), code: '1+1' }, inTime())
  assert.equal(put.keepers.length, 2)
  const got = await consumer.control.get({ object: put.object, path: join(mesh.folder, 'back') }, inTime())
  assert.ok((await readFile(got.path)).equals(content))

  const { peers } = await consumer.control.peers()
  assert.ok(peers.every(({ peer, address }) => peer === relay.name || address.includes('/p2p-circuit')))
  const told = await consumer.control.status()
  assert.deepEqual(told.warnings, [
    `not reachable from outside (NAT): inbound only by ${relay.petname}, which is slower`,
  ])
  const { carries } = (await relay.control.status()).relay
  assert.equal(carries?.peers, 3)
  // There and back: what was put, at 1+1, and got.
  assert.ok(carries.bytes > 3 * content.byteLength, String(carries.bytes))

  await eventually('a relay and one that is reached through it have signed what was carried', async () => {
    for (const name of ['consumer', 'worker', 'keeper1']) {
      const own = (await mesh.peer(name).control.storageReceipts()).find(({ other }) => other.peer === relay.name)
      const theirs = (await relay.control.storageReceipts()).find(({ account }) => account === own?.account)
      if (own === undefined || own.receipts === 0 || theirs?.receipts !== own.receipts) continue
      assert.deepEqual({ ...theirs, other: own.other, role: own.role }, own)
      assert.deepEqual([own.role, theirs.role, own.storeMibS], ['owner', 'keeper', 0])
      const { bytes } = (await relay.control.status()).relay.carries!
      assert.ok(own.relayBytes >= relayBytesMin && own.relayBytes <= bytes, String(own.relayBytes))
      return true
    }
    return false
  })

  await mesh.stop('relay')
  await eventually('nobody carries for it', async () => (await consumer.control.status()).relay.through.length === 0)
  const alone = await consumer.control.status()
  assert.match(alone.warnings.join(), /nobody can reach this peer: it is behind a NAT, and no relay carries for it/)
})
