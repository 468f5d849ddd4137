/** What a run leaves behind: its record, its page, its measurements, and two of them compared. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { compareRuns, fires } from '../../sim/report/compare.ts'
import { ExpressionError } from '../../sim/report/expression.ts'
import { readRun, writeRun } from '../../sim/report/folder.ts'
import { page, pageBytesMax } from '../../sim/report/html.ts'
import { MetricsWriter, readMetrics, type Metric } from '../../sim/report/metrics.ts'
import { checkRecord, parseRecord, pointsMax, samplesMax, type RunRecord } from '../../sim/report/record.ts'
import { Histogram, quantile } from '../../sim/report/samples.ts'
import { hostile, sampleRecord } from './report-samples.ts'

const root = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'pleach-report-'))
after(() => rmSync(folder, { recursive: true, force: true }))

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function sim(...args: readonly string[]): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>()
  execFile(process.execPath, ['sim/main.ts', ...args], { cwd: root, timeout: 60_000 }, (error, stdout, stderr) =>
    resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
  )
  return promise
}

async function all(metrics: AsyncIterable<Metric>): Promise<Metric[]> {
  const read: Metric[] = []
  for await (const metric of metrics) read.push(metric)
  return read
}

test('a record that is written is read back the same', () => {
  const record = sampleRecord()
  writeRun(join(folder, 'round'), record)
  assert.deepEqual(readRun(join(folder, 'round')), record)
})

test('a file that is no record says what is wrong with it', () => {
  const broken = (change: (record: RunRecord) => unknown): string => {
    const record = sampleRecord()
    change(record)
    return JSON.stringify(record)
  }
  for (const [text, says] of [
    ['{', /^f is no JSON/],
    ['null', /^f is no record of a run: it has no v/],
    ['[]', /it has no v/],
    ['{"v":2}', /^f is version 2; this program reads version 1/],
    ['{"v":1}', /^f is no record of a run: scenario: .*; and \d+ more$/],
    [broken((record) => (record.figures[0]!.name = 'Not A Name')), /figures\.0\.name: is no name/],
    [
      broken((record) => record.figures[0]!.kind === 'cdf' && record.figures[0]!.series[0]!.samples.reverse()),
      /not sorted/,
    ],
    [
      broken((record) => record.figures[3]!.kind === 'topology' && record.figures[3]!.after.edges.push([0, 99])),
      /ends at no node/,
    ],
    [broken((record) => Object.assign(record, { more: 1 })), /more/],
    [broken((record) => (record.valid = false)), /says why in invalidBecause/],
    [broken((record) => (record.wallMs = NaN)), /wallMs/],
  ] as const)
    assert.throws(() => parseRecord(text, 'f'), { name: 'RecordError', message: says })
  assert.throws(() => readRun(join(folder, 'nowhere')), { name: 'RecordError', message: /has no record\.json/ })
})

/** Tags that the page is made of; `a` only into itself. */
const tags = new Set(
  `html head meta title link style body main header h1 h2 p strong b ul li section div table caption thead tbody tr th td span
  nav a figure figcaption svg desc path text circle rect g pre dl dt dd`.split(/\s+/),
)

test('text of others stays text', () => {
  const html = page(checkRecord(sampleRecord(hostile), 'sample'))
  const body = html.replace(/<style>.*?<\/style>/s, '')
  for (const [, name] of body.matchAll(/<\/?([a-z!][a-z0-9]*)/gi))
    assert.ok(name === '!doctype' || tags.has(name!), name)
  for (const [tag] of body.matchAll(/<[a-z][^>]*>/gi)) {
    assert.doesNotMatch(tag, /\son\w+=/i)
    for (const [, target] of tag.matchAll(/\s(?:href|src)="([^"]*)"/g)) assert.match(target!, /^(#f\d+|data:,)$/)
    assert.doesNotMatch(tag, /javascript:|style=/i)
  }
  assert.ok(html.includes('&lt;script&gt;alert(1)&lt;/script&gt;'))
  // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
  assert.doesNotMatch(html, /[\u0000\u001b\u202e]/)
  assert.ok(html.isWellFormed())
})

test('the page asks for nothing', () => {
  const html = page(sampleRecord())
  assert.doesNotMatch(
    html.replaceAll('xmlns="http://www.w3.org/2000/svg"', ''),
    /https?:|\/\/[a-z]|@import|<script|url\(/i,
  )
  assert.match(html, /Content-Security-Policy" content="default-src 'none'/)
})

test('it says in words what held and what did not, and describes every figure', () => {
  const html = page(sampleRecord())
  assert.match(html, /<strong>Fail\.<\/strong> 1 of 2 assertions does not hold/)
  assert.ok(html.indexOf('✗ FAIL') < html.indexOf('✓ pass'))
  assert.equal(html.match(/How to read it:/g)?.length, 5)
  const plots = [...html.matchAll(/<svg class="plot".*?aria-labelledby="(\S+) (\S+)".*?<\/svg>/gs)]
  assert.equal(plots.length, 5)
  for (const [plot, title, desc] of plots)
    assert.ok(plot.includes(`<title id="${title}">`) && plot.includes(`<desc id="${desc}">`))
  const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)
  assert.equal(new Set(ids).size, ids.length)
  const invalid = page({ ...sampleRecord(), valid: false, invalidBecause: 'the event loop was late' })
  assert.match(
    invalid,
    /<strong>Invalid\.<\/strong> What it says of time is not to be believed: the event loop was late/,
  )
})

test('a page is bounded, whatever is in the record', () => {
  const record = sampleRecord()
  const samples = Array.from({ length: samplesMax }, (_, index) => index)
  const points = Array.from({ length: pointsMax }, (_, index): [number, number] => [index, index % 97])
  const series = Array.from({ length: 64 }, (_, index) => index)
  const figure = { title: 'x'.repeat(200), unit: 'ms', read: '<'.repeat(4_000) }
  const nodes = Array.from({ length: 20_000 }, (_, index) => ({
    id: `&${index}`.padEnd(200, '<'),
    role: `role ${index % 9}`,
    region: `r${index % 99}`,
    alive: index % 2 === 0,
  }))
  const edges = nodes.map((_, index): [number, number] => [index, (index * 31) % nodes.length])
  record.figures = Array.from({ length: 64 }, (_, index): RunRecord['figures'][number] =>
    index % 3 === 0
      ? {
          kind: 'cdf',
          name: `c${index}`,
          ...figure,
          series: series.map((one) => ({ name: `s${one}`, count: 9_999, samples })),
        }
      : index % 3 === 1
        ? {
            kind: 'timeline',
            name: `t${index}`,
            ...figure,
            series: series.map((one) => ({ name: `s${one}`, points })),
            events: [],
          }
        : { kind: 'topology', name: `g${index}`, ...figure, before: { nodes, edges }, after: { nodes, edges } },
  )
  record.scenario.config = { long: '&'.repeat(1_000_000) }
  record.stubs = Array.from({ length: 64 }, () => '&'.repeat(4_000))
  record.assertions = Array.from({ length: 200 }, (_, index) => ({
    name: `a${index}`,
    wanted: 'w',
    got: 'g'.repeat(4_000),
    holds: false,
  }))
  const html = page(record)
  assert.ok(Buffer.byteLength(html) <= pageBytesMax, `${Buffer.byteLength(html)} bytes`)
  assert.match(html, /Left out, because the page would be too long/)
  const longest = Math.max(...[...html.matchAll(/ d="([^"]*)"/g)].map(([, path]) => path!.split(/[ML]/).length))
  assert.ok(longest <= 1_600, `${longest} points in one path`)
})

test('measurements are written line by line and read back; a line that is none is named', async () => {
  const path = join(folder, 'metrics.jsonl')
  const written: Metric[] = Array.from({ length: 5_000 }, (_, index) => ({
    v: 1,
    of: 'second',
    atMs: index,
    text: hostile,
    none: null,
  }))
  {
    using metrics = new MetricsWriter(path)
    for (const metric of written) metrics.write(metric)
    assert.throws(() => metrics.write({ v: 1, of: 'x'.repeat(70_000) }), RangeError)
    assert.equal(metrics.lines, 5_000)
  }
  const read = await all(readMetrics(path))
  assert.deepEqual(
    read,
    written.map((metric) => JSON.parse(JSON.stringify(metric)) as Metric),
  )
  for (const bad of ['{"v":1}', 'nonsense', '{"v":2,"of":"x"}', '{"v":1,"of":"x","deep":{}}']) {
    writeFileSync(path, `{"v":1,"of":"x"}\n${bad}\n`)
    await assert.rejects(all(readMetrics(path)), { name: 'RecordError', message: /metrics\.jsonl:2 is no/ })
  }
})

test('many samples made few keep their quantiles, in whatever order they came', () => {
  const [one, other] = [new Histogram(), new Histogram()]
  const values = Array.from({ length: 50_000 }, (_, index) => (index * 7_919) % 10_007)
  for (const value of values) one.add(value)
  for (const value of values.toReversed()) other.add(value)
  const samples = one.samples(1_000)
  assert.deepEqual(samples, other.samples(1_000))
  const sorted = values.toSorted((left, right) => left - right)
  assert.deepEqual([samples[0], samples.at(-1), one.count], [sorted[0], sorted.at(-1), 50_000])
  for (const share of [0.5, 0.9, 0.99])
    assert.ok(Math.abs(quantile(samples, share)! - quantile(sorted, share)!) <= 20, String(share))
  assert.deepEqual(new Histogram().samples(10), [])
})

test('two runs are compared under the names of their numbers', () => {
  const [a, b] = [sampleRecord(), sampleRecord()]
  b.numbers[0]!.value = 0.45
  b.assertions[1]!.holds = true
  b.boot = 'fast'
  const comparing = compareRuns(a, b)
  const named = new Map(comparing.values.map((value) => [value.name, value]))
  assert.deepEqual(named.get('job_success'), { name: 'job_success', unit: 'share', a: 0.9, b: 0.45, ratio: 0.5 })
  for (const name of [
    'gossip.far.p99',
    'gossip.far.p50',
    'gossip.far.count',
    'mesh.median.last',
    'bytes.negotiate',
    'ties.there',
  ])
    assert.equal(named.get(name)?.ratio, 1, name)
  assert.equal(named.get('unmeasured')?.a, null)
  assert.deepEqual(comparing.assertions[1], { name: 'boot is quick', a: false, b: true, gotA: '6.1 s', gotB: '6.1 s' })
  assert.deepEqual(comparing.warnings, ['A booted cold and B fast'])
  for (const [expression, expected] of [
    ['job_success<0.95', true],
    ['A.job_success < 0.9', false],
    ['A.job_success<=0.9&&ratio.job_success==0.5', true],
    ['job_success<0.95 && ratio.gossip.far.p99>1.2', false],
    ['A.job_success!=B.job_success', true],
    ['0.4>=job_success', false],
    ['boot_ms>6.1e3', false],
    ['boot_ms>-1', true],
  ] as const)
    assert.equal(fires(expression, comparing), expected, expression)
  for (const [expression, says] of [
    ['', /compares nothing/],
    ['job_success', /is no comparison/],
    ['job_success<', /is no comparison/],
    ['job_success<0.95 &&', /nothing comes after/],
    ['job_success<0.95 boot_ms>1', /stands where && should/],
    ['job_success=0.95', /cannot be read from "=0.95"/],
    ['job_success<0.95; rm', /cannot be read/],
    ['jobsuccess<0.95', /neither run has jobsuccess; there are job_success/],
    ['job_success>2 && nonesuch<1', /neither run has nonesuch/],
    ['unmeasured<1', /unmeasured is not known of B/],
    ['ratio.unmeasured<1', /there is no ratio of unmeasured/],
  ] as const)
    assert.throws(
      () => fires(expression, comparing),
      (error) => error instanceof ExpressionError && says.test(error.message),
      expression,
    )
})

test('sim compare and sim report: their tables and exit codes', async () => {
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  writeRun(a, sampleRecord())
  writeRun(b, { ...sampleRecord(), numbers: [{ name: 'job_success', title: 'paid', unit: 'share', value: 0.99 }] })
  const [plain, json, firing, passing, unknown, none, alone, again] = await Promise.all([
    sim('compare', a, b),
    sim('compare', a, b, '--json'),
    sim('compare', a, b, '--fail-if', 'job_success<0.5', '--fail-if', 'ratio.job_success>1.05'),
    sim('compare', a, b, '--fail-if', 'job_success<0.95'),
    sim('compare', a, b, '--fail-if', 'nonesuch<1'),
    sim('compare', a, join(folder, 'none')),
    sim('compare', a),
    sim('report', a),
  ])
  assert.equal(plain.code, 0, plain.stderr)
  assert.match(plain.stdout, /job_success +0\.9 +0\.99 +1\.10x +share/)
  assert.match(plain.stdout, /boot is quick +FAIL \(6\.1 s\) +FAIL \(6\.1 s\)/)
  const told = JSON.parse(json.stdout)
  assert.deepEqual([told.v, told.values[0].name, told.values[0].b], [1, 'job_success', 0.99])
  assert.equal(firing.code, 3)
  assert.match(firing.stderr, /fails, because it is true that ratio\.job_success>1\.05/)
  assert.equal(passing.code, 0)
  assert.deepEqual([unknown.code, unknown.stdout], [2, ''])
  assert.equal(none.code, 1)
  assert.match(none.stderr, /^error: .*has no record\.json/)
  assert.equal(alone.code, 2)
  assert.match(alone.stderr, /usage: sim compare A B/)
  assert.equal(again.code, 0)
  assert.equal(readFileSync(join(a, 'report.html'), 'utf8'), page(sampleRecord()))
})

/** What is the same of the same lives, however they were lived. */
function lasting({ wallMs: _wallMs, command: _command, numbers, ...record }: RunRecord) {
  return { ...record, numbers: numbers.filter(({ name }) => name !== 'lives_per_second') }
}

test('a campaign leaves its record, its measurements and its page, the same in threads; and without --out nothing', async () => {
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  const flags = ['model', '--scenario', 'storm', '--seeds', '30', '--json']
  const [plain, alone, threads] = await Promise.all([
    sim(...flags),
    sim(...flags, '--out', one),
    sim(...flags, '--workers', '2', '--out', two),
  ])
  for (const ran of [plain, alone, threads]) assert.equal(ran.code, 0, ran.stderr)
  assert.equal(JSON.parse(alone.stdout).traceHash, JSON.parse(plain.stdout).traceHash)
  const record = readRun(one)
  assert.deepEqual(lasting(record), lasting(readRun(two)))
  assert.equal(record.command, 'npm run -s sim -- model --scenario storm --seeds 30 --from 1 --out sim-out/storm-1')
  assert.ok(record.valid && record.assertions.every(({ holds }) => holds))
  assert.deepEqual(
    record.figures.map(({ name }) => name),
    ['latency', 'endings', 'jobs', 'first_life', 'dishonest', 'gossip', 'frames', 'leases'],
  )
  const values = new Map(compareRuns(record, record).values.map(({ name, a }) => [name, a]))
  assert.equal(values.get('job_success'), JSON.parse(plain.stdout).paidShare)
  assert.ok(values.get('latency.bid_to_offer.p50')! < values.get('latency.bid_to_done.p50')!)
  assert.equal(values.get('honest_accused'), 0)
  const lives = await all(readMetrics(join(two, 'metrics.jsonl')))
  assert.deepEqual(
    lives.map(({ seed }) => Number(seed)).toSorted((left, right) => left - right),
    Array.from({ length: 30 }, (_, index) => index + 1),
  )
  assert.equal(
    lives.reduce((sum, { jobs }) => sum + Number(jobs), 0),
    values.get('jobs'),
  )
  assert.equal(readFileSync(join(one, 'report.html'), 'utf8'), page(record))
})

test('a campaign of the storage model leaves the same three files', async () => {
  const out = join(folder, 'storage')
  const ran = await sim('model', '--scenario', 'storage-calm', '--seeds', '3', '--out', out)
  assert.equal(ran.code, 0, ran.stderr)
  const record = readRun(out)
  assert.deepEqual([record.scenario.name, record.lives, record.valid], ['storage-calm', 3, true])
  assert.match(record.command, /--scenario storage-calm --seeds 3 --from 1 --out/)
  assert.ok(record.assertions.length > 5 && record.assertions.every(({ holds }) => holds))
  const [campaign] = await all(readMetrics(join(out, 'metrics.jsonl')))
  assert.equal(campaign?.['objects'], record.numbers.find(({ name }) => name === 'objects')?.value)
  assert.match(readFileSync(join(out, 'report.html'), 'utf8'), /<strong>Pass\.<\/strong>/)
})

test('a folder that cannot be is told before the first life', async () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const ran = await sim('model', '--seeds', '1', '--out', join(file, 'x'))
  assert.equal(ran.code, 1)
  assert.match(ran.stderr, /^error: .* is no folder, and cannot become one/)
})
