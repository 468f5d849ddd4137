// What is measured of live peers is what happened to them: each number is held against the same, counted otherwise.

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { PeerName } from '../../protocols/wire/index.ts'
import type { JobStreamEvent } from '../../src/control/api.ts'
import type { Host } from '../../src/host/index.ts'
import { Line, perfectLink } from '../../sim/live/link.ts'
import { conductOf } from '../../sim/live/measures/conduct.ts'
import { giniOf, hottestOf, jainOf } from '../../sim/live/measures/fairness.ts'
import {
  merge,
  stages,
  type GossipFindings,
  type LiveFindings,
  type ProcessSample,
} from '../../sim/live/measures/findings.ts'
import { GossipTap } from '../../sim/live/measures/gossip-tap.ts'
import { JobTap } from '../../sim/live/measures/job-tap.ts'
import { Measures } from '../../sim/live/measures/measures.ts'
import { ProcessTap } from '../../sim/live/measures/process-tap.ts'
import { Progress } from '../../sim/live/measures/progress.ts'
import { spreadOf } from '../../sim/live/measures/spread.ts'
import { LiveStream } from '../../sim/live/stream.ts'
import { LiveWorld } from '../../sim/live/world.ts'
import { plainRoles } from '../support/live.ts'
import { lateBecause, metricOfSecond, recordOfLive } from '../../sim/report/from-live.ts'
import { page } from '../../sim/report/html.ts'
import { MetricsWriter, readMetrics, type Metric } from '../../sim/report/metrics.ts'
import { checkRecord } from '../../sim/report/record.ts'
import { quantile } from '../../sim/report/samples.ts'
import { program } from '../fixtures/programs.ts'
import { addressOf, bytes, eventually, inTime, listener, startedHost, stopAll, topic } from '../host/network.ts'
import { liveSample } from './report-samples.ts'
import { messagesIn } from './rpc-frames.ts'

const peers = 24
const latencyMs = 10
const deadlineMs = 30_000
const scratch = mkdtempSync(join(tmpdir(), 'pleach-measures-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** What left on the streams of gossip, and what was given to lines, counted where nothing of the measures is. */
class Wiretap {
  readonly streams = new Map<LiveStream, Uint8Array[]>()
  bytes = 0
  frames = 0
  readonly #sendData = LiveStream.prototype.sendData
  readonly #send = Line.prototype.send

  constructor() {
    const { streams } = this
    const [sendData, send] = [this.#sendData, this.#send]
    const count = (sent: number): void => {
      this.bytes += sent
      this.frames += 1
    }
    LiveStream.prototype.sendData = function (data) {
      const result = sendData.call(this, data)
      if (this.protocol.startsWith('/meshsub/')) {
        const parts = streams.get(this) ?? []
        streams.set(this, parts)
        parts.push(data.slice(0, result.sentBytes))
      }
      return result
    }
    Line.prototype.send = function (sent, deliver) {
      count(sent)
      send.call(this, sent, deliver)
    }
  }

  /** Copies that were sent of each message, by what the measures call it. */
  copies(): Map<string, number> {
    const copies = new Map<string, number>()
    for (const parts of this.streams.values())
      for (const data of messagesIn(Buffer.concat(parts))) {
        const id = hash('sha256', data, 'base64url')
        copies.set(id, (copies.get(id) ?? 0) + 1)
      }
    return copies
  }

  remove(): void {
    LiveStream.prototype.sendData = this.#sendData
    Line.prototype.send = this.#send
  }
}

/** Names in the place of numbers, in one order: the same for the same hearings. */
const told = ({ names, messages }: GossipFindings): unknown =>
  messages
    .map(({ id, published, expected, heard }) => ({
      id,
      author: published === null ? null : names[published[0]],
      expected,
      heard: heard.map(([peer, from, , copies]) => `${names[peer]} from ${names[from]}: ${copies}`).toSorted(),
    }))
    .toSorted((left, right) => (left.id < right.id ? -1 : 1))

describe('of 24 live peers', { timeout: 4 * deadlineMs }, () => {
  const wiretap = new Wiretap()
  const samples: ProcessSample[] = []
  const tap = new ProcessTap('test', (sample) => samples.push(sample))
  let world: LiveWorld
  let whole: Measures
  let halves: Measures[]
  let findings: LiveFindings

  before(async () => {
    const link = { ...perfectLink, latencyMs, jitterMs: 2 }
    const options = { peers: plainRoles(peers, 3), seed: 11, carrier: 'own', boot: 'fast', link } as const
    world = await LiveWorld.boot(options, () => {})
    assert.ok(await world.waitForMesh(4, deadlineMs))
    assert.ok(await world.waitForRecords(deadlineMs))
    await world.announced()
    const { network, topic: bids } = world
    const carrier = { net: undefined, wire: { meter: undefined } }
    const of = (some: LiveWorld['peers']): Measures =>
      new Measures({ network, topic: bids, peers: some, carrier }, { seed: 1, process: tap })
    halves = [of(world.peers.slice(0, 10)), of(world.peers.slice(10))]
    const regionOf = ({ index }: { readonly index: number }): string => ['eu', 'us', 'asia'][index % 3]!
    whole = new Measures(world, { seed: 1, process: tap, regionOf })
    for (const half of halves) half.start()
    whole.start()
    ;[wiretap.bytes, wiretap.frames] = [0, 0]
  })

  after(async () => {
    for (const half of halves) half.stop()
    whole.stop()
    tap.stop()
    await world.stop()
    wiretap.remove()
    assert.deepEqual(world.errors, [])
  })

  test('every copy of a bid is counted, the first and those too many', async () => {
    const before_ = wiretap.copies()
    await whole.probeBids(6, 500)
    const { gossip } = whole.findings()
    const spread = spreadOf(gossip!)
    assert.equal(spread.messages, 6)
    assert.equal(spread.coverage, 1)
    assert.equal(spread.latencyMs.length, 6 * (peers - 1))
    assert.ok(spread.latencyMs[0]! >= latencyMs - 2)
    const sent = wiretap.copies()
    for (const { id, heard } of gossip!.messages) {
      assert.equal(before_.get(id), undefined)
      assert.equal(
        heard.reduce((sum, [, , , copies]) => sum + copies, 0),
        sent.get(id),
      )
    }
    const all = [...gossip!.messages].reduce((sum, { id }) => sum + sent.get(id)!, 0)
    const duplicates = spread.duplicates.reduce((sum, [value, count]) => sum + value * count, 0)
    assert.equal(duplicates + spread.latencyMs.length, all)
    assert.ok(duplicates > 0)
    assert.equal(spread.lostWays, 0)
    assert.ok(spread.hops.every(([hops]) => hops >= 1 && hops < peers))
  })

  test('a look-up that runs alone costs the requests that others answered', async () => {
    const kad = `/pleach/${world.network}/kad/1`
    const before_ = whole.findings()
    await whole.probeFinds(1)
    const { finds, traffic } = whole.findings()
    assert.deepEqual([finds!.asked, finds!.found], [1, 1])
    const [[requests]] = finds!.requests as [[number, number]]
    const name = kad.replace(`/${world.network}/`, '/')
    assert.equal(traffic![name]!.streams - (before_.traffic![name]?.streams ?? 0), requests)
    assert.ok(requests > 0)
    assert.equal(
      whole.findings().peers.reduce((sum, { served }) => sum + served, 0),
      traffic![name]!.streams,
    )
  })

  test('bytes and frames by protocol are together what the lines were given', () => {
    const { traffic } = whole.findings()
    const sum = (of: 'bytes' | 'frames'): number => Object.values(traffic!).reduce((all, one) => all + one[of], 0)
    assert.equal(sum('bytes'), wiretap.bytes)
    assert.equal(sum('frames'), wiretap.frames)
    assert.ok(traffic!['/meshsub/1.2.0']!.bytes > traffic!['connections']!.bytes)
  })

  test('jobs come to their stages in their order, and end as they did', async () => {
    const module = join(scratch, 'noop.wasm')
    writeFileSync(
      module,
      program(() => []),
    )
    const [, asker, other] = world.peers
    const paid = await asker!.control.submit({ module }, inTime())
    // More processors than anybody has.
    const refused = await other!.control.submit({ module, cpuMilli: 500_000, waitMs: 500 }, inTime())
    await Promise.all([
      whole.watchJob(asker!, paid.id),
      halves[0]!.watchJob(asker!, paid.id),
      whole.watchJob(other!, refused.id),
      halves[1]!.watchJob(other!, refused.id),
    ])
    const market = whole.findings().market!
    assert.deepEqual(market.endings, { 'expired: NO_MATCH': 1, paid: 1 })
    assert.deepEqual([market.jobs, market.honest, market.honestPaid, market.reawards], [2, 2, 1, 0])
    const times = stages.map((stage) => market.took[stage].map(([value, count]) => [value, count]))
    for (const [time, ...more] of times) assert.deepEqual([time![1], more], [1, []])
    const took = times.map(([time]) => time![0]!)
    assert.deepEqual(
      took,
      took.toSorted((left, right) => left - right),
    )
    // A bid goes one way, an offer back, and what leads to a commit is three times as far.
    assert.ok(took[1]! >= 3 * (latencyMs - 2), `${took[1]} ms`)
    assert.deepEqual(Object.keys(market.byRegion), ['asia', 'us'])
    const view = await asker!.control.job(paid.id)
    const earned = Object.entries(market.earned)
    assert.deepEqual(earned, [[view.provider!.peer, { jobs: 1, micro: Number(view.cost) * 1e6 }]])
  })

  test('puts and gets are timed, and those that fail are counted', async () => {
    const path = join(scratch, 'object')
    writeFileSync(path, new Uint8Array(100_000).fill(7))
    const [, peer] = world.peers
    const put = await whole.transfer('put', async () => peer!.control.put({ path, code: '2+1' }, inTime()))
    const order = { object: put.object, path: join(scratch, 'again') }
    await whole.transfer('get', async () => peer!.control.get(order, inTime()))
    await assert.rejects(whole.transfer('get', async () => peer!.control.get({ ...order, object: 'none' }, inTime())))
    const storage = whole.findings().storage!
    assert.deepEqual([storage.put.done, storage.put.failed, storage.put.bytes], [1, 0, 100_000])
    assert.deepEqual([storage.get.done, storage.get.failed, storage.repairBytes], [1, 1, null])
  })

  test('the findings of two parts are those of the whole', () => {
    findings = JSON.parse(JSON.stringify(whole.findings())) as LiveFindings
    const parts = halves.map((half) => JSON.parse(JSON.stringify(half.findings())) as LiveFindings)
    const merged = merge(parts)
    assert.deepEqual(told(merged.gossip!), told(findings.gossip!))
    const [one, other] = [spreadOf(merged.gossip!), spreadOf(findings.gossip!)]
    assert.deepEqual([one.coverage, one.hops, one.duplicates], [other.coverage, other.hops, other.duplicates])
    assert.ok(Math.abs(quantile(one.latencyMs, 0.5)! - quantile(other.latencyMs, 0.5)!) < 2)
    assert.equal(merged.gossip!.copies, findings.gossip!.copies)
    const { byRegion, ...market } = findings.market!
    assert.deepEqual({ ...merged.market!, byRegion }, { ...market, byRegion })
    const queries = ({ finds }: LiveFindings): unknown =>
      Object.entries(finds!.queries).map(([kind, { requests, failures }]) => ({ kind, requests, failures }))
    assert.deepEqual(queries(merged), queries(findings))
    assert.deepEqual(
      merged.peers.map(({ name }) => name),
      findings.peers.map(({ name }) => name),
    )
    assert.deepEqual(merge([findings, { ...findings, traffic: null }]).traffic, findings.traffic)
  })

  test('a second of the process says what it took', async () => {
    await eventually('a sample', () => samples.length > 0)
    const [sample] = samples.slice(-1)
    assert.ok(sample!.rssBytes > sample!.heapBytes && sample!.heapBytes > 1e6)
    assert.ok(sample!.cpuUserMs >= 0 && sample!.cpuUserMs < 4 * sample!.forMs)
    assert.equal(sample!.counts['peersUp'], peers)
    assert.ok(sample!.lateP99Ms !== null && sample!.lateMaxMs! >= 0)
    const { believable, cpuMs, rssPeakBytes } = findings.processes[0]!
    assert.ok(believable.deliveryLateP99Ms > 0)
    assert.ok(cpuMs > 100 && rssPeakBytes >= sample!.heapBytes)
  })

  test('they make a record that can be read back, and a page', () => {
    const record = checkRecord(recordOfLive({ ...liveSample(findings), latencyMs: 1_000 }), 'test')
    assert.ok(record.valid)
    const numbers = new Map(record.numbers.map(({ name, value: got }) => [name, got]))
    // A bid that runs out while it spreads is not passed on by all: the one that nobody could serve.
    assert.equal(numbers.get('probe_coverage'), 1)
    assert.ok(numbers.get('gossip_coverage')! > 0.8)
    assert.equal(numbers.get('job_success'), 0.5)
    assert.equal(numbers.get('find_hit_rate'), 1)
    assert.equal(numbers.get('honest_accused'), 0)
    assert.ok(numbers.get('bytes_per_peer_second')! > 0 && numbers.get('cpu_seconds')! > 0)
    // One lender of eight earned everything.
    assert.equal(numbers.get('fairness_jain'), 0.125)
    const figures = record.figures.map(({ name }) => name)
    for (const name of ['latency', 'gossip', 'gossip_hops', 'look_ups', 'bytes', 'endings', 'regions', 'fairness'])
      assert.ok(figures.includes(name), name)
    assert.match(page(record), /By region/)
  })
})

test('hops on a line are as many as there are peers before it', { timeout: deadlineMs }, async () => {
  const hosts: Host[] = []
  const tap = new GossipTap(
    () => 5,
    () => performance.now(),
  )
  try {
    for (let index = 0; index < 5; index++) {
      const name = (): PeerName => hosts[index]!.peer
      const host = await startedHost(
        { limits: { connectionsMin: 0, lookEveryMs: deadlineMs }, dht: { table: [] } },
        {
          watch: {
            onPublish: (_topic, message) => tap.onPublish(name(), message),
            onCopy: (message) => tap.onCopy(name(), message),
            onFirst: (message, copy) => tap.onFirst(name(), message, copy),
            onQuery: () => ({ onRequest() {}, onFailure() {}, onEnd() {} }),
          },
        },
      )
      hosts.push(host)
      host.gossip.subscribe(topic, listener())
      if (index > 0) await host.dial(addressOf(hosts[index - 1]!), inTime())
    }
    const degrees = [1, 2, 2, 2, 1]
    await eventually('a line', () => hosts.every(({ gossip }, at) => gossip.meshDegree(topic) === degrees[at]))
    await hosts[0]!.gossip.publish(topic, bytes('hello'))
    await eventually('all have heard', () => tap.isAllHeard)
    const { hops, coverage, duplicates } = spreadOf(tap.findings())
    assert.deepEqual(
      hops,
      [1, 2, 3, 4].map((value) => [value, 1]),
    )
    assert.equal(coverage, 1)
    assert.deepEqual(duplicates, [[0, 4]])
    // What is not passed on is not heard of.
    await hosts[1]!.gossip.publish(topic, bytes('ignore me'))
    await eventually('both neighbours have judged it', () => tap.findings().refused === 2)
    assert.equal(spreadOf(tap.findings()).coverage, 0.5)
  } finally {
    await stopAll(hosts)
  }
})

test('what comes back to its author is too many, and who heard nothing should have', () => {
  const taps = [2, 3].map(
    (listening) =>
      new GossipTap(
        () => listening,
        () => 1_000,
      ),
  ) as [GossipTap, GossipTap]
  const [tap, deaf] = taps
  const copy = { topic, author: 'a', verdict: 'accept', message: bytes('hello') } as const
  tap.onPublish('a', copy.message)
  tap.onCopy('b', 'a/1')
  tap.onFirst('b', 'a/1', { ...copy, from: 'a' })
  tap.onCopy('a', 'a/1')
  tap.onCopy('b', 'a/1')
  // Announced again: it has another name, and is the same.
  tap.onPublish('a', copy.message)
  tap.onCopy('b', 'a/2')
  tap.onFirst('b', 'a/2', { ...copy, from: 'a', verdict: 'ignore' })
  const { coverage, duplicates, hops } = spreadOf(tap.findings())
  assert.deepEqual(
    [coverage, duplicates, hops],
    [
      1,
      [
        [1, 1],
        [2, 1],
      ],
      [[1, 1]],
    ],
  )
  assert.deepEqual([tap.coverage, tap.isAllHeard, tap.findings().refused, tap.findings().copies], [1, true, 1, 4])
  const part = (gossip: GossipFindings): LiveFindings => ({ ...merge([]), gossip })
  const merged = merge([part(tap.findings()), part(deaf.findings())]).gossip!
  assert.equal(spreadOf(merged).coverage, 0.25)
})

test('jobs that are given to another provider, and that go on after a restart', async () => {
  const at = (type: string, atMs: number, more: object = {}): JobStreamEvent =>
    ({ type, atMs, peer: { peer: `p${atMs}`, petname: '' }, ...more }) as unknown as JobStreamEvent
  const lives: JobStreamEvent[][] = [
    [at('bid', 100), at('offer', 130), at('matched', 150), at('replacing', 400), at('bid', 410), at('matched', 450)],
    [
      at('replacing', 400),
      at('matched', 450),
      at('replacing', 470),
      at('matched', 480),
      at('running', 500),
      at('result', 700),
      at('end', 900, { job: { stage: 'paid', code: '', cost: '1.5' } }),
    ],
  ]
  const tap = new JobTap()
  const control = {
    async *jobEvents() {
      yield* lives.shift()!
    },
  }
  const asker = { name: 'me', control, region: null, isHonest: true, isThere: () => true }
  await tap.watch(asker, 'job')
  assert.deepEqual(tap.findings().endings, { 'not over': 1 })
  await tap.watch(asker, 'job')
  const { endings, took, reawards, earned } = tap.findings()
  assert.deepEqual([endings, reawards, earned], [{ paid: 1 }, 2, { p480: { jobs: 1, micro: 1_500_000 } }])
  assert.deepEqual(
    stages.map((stage) => took[stage]),
    [30, 50, 400, 600, 800].map((ms) => [[ms, 1]]),
  )
  assert.deepEqual(tap.counts, { asked: 1, paid: 1, otherwise: 0 })
})

test('evenness is one where all have the same, and falls to a share of one', () => {
  assert.equal(jainOf([5, 5, 5, 5]), 1)
  assert.equal(jainOf([8, 0, 0, 0]), 0.25)
  assert.equal(jainOf([]), null)
  assert.equal(giniOf([5, 5, 5, 5]), 0)
  assert.equal(giniOf([0, 0, 0, 8]), 0.75)
  assert.equal(giniOf([1, 3]), 0.25)
  assert.equal(giniOf([0, 0]), null)
  assert.equal(hottestOf([1, 1, 4]), 2)
  assert.equal(hottestOf([]), null)
})

test('who is caught is whom an honest peer holds something against', () => {
  const of = (name: string, vice: string | null, holds: Record<string, number>) => ({
    name,
    vice,
    holds,
    lends: true,
    region: null,
    isUp: true,
    served: 0,
  })
  const all = [of('a', null, { x: 2 }), of('b', null, { x: 1, a: 1 }), of('x', 'flood', {}), of('y', 'flood', { b: 9 })]
  const { dishonest, caught, honest, honestAccused, byVice, accused } = conductOf(all)
  assert.deepEqual([dishonest, caught, honest, honestAccused], [2, 1, 2, 1])
  assert.deepEqual([...byVice], [['flood', { peers: 2, caught: 1 }]])
  assert.deepEqual(accused, [
    { name: 'x', vice: 'flood', by: 2, faults: 3 },
    { name: 'a', vice: null, by: 1, faults: 1 },
  ])
})

test('a machine that is later than the links says so, and what helps', () => {
  const process = (loopMs: number, lateMs: number) => ({
    name: '',
    samples: [],
    rssPeakBytes: 0,
    cpuMs: 0,
    gcMs: 0,
    believable: { eventLoopDelayP99Ms: loopMs, eventLoopDelayMaxMs: loopMs, deliveryLateP99Ms: lateMs },
  })
  assert.equal(lateBecause([process(10, 39)], 40, 300), null)
  assert.match(
    lateBecause([process(10, 12), process(52, 12)], 40, 300)!,
    /event loop came round 52 ms late.*fewer peers than 300/,
  )
  assert.match(lateBecause([process(10, 77)], 40, 300)!, /arrived 77 ms after its time/)
})

const second: ProcessSample = {
  atMs: 1_000,
  forMs: 1_000,
  cpuUserMs: 1_200,
  cpuSystemMs: 100,
  rssBytes: 512e6,
  heapBytes: 300e6,
  gcMs: 30,
  loopDelayP50Ms: 1,
  loopDelayP99Ms: 5.12345,
  loopDelayMaxMs: 9,
  lateP99Ms: null,
  lateMaxMs: null,
  counts: { peersUp: 280, jobsAsked: 40, jobsPaid: 12, jobsOtherwise: 1, coverage: 0.998 },
}

test('a run that is interrupted has the lines that it wrote', async () => {
  const path = join(scratch, 'metrics.jsonl')
  const writer = new MetricsWriter(path)
  writer.write(metricOfSecond('all', second))
  assert.equal(readFileSync(path, 'utf8'), '')
  writer.flush()
  const { value: line } = (await readMetrics(path).next()) as { readonly value: Metric }
  const { process, loopDelayP99Ms, jobsPaid, lateP99Ms } = line
  assert.deepEqual([process, loopDelayP99Ms, jobsPaid, lateP99Ms], ['all', 5.123, 12, null])
  writer[Symbol.dispose]()
})

test('on a terminal one line is written anew, elsewhere there is a line now and then', () => {
  const written: string[] = []
  const write = (text: string): void => void written.push(text)
  const line = '1 s  jobs  280/300 peers  jobs 12/40 paid, 1 not  coverage 99.8 %  cpu 130 %  512 MB'
  const elsewhere = new Progress({ write }, 300)
  elsewhere.phase = 'jobs'
  for (let index = 1; index <= 6; index++) elsewhere.sample({ ...second, atMs: index * 1_000 })
  elsewhere.phase = 'stop'
  elsewhere.sample({ ...second, atMs: 7_000 })
  elsewhere.end()
  assert.deepEqual(
    written.map((text) => text.trim()),
    [line, line.replace('1 s', '6 s'), line.replace('1 s', '7 s').replace('jobs  ', 'stop  ')],
  )
  written.length = 0
  const terminal = new Progress({ isTTY: true, columns: 20, write }, 300)
  terminal.sample(second)
  terminal.sample(second)
  terminal.say('done')
  terminal.end()
  const shown = '  1 s  boot  280/300 peers'.slice(0, 19)
  assert.deepEqual(written, [shown, '\r\u001b[2K', shown, '\r\u001b[2K', 'done\n', shown, '\r\u001b[2K'])
})
