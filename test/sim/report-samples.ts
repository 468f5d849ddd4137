/** Records for tests of the page and of comparisons: one of everything, and one that wants to break out of the page. */
import { peerNameOf } from '../../protocols/wire/index.ts'
import { stages, type Hearing, type LiveFindings, type Took } from '../../sim/live/measures/findings.ts'
import type { LiveRun } from '../../sim/report/from-live.ts'
import type { Graph, RunRecord } from '../../sim/report/record.ts'
import type { Bins } from '../../sim/report/samples.ts'

/** Markup, a script, a link, an address outside, controls, half a character, and text that turns round. */
export const hostile =
  `"><script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:alert(3)'>&amp; http://evil.example/x.js ` +
  `url(https://evil.example) \u0000\u001b[2J\ud800 \u202egnp.exe </style></title></svg>`

function graph(nodes: number, dead: readonly number[]): Graph {
  return {
    nodes: Array.from({ length: nodes }, (_, index) => ({
      id: `peer ${index}`,
      role: index % 3 === 0 ? 'lends' : 'only asks',
      region: ['eu', 'us', 'asia'][index % 3]!,
      alive: !dead.includes(index),
    })),
    edges: Array.from({ length: nodes }, (_, index): [number, number] => [index, (index * 7 + 3) % nodes]),
  }
}

/** A live run with a figure of each kind. `word` stands wherever text may. */
export function sampleRecord(word = 'boot'): RunRecord {
  const read = `read it so: ${word}`
  return {
    v: 1,
    scenario: { name: word.slice(0, 200), about: word, config: { peers: 24, word } },
    seed: 7,
    lives: 1,
    tier: 'live',
    boot: 'cold',
    command: `npm run -s sim -- live --scenario ${word}`,
    versions: { pleach: '0.1.0', node: '24.21.0', libp2p: '3.3.11' },
    machine: { cores: 8, memoryBytes: 16 * 2 ** 30 },
    wallMs: 12_345,
    stubs: [word],
    valid: true,
    invalidBecause: null,
    assertions: [
      { name: `find ${word}`.slice(0, 200), wanted: '1', got: word, holds: true },
      { name: 'boot is quick', wanted: 'under 5 s', got: '6.1 s', holds: false },
    ],
    numbers: [
      { name: 'job_success', title: word.slice(0, 200), unit: 'share', value: 0.9 },
      { name: 'boot_ms', title: 'until all were there', unit: 'ms', value: 6_100 },
      { name: 'unmeasured', title: 'that nobody measured', unit: '', value: null },
    ],
    figures: [
      {
        kind: 'cdf',
        name: 'gossip',
        title: word.slice(0, 200),
        unit: 'ms',
        read,
        series: [
          { name: word.slice(0, 200), count: 400, samples: Array.from({ length: 400 }, (_, index) => 1 + index / 4) },
          { name: 'far', count: 400, samples: Array.from({ length: 400 }, (_, index) => 20 + index ** 1.4) },
          { name: 'never', count: 0, samples: [] },
        ],
      },
      {
        kind: 'timeline',
        name: 'mesh',
        title: 'Mesh degrees',
        unit: 'peers',
        read,
        series: [
          {
            name: 'median',
            points: Array.from({ length: 5_000 }, (_, index) => [index * 10, 6 + Math.sin(index / 200)]),
          },
        ],
        events: [
          { atMs: 9_000, untilMs: 16_000, what: word.slice(0, 200) },
          { atMs: 30_000, untilMs: null, what: 'crash' },
        ],
      },
      {
        kind: 'bars',
        name: 'bytes',
        title: 'Bytes per protocol',
        unit: 'bytes',
        read,
        isWhole: true,
        bars: [
          { name: word.slice(0, 200), value: 1_000 },
          { name: 'negotiate', value: 5_000_000 },
        ],
      },
      {
        kind: 'topology',
        name: 'ties',
        title: 'Ties',
        unit: 'peers',
        read,
        before: graph(24, []),
        after: {
          ...graph(24, [3, 4, 12]),
          nodes: graph(24, [3, 4, 12]).nodes.map((node, index) =>
            index === 5
              ? { ...node, id: word.slice(0, 200), role: word.slice(0, 200), region: word.slice(0, 200) }
              : node,
          ),
        },
      },
      {
        kind: 'table',
        name: 'rest',
        title: 'The rest',
        unit: '',
        read,
        columns: ['', word.slice(0, 200)],
        rows: [
          [word.slice(0, 400), 12],
          ['none', null],
        ],
      },
    ],
  }
}

/** What a live run has beside its findings. `word` stands wherever text may. */
export function liveSample(findings: LiveFindings, word = 'market'): LiveRun {
  const regions = new Map(findings.peers.map(({ region }, index) => [index, region]))
  const mesh = graph(findings.peers.length, [])
  const inRegions = {
    ...mesh,
    nodes: mesh.nodes.map((node, index) => ({ ...node, region: regions.get(index) ?? null })),
  }
  return {
    scenario: { name: word.slice(0, 200), about: word, config: { peers: findings.peers.length, word } },
    seed: 7,
    boot: 'fast',
    bootMs: 1_234,
    command: `npm run -s sim -- live --scenario ${word}`,
    wallMs: 12_345,
    stubs: [word],
    findings,
    assertions: [{ name: 'coverage', wanted: '1', got: '1', holds: true }],
    events: [
      { atMs: 200, untilMs: 700, what: word.slice(0, 200) },
      { atMs: 900, untilMs: null, what: 'crash' },
    ],
    latencyMs: 40,
    before: inRegions,
    after: inRegions,
  }
}

const regionNames = ['eu', 'us', 'asia']

/** Findings of each kind, of thirty peers of which two are dishonest. `word` stands wherever text may. */
export function sampleFindings(word = 'market'): LiveFindings {
  const text = word.slice(0, 200)
  const names = Array.from({ length: 30 }, (_, index) => peerNameOf(new Uint8Array(32).fill(index + 1)))
  const bins = (from: number, step: number): Bins =>
    Array.from({ length: 40 }, (_, at) => [from + at * step, 1 + (at % 5)])
  const took = (scale: number): Took =>
    Object.fromEntries(stages.map((stage, at) => [stage, bins(scale * (at + 1), scale / 8)])) as unknown as Took
  const queries = { requests: bins(1, 1), tookMs: bins(80, 12), failures: 2 }
  const transfers = { done: 40, failed: 1, bytes: 4_000_000, tookMs: bins(100, 9), kibPerSecond: bins(200, 90) }
  return {
    v: 1,
    forMs: 60_000,
    peers: names.map((name, index) => ({
      name,
      lends: index % 3 === 0,
      vice: index > 27 ? text : null,
      region: index === 0 ? text : regionNames[index % 3]!,
      isUp: index !== 7,
      served: index * 3,
      holds: index % 5 === 0 ? { [names[29]!]: 2 } : {},
    })),
    traffic: {
      '/meshsub/1.2.0': { bytes: 4_000_000, frames: 9_000, streams: 300 },
      '/kad/1': { bytes: 900_000, frames: 4_000, streams: 1_200 },
      [text]: { bytes: 10_000, frames: 12, streams: 1 },
    },
    gossip: {
      names,
      messages: Array.from({ length: 20 }, (_, message) => ({
        id: `${message}`,
        published: [0, 1_000 * message],
        expected: 29,
        isProbe: true,
        heard: names
          .slice(1)
          .map((_name, at): Hearing => [at + 1, at >> 1, 1_000 * message + 40 * (at + 1), 1 + (at % 4)]),
      })),
      listening: 30,
      copies: 1_450,
      refused: 0,
    },
    finds: {
      asked: 50,
      found: 49,
      tookMs: bins(300, 20),
      requests: bins(2, 1),
      queries: { get: queries, put: queries },
    },
    market: {
      jobs: 100,
      honest: 90,
      honestPaid: 88,
      endings: { paid: 97, 'expired: NO_MATCH': 2, [text]: 1 },
      reawards: 3,
      took: took(100),
      byRegion: { eu: took(90), us: took(140), asia: took(200) },
      earned: Object.fromEntries(names.map((name, index) => [name, { jobs: index, micro: index * 1_000 }])),
    },
    storage: { put: transfers, get: transfers, repairBytes: null },
    processes: [
      {
        name: text,
        rssPeakBytes: 900e6,
        cpuMs: 70_000,
        gcMs: 3_000,
        believable: { eventLoopDelayP99Ms: 12, eventLoopDelayMaxMs: 80, deliveryLateP99Ms: 21 },
        samples: Array.from({ length: 60 }, (_, at) => ({
          atMs: 1_000 * (at + 1),
          forMs: 1_000,
          cpuUserMs: 700 + 200 * Math.sin(at / 5),
          cpuSystemMs: 60,
          rssBytes: 500e6 + at * 6e6,
          heapBytes: 300e6 + (at % 9) * 1e7,
          gcMs: 20 + (at % 7),
          loopDelayP50Ms: 1,
          loopDelayP99Ms: 8 + (at % 11),
          loopDelayMaxMs: 20 + 3 * (at % 13),
          lateP99Ms: 15 + (at % 5),
          lateMaxMs: 60,
          counts: {
            peersUp: at > 30 && at < 40 ? 27 : 30,
            jobsAsked: 2 * at,
            jobsPaid: Math.max(0, 2 * at - 5),
            jobsOtherwise: 1,
          },
        })),
      },
    ],
    phases: [
      {
        name: text,
        count: 0,
        forMs: 5_000,
        cpuMs: 300,
        cpuBeforeMs: 9_000,
        rssBytes: 400e6,
        heapBytes: 200e6,
        traffic: { [text]: { bytes: 5_000, frames: 40, streams: 2 } },
      },
    ],
    missing: { repair: word },
  }
}
