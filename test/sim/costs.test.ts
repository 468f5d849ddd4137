// What peers, bids and look-ups cost: live peers are counted by themselves, the models against arithmetic that is not theirs.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'

import { VirtualClock } from '../../sim/clock.ts'
import { capacityOf } from '../../sim/costs/capacity.ts'
import { at, fit, mean } from '../../sim/costs/fit.ts'
import { modelGossip } from '../../sim/costs/gossip.ts'
import { modelLookUps } from '../../sim/costs/look-ups.ts'
import { runModels, tableKinds } from '../../sim/costs/models.ts'
import { bidMeans, peerLines, predictionsOf, type LivePoint } from '../../sim/costs/predict.ts'
import { Tables, type TableKind } from '../../sim/costs/tables.ts'
import { costsOf, type LiveCosts } from '../../sim/live/measures/costs.ts'
import { merge, type LiveFindings } from '../../sim/live/measures/findings.ts'
import type { PhaseFindings } from '../../sim/live/measures/phases.ts'
import { LivePart } from '../../sim/live/run/part.ts'
import { planOf } from '../../sim/live/run/plan.ts'
import { runLive } from '../../sim/live/run/run.ts'
import { GossipNet } from '../../sim/model/gossip.ts'
import { ModelNetwork } from '../../sim/model/network.ts'
import { SeededRandom } from '../../sim/random.ts'
import { recordOfCosts } from '../../sim/report/from-costs.ts'
import { page } from '../../sim/report/html.ts'
import { machine } from '../../sim/report/provenance.ts'
import { checkRecord } from '../../sim/report/record.ts'
import { scenarioNamed, withPeers } from '../../sim/scenarios/index.ts'
import { sampleFindings } from './report-samples.ts'

const near = (value: number, wanted: number, share: number, what: string): void =>
  assert.ok(Math.abs(value / wanted - 1) <= share, `${what}: ${value}, and not about ${wanted}`)

describe('a line through measured points', () => {
  test('is the one that they are on', () => {
    const sizes = [50, 100, 400]
    const straight = fit(
      sizes.map((peers) => ({ peers, value: 7 + 3 * peers })),
      'N',
    )!
    assert.deepEqual(
      [straight.a, straight.b, straight.r2].map(Math.round as (value: number | null) => number),
      [7, 3, 1],
    )
    near(at(straight, 1e6), 3_000_007, 1e-9, 'far away')
    const bent = fit(
      sizes.map((peers) => ({ peers, value: 1 + 0.5 * Math.log2(peers) })),
      'log2 N',
    )!
    near(at(bent, 2 ** 20), 11, 1e-9, 'far away')
  })

  test('is level through one, and none through none', () => {
    assert.deepEqual(fit([{ peers: 16, value: 4 }], 'log2 N'), { of: 'log2 N', a: 4, b: 0, r2: null })
    assert.equal(fit([], 'N'), null)
  })
})

/** Hops from a peer to all others in a graph in which everybody has six neighbours, chosen by chance. */
function hopsInRegularGraph(peers: number, degree: number, random: SeededRandom): number[] {
  const ends = Array.from({ length: peers * degree }, (_, end) => Math.floor(end / degree))
  for (let last = ends.length - 1; last > 0; last--) {
    const other = random.between(0, last)
    ;[ends[last], ends[other]] = [ends[other]!, ends[last]!]
  }
  const neighbours = Array.from({ length: peers }, () => new Set<number>())
  for (let end = 0; end < ends.length; end += 2) {
    neighbours[ends[end]!]!.add(ends[end + 1]!)
    neighbours[ends[end + 1]!]!.add(ends[end]!)
  }
  const hops = new Map([[0, 0]])
  for (const [peer, count] of hops) for (const next of neighbours[peer]!) if (!hops.has(next)) hops.set(next, count + 1)
  return [...hops.values()].slice(1)
}

describe('the gossip of the model by itself', () => {
  const options = { peers: 1_000, messages: 20, seed: 3, delayMs: [40, 40] as const }

  test('goes as many hops as a graph of chance in which everybody has six neighbours', () => {
    const { hopsMean, hopsP99, hopsMax, coverage, duplicates, lastMs } = modelGossip(options)
    const hops = hopsInRegularGraph(1_000, 6, new SeededRandom(3)).toSorted((left, right) => left - right)
    assert.equal(coverage, 1)
    near(hopsMean, mean(hops), 0.1, 'hops')
    assert.ok(
      Math.abs(hopsP99 - hops[Math.floor(0.99 * hops.length)]!) <= 1,
      `in one of a hundred cases ${hopsP99} hops`,
    )
    // Every neighbour sends one but for whom it has it from; and everybody has six.
    near(duplicates, 4, 0.02, 'copies too many')
    assert.ok(lastMs <= 40 * hopsMax && lastMs > 40 * hopsP99 - 40, `the last heard after ${lastMs} ms`)
  })

  test('is the same with the same seed, and another with another', () => {
    assert.deepEqual(modelGossip(options), modelGossip(options))
    assert.notDeepEqual(modelGossip(options), modelGossip({ ...options, seed: 4 }))
  })

  test('takes as many hops more each time that there are four times as many', () => {
    const hops = [250, 1_000, 4_000, 16_000].map((peers) => modelGossip({ ...options, peers }).hopsMean)
    for (const [place, more] of hops.slice(1).map((mine, place) => [place, mine - hops[place]!] as const))
      near(more, Math.log(4) / Math.log(5), 0.4, `step ${place}`)
  })
})

test('in the mesh of the model nobody has more neighbours than gossipsub lets anybody have', () => {
  const clock = new VirtualClock(0)
  const calm = {
    lossProbability: 0,
    doubleProbability: 0,
    stragglerProbability: 0,
    stragglerMs: 0,
    uplinkBytesPerMs: 0,
  }
  const network = new ModelNetwork(clock, new SeededRandom(1), { ...calm, delayMs: [1, 1] }, () => false)
  const net = new GossipNet(clock, new SeededRandom(1), network)
  const handler = { messageBytesMax: 1, judge: () => 'accept' as const, deliver: () => {} }
  const ports = Array.from({ length: 3_000 }, (_, peer) => net.portOf(peer, '', (run) => run()))
  for (const port of ports) port.subscribe('bids', handler)
  const degrees = ports.map((port) => port.meshDegree('bids'))
  assert.equal(Math.max(...degrees), 12)
  assert.ok(degrees.slice(3).every((degree) => degree >= 3))
  near(mean(degrees), 6, 0.01, 'neighbours')
})

const kindNamed = (name: string): TableKind => tableKinds.find((kind) => kind.name === name)!

describe('modelled tables of the DHT', () => {
  const byDistance = (tables: Tables, peers: readonly number[], key: number): number[] =>
    peers.toSorted((left, right) => tables.distance(left, key) - tables.distance(right, key))

  test('know the nearest of all where everybody has room', () => {
    for (const kind of tableKinds) {
      const tables = new Tables(40, { ...kind, places: 40 }, 5)
      const all = Array.from(tables.names, (_, peer) => peer)
      const others = all.filter((peer) => peer !== 7)
      for (const key of [0, 0x9abc_def0, 0xffff_ffff])
        assert.deepEqual(tables.nearestOf(7, key), byDistance(tables, others, key), kind.name)
    }
  })

  test('are the same each time, and name none but their own nearest', () => {
    for (const kind of tableKinds) {
      const tables = new Tables(5_000, kind, 5)
      const all = Array.from(tables.names, (_, peer) => peer)
      for (const key of [1, 0x8000_0001, 0xdead_beef]) {
        assert.deepEqual(tables.nearest(key), byDistance(tables, all, key).slice(0, kind.places))
        const named = tables.nearestOf(99, key)
        assert.deepEqual(named, tables.nearestOf(99, key))
        assert.deepEqual(named, byDistance(tables, named, key))
        assert.ok(named.length === kind.places && !named.includes(99), kind.name)
      }
    }
  })

  test('of live peers have the same in a full bucket, those of production each its own', () => {
    const key = 0xdead_beef
    const named = (name: string): Set<number>[] => {
      const tables = new Tables(20_000, kindNamed(name), 5)
      return [99, 12_345].map((peer) => new Set(tables.nearestOf(peer, key)))
    }
    const [one, other] = named('live')
    assert.deepEqual(one, other)
    const [mine, theirs] = named('kad-dht')
    assert.ok([...mine!].filter((peer) => theirs!.has(peer)).length < 10)
  })

  test('of production hold no more than their 64 buckets do, those of Kademlia the neighbourhood', () => {
    const random = new SeededRandom(8)
    const keys = Array.from({ length: 4_000 }, () => random.next())
    const flat = new Tables(20_000, kindNamed('kad-dht'), 5)
    const known = new Set(keys.flatMap((key) => flat.nearestOf(99, key)))
    assert.ok(known.size <= 64 * 20 && known.size > 63 * 20, `${known.size} peers`)
    const deep = new Tables(20_000, kindNamed('kademlia'), 5)
    const nearest = deep.nearest(deep.names[99]!).filter((peer) => peer !== 99)
    assert.deepEqual(deep.nearestOf(99, deep.names[99]!).slice(0, nearest.length), nearest)
  })
})

describe('modelled look-ups', () => {
  const points = [100, 1_000, 10_000, 100_000].map((peers) =>
    tableKinds.map((kind) => modelLookUps({ peers, kind, lookUps: 40, seed: 2 })),
  )
  const of = (name: string) => points.map((each) => each.find(({ table }) => table === name)!)

  test('always find what was put', () => {
    for (const { table, peers, hitRate } of points.flat()) assert.equal(hitRate, 1, `${table}, ${peers} peers`)
  })

  test('take more requests the more peers there are, by the logarithm', () => {
    const requests = of('kademlia').map(({ requestsMean }) => requestsMean)
    for (const [place, more] of requests.slice(1).map((mine, place) => [place, mine - requests[place]!] as const))
      assert.ok(more > 20 && more < 200, `ten times as many: ${more} requests more (step ${place})`)
    const rounds = of('kademlia').map(({ roundsMean }) => roundsMean)
    assert.ok(rounds.every((mine, place) => place === 0 || mine > rounds[place - 1]!) && rounds.at(-1)! < 8)
  })

  test('ask all that were named at first, where everybody knows everybody', () => {
    for (const peers of [100, 600])
      assert.equal(modelLookUps({ peers, kind: kindNamed('kad-dht'), lookUps: 20, seed: 2 }).requestsMean, 20)
  })

  test('end with the nearest of all as holders as far as tables know them', () => {
    for (const { nearestShare } of of('kademlia')) assert.equal(nearestShare, 1)
    // In every table stand the same few of each bucket: the others store nothing.
    assert.ok(of('live').at(-1)!.nearestShare < 0.05)
  })

  test('are the same with the same seed', () => {
    const options = { peers: 3_000, kind: kindNamed('kad-dht'), lookUps: 10, seed: 6 }
    assert.deepEqual(modelLookUps(options), modelLookUps(options))
  })
})

const phase = (name: string, count: number, cpuMs: number, bytes: number, forMs = 10_000): PhaseFindings => ({
  name,
  count,
  forMs,
  cpuMs,
  cpuBeforeMs: 4_000,
  rssBytes: 300e6,
  heapBytes: 100e6,
  traffic: {
    '/meshsub/1.2.0': { bytes, frames: bytes / 100, streams: 0 },
    '/pleach/kad/1': { bytes, frames: 1, streams: 1 },
  },
})

describe('costs of phases', () => {
  const peers = sampleFindings().peers.length
  const findings: LiveFindings = {
    ...sampleFindings(),
    phases: [
      phase('settling', 0, 900, 0),
      phase('rest', 0, 500, 1_000),
      phase('bids', 20, 2_600, 42_000, 20_000),
      phase('look-ups', 50, 900, 6_000, 8_000),
    ],
  }

  test('are what they took beyond a rest of the same length', () => {
    const { booted, rest, bids, lookUps } = costsOf(findings)!
    assert.deepEqual(booted, { cpuMs: 4_000, rssBytes: 300e6, heapBytes: 100e6 })
    near(rest.cpuMs, 50 / peers, 1e-9, 'rest')
    near(bids!.cpuMsPerPeer, (2_600 - 1_000) / 20 / peers, 1e-9, 'a bid')
    near(bids!.bytesPerPeer, (42_000 - 2_000) / 20 / peers, 1e-9, 'bytes of a bid')
    near(lookUps!.cpuMs, (900 - 400) / 50, 1e-9, 'a look-up')
    near(lookUps!.bytes, (12_000 - 1_600) / 50, 1e-9, 'bytes of a look-up')
  })

  test('are not known where nobody rested', () => {
    assert.equal(costsOf({ ...findings, phases: findings.phases.slice(2) }), null)
  })

  test('of two processes are those of both', () => {
    const both = merge([findings, findings]).phases
    assert.deepEqual(
      both.map(({ name, count, cpuMs, forMs }) => [name, count, cpuMs, forMs]),
      findings.phases.map(({ name, count, cpuMs, forMs }) => [name, 2 * count, 2 * cpuMs, forMs]),
    )
    assert.equal(both[1]!.traffic['/pleach/kad/1']!.bytes, 2_000)
  })
})

/** Live worlds that are as the model, but half as fast, and cost so much a bid and peer. */
function likeTheModel(sizes: readonly number[], cpuMsPerPeer: number): LivePoint[] {
  return runModels({ sizes, seed: 1, delayMs: [20, 60], say: () => {} }).gossip.map((model): LivePoint => {
    const { peers, hopsMean, duplicates, p50Ms, p99Ms, lastMs } = model
    const bids = { count: 20, cpuMsPerPeer, bytesPerPeer: 2_500, framesPerPeer: 8, coverage: 1, duplicates, hopsMean }
    const costs: LiveCosts = {
      booted: { cpuMs: 500 + 40 * peers, rssBytes: 150e6 + 1.2e6 * peers, heapBytes: 30e6 + 0.7e6 * peers },
      rest: { cpuMs: 10 / peers + 0.5, bytes: { '/meshsub/1.2.0': 12 } },
      bids: { ...bids, hopsP50: null, hopsP99: null, p50Ms: 2 * p50Ms, p99Ms: 2 * p99Ms, lastMs: 2 * lastMs },
      lookUps: null,
    }
    return { peers, seed: 1, bootMs: 1, meshDegreeMean: 6, connectionsMean: 16, valid: true, costs }
  })
}

describe('predictions', () => {
  const sizes = [50, 100, 200, 400, 800]
  const models = runModels({ sizes: [...sizes, 10_000, 100_000], seed: 1, delayMs: [20, 60], say: () => {} })
  const live = likeTheModel(sizes, 0.5)

  test('say how far they are from the model, once both agree where both are known', () => {
    const predictions = predictionsOf(live, models, [10_000, 100_000])
    const named = (name: string) => predictions.find((one) => one.name === name)!
    near(named('heard_p50_ms').liveByModel!, 2, 1e-9, 'live by model')
    for (const name of ['hops', 'heard_p50_ms', 'heard_p99_ms', 'duplicates'])
      for (const { peers, deviation } of named(name).at)
        assert.ok(Math.abs(deviation!) < 0.15, `${name} at ${peers}: off by ${deviation}`)
    // A machine that did not keep up says nothing of time, but hops are hops.
    const late = predictionsOf(
      live.map((point) => ({ ...point, valid: false })),
      models,
      [100_000],
    )
    assert.deepEqual(
      late.map(({ name }) => name).filter((name) => name.startsWith('h')),
      ['hops'],
    )
    // What holds as long as everybody knows everybody does not hold after that, and is told.
    assert.ok(named('look_up_requests_production').at.at(-1)!.deviation! < -0.5)
    assert.ok(!predictions.some(({ name }) => name === 'look_up_requests'), 'no live world looked anything up')
  })

  test('keep what a process takes apart from what a peer takes', () => {
    const { rssBytes, bootCpuMs, restCpuMsPerSecond } = peerLines(live)
    near(rssBytes!.b, 1.2e6, 1e-6, 'memory of a peer')
    near(rssBytes!.a, 150e6, 1e-6, 'memory of the process')
    near(bootCpuMs!.b, 40, 1e-6, 'boot of a peer')
    near(restCpuMsPerSecond!.b, 0.5, 1e-6, 'rest of a peer')
  })

  test('count what a class carries by whatever is used up first', () => {
    const bid = bidMeans(live)!
    const core = capacityOf(bid, 0.25, 2, [100_000])
    near(core.realMsPerBid, 1.5, 1e-9, 'a bid and peer')
    near(core.bidsPerSecondMax, 100 / 1.5, 1e-9, 'by the core')
    near(core.at[0]!.bidsPerSecond, 100_000 / 3_600, 1e-9, 'bids of all')
    assert.equal(core.at[0]!.classesNeeded, 1)
    const line = capacityOf({ ...bid, bytesPerPeer: 25_000 }, 0.25, 2, [100_000])
    near(line.bidsPerSecondMax, 10, 1e-9, 'by the uplink')
    assert.equal(line.at[0]!.classesNeeded, 3)
  })

  test('make a record with a page', () => {
    const record = recordOfCosts(
      {
        v: 1,
        bench: 'costs',
        machine: machine(),
        seeds: [1],
        delayMs: [20, 60],
        live,
        tcp: live[1]!,
        failed: [{ peers: 800, seed: 2, why: 'it ended with a signal' }],
        signatureMs: 0.1,
        perPeer: peerLines(live),
        perBid: bidMeans(live),
        models,
        predictions: predictionsOf(live, models, [100_000]),
        capacity: capacityOf(bidMeans(live)!, 0.1, 1, [100_000]),
      },
      { command: 'a test', wallMs: 1, config: scenarioNamed('costs')! },
    )
    assert.match(page(checkRecord(record, 'the record')), /What that predicts/)
    assert.deepEqual(
      record.assertions.map(({ holds, got }) => [holds, got]),
      [[false, '800 peers: it ended with a signal']],
    )
  })
})

const deadlineMs = 60_000

async function measured(peers: number): Promise<{ readonly costs: LiveCosts; readonly findings: LiveFindings }> {
  const { live, ...known } = withPeers(scenarioNamed('costs')!, peers)
  const probes = { restMs: 1_000, bids: 6, bidEveryMs: 100, lookUps: 8 }
  const scenario = { ...known, network: { ...known.network, delayMs: [2, 4] as const }, live: { ...live, probes } }
  const plan = planOf(scenario, 3)
  const result = await runLive({
    plan,
    part: new LivePart({ plan, say: () => {} }),
    onPhase: () => {},
    command: 'a test',
    signal: AbortSignal.timeout(deadlineMs),
  })
  const { findings } = result!.findings!
  return { costs: costsOf(findings)!, findings }
}

describe('of 16 and of 24 live peers', { timeout: 2 * deadlineMs }, () => {
  let worlds: Awaited<ReturnType<typeof measured>>[]

  before(async () => {
    worlds = [await measured(16), await measured(24)]
  })

  test('a bid is a copy and some too many at every peer, and as many bytes in both', () => {
    const [small, large] = worlds.map(({ costs }) => costs.bids!)
    for (const { coverage, duplicates, framesPerPeer, hopsMean } of [small!, large!]) {
      assert.equal(coverage, 1)
      assert.ok(framesPerPeer >= 1 + duplicates! - 0.5, `${framesPerPeer} frames, ${duplicates} copies too many`)
      assert.ok(hopsMean! > 1 && hopsMean! < 4)
    }
    near(large!.bytesPerPeer, small!.bytesPerPeer, 0.5, 'bytes of a bid at a peer')
  })

  test('each thing has a phase of its own, and what was sent in them adds up to no more than all', () => {
    for (const { findings } of worlds) {
      const { phases, traffic } = findings
      assert.deepEqual(
        phases.map(({ name, count }) => [name, count]),
        [
          ['settling', 0],
          ['rest', 0],
          ['bids', 6],
          ['look-ups', 8],
        ],
      )
      const kad = (name: string): number =>
        phases.find((one) => one.name === name)!.traffic['/pleach/kad/1']?.bytes ?? 0
      assert.ok(kad('look-ups') > 10 * (kad('rest') + kad('bids')))
      for (const [protocol, { bytes }] of Object.entries(traffic!)) {
        const sum = phases.reduce((all, one) => all + (one.traffic[protocol]?.bytes ?? 0), 0)
        assert.ok(sum <= bytes, `${sum} of ${bytes} bytes of ${protocol}`)
      }
    }
  })

  test('a look-up asks the six that its table names first, and finds the record', () => {
    for (const { costs } of worlds) {
      const { found, count, requestsMean, failedShare } = costs.lookUps!
      assert.deepEqual(
        { found, count, requestsMean, failedShare },
        { found: 8, count: 8, requestsMean: 6, failedShare: 0 },
      )
    }
  })
})

test('sim costs wants sizes that a process can have', () => {
  const sim = join(import.meta.dirname, '..', '..', 'sim', 'main.ts')
  for (const [peers, said] of [
    ['50,4', /8 to 2000 each, not 4/],
    ['50,many', /--peers is a whole number, not many/],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [sim, 'costs', '--peers', peers], { encoding: 'utf8' })
    assert.equal(status, 2)
    assert.match(stderr, said)
  }
})
