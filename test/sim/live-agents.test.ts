// A run over several processes: agents that are driven, refuse, are killed and left alone; and what Ctrl-C leaves of a run.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'

import { realClock } from '../../src/environment.ts'
import { heapFlags } from '../../sim/commands/own-process.ts'
import { Agent } from '../../sim/live/agents/agent.ts'
import {
  agentVersion,
  bodyBytesMax,
  decodeBody,
  encodeBody,
  versionHeader,
  type AgentOrder,
} from '../../sim/live/agents/messages.ts'
import { RemotePart } from '../../sim/live/agents/remote-part.ts'
import { planOf } from '../../sim/live/run/plan.ts'
import { until } from '../../sim/live/waits.ts'
import { checkRecord, type RunRecord } from '../../sim/report/record.ts'
import { loadFile } from '../../sim/scenarios/load.ts'
import { scenarioNamed } from '../../sim/scenarios/index.ts'
import type { Scenario } from '../../sim/scenarios/schema.ts'

const root = join(import.meta.dirname, '..', '..')
const deadlineMs = 60_000
const token = 'a secret of this test'
/** Enough for a mesh of degree 4, and for two agents. */
const peers = 12
const never = new AbortController().signal

let scratch: string

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pleach-agents-'))
  const market = ['extends: market', `peers: ${peers}`, 'lendShare: 0.25', 'live:', '  execution: modelled']
  const near = [...market, '  requesters: 2', '  jobsWithinMs: 300']
  await writeFile(join(scratch, 'near.yaml'), [...near, '  workMs: 50'].join('\n'))
  // A job works for some of the seconds in which agents are looked at.
  await writeFile(join(scratch, 'slow.yaml'), [...near, '  workMs: 2500'].join('\n'))
  // Nobody asks for anything in the first minute, and then the test is over.
  await writeFile(join(scratch, 'long.yaml'), [...market, '  requesters: 1', '  jobsWithinMs: 3600000'].join('\n'))
})

// A process that was killed a moment ago may have been writing there.
after(async () => rm(scratch, { recursive: true, maxRetries: 10, retryDelay: 200 }))

/** A process of the simulator, and what it says. */
interface Told {
  readonly child: ChildProcess
  out: string
  err: string
  readonly ended: Promise<number | null>
}

interface SimOptions {
  readonly env?: NodeJS.ProcessEnv
  /** By itself, and not as the parent of the process that does it. */
  readonly flags?: readonly string[]
  readonly detached?: boolean
}

const running = new Set<ChildProcess>()
after(() => running.forEach((child) => child.kill('SIGKILL')))

function sim(args: readonly string[], { env = {}, flags = [], detached = false }: SimOptions = {}): Told {
  const child = spawn(process.execPath, [...flags, 'sim/main.ts', ...args], {
    cwd: root,
    env: { ...process.env, PLEACH_SIM_TOKEN: token, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  })
  running.add(child)
  const told: Told = {
    child,
    out: '',
    err: '',
    ended: once(child, 'close').then(([code]) => {
      running.delete(child)
      return code as number | null
    }),
  }
  child.stdout.on('data', (bytes: Buffer) => void (told.out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => void (told.err += bytes.toString()))
  return told
}

async function says(told: Told, what: RegExp, since = 0): Promise<void> {
  const said = await until(() => what.test(told.err.slice(since)), deadlineMs)
  assert.ok(said, `it never said ${String(what)}, but ${told.err}`)
}

/** An agent in a process of its own, which can be killed. */
async function agentProcess(t?: TestContext): Promise<{ readonly at: string; readonly told: Told }> {
  const told = sim(['agent', '--json'], { flags: heapFlags })
  t?.after(() => told.child.kill('SIGKILL'))
  assert.ok(await until(() => told.out.includes('\n'), deadlineMs), told.err)
  return { at: (JSON.parse(told.out) as { agent: string }).agent, told }
}

const portOf = (at: string): number => Number(at.split(':').at(-1))

function recordIn(folder: string): RunRecord {
  const path = join(folder, 'record.json')
  return checkRecord(JSON.parse(readFileSync(path, 'utf8')), path)
}

function nodesOf({ figures }: RunRecord): number {
  const figure = figures.find(({ kind }) => kind === 'topology')
  assert.ok(figure?.kind === 'topology')
  return figure.after.nodes.length
}

function broken({ assertions }: RunRecord): string[] {
  return assertions.filter(({ holds }) => !holds).map(({ name, got }) => `${name}: ${got}`)
}

function near(): Scenario {
  return loadFile(join(scratch, 'near.yaml'), scenarioNamed)
}

describe('a run over two agents', { timeout: 4 * deadlineMs }, () => {
  let one: Awaited<ReturnType<typeof agentProcess>>
  let other: Awaited<ReturnType<typeof agentProcess>>
  let agents: string
  const long = (): string[] => ['run', join(scratch, 'long.yaml'), '--agents', agents]

  before(async () => {
    ;[one, other] = await Promise.all([agentProcess(), agentProcess()])
    agents = `${one.at},${other.at}`
  })

  test('pays jobs from the one process to the other, and its record is of all peers', async () => {
    const half = peers / 2
    /** Whoever lends is at the first agent, and whoever asks at the other. */
    const isSplit = (seed: number): boolean => {
      const plan = planOf({ ...near(), live: { ...near().live, carrier: 'tcp' } }, seed)
      return (
        plan.peers.every(({ index, lends }) => !lends || index < half) &&
        plan.jobs.every(({ requester }) => requester >= half)
      )
    }
    const seed = Array.from({ length: 1_000 }, (_, place) => place).find(isSplit)
    assert.ok(seed !== undefined)
    const folder = join(scratch, 'out')
    const args = ['run', join(scratch, 'slow.yaml'), '--agents', agents, '--seed', `${seed}`, '--out', folder, '--json']
    const run = sim(args)
    assert.equal(await run.ended, 0, run.err)
    const record = recordIn(folder)
    assert.deepEqual(broken(record), [])
    assert.ok(record.assertions.some(({ name }) => name === 'credits-equal-debits'))
    assert.match(record.assertions.find(({ name }) => name === 'paid-share')!.got, /^2 of 2 paid$/)
    assert.equal(nodesOf(record), peers)
    const last = JSON.parse(run.out) as { carrier: string; numbers: Record<string, number | null> }
    assert.equal(last.carrier, 'tcp')
    assert.equal(last.numbers['jobs_planned'], 2)
    // The figures of each process, and the seconds of both together.
    const text = JSON.stringify(record.figures)
    assert.ok(text.includes('agent 1') && text.includes('agent 2'))
    const seconds = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n')
    assert.ok(seconds.some((line) => (JSON.parse(line) as { peersUp?: number }).peersUp === peers))
    assert.match(run.err, /^ +\d+ s {2}\w+ {2}.*cpu \d+ % {2}\d+ MB$/m)
  })

  test('that is going on is not disturbed by others, and tells what was so far when it is interrupted', async () => {
    const folder = join(scratch, 'cut')
    const first = sim([...long(), '--out', folder])
    await says(first, /^ {2}jobs$/m)
    const second = sim(['run', 'boot', '--peers', '8', '--agents', one.at])
    const third = sim(['run', 'boot', '--peers', '8', '--agents', one.at], { env: { PLEACH_SIM_TOKEN: 'guessed' } })
    assert.deepEqual(await Promise.all([second.ended, third.ended]), [1, 1])
    assert.match(
      second.err,
      /^error: agent 1 at 127\.0\.0\.1:\d+ did not do open: it is busy with another run: agent 1 of long$/m,
    )
    assert.match(third.err, /^error: agent 1 at .* the token is another: set PLEACH_SIM_TOKEN to the same text/m)
    assert.doesNotMatch(second.err + third.err, / at .*\.ts:\d+/)
    first.child.kill('SIGINT')
    assert.equal(await first.ended, 130)
    assert.match(first.err, /SIGINT: the peers stop/)
    const record = recordIn(folder)
    assert.deepEqual([record.valid, record.invalidBecause], [false, 'it was interrupted'])
    assert.equal(nodesOf(record), peers)
    assert.ok(existsSync(join(folder, 'report.html')))
    await Promise.all([one, other].map(async ({ told }) => says(told, /the run is over/)))
  })

  test('of which one is killed ends with its name, and the other takes the next run', async (t) => {
    const victim = await agentProcess(t)
    const since = one.told.err.length
    const run = sim(['run', join(scratch, 'long.yaml'), '--agents', `${one.at},${victim.at}`])
    await says(run, /^ {2}jobs$/m)
    // Who is killed removes nothing.
    const disks = foldersOf(victim.told.child.pid!)
    t.after(async () => Promise.all(disks.map(async (disk) => rm(disk, { recursive: true }))))
    victim.told.child.kill('SIGKILL')
    assert.equal(await run.ended, 1)
    assert.match(run.err, new RegExp(`^error: agent 2 at ${victim.at} broke off in the middle of act: `, 'm'))
    assert.doesNotMatch(run.err, / at .*\.ts:\d+/)
    await says(one.told, /the run is over/, since)
    const next = sim(['run', join(scratch, 'near.yaml'), '--peers', '8', '--agents', one.at])
    assert.equal(await next.ended, 0, next.err)
  })

  test('leaves nothing behind when the agents are told to end', async () => {
    const folders = [one, other].flatMap(({ told }) => foldersOf(told.child.pid!))
    assert.deepEqual(folders, [])
    for (const { told } of [one, other]) told.child.kill('SIGTERM')
    assert.deepEqual(await Promise.all([one, other].map(async ({ told }) => told.ended)), [0, 0])
  })
})

describe('an agent', { timeout: 2 * deadlineMs }, () => {
  const said: string[] = []
  let agent: Agent

  before(async () => {
    const listen = { host: '127.0.0.1', port: 0 }
    agent = await Agent.listen({ listen, host: '127.0.0.1', token, say: (line) => said.push(line), silentMsMax: 3_000 })
  })

  after(async () => agent.stop())

  const order = (changed: object = {}): object => ({
    v: agentVersion,
    scenario: { ...near(), live: { ...near().live, carrier: 'tcp' } },
    seed: 1,
    mine: [0, 4],
    name: 'agent 1',
    ...changed,
  })

  /** What it answers to one request. */
  const ask = async (
    path: string,
    body: Uint8Array,
    { method = 'POST', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<readonly [status: number, error: unknown]> => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly [number, unknown]>()
    const asked = request({
      host: '127.0.0.1',
      port: portOf(agent.address),
      path,
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
    })
    asked.on('error', reject)
    asked.on('response', (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        const answer = decodeBody(Buffer.concat(pieces)) as { error?: unknown } | null
        resolve([response.statusCode!, answer?.error])
      })
    })
    // A body that is announced, and does not come, is not waited for.
    if (method === 'GET') asked.end()
    else if (headers['content-length'] === undefined) asked.end(body)
    else asked.flushHeaders()
    return promise
  }
  const run = '/v1/01234567-89ab'

  test('refuses what it does not understand, says why, and has no run then', async () => {
    const none = encodeBody(null)
    const open = async (changed: object): Promise<readonly [number, unknown]> =>
      ask(`${run}/open`, encodeBody(order(changed)))
    for (const [asked, status, error] of [
      [ask(`${run}/open`, Buffer.from('what is this?')), 400, /no DAG-CBOR/],
      [ask(`${run}/open`, none), 400, /no order of a run/],
      [open({ v: agentVersion + 1 }), 400, /speaks version 1, and not 2: run the same pleach there and here/],
      [open({ v: agentVersion, scenario: { ...near(), weather: 'fine' } }), 400, /another build/],
      [open({ mine: [4, 4] }), 400, /its peers are none of the scenario/],
      [open({ mine: [0, peers + 1] }), 400, /its peers are none of the scenario/],
      [ask(`${run}/explode`, none), 404, /no such call/],
      [ask('/', none, { method: 'GET' }), 404, /driven by sim run --agents/],
      [ask(`${run}/join`, none), 409, /its run is not here/],
      [ask(`${run}/close`, none), 409, /its run is not here/],
      [ask(`${run}/open`, none, { headers: { 'content-length': `${bodyBytesMax + 1}` } }), 413, /at most/],
      [ask(`${run}/open`, none, { headers: { authorization: 'Bearer guessed' } }), 401, /the token is another/],
      // Whoever does not know the token learns nothing else.
      [ask('/', none, { headers: { authorization: '' } }), 401, /the token is another/],
    ] as const) {
      const [gotStatus, gotError] = await asked
      assert.match(String(gotError), error)
      assert.equal(gotStatus, status)
    }
    assert.deepEqual(said, [])
  })

  test('does not run what needs a network of our own', async () => {
    const live = { ...near().live, carrier: 'tcp' }
    const fault = { what: 'freeze', atMs: 1, forMs: 1, share: 0.5 }
    const [status, error] = await ask(
      `${run}/open`,
      encodeBody(order({ scenario: { ...near(), live: { ...live, faults: [fault] } } })),
    )
    assert.deepEqual([status, /near has freeze/.test(String(error))], [400, true])
  })

  test('that hears nothing more of a run ends its peers, and takes the next', async () => {
    const killed = sim(['run', join(scratch, 'long.yaml'), '--agents', agent.address])
    await says(killed, /^ {2}jobs$/m)
    killed.child.kill('SIGKILL')
    assert.ok(await until(() => said.includes('  nothing more was heard of the run'), deadlineMs), said.join('\n'))
    const next = sim(['run', join(scratch, 'near.yaml'), '--agents', agent.address])
    assert.equal(await next.ended, 0, next.err)
  })

  test('whose run ends while its peers start has none afterwards', async () => {
    const { host, port } = { host: '127.0.0.1', port: portOf(agent.address) }
    const part = new RemotePart({ host, port, token, order: { ...(order() as AgentOrder), mine: [0, peers] } })
    const hurry = new AbortController()
    const started = part.start(await part.open(), hurry.signal)
    assert.ok(await until(() => foldersOf(process.pid).length > 0, deadlineMs))
    hurry.abort(new Error('enough'))
    await assert.rejects(started, /enough/)
    await part.close()
    const isHere = (await until(() => foldersOf(process.pid).length === 0, deadlineMs)) ? [] : foldersOf(process.pid)
    assert.deepEqual(isHere, [])
  })
})

describe('what is no agent', { timeout: deadlineMs }, () => {
  const listening = async (t: TestContext, server: Server): Promise<number> => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    return (server.address() as AddressInfo).port
  }
  const partAt = (port: number, lostAfterMs = deadlineMs): RemotePart => {
    const order: AgentOrder = { v: agentVersion, scenario: near(), seed: 1, mine: [0, 4], name: 'agent 3' }
    return new RemotePart({ host: '127.0.0.1', port, token: undefined, order, lostAfterMs })
  }

  test('is told by what it is: nobody, another server, another build', async (t) => {
    const gone = createServer()
    const port = await listening(t, gone)
    gone.close()
    await assert.rejects(partAt(port).open(), {
      name: 'AgentError',
      message: `agent 3 at 127.0.0.1:${port} is not there: nobody listens; start it with sim agent --listen HOST:PORT`,
    })
    const web = await listening(
      t,
      createHttpServer((_, response) => void response.end('hello')),
    )
    await assert.rejects(partAt(web).open(), /agent 3 at .* is none: something else answers there; is the port right\?/)
    const banner = await listening(
      t,
      createServer((socket) => void socket.on('error', () => {}).end('SSH-2.0-OpenSSH_10.0\r\n')),
    )
    await assert.rejects(partAt(banner).open(), /is none: something else answers there/)
    const newer = await listening(
      t,
      createHttpServer((_, response) => void response.setHeader(versionHeader, '9').end(encodeBody(null))),
    )
    await assert.rejects(
      partAt(newer).open(),
      /is of another build \(its version is 9, here it is 1\): run the same pleach/,
    )
  })

  test('and an agent that falls silent is lost, and so is what was asked of it', async (t) => {
    const silent = createServer((socket) => void socket.on('error', () => {}))
    const part = partAt(await listening(t, silent), 300)
    const acting = assert.rejects(part.act(never), /was not heard of for \d+ s: its machine is off, out of reach/)
    for (let looks = 0; looks < 3; looks++) assert.equal(await part.sample(), null)
    await acting
    // Nothing is said any more to whoever does not answer.
    await part.close()
  })

  test('ends a run with exit code 1, and a way of naming agents that is none with 2', async (t) => {
    const gone = createServer()
    const nobody = `127.0.0.1:${await listening(t, gone)}`
    gone.close()
    for (const [args, code, error] of [
      [['boot', '--agents', nobody], 1, /^error: agent 1 at 127\.0\.0\.1:\d+ is not there: nobody listens/m],
      [['boot', '--agents', 'here'], 2, /^error: here is no address of an agent: 127\.0\.0\.1:7070$/m],
      [['boot', '--peers', '8', '--agents', `${nobody},${nobody}`], 2, /named twice/],
      [['silence', '--agents', nobody], 2, /^error: silence has freeze, .* there are leave, restart, /m],
    ] as const) {
      const run = sim(['run', ...args])
      assert.equal(await run.ended, code, run.err)
      assert.match(run.err, error)
      assert.doesNotMatch(run.err, / at .*\.ts:\d+/)
    }
  })
})

describe('a run in one process', { timeout: 3 * deadlineMs }, () => {
  const args = (folder: string): string[] => ['run', join(scratch, 'long.yaml'), '--out', folder]

  test('that is interrupted by Ctrl-C has a record of what was so far, and leaves nothing else', async () => {
    const folder = join(scratch, 'interrupted')
    const run = sim(args(folder), { detached: true })
    await says(run, / {2}jobs {2}12\/12 peers/)
    const disks = await worldsOf(run.child.pid!)
    assert.equal(disks.length, 1)
    // As a terminal does: the process and the one that it started are told both.
    process.kill(-run.child.pid!, 'SIGINT')
    assert.equal(await run.ended, 130)
    const record = recordIn(folder)
    assert.deepEqual([record.valid, record.invalidBecause], [false, 'it was interrupted'])
    assert.equal(nodesOf(record), peers)
    assert.match(readFileSync(join(folder, 'report.html'), 'utf8'), /it was interrupted/)
    assert.deepEqual(disks.filter(existsSync), [])
  })

  test('that is interrupted twice ends at once, and leaves nothing', async () => {
    const run = sim(args(join(scratch, 'twice')))
    await says(run, / {2}jobs {2}12\/12 peers/)
    const disks = await worldsOf(run.child.pid!)
    run.child.kill('SIGTERM')
    await says(run, /SIGTERM: the peers stop/)
    await realClock.sleep(400, never)
    run.child.kill('SIGINT')
    assert.equal(await run.ended, 130)
    assert.deepEqual([disks.length, disks.filter(existsSync)], [1, []])
  })

  test('whose parent is killed ends too', async () => {
    const run = sim(args(join(scratch, 'orphan')))
    await says(run, / {2}jobs {2}12\/12 peers/)
    const [disk] = await worldsOf(run.child.pid!)
    run.child.kill('SIGKILL')
    assert.ok(await until(() => !existsSync(disk!), deadlineMs))
  })
})

/** Folders of worlds in which this process has files open. */
function foldersOf(pid: number): string[] {
  const files = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return []
    }
  })
  const folders = files.filter((path) => path.includes('/pleach-live-')).map((path) => dirname(dirname(path)))
  return [...new Set(folders)]
}

/** Of the processes that this one started. */
async function worldsOf(pid: number): Promise<string[]> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  return children.flatMap(foldersOf)
}
