/** The simulator as a person starts it: processes of its own, their exit codes, their last line. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
/** Bounded and generous: what is asserted is the outcome, not the time. */
const withinMs = 110_000

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function sim(args: readonly string[], node = process.execPath): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>()
  const options = { cwd: root, timeout: withinMs, maxBuffer: 64 * 1024 * 1024 }
  execFile(node, ['sim/main.ts', ...args], options, (error, stdout, stderr) =>
    resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
  )
  return promise
}

const last = ({ stdout }: Ran) => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>

test('no invariant is broken in 1,500 lives of the default scenario', async () => {
  const ran = await sim([
    'model',
    '--seeds',
    '1500',
    '--workers',
    String(Math.min(2, availableParallelism())),
    '--json',
  ])
  assert.equal(ran.code, 0, ran.stderr)
  const report = last(ran)
  assert.equal(report['violations'], 0)
  assert.equal(report['seeds'], 1_500)
  for (const key of ['v', 'seedsPerSecond', 'events', 'virtualSecondsPerSecond'])
    assert.equal(typeof report[key], 'number', key)
  assert.match(String(report['traceHash']), /^[0-9a-f]{64}$/)
})

test('a seed gives the same trace in two processes, and in as many threads', async () => {
  const runs = await Promise.all(
    ['1', '1', '2'].map((workers) => sim(['model', '--seeds', '60', '--workers', workers, '--json'])),
  )
  const [first, second, threads] = runs.map((ran) => last(ran)['traceHash'])
  assert.equal(first, second)
  assert.equal(first, threads)
})

const newer = process.env['PLEACH_NEWER_NODE']

test(
  'a seed gives the same trace on a newer Node',
  { skip: newer === undefined ? 'PLEACH_NEWER_NODE names no newer Node; .ci/run installs one' : false },
  async () => {
    const [here, there] = await Promise.all([
      sim(['model', '--seeds', '100', '--json']),
      sim(['model', '--seeds', '100', '--json'], newer),
    ])
    assert.equal(last(there)['traceHash'], last(here)['traceHash'])
  },
)

test('the life of one peer is told, up to a moment', async () => {
  const ran = await sim(['replay', '--seed', '3', '--scenario', 'storm', '--until', '12s', '--focus', 'peer-3'])
  assert.equal(ran.code, 0, ran.stderr)
  const lines = ran.stdout.trim().split('\n')
  const told = lines.filter((line) => /^ *\d+\.\d{3} s /.test(line))
  assert.ok(told.length > 0 && told.every((line) => / s {2}(peer +3|world) /.test(line)), ran.stdout)
  assert.ok(told.every((line) => Number.parseFloat(line) <= 12))
  assert.match(lines.at(-1) ?? '', /^trace [0-9a-f]{16}$/)
})

test('every single fault in one job is survived, and the worst pairs and triples that chance finds', async () => {
  const ran = await sim(['exhaust', '--seeds', '6', '--pairs', '100', '--triples', '100', '--json'])
  assert.equal(ran.code, 0, ran.stderr)
  const { singles, violations } = last(ran) as { singles: number; violations: number }
  assert.equal(violations, 0)
  assert.ok(singles > 1_000, `${singles} single faults`)
})

test('a scenario that is none, a time that is none, a peer that is none: what, why, exit code 2', async () => {
  for (const [args, says] of [
    [['model', '--scenario', 'nonesuch'], /nonesuch is no scenario; there are calm, .*storm/],
    [['replay', '--until', 'noon'], /noon is no time: 1500ms, 12s, 2m/],
    [['model', '--scenario', 'nowhere.yaml'], /nowhere.yaml: it cannot be read/],
    [['model', '--seeds', 'many'], /--seeds is a whole number, not many/],
    [['replay', '--fault', 'drop'], /drop is no fault: drop:12/],
    [['model', '--nonesuch'], /--nonesuch/],
    [[], /usage: sim/],
  ] as const) {
    const ran = await sim(args)
    assert.equal(ran.code, 2, args.join(' '))
    assert.match(ran.stderr, says)
    assert.equal(ran.stdout, '')
  }
})

test('a violation names its seed, its shortest prefix and the command that replays it', async () => {
  const { shortestPrefix } = await import('../../sim/model/shrink.ts')
  const { scenarioNamed } = await import('../../sim/scenarios/index.ts')
  const { World } = await import('../../sim/model/world.ts')
  const scenario = scenarioNamed('storm')!
  // A life that is wrong from the third job on, by decree.
  const submit = World.prototype.note
  const broken = function (this: InstanceType<typeof World>, peer: number, what: string, about?: number): void {
    if (what === 'submit' && this.jobs.length === 3) this.violate('decree', 'the third job')
    return submit.call(this, peer, what, about)
  }
  World.prototype.note = broken
  try {
    const violations = [{ checker: 'decree', what: 'the third job', atMs: 0 }]
    const prefix = await shortestPrefix(scenario, { seed: 5, violations }, {})
    assert.ok(prefix !== undefined)
    assert.equal(prefix.mischiefUntilMs, 0)
    assert.ok(prefix.jobsMax <= 5 && prefix.jobsMax >= 3, JSON.stringify(prefix))
  } finally {
    World.prototype.note = submit
  }
})
