import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { ConfigError } from '../../src/config/error.ts'
import { readJobFile } from '../../src/config/job-file.ts'

const world = mkdtempSync(join(realpathSync(tmpdir()), 'pleach-job-'))
const folder = join(world, 'deep')
mkdirSync(folder)
after(() => rmSync(world, { recursive: true, force: true }))

const read = async (yaml: string) => {
  const path = join(folder, 'job.yaml')
  writeFileSync(path, yaml)
  return readJobFile(path)
}

const whole = {
  name: 'render',
  module: join(folder, 'render.wasm'),
  args: ['--scale', '1.0', 'NO'],
  env: { LANG_code: 'C', EMPTY: '' },
  inputs: [{ path: join(folder, 'scene.tar') }, { path: '/abs/a:b', guestPath: '/in/b' }],
  stdin: join(world, 'words'),
  out: join(folder, 'frames'),
  cpuMilli: 1500,
  memoryBytes: 512 * 2 ** 20,
  diskBytes: 20_000_000_000,
  wallMs: 600_000,
  logBytes: 1024,
  outputBytes: 1_000_000,
  gasMax: 20e9,
  deterministic: true,
  check: 'strangers',
  code: '4+2',
  priceMax: '1.50',
  costMax: '2',
  waitMs: 90_000,
  retries: 3,
}

const camel = `
apiVersion: pleach/v1
kind: job
name: render
module: render.wasm
args: [--scale, 1.0, NO]
env: { LANG_code: C, EMPTY: }
inputs: [scene.tar, { path: /abs/a:b, guestPath: /in/b }]
stdin: ../words
out: frames
cpuMilli: 1500
memoryBytes: 512Mi
diskBytes: 20G
wallMs: 10m
logBytes: 1Ki
outputBytes: 1000000
gasMax: 20G
deterministic: true
check: strangers
code: 4+2
priceMax: 1.50
costMax: 2
waitMs: 90000
retries: 3
`

describe('a job in a file', () => {
  test('every key, quantities, paths from the folder of the file, texts as they were written', async () => {
    assert.deepEqual(await read(camel), whole)
  })

  test('the same in snake_case', async () => {
    const snake = camel.replaceAll(/^(\w+):/gm, (key) => key.replaceAll(/[A-Z]/g, (one) => `_${one.toLowerCase()}`))
    assert.match(snake, /memory_bytes/)
    assert.deepEqual(await read(snake.replace('guestPath', 'guest_path')), whole)
  })

  test('the same in kebab-case', async () => {
    const kebab = camel.replaceAll(/^(\w+):/gm, (key) => key.replaceAll(/[A-Z]/g, (one) => `-${one.toLowerCase()}`))
    assert.match(kebab, /memory-bytes/)
    assert.deepEqual(await read(kebab.replace('guestPath', 'guest-path')), whole)
  })

  test("the flags' words, whose plain numbers are quantities", async () => {
    const spec = await read(
      'module: /m\ncpu: 2\nmemory: 1Gi\ndisk: 5G\ntimeout: 2h\nwait: 30m\nmax-price: 1\nmaxCost: 0.5\n',
    )
    const expected = { cpuMilli: 2000, memoryBytes: 2 ** 30, diskBytes: 5e9, wallMs: 7_200_000, waitMs: 1_800_000 }
    assert.deepEqual(spec, { module: '/m', ...expected, priceMax: '1', costMax: '0.5' })
  })

  test('JSON is YAML', async () => {
    assert.deepEqual(await read('{"module": "/m", "args": ["a"]}'), { module: '/m', args: ['a'] })
  })
})

describe('what is no job is told', () => {
  const rows: [yaml: string, says: RegExp][] = [
    ['module: a\nmemroyBytes: 1Gi\n', /memroyBytes is not a key; did you mean memoryBytes\?/],
    ['module: a\nmemroy_bytes: 1Gi\n', /memroy_bytes is not a key; did you mean memoryBytes\?/],
    [
      'module: a\ninputs: [{ path: b, gestPath: /in/c }]\n',
      /inputs\.0\.gestPath is not a key; did you mean guestPath\?/,
    ],
    ['modul: a\n', /modul is not a key; did you mean module\?/],
    ['cpu: 2\n', /module: is missing/],
    ['module: a\ncpu: 2\ncpuMilli: 3\n', /cpuMilli says again what another key says: cpuMilli/],
    ['module: a\ntimeout: 10\n', /timeout: "10" is not a duration: write 10s, 10m or 10h/],
    ['module: a\nwallMs: soon\n', /wallMs: "soon" is not a duration/],
    ['module: a\nmemory: 1GB\n', /memory: "1GB" is not a number of bytes: write G/],
    ['module: a\nretries: many\n', /retries: "many" is not a whole number/],
    ['module: a\nretries: 101\n', /retries: Too big/],
    ['module: a\ncheck: friends\n', /check: /],
    ['module: a\ncostMax: -1\n', /costMax: is not an amount/],
    ['module: a\nargs: a b\n', /args: .*array/],
    ['module: a\nmodule: b\n', /unique/i],
    ['apiVersion: other/v1\nmodule: a\n', /apiVersion: .*pleach\/v1/],
    ['', /it holds no keys: begin with module/],
    ['just text', /it holds no keys/],
    ['a: [', /at line 1/],
  ]
  for (const [yaml, says] of rows) {
    test(JSON.stringify(yaml), async () => {
      await assert.rejects(read(yaml), (error) => {
        assert.ok(error instanceof ConfigError, String(error))
        assert.deepEqual([error.code, error.exit], ['BAD_JOB_FILE', 2])
        assert.match(error.why, says)
        return true
      })
    })
  }

  test('a file that is not there', async () => {
    await assert.rejects(readJobFile(join(world, 'none.yaml')), { code: 'BAD_JOB_FILE', why: 'there is no such file' })
  })

  test('a file that is far too large is not parsed', async () => {
    await assert.rejects(read(`# ${'x'.repeat(300_000)}\nmodule: a\n`), { why: 'it has more than 262144 bytes' })
  })
})
