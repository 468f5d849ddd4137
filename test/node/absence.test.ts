// Peers that go away, with and without a word, and come back; and what keeps a peer from starting.

import assert from 'node:assert/strict'
import { readFile, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { verifyReceiptFile } from '../../protocols/receipt/verify.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { isRunning, readRun } from '../../src/execution/supervisor.ts'
import { HostError } from '../../src/host/index.ts'
import { LedgerError } from '../../src/ledger/store.ts'
import { createPeer, type Peer } from '../../src/node.ts'
import { prints, sleeps, ticks } from '../fixtures/programs.ts'
import { assertPaidOnce, startDoomed } from '../support/doomed.ts'
import { eventually, inTime, lendsNothing, Mesh, storyOf } from '../support/mesh.ts'

/** A provider is given up after 20 s of silence. */
const withinMs = 50_000

async function remembered(peer: Peer) {
  const { control } = peer
  await eventually('the last receipt is there', async () => (await control.receipts()).some(({ final }) => final))
  const receipts = await control.receipts()
  return { jobs: await control.jobs(), receipts, file: await control.receiptFile(receipts[0]!.lease) }
}

// Each has a mesh of its own, and mostly waits.
describe('absence', { concurrency: true }, () => {
  test('a provider killed at work is replaced under the next epoch, and the job is paid once', async () => {
    await using mesh = await Mesh.of({ consumer: lendsNothing })
    const options = mesh.optionsOf('doomed', {})
    const doomed = await startDoomed(options)
    try {
      const consumer = mesh.peer('consumer')
      const module = await mesh.file('sleeps.wasm', sleeps(3_000, 'done\n'))
      const { id } = await consumer.control.submit({ module, name: 'sleeper' }, inTime())
      await storyOf(consumer, id, 'log')
      assert.equal((await consumer.control.job(id)).provider?.peer, doomed.name)
      const going = storyOf(consumer, id, 'end', withinMs)
      going.catch(() => {})
      await doomed.kill()
      const heir = await mesh.add('heir', {})

      const story = await going
      assert.equal(story.job.stage, 'paid')
      assert.equal(story.job.exitCode, 1)
      assert.equal(story.job.attempts, 2)
      assert.equal(story.job.provider?.peer, heir.name)
      const replacing = story.the('replacing')
      assert.equal(replacing.peer.peer, doomed.name)
      assert.equal(replacing.code, 'PROVIDER_SILENT')
      assert.deepEqual(
        story.all('matched').map(({ peer }) => peer.peer),
        [doomed.name, heir.name],
      )
      assert.ok(story.bytes('stdout').toString().endsWith('done\ndone\n'))

      const isPaid = ({ final, amount }: { final: boolean; amount: string }): boolean => final && Number(amount) > 0
      await eventually('the heir has the last word', async () => (await heir.control.receipts()).some(isPaid))
      const finals = (await consumer.control.receipts()).filter(({ final }) => final)
      assert.deepEqual(
        finals.map(({ other, amount }) => [other.peer, amount]),
        [[heir.name, story.job.cost]],
      )
      const verdict = verifyReceiptFile(await consumer.control.receiptFile(finals[0]!.lease))
      assert.ok(verdict.ok, JSON.stringify(verdict))
      assert.equal(verdict.provider, heir.name)
      assert.equal((await consumer.control.status()).receipts.spent, story.job.cost)
    } finally {
      await doomed.kill()
    }
  })

  test('a provider that is killed at work and comes back goes on: one run, the whole log, one payment', async () => {
    await using mesh = await Mesh.of({ consumer: lendsNothing })
    const options = mesh.optionsOf('doomed', {})
    const first = await startDoomed(options)
    const consumer = mesh.peer('consumer')
    const module = await mesh.file('ticks.wasm', ticks(26, 200))
    const out = join(mesh.folder, 'out')
    const { id } = await consumer.control.submit({ module, name: 'ticker', out }, inTime())
    await storyOf(consumer, id, 'log')
    const going = storyOf(consumer, id, 'end', withinMs)
    going.catch(() => {})
    await first.kill()
    const second = await startDoomed(options)
    try {
      assert.equal(second.name, first.name)
      const story = await going
      assert.deepEqual([story.job.stage, story.job.exitCode, story.job.attempts], ['paid', 0, 1])
      assert.equal(story.job.provider?.peer, first.name)
      assert.deepEqual(story.all('replacing'), [])
      assert.equal(story.bytes('stdout').toString(), 'abcdefghijklmnopqrstuvwxyz')
      assert.equal(await readFile(join(out, 'done'), 'latin1'), 'out')
      await assertPaidOnce(consumer)
    } finally {
      await second.kill()
    }
  })

  test('what ran for a lease that is over is ended when its provider comes back', async () => {
    await using mesh = await Mesh.of({ consumer: lendsNothing })
    const options = mesh.optionsOf('doomed', {})
    const first = await startDoomed(options)
    const consumer = mesh.peer('consumer')
    const module = await mesh.file('sleeps.wasm', sleeps(120_000, 'tick'))
    const { id } = await consumer.control.submit({ module }, inTime())
    await storyOf(consumer, id, 'log')
    const lease = (await consumer.control.job(id)).lease ?? assert.fail('it runs without a lease')
    const work = join(mesh.dataDir('doomed'), 'work')
    const { supervisor } = readRun(join(work, lease, 'run')) ?? assert.fail('it runs')
    await first.kill()
    assert.ok(isRunning(supervisor))
    // As if it were of a lease that is not known any more.
    await rename(join(work, lease), join(work, '0'.repeat(64)))
    const second = await startDoomed(options)
    try {
      await eventually('it is ended', () => !isRunning(supervisor))
      await eventually('its folder is gone', async () => !(await readdir(work)).includes('0'.repeat(64)))
    } finally {
      await second.kill()
      await consumer.control.cancel(id)
    }
  })

  test('a requester that is started again has its key, its jobs, its logs and its receipts', async () => {
    await using mesh = await Mesh.of({ worker: {}, consumer: lendsNothing })
    const before = mesh.peer('consumer')
    const story = await mesh.run('consumer', { module: await mesh.file('says.wasm', prints([1, 'once'], [2, 'oops'])) })
    assert.equal(story.job.stage, 'paid')
    const { jobs, receipts, file } = await remembered(before)
    await before.stop()
    await before.stop()

    const after = await mesh.startAgain('consumer')
    assert.equal(after.name, before.name)
    assert.equal((await after.ready(inTime())).firstRun, false)
    assert.deepEqual(await remembered(after), { jobs, receipts, file })
    assert.ok(verifyReceiptFile(file).ok)
    const again = await storyOf(after, story.job.id)
    assert.deepEqual(again.job, story.job)
    assert.equal(again.bytes('stdout').toString(), 'once')
    assert.equal(again.bytes('stderr').toString(), 'oops')
    assert.equal((await stat(join(mesh.dataDir('consumer'), 'key'))).mode & 0o777, 0o600)
    const next = await mesh.run('consumer', { module: await mesh.file('next.wasm', prints([1, 'next'])) })
    assert.equal(next.job.stage, 'paid')
  })

  test('a job goes on while its requester is away, and is followed further when it is back', async () => {
    await using mesh = await Mesh.of({ worker: {}, consumer: lendsNothing })
    const before = mesh.peer('consumer')
    const module = await mesh.file('sleeps.wasm', sleeps(60_000, 'tick\n'))
    const { id } = await before.control.submit({ module }, inTime())
    await storyOf(before, id, 'log')
    await before.stop()

    const after = await mesh.startAgain('consumer')
    assert.equal((await after.control.job(id)).stage, 'running')
    await storyOf(after, id, 'progress')
    await after.control.cancel(id)
    const story = await storyOf(after, id)
    assert.equal(story.job.stage, 'paid')
    assert.equal(story.job.reason, 'cancelled')
    assert.equal(story.job.attempts, 1)
    assert.equal(story.bytes('stdout').toString(), 'tick\n')
    assert.deepEqual(story.all('replacing'), [])
    assert.equal((await mesh.peer('worker').control.jobs()).length, 1)
  })

  test('a provider that stops hands its work back, and another does it', async () => {
    await using mesh = await Mesh.of({ consumer: lendsNothing, leaving: {} })
    const consumer = mesh.peer('consumer')
    const module = await mesh.file('sleeps.wasm', sleeps(60_000, 'tick\n'))
    const { id } = await consumer.control.submit({ module }, inTime())
    await storyOf(consumer, id, 'log')
    const staying = await mesh.add('staying', {})
    await mesh.stop('leaving')
    const replaced = await storyOf(consumer, id, 'replacing')
    assert.equal(replaced.the('replacing').code, 'PROVIDER_FAILED')
    assert.deepEqual(replaced.the('replacing').facts, { detail: 'stopped by its owner' })
    await eventually('another works on it', async () => {
      const { stage, provider } = await consumer.control.job(id)
      return stage === 'running' && provider?.peer === staying.name
    })
    await consumer.control.cancel(id)
    const { job } = await storyOf(consumer, id)
    assert.equal(job.stage, 'paid')
    assert.equal(job.attempts, 2)
    const paid = (await consumer.control.receipts()).filter(({ final }) => final)
    assert.deepEqual(
      paid.map(({ other }) => other.peer),
      [staying.name],
    )
  })

  test('a folder that is in use, or a port, is said to be; nothing is left running or locked', async () => {
    await using mesh = await Mesh.of({ first: {} })
    const first = mesh.peer('first')
    const environment = { clock: realClock, random: realRandom, log: silentLog }
    const start = async (options: Parameters<typeof createPeer>[0]): Promise<unknown> =>
      createPeer(options, environment).then(
        async (peer) => {
          await peer.stop()
          return assert.fail('it started')
        },
        (error: unknown) => error,
      )
    const inUse = await start(mesh.optionsOf('first', {}))
    assert.ok(inUse instanceof LedgerError, String(inUse))
    assert.equal(inUse.code, 'LEDGER_IN_USE')
    assert.match(inUse.message, /ledger\.db is in use by /)
    assert.equal((await first.control.status()).peer, first.name)

    const port = /\/tcp\/(\d+)/.exec(first.addresses()[0]!)![1]!
    const options = mesh.optionsOf('second', { listen: [`/ip4/127.0.0.1/tcp/${port}`] })
    const taken = await start(options)
    assert.ok(taken instanceof HostError, String(taken))
    assert.equal(taken.code, 'PORT_IN_USE')
    assert.match(taken.message, new RegExp(`tcp/${port} `))
    assert.notEqual(taken.cure, '')
    // The same folder is free: whatever held it is gone.
    const second = await mesh.add('second', {})
    assert.equal((await second.control.status()).connections > 0, true)
  })
})
