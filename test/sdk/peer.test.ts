// The package as a program has it: a peer with no configuration, jobs as objects, errors with a code, signals everywhere.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { ControlError, createPeer, JobError, plainPolicy } from '../../src/index.ts'
import { testnet, type Testnet } from '../../src/testing/index.ts'
import { exits, prints, sleeps, traps } from '../fixtures/programs.ts'
import { inTime } from '../support/mesh.ts'

const mib = 2 ** 20
const small = { memory: '64Mi', disk: '1Mi', logBytes: mib, outputBytes: mib }

describe('a peer that is told nothing', () => {
  test('is alone on this machine, keeps nothing, and says so when a job is asked for', async () => {
    const { TMPDIR } = process.env
    const own = await mkdtemp(join(tmpdir(), 'pleach-sdk-'))
    process.env['TMPDIR'] = own
    try {
      await using peer = await createPeer({ signal: inTime() })
      assert.match(peer.id, /^12D3KooW/)
      assert.ok(peer.addresses().length > 0)
      for (const address of peer.addresses()) assert.match(address, /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//)
      assert.equal((await readdir(own)).length, 1)
      assert.deepEqual(await peer.findProviders(), [])
      assert.equal((await peer.explain()).known, 0)
      const job = await peer.run({ module: exits(0), wait: '1s' })
      await assert.rejects(job.text({ signal: inTime() }), (error) => {
        assert.ok(error instanceof JobError && error instanceof ControlError)
        assert.equal(error.code, 'NO_MATCH')
        assert.deepEqual(error.excluded, [])
        assert.equal(error.explanation?.known, 0)
        assert.equal(error.job.stage, 'expired')
        return true
      })
      assert.equal(job.exitCode, null)
      assert.throws(() => job.receipt, { code: 'NO_RECEIPT' })
    } finally {
      if (TMPDIR === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = TMPDIR
      assert.deepEqual(await readdir(own), [])
      await rm(own, { recursive: true })
    }
  })

  test('its folder is gone with it, and one that was named stays, with the key', async () => {
    const own = await mkdtemp(join(tmpdir(), 'pleach-sdk-'))
    try {
      const first = await createPeer({ dataDir: join(own, 'peer') })
      await first.stop()
      await first.stop()
      assert.ok(existsSync(join(own, 'peer', 'key')))
      await using again = await createPeer({ dataDir: join(own, 'peer') })
      assert.equal(again.id, first.id)
      await assert.rejects(createPeer({ dataDir: join(own, 'peer') }), { code: 'LEDGER_IN_USE' })
    } finally {
      await rm(own, { recursive: true, force: true })
    }
  })

  test('a signal that has fired starts nothing; what cannot be is an error with a code', async () => {
    const reason = new Error('changed my mind')
    await assert.rejects(createPeer({ signal: AbortSignal.abort(reason) }), reason)
    await assert.rejects(createPeer({ listen: ['nonsense'] }), { code: 'ADDRESS_INVALID' })
    await assert.rejects(createPeer({ network: 'Not A Name' }), { code: 'NETWORK_INVALID' })
  })
})

describe('among others', () => {
  let net: Testnet
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pleach-sdk-'))
    net = await testnet({
      peers: 4,
      seed: 7,
      offer: (index) => ({
        cpuHourMicro: index * 1_000_000,
        policy: { ...plainPolicy, region: index === 1 ? 'eu' : 'us' },
      }),
      signal: inTime(),
    })
  })
  after(async () => {
    await net.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('a job runs: its events, what it printed, its exit code, what it left and the receipt', async () => {
    const path = join(folder, 'says.wasm')
    await writeFile(path, prints([1, 'the answer is 42'], [2, 'a word']))
    const job = await net.requester.run({ module: path, cpu: 1, ...small, env: { A: 'b' } }, { signal: inTime() })
    assert.throws(() => job.receipt, { code: 'NOT_DONE' })
    assert.throws(() => job.outputs, { code: 'NOT_DONE' })
    const stages: string[] = []
    for await (const { stage } of job.events({ signal: inTime() })) stages.push(stage)
    assert.equal(stages[0], 'bidding')
    for (const stage of ['offered', 'matched', 'running', 'result', 'receipt']) assert.ok(stages.includes(stage), stage)
    assert.equal(stages.at(-1), 'paid')
    assert.equal(await job.text(), 'the answer is 42')
    assert.equal(await job.text(), 'the answer is 42', 'as often as it is asked for')
    assert.equal((await job.done).stage, 'paid')
    assert.equal(job.exitCode, 0)
    assert.equal(job.outputs, null)
    const { cid, amount, bothSigned, receipts } = job.receipt
    assert.match(cid, /^bafkrei[a-z2-7]{52}$/)
    assert.ok(Number(amount) > 0)
    assert.ok(bothSigned > 0 && bothSigned <= receipts)
    const log: string[] = []
    for await (const event of job.events({ logs: true }))
      if (event.type === 'log') log.push(`${event.channel} ${Buffer.from(event.bytes).toString()}`)
    assert.deepEqual(log.toSorted(), ['stderr a word', 'stdout the answer is 42'])
    assert.equal(await net.requester.job(job.id).text(), 'the answer is 42', 'by its id too')
  })

  test('a module may be bytes; an exit code is no error, and a trap is', async () => {
    const seven = await net.requester.run({ module: exits(7), ...small })
    assert.equal((await seven.done).exitCode, 7)
    assert.equal(seven.exitCode, 7)
    const trapped = await net.requester.run({ module: traps, ...small })
    await assert.rejects(trapped.done, { code: 'TRAPPED' })
    assert.ok(trapped.receipt.cid.length > 0, 'the work was done, and paid')
  })

  test('nobody fits: the code, and how many fail at what', async () => {
    const job = await net.requester.run({ module: exits(0), ...small, cpu: 64, wait: '1s' })
    await assert.rejects(job.done, (error) => {
      assert.ok(error instanceof JobError)
      assert.deepEqual([error.code, error.exit], ['NO_MATCH', 4])
      assert.deepEqual(error.excluded, [{ requirement: 'cpu >= 64', count: 3, onlyThis: 3, relax: '--cpu 1' }])
      return true
    })
  })

  test('a signal ends the waiting, cancel ends the job, and a job that nobody looks at rejects nothing', async () => {
    const job = await net.requester.run({ module: sleeps(60_000, 'tick\n'), ...small })
    const giveUp = new AbortController()
    const reason = new Error('enough')
    const reading = job.text({ signal: giveUp.signal })
    for await (const { type } of job.events({ logs: true })) if (type === 'log') break
    giveUp.abort(reason)
    await assert.rejects(reading, reason)
    assert.equal((await job.view()).stage, 'running')
    await job.cancel()
    await assert.rejects(job.done, { code: 'CANCELLED' })
  })

  test('what is wrong with a job is said at once, with the nearest right name', async () => {
    const run = net.requester
    await assert.rejects(run.run({ module: join(folder, 'none.wasm') }), { code: 'NO_SUCH_FILE' })
    await assert.rejects(run.run({ module: exits(0), cpu: 'many' }), (error) => {
      assert.ok(error instanceof ControlError)
      assert.equal(error.code, 'BAD_SPEC')
      assert.match(error.why, /^cpu: /)
      return true
    })
    await assert.rejects(run.run({ module: exits(0), ...({ memroyBytes: 1 } as object) }), (error) => {
      assert.match((error as ControlError).why, /memoryBytes/)
      return true
    })
    await assert.rejects(run.run({ module: exits(0), cpu: 1, cpuMilli: 1_000 }), { code: 'BAD_SPEC' })
    await assert.rejects(run.run({ module: exits(0) }, { signal: AbortSignal.abort(new Error('no')) }), /no/)
    await assert.rejects(run.join('nonsense'), { code: 'ADDRESS_INVALID' })
    await assert.rejects(run.job('nonsense').done, { code: 'NOT_FOUND' })
  })

  test('estimate: what it would cost, and when it would begin', async () => {
    const wish = { memory: '64Mi', disk: '1Mi', cpu: 1, timeout: '1h' }
    const { pass, asked, costFrom, startInMs } = await net.requester.estimate(wish)
    assert.deepEqual([pass, asked, costFrom], [3, 3, '1'])
    assert.ok((startInMs ?? 0) > 0)
  })

  test('findProviders and deployContainer, in the words of others', async () => {
    const { requester, providers } = net
    const all = await requester.findProviders({})
    assert.deepEqual(new Set(all.map(({ id }) => id)), new Set(providers.map(({ id }) => id)))
    assert.ok(all.every(({ standing }, index) => index === 0 || all[index - 1]!.standing >= standing))
    const [first, ...others] = await requester.findProviders({ region: 'eu', max_price_per_hour: 1.5, min_nodes: 1 })
    assert.deepEqual([first?.id, first?.price, first?.unit, others.length], [providers[0]!.id, 1, 'credit', 0])
    assert.deepEqual(await requester.findProviders({ region: 'eu', min_nodes: 2 }), [])
    assert.deepEqual(await requester.findProviders({ gpu_type: '4090', min_vram_gb: 24 }), [])
    const { excluded, known } = await requester.explain({ gpu_type: '4090', min_vram_gb: 24 })
    assert.deepEqual([known, excluded.map(({ requirement }) => requirement)], [3, ['gpu = 4090']])
    for (const wrong of [{ min_nodes: 0 }, { min_vram_gb: NaN }, { max_price_per_hour: -1 }, { vram: 1 } as object])
      await assert.rejects(requester.findProviders(wrong), { code: 'BAD_SPEC' })
    const request = { providerId: providers[0]!.id, image: 'nginx@sha256:00', envVars: { A: 'b' } }
    await assert.rejects(requester.deployContainer(request), { code: 'NO_CONTAINER_RUNTIME' })
    await assert.rejects(requester.deployContainer({ ...request, providerId: 'somebody' }), { code: 'BAD_SPEC' })
    await assert.rejects(requester.deployContainer({ ...request, image: '' }), { code: 'BAD_SPEC' })
  })

  test('outputs are put where they are wanted', async () => {
    const { everything } = await import('../node/programs.ts')
    const [smallFile, large, stdin] = ['small', 'large', 'stdin'].map((name) => join(folder, name))
    await Promise.all([smallFile!, large!, stdin!].map(async (path) => writeFile(path, 'some text')))
    const out = join(folder, 'out')
    const job = await net.requester.run({
      module: everything(0, 'well'),
      ...small,
      inputs: [smallFile!, { path: large!, guestPath: '/in/large' }],
      stdin: stdin!,
      out,
      code: '2+1',
    })
    assert.equal((await job.done).exitCode, 0)
    assert.deepEqual(job.outputs, { folder: out, files: 2, bytes: 13 })
    assert.equal(await readFile(join(out, 'note'), 'utf8'), 'well')
  })
})

describe('testnet', () => {
  test('the same seed gives the same peers; a stopped peer ends what waits', async () => {
    const ids = async (seed: number) => {
      await using net = await testnet({ peers: 2, seed })
      return net.peers.map(({ id }) => id)
    }
    const [first, again, other] = [await ids(3), await ids(3), await ids(4)]
    assert.deepEqual(first, again)
    assert.notDeepEqual(first, other)
    const net = await testnet({ peers: 2, seed: 5 })
    const job = await net.requester.run({ module: sleeps(60_000, 'tick\n'), ...small })
    const waiting = assert.rejects(job.done, { code: 'PEER_STOPPING' })
    await net.stop()
    await waiting
    await assert.rejects(net.requester.run({ module: exits(0) }), { code: 'PEER_STOPPING' })
  })

  test('numbers that cannot be', async () => {
    for (const peers of [1, 51, 2.5]) await assert.rejects(testnet({ peers }), { code: 'BAD_SPEC' })
  })
})
