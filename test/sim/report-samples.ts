/** Records for tests of the page and of comparisons: one of everything, and one that wants to break out of the page. */
import type { LiveFindings } from '../../sim/live/measures/findings.ts'
import type { LiveRun } from '../../sim/report/from-live.ts'
import type { Graph, RunRecord } from '../../sim/report/record.ts'

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
