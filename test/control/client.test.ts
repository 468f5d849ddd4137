import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { JobStreamEvent } from '../../src/control/api.ts'
import { createControlClient } from '../../src/control/client.ts'
import { serveControl, type ControlServer } from '../../src/control/server.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { FakeControl, bytesOfBigJob, lease, object, self } from './fake-control.ts'

const world = mkdtempSync(join(realpathSync(tmpdir()), 'pleach-client-'))
after(() => rmSync(world, { recursive: true, force: true }))

const never = new AbortController().signal
const all = async <Item>(items: AsyncIterable<Item>): Promise<Item[]> => {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('every call of the peer, carried over the socket', () => {
  const socket = join(world, 'peer.sock')
  const control = new FakeControl()
  const client = createControlClient(socket, never)
  let server: ControlServer
  let stops = 0
  before(async () => {
    server = await serveControl(
      socket,
      { control, isReady: () => true, stop: () => stops++ },
      { clock: realClock, log: silentLog },
    )
  })
  after(async () => server.close())

  test('status, peers, offers', async () => {
    assert.deepEqual(await client.status(), await control.status())
    assert.deepEqual(await client.peers(), await control.peers())
    assert.deepEqual(await client.offers(true, never), await control.offers(true, never))
    await client.offers(false, never)
    assert.deepEqual(control.calls, ['offers asked for', 'offers asked for', 'offers known'])
  })

  test('offers that fit, and why a job was not taken', async () => {
    const wish = { cpuMilli: 4_000, regions: ['eu'], egress: true }
    assert.deepEqual(await client.findOffers(wish, false, never), await control.findOffers(wish, false, never))
    assert.equal(control.calls.at(-1), `offers known for ${JSON.stringify(wish)}`)
    const { id } = await control.submit({ module: '/hello.wasm' }, never)
    assert.deepEqual(await client.explainJob(id.slice(0, 9), never), await control.explainJob(id, never))
    await assert.rejects(client.explainJob('zzz', never), { code: 'NOT_FOUND' })
  })

  test('a job and its events, every byte of its log', async () => {
    const spec = { module: '/big.wasm', args: ['ä', ''], env: { A: '"' }, inputs: [{ path: '/x', guestPath: '/in/y' }] }
    const job = await client.submit(spec, never)
    assert.deepEqual(control.specs.at(-1), spec)
    assert.deepEqual((await client.jobs())[0], job)
    assert.deepEqual(await client.job(job.id.slice(0, 9)), job)
    const events = await all(client.jobEvents(job.id, { logs: true, follow: true }, never))
    const bytes = events.flatMap((event) => (event.type === 'log' ? [Buffer.from(event.base64, 'base64')] : []))
    assert.ok(Buffer.concat(bytes).equals(bytesOfBigJob))
    assert.equal(events.at(-1)?.type, 'end')
    assert.equal((await client.cancel(job.id)).id, job.id)
  })

  test('put, get, receipts, join, stop', async () => {
    assert.equal((await client.put({ path: '/a b', code: '4+8' }, never)).object, object)
    assert.equal((await client.get({ object, path: '/out' }, never)).path, '/out')
    assert.equal((await client.receipts())[0]?.lease, lease)
    assert.deepEqual(await client.storageReceipts(), await control.storageReceipts())
    const filter = { job: '91c0', peer: 'brisk-reed', sinceMs: 5 }
    await client.receipts(filter)
    assert.equal(control.calls.at(-1), `receipts ${JSON.stringify(filter)}`)
    assert.deepEqual(await client.receiptFile('ab'), await control.receiptFile('ab'))
    assert.deepEqual(await client.receiptCredential('good'), await control.receiptCredential('good'))
    assert.deepEqual(await client.join('/ip4/203.0.113.7/tcp/1', never), await control.peers())
    await client.stop()
    assert.equal(stops, 1)
  })

  test('an error is the same on this side', async () => {
    const error = { name: 'ControlError', code: 'NOT_FOUND', message: 'no job begins with a/b?c', exit: 2 }
    await assert.rejects(client.job('a/b?c'), { ...error, message: /no job begins with/ })
    await assert.rejects(all(client.jobEvents('zz', { logs: true, follow: true }, never)), { code: 'NOT_FOUND' })
  })

  test('a signal ends a stream with its own reason, and the peer hears of it', async () => {
    const { id } = await client.submit({ module: 'endless.wasm' }, never)
    const controller = new AbortController()
    const reason = new Error('enough')
    const seen: JobStreamEvent['type'][] = []
    await assert.rejects(async () => {
      for await (const { type } of client.jobEvents(id, { logs: true, follow: true }, controller.signal)) {
        seen.push(type)
        if (type === 'log') controller.abort(reason)
      }
    }, reason)
    assert.ok(seen.includes('running'))
    await assert.rejects(client.offers(true, controller.signal), reason)
  })
})

describe('what is wrong with the other side is told as what it means', () => {
  const rudely = async (name: string, answer: (socket: Socket) => void): Promise<{ server: Server; path: string }> => {
    const path = join(world, name)
    const server = createServer((socket) => {
      socket.once('data', () => answer(socket))
      socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => {
      server.listen(path, resolve)
    })
    return { server, path }
  }

  test('nobody there', async () => {
    const client = createControlClient(join(world, 'none.sock'), never)
    await assert.rejects(client.status(), {
      code: 'NO_PEER',
      exit: 5,
      cure: 'pleach up',
      message: 'no peer is running',
    })
  })

  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
  const cases: [what: string, sent: string, expected: object][] = [
    ['it hangs up', '', { code: 'PEER_GONE', exit: 5 }],
    ['it dies in the middle', `${head}content-length: 100\r\n\r\n{"v":1`, { code: 'PEER_GONE', exit: 5 }],
    ['it is no HTTP', 'SSH-2.0-OpenSSH\r\n', { code: 'PEER_GONE', exit: 5 }],
    ['it sends no JSON', `${head}content-length: 5\r\n\r\nhello`, { code: 'BAD_ANSWER', exit: 1 }],
  ]
  for (const [index, [what, sent, expected]] of cases.entries()) {
    test(what, async () => {
      const { server, path } = await rudely(`rude-${index}.sock`, (socket) => socket.end(sent))
      await assert.rejects(createControlClient(path, never).status(), expected)
      server.close()
    })
  }

  test('it is silent, and one has waited enough', async () => {
    const { server, path } = await rudely('silent.sock', () => {})
    const reason = new Error('enough')
    const controller = new AbortController()
    const asked = createControlClient(path, never).offers(true, controller.signal)
    setTimeout(() => controller.abort(reason), 20)
    await assert.rejects(asked, reason)
    server.close()
  })

  test('lines may be cut anywhere, in the middle of a letter too', async () => {
    const event = { type: 'job', job: { ...self, name: 'käse\u{1f9c0}' } }
    const bytes = Buffer.from(`${JSON.stringify(event)}\n${JSON.stringify(event)}`)
    const { server, path } = await rudely('cut.sock', (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n')
      let at = 0
      const next = (): void => {
        if (at === bytes.length) socket.end()
        else socket.write(bytes.subarray(at, ++at), () => setImmediate(next))
      }
      next()
    })
    const seen = await all(createControlClient(path, never).jobEvents('x', { logs: false, follow: false }, never))
    assert.deepEqual(seen, [event, event])
    server.close()
  })

  test('an error behind the first events is thrown after them', async () => {
    const error = { code: 'NOT_ENOUGH_SHARDS', what: 'a', why: 'b', cure: 'c', exit: 5 }
    const { server, path } = await rudely('late.sock', (socket) => {
      const lines = `${JSON.stringify({ type: 'job', job: {} })}\n${JSON.stringify({ v: 1, error })}\n`
      socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${lines}`)
    })
    const seen: unknown[] = []
    await assert.rejects(
      async () => {
        const events = createControlClient(path, never).jobEvents('x', { logs: true, follow: true }, never)
        for await (const event of events) seen.push(event)
      },
      { code: 'NOT_ENOUGH_SHARDS', message: 'a', why: 'b', cure: 'c', exit: 5 },
    )
    assert.equal(seen.length, 1)
    server.close()
  })
})
