import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { ErrorView, JobStreamEvent, PeerControl } from '../../src/control/api.ts'
import { bodyBytesMax } from '../../src/control/exchange.ts'
import { serveControl, type ControlServer } from '../../src/control/server.ts'
import { realClock, type Log } from '../../src/environment.ts'
import { FakeControl, lease } from './fake-control.ts'

const world = mkdtempSync(join(realpathSync(tmpdir()), 'pleach-server-'))
after(() => rmSync(world, { recursive: true, force: true }))

const logged: string[] = []
const log: Log = (level, message, facts) => logged.push(`${level} ${message} ${JSON.stringify(facts)}`)
const environment = { clock: realClock, log }
const house = (control: PeerControl) => ({ control, isReady: () => true, stop: () => {} })

interface Told {
  status: number
  text: string
  json: unknown
  error: ErrorView['error']
}

const ask = async (socketPath: string, method: string, path: string, body?: string | Buffer): Promise<Told> =>
  new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const json = text.trim().includes('\n') ? undefined : (JSON.parse(text) as unknown)
        resolve({ status: response.statusCode!, text, json, error: (json as ErrorView | undefined)?.error as never })
      })
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })

const eventually = async (what: string, holds: () => boolean): Promise<void> => {
  for (let waited = 0; !holds(); waited += 5) {
    if (waited > 5_000) assert.fail(`never: ${what}`)
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
  }
}

describe('the control server', () => {
  const control = new FakeControl()
  const socket = join(world, 'run', 'default.sock')
  let server: ControlServer
  let ready = true
  let stops = 0
  before(async () => {
    server = await serveControl(socket, { control, isReady: () => ready, stop: () => stops++ }, environment)
  })
  after(async () => server.close())

  test('listens where only this user can reach it', () => {
    assert.equal(statSync(socket).mode & 0o777, 0o600)
    assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700)
  })

  test('says whether it lives and whether it is ready', async () => {
    for (const path of ['/healthz', '/readyz', '/v1/healthz', '/v1/readyz']) {
      assert.deepEqual((await ask(socket, 'GET', path)).json, { v: 1, ok: true })
    }
    ready = false
    const told = await ask(socket, 'GET', '/readyz')
    assert.deepEqual([told.status, told.error.code], [503, 'NOT_READY'])
    assert.equal((await ask(socket, 'GET', '/healthz')).status, 200)
    ready = true
  })

  test('POST /stop is answered, then asked for', async () => {
    assert.deepEqual((await ask(socket, 'POST', '/v1/stop', '{}')).json, { v: 1 })
    assert.equal(stops, 1)
  })

  const wrong: [what: string, method: string, path: string, body: string | undefined, status: number, says: RegExp][] =
    [
      ['a path that is none', 'GET', '/v1/nothing', undefined, 404, /NO_ROUTE.*no GET \/v1\/nothing/],
      ['a path with an empty id', 'GET', '/v1/jobs/', undefined, 404, /NO_ROUTE/],
      ['a prototype for a path', 'GET', '/constructor', undefined, 404, /NO_ROUTE/],
      ['another method', 'DELETE', '/v1/jobs', undefined, 405, /NO_METHOD.*it takes POST, GET/],
      [
        'a job that is not there',
        'GET',
        '/v1/jobs/zzz',
        undefined,
        404,
        /NOT_FOUND.*no job begins with zzz.*pleach jobs/,
      ],
      ['events of none', 'GET', '/v1/jobs/zzz/events?logs=1&follow=1', undefined, 404, /NOT_FOUND/],
      ['a filter of receipts that is none', 'GET', '/v1/receipts?since=yesterday', undefined, 400, /BAD_SPEC/],
      ['a filter that is not known', 'GET', '/v1/receipts?colour=red', undefined, 400, /BAD_SPEC/],
      ['a lease that is not there', 'GET', '/v1/receipts/ff', undefined, 404, /NOT_FOUND/],
      ['why, of none', 'GET', '/v1/jobs/zzz/explanation', undefined, 404, /NOT_FOUND/],
      ['a wish misspelt', 'POST', '/v1/offers', '{"wish":{"region":["eu"]}}', 400, /BAD_SPEC.*did you mean regions\?/],
      ['a wish with a module', 'POST', '/v1/offers', '{"wish":{"module":"/a"}}', 400, /BAD_SPEC.*module is not a key/],
      ['no body', 'POST', '/v1/jobs', '', 400, /BAD_JSON/],
      ['a broken body', 'POST', '/v1/jobs', '{"module": ', 400, /BAD_JSON.*the body is not JSON/],
      ['a body that is no object', 'POST', '/v1/jobs', '[1]', 400, /BAD_SPEC.*expected object/],
      ['a job without a module', 'POST', '/v1/jobs', '{}', 400, /BAD_SPEC.*module: is missing/],
      ['a misspelt key', 'POST', '/v1/jobs', '{"module":"/a","memoryByte":1}', 400, /did you mean memoryBytes\?/],
      ['a wrong type', 'POST', '/v1/jobs', '{"module":"/a","args":"x"}', 400, /BAD_SPEC.*args/],
      [
        'half a processor in thousandths',
        'POST',
        '/v1/jobs',
        '{"module":"/a","cpuMilli":0.5}',
        400,
        /not a whole number/,
      ],
      ['a get of two things', 'POST', '/v1/get', '{"object":"a","read":"b","path":"/x"}', 400, /object or read/],
      ['a join to nowhere', 'POST', '/v1/join', '{"adress":"x"}', 400, /did you mean address\?/],
    ]
  for (const [what, method, path, body, status, says] of wrong) {
    test(`${what} is told`, async () => {
      const told = await ask(socket, method, path, body)
      assert.equal(told.status, status, told.text)
      assert.match(`${told.error.code} ${told.error.what} ${told.error.why} ${told.error.cure}`, says)
    })
  }

  test('a fault of the peer is told as one, and logged', async () => {
    const told = await ask(socket, 'POST', '/v1/join', '{"address":"/ip4/198.51.100.1/tcp/1"}')
    assert.deepEqual([told.status, told.error.code, told.error.exit], [500, 'FAULT', 1])
    assert.ok(
      logged.some((line) => line.includes('a bug of the peer')),
      logged.join('\n'),
    )
  })

  test('a body over the cap is refused, whether its length was told or not', async () => {
    const big = Buffer.alloc(bodyBytesMax + 1, 0x20)
    const declared = await ask(socket, 'POST', '/v1/jobs', big)
    assert.deepEqual([declared.status, declared.error.code], [413, 'BODY_TOO_LARGE'])
    // Undeclared: in chunks that never end by themselves.
    const told = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = request({ socketPath: socket, method: 'POST', path: '/v1/jobs', agent: false }, (response) => {
        resolve(response.statusCode)
        outgoing.destroy()
      })
      outgoing.on('error', reject)
      const push = (): void => {
        if (!outgoing.destroyed) outgoing.write(big.subarray(0, 64 * 1024), () => setImmediate(push))
      }
      push()
    })
    assert.equal(told, 413)
    const exact = `{"module":"/${'a'.repeat(100)}"}`.padEnd(bodyBytesMax, ' ')
    assert.equal((await ask(socket, 'POST', '/v1/jobs', exact)).status, 200)
  })

  test('quantities in a job are understood as in a job file', async () => {
    await ask(socket, 'POST', '/v1/jobs', '{"module":"/m.wasm","memoryBytes":"512Mi","wallMs":"2m","cpuMilli":500}')
    const expected = { module: '/m.wasm', memoryBytes: 512 * 2 ** 20, wallMs: 120_000, cpuMilli: 500 }
    assert.deepEqual(control.specs.at(-1), expected)
  })

  test('events come as lines of JSON, from the first to the end', async () => {
    const job = (await ask(socket, 'POST', '/v1/jobs', '{"module":"/hello.wasm"}')).json as { id: string }
    const { text } = await ask(socket, 'GET', `/v1/jobs/${job.id}/events?logs=1&follow=1`)
    const events = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JobStreamEvent)
    assert.deepEqual([events[0]?.type, events.at(-1)?.type], ['job', 'end'])
    assert.equal(events.filter(({ type }) => type === 'log').length, 2)
    const without = await ask(socket, 'GET', `/v1/jobs/${job.id}/events?logs=0&follow=1`)
    assert.ok(!without.text.includes('"log"'))
  })

  test('a client that goes away ends what the peer does for it', async () => {
    const job = (await ask(socket, 'POST', '/v1/jobs', '{"module":"/endless.wasm"}')).json as { id: string }
    const raw = connect(socket)
    raw.write(`GET /v1/jobs/${job.id}/events?logs=1&follow=1 HTTP/1.1\r\nhost: peer\r\n\r\n`)
    await once(raw, 'data')
    assert.equal(control.streams, 1)
    raw.destroy()
    await eventually('the stream ends', () => control.streams === 0)
  })

  test('a receipt file comes as it is', async () => {
    const told = await ask(socket, 'GET', `/v1/receipts/${lease.slice(0, 6)}`)
    assert.equal((told.json as { kind: string }).kind, 'pleach-receipts')
  })
})

describe('back-pressure', () => {
  test('the peer is asked for no more events than the client takes', async () => {
    const socket = join(world, 'slow.sock')
    let yielded = 0
    const piece = Buffer.alloc(64 * 1024).toString('base64')
    class Talkative extends FakeControl {
      override async *jobEvents(): AsyncGenerator<JobStreamEvent> {
        for (; yielded < 2_000; yielded++) yield { type: 'log', channel: 'stdout', base64: piece }
      }
    }
    const server = await serveControl(socket, house(new Talkative()), environment)
    const raw = connect(socket)
    raw.pause()
    raw.write('GET /v1/jobs/x/events?logs=1&follow=1 HTTP/1.1\r\nhost: peer\r\nconnection: close\r\n\r\n')
    await eventually('the first event', () => yielded > 0)
    let before = -1
    // Full when nothing more is taken for a while.
    while (before !== yielded) {
      before = yielded
      await new Promise((resolve) => {
        setTimeout(resolve, 100)
      })
    }
    assert.ok(yielded < 30, `${yielded} of 2000 events of 87 kB were taken while nobody read`)
    raw.resume()
    await eventually('all of them', () => yielded === 2_000)
    raw.destroy()
    await server.close()
  })
})

describe('the socket file', () => {
  test('of a peer that was killed is taken over', async () => {
    const socket = join(world, 'stale.sock')
    const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 9))`
    const killed = spawn(process.execPath, ['-e', script])
    await once(killed, 'exit')
    assert.ok(existsSync(socket), 'the killed process leaves its socket')
    const server = await serveControl(socket, house(new FakeControl()), environment)
    assert.equal((await ask(socket, 'GET', '/healthz')).status, 200)
    await server.close()
    assert.ok(!existsSync(socket), 'a closed server leaves none')
  })

  test('of a peer that lives is let be', async () => {
    const socket = join(world, 'live.sock')
    const first = await serveControl(socket, house(new FakeControl()), environment)
    await assert.rejects(serveControl(socket, house(new FakeControl()), environment), {
      code: 'SOCKET_IN_USE',
      why: 'another peer answers there',
      exit: 6,
    })
    assert.equal((await ask(socket, 'GET', '/healthz')).status, 200)
    await first.close()
  })

  test('is not made over a file of that name', async () => {
    const socket = join(world, 'precious')
    writeFileSync(socket, 'diary')
    await assert.rejects(serveControl(socket, house(new FakeControl()), environment), { code: 'SOCKET_IN_USE' })
    assert.equal(statSync(socket).size, 5)
  })
})

test('closing ends the streams that are open', async () => {
  const socket = join(world, 'closing.sock')
  const control = new FakeControl()
  // A clock that cuts nothing off: only what is told to end can end.
  const clock = { ...realClock, after: () => () => {} }
  const server = await serveControl(socket, house(control), { clock, log })
  const { id } = await control.submit({ module: 'endless.wasm' }, AbortSignal.timeout(1_000))
  const streamed = ask(socket, 'GET', `/v1/jobs/${id}/events?logs=1&follow=1`)
  await eventually('the stream is open', () => control.streams === 1)
  await server.close()
  assert.ok(!(await streamed).text.includes('"end"'))
})
