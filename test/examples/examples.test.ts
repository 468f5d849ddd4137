// What lies in examples/ is what people copy: it runs as it stands.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { testnet } from '../../src/testing/index.ts'
import { Home } from '../cli/command-line.ts'
import { inTime } from '../support/mesh.ts'

const examples = join(import.meta.dirname, '..', '..', 'examples')
const withinMs = 60_000

test('embed: a program with peers of its own', async () => {
  const child = spawn(
    process.execPath,
    ['--conditions', 'pleach-source', join(examples, 'embed', 'sum.ts'), '1', '2', '39'],
    { stdio: ['ignore', 'pipe', 'pipe'], signal: AbortSignal.timeout(withinMs) },
  )
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  assert.deepEqual([code, out], [0, '42\n'], err)
  assert.match(err, /^bidding\n/)
  assert.match(err, /^receipt bafkrei\w+: 0\.\d+ credit$/m)
  assert.match(err, /^NO_MATCH: 2 fail at cpu >= 64; with --cpu 1 one would pass$/m)
})

test('earthquakes: a job in a file', async () => {
  const home = new Home()
  await using net = await testnet({ peers: 4, seed: 2, signal: inTime() })
  const server = await home.serve(net.requester.control)
  try {
    const file = join(examples, 'earthquakes', 'job.yaml')
    const dry = await home.run(['run', '-f', file, '--dry-run'])
    assert.equal(dry.code, 0, dry.err)
    assert.match(dry.out, /^3 providers known, 3 reachable, 3 pass - would cost at most 0\.\d+ credit, start in ~/)
    const { code, out, err } = await home.run(['run', '-f', file, '--out', 'quakes'])
    assert.equal(code, 0, err)
    assert.match(out, /earthquakes|quakes/i)
    assert.deepEqual((await readdir(join(home.path, 'quakes'))).length, 2)
  } finally {
    await server.close()
    home.remove()
  }
})
