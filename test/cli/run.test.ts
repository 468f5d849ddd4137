// `pleach run` against a real control server; how each job goes is written in test/control/fake-control.ts.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { ControlServer } from '../../src/control/server.ts'
import { FakeControl, bytesOfBigJob } from '../control/fake-control.ts'
import { Home, lastJson } from './command-line.ts'

const home = new Home()
const control = new FakeControl()
let server: ControlServer
before(async () => {
  server = await home.serve(control)
})
after(async () => {
  await server.close()
  home.remove()
})
const lastJob = () => control.specs.at(-1)
const shortId = async (): Promise<string> => (await control.jobs())[0]!.id.slice(-4)

describe('a job that ends well', () => {
  test('its stdout is ours, its course and its stderr are on stderr', async () => {
    const { code, out, err } = await home.run(['run', '--cpu', '2', 'hello.wasm', '--', '-c', 'print(6*7)'])
    assert.equal(code, 0)
    assert.equal(out, '42\n')
    const id = await shortId()
    assert.equal(
      err,
      `bid ${id}  2 cpu 512 MiB, at most 10 min              0.00 s
  3 offers; best brisk-reed 0.0006 (next calm-twill 0.0008)
  matched 0.05 s  staged 0.08 s  running 0.31 s
a word
  verified 0.33 s  cost 0.0006
receipt ab12ab12…  signed by both - pleach receipt verify ab12ab12
`,
    )
    assert.deepEqual(lastJob(), { module: join(home.path, 'hello.wasm'), args: ['-c', 'print(6*7)'], cpuMilli: 2000 })
  })

  test('-q leaves only what the program writes', async () => {
    const { out, err } = await home.run(['run', '-q', 'hello.wasm'])
    assert.deepEqual([out, err], ['42\n', 'a word\n'])
  })

  test('five megabytes of every byte come through as they are', async () => {
    const { code, bytes } = await home.run(['run', 'big.wasm'])
    assert.equal(code, 0)
    assert.ok(bytes.equals(bytesOfBigJob), `${bytes.length} bytes that differ`)
  })

  test('also to a reader that is slow, and past one that has enough', async () => {
    const { child, result } = home.start(['run', '-q', 'big.wasm'])
    child.stdout!.pause()
    setTimeout(() => child.stdout!.resume(), 300)
    assert.ok((await result).bytes.equals(bytesOfBigJob))
    const impatient = home.start(['run', 'big.wasm'])
    impatient.child.stdout!.once('data', () => impatient.child.stdout!.destroy())
    const { code, err } = await impatient.result
    assert.equal(code, 130)
    assert.match(err, /detached; the job goes on/)
  })

  test('--json: one object with the stdout inside', async () => {
    const result = await home.run(['run', '--json', 'big.wasm'])
    const json = lastJson(result)
    assert.equal(result.out.trimEnd().split('\n').length, 1)
    assert.ok(Buffer.from(json['stdoutBase64'] as string, 'base64').equals(bytesOfBigJob))
    assert.deepEqual([json['v'], json['exitCode'], json['stdoutCut']], [1, 0, false])
    assert.deepEqual((json['receipt'] as { bothSigned: number }).bothSigned, 3)
    assert.equal((json['job'] as { stage: string }).stage, 'paid')
    assert.equal(result.err, '')
  })

  test('outputs, cost and what is left of the budget', async () => {
    const { err } = await home.run(['run', '--out', 'frames', '--max-cost', '2', 'files.wasm'])
    assert.match(err, /^out frames\/ 48 files 12\.4 MB {2}verified {2}cost 0\.71 \(1\.29 unspent\)$/m)
  })

  test('a provider that is replaced is named, with why', async () => {
    const { code, err } = await home.run(['run', 'replaced.wasm'])
    assert.equal(code, 0)
    assert.match(err, /^ {2}brisk-reed is replaced: PROVIDER_SILENT, silentMs 20000$/m)
  })

  test('work that is compared is told, with whom and what came of it', async () => {
    const { code, err } = await home.run(['run', '--deterministic', 'compared.wasm'])
    assert.equal(code, 0)
    const lines = [
      'quiet-heron is new to us: brisk-reed does the same, to compare',
      'quiet-heron made something else of it than brisk-reed: what it made is not taken',
      'brisk-reed is new to us: this machine does the same, to compare',
      'what brisk-reed and this machine make of it could not be compared',
      'brisk-reed is new to us, and nobody whom we know offered to do the same: it is not compared',
    ]
    for (const line of lines) assert.ok(err.split('\n').includes(`  ${line}`), err)
    const same = await home.run(['run', '--name', 'same', 'compared.wasm'])
    assert.match(same.err, /^ {2}quiet-heron and brisk-reed made the same of it$/m)
    const { job } = lastJson(await home.run(['run', '--json', 'compared.wasm'])) as { job: { checked: object[] } }
    assert.equal(job.checked.length, 1)
  })
})

describe('what the peer is asked for', () => {
  test('every flag, paths absolute', async () => {
    writeFileSync(join(home.path, 'words'), 'w')
    const flags =
      '--in scene.tar --in /a/b:/in/c --out frames --env A=1 --env B=x=y --stdin words --cpu 500m --memory 1Gi --disk 2G ' +
      '--timeout 1h30m --max-cost 2 --max-price 1.5 --code 4+2 --wait 30m --retries 3 --name render ' +
      '--gas-max 20G --deterministic --check never'
    const { code, err } = await home.run(['run', ...flags.split(' '), 'exit7.wasm'])
    assert.equal(code, 7, err)
    assert.deepEqual(lastJob(), {
      name: 'render',
      module: join(home.path, 'exit7.wasm'),
      env: { A: '1', B: 'x=y' },
      inputs: [{ path: join(home.path, 'scene.tar') }, { path: '/a/b', guestPath: '/in/c' }],
      stdin: join(home.path, 'words'),
      out: join(home.path, 'frames'),
      cpuMilli: 500,
      memoryBytes: 2 ** 30,
      diskBytes: 2e9,
      wallMs: 5_400_000,
      code: '4+2',
      priceMax: '1.5',
      costMax: '2',
      gasMax: 20e9,
      deterministic: true,
      check: 'never',
      waitMs: 1_800_000,
      retries: 3,
    })
  })

  test('a job file, and flags that count more', async () => {
    writeFileSync(join(home.path, 'job.yaml'), 'module: hello.wasm\ncpu: 4\nmemory_bytes: 512Mi\nargs: [a, 1.0]\n')
    assert.equal((await home.run(['run', '-f', 'job.yaml', '--cpu', '1'])).code, 0)
    const module = join(home.path, 'hello.wasm')
    assert.deepEqual(lastJob(), { module, cpuMilli: 1000, memoryBytes: 512 * 2 ** 20, args: ['a', '1.0'] })
    assert.equal((await home.run(['run', '-f', 'job.yaml', '--', 'b'])).code, 0)
    assert.deepEqual(lastJob()?.args, ['b'])
  })

  test('our stdin, of any bytes, and no file of it left behind', async () => {
    const input = bytesOfBigJob.subarray(0, 300_000)
    const { bytes, code } = await home.run(['run', '-q', '--stdin', '-', 'echo.wasm'], { input })
    assert.equal(code, 0)
    assert.ok(bytes.equals(input), `${bytes.length} bytes`)
    assert.deepEqual(
      readdirSync(join(home.path, 'run')).filter((name) => name.startsWith('pleach-stdin')),
      [],
    )
  })
})

describe('exit codes', () => {
  const rows: [module: string, code: number, says: RegExp][] = [
    ['exit7', 7, /^the program exited with 7$/m],
    ['exit256', 255, /^the program exited with 256$/m],
    ['trapped', 1, /error: job \w{4} ended without a result: TRAPPED \(exit 1\)\n {2}why: .*unreachable\\u\{1b\}\[31m/],
    ['slow', 5, /WALL_LIMIT \(exit 5\)[^]*longer than it was given[^]*--timeout/],
    ['silent', 5, /PROVIDER_SILENT \(exit 5\)[^]*did not answer in time/],
    ['liar', 3, /RESULT_DIFFERS \(exit 3\)/],
    ['ledger', 6, /LEDGER_FAILED \(exit 6\)/],
    ['dear', 8, /OVER_BUDGET \(exit 8\)[^]*--max-cost/],
    ['cancelled', 130, /CANCELLED \(exit 130\)/],
    ['garbage', 2, /MODULE_INVALID \(exit 2\)[^]*WASI preview 1/],
    ['nofile', 2, /nofile\.wasm cannot be read \(exit 2\)/],
    ['vanish', 5, /the peer went away while job \w{4} was under way \(exit 5\)/],
  ]
  for (const [module, code, says] of rows) {
    test(`${module}: ${code}`, async () => {
      const result = await home.run(['run', `${module}.wasm`])
      assert.equal(result.code, code, result.err)
      assert.match(result.err, says)
    })
  }

  test('as JSON: the error, the job, and what it had written', async () => {
    const result = await home.run(['run', '--json', 'slow.wasm'])
    assert.equal(result.code, 5)
    const json = lastJson(result)
    assert.deepEqual(
      [(json['error'] as { code: string }).code, (json['job'] as { reason: string }).reason],
      ['WALL_LIMIT', 'wall-limit'],
    )
    assert.equal(json['stdoutBase64'], '')
  })
})

describe('when nobody matches', () => {
  test('the table says what would have to give, exit 4', async () => {
    const { code, out, err } = await home.run(['run', 'nomatch.wasm'])
    assert.deepEqual([code, out], [4, ''])
    assert.equal(
      err.slice(err.indexOf('error')).replace(/(?<=--explain )[0-9a-f]{4}$/m, 'JOB'),
      `error: no provider matches (exit 4)
  17 known, 15 reachable (2 silent)
  excluded, first failing requirement:        pass if only this is relaxed:
    memory >= 24Gi        11                    2  -> --memory 16Gi
    cpu >= 8               2                    0
    price <= 1/h           1                    1  -> --max-price 1.15
    bu\\u{7}sy (it said)    2
    cannot be reached      1
  nearest: calm-twill - only price (1.15/h > 1/h)
  wait for one: add --wait 30m       see all: pleach offers --explain JOB
`,
    )
  })

  test('the same as JSON', async () => {
    const json = lastJson(await home.run(['run', '--json', 'nomatch.wasm']))
    assert.equal((json['error'] as { code: string }).code, 'NO_MATCH')
    assert.equal((json['explanation'] as { known: number }).known, 17)
  })
})

describe('a dry run', () => {
  test('says what it would cost, and binds nobody', async () => {
    const { code, out, err } = await home.run(['run', '--dry-run', '--cpu', '2', 'sum.wasm'])
    assert.deepEqual([code, err], [0, ''])
    assert.equal(
      out,
      '17 providers known, 15 reachable, 3 pass - would cost at most 0.9-1.3 credit, start in ~1.96 s (2 of 3 asked are free)\n',
    )
    assert.deepEqual(control.calls.at(-1), 'estimate sum.wasm 2000')
    assert.equal(lastJson(await home.run(['run', '--dry-run', '--json', 'sum.wasm']))['costTo'], '1.3')
    assert.match(
      (await home.run(['run', '--dry-run', 'slow.wasm'])).out,
      / \(2 of 3 asked are free, 1 did not answer in time\)$/m,
    )
  })

  test('that nobody passes is said as of a job that nobody takes, exit 4', async () => {
    const { code, out, err } = await home.run(['run', '--dry-run', 'nomatch.wasm'])
    assert.deepEqual([code, out], [4, ''])
    assert.match(err, /no provider matches[^]*excluded, first failing requirement/)
  })
})

describe('Ctrl-C', () => {
  test('detaches: the job goes on, and what stops it is said; exit 130', async () => {
    const running = home.start(['run', 'endless.wasm'])
    await running.says(/begun/)
    running.child.kill('SIGINT')
    const { code, out, err } = await running.result
    assert.deepEqual([code, out], [130, 'begun\n'])
    const id = await shortId()
    assert.match(
      err,
      new RegExp(`detached; the job goes on\\. pleach logs -f ${id} shows it, pleach cancel ${id} stops it\n$`),
    )
    assert.equal((await control.jobs())[0]?.stage, 'bidding')
  })

  test('then the log can be followed, and the job stopped from elsewhere', async () => {
    const id = await shortId()
    const following = home.start(['logs', '-f', id])
    await following.says(/begun/)
    assert.equal((await home.run(['cancel', id])).code, 0)
    const { code, out } = await following.result
    assert.deepEqual([code, out], [0, 'begun\n'])
  })
})

describe('logs', () => {
  test('stdout to stdout, stderr to stderr', async () => {
    await home.run(['run', '-q', 'hello.wasm'])
    const { out, err, code } = await home.run(['logs', await shortId()])
    assert.deepEqual([out, err, code], ['42\n', 'a word\n', 0])
  })

  test('--json: every event as a line', async () => {
    const { out } = await home.run(['logs', '--json', await shortId()])
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { v: number; type: string })
    assert.ok(events.every(({ v }) => v === 1))
    assert.deepEqual([events[0]?.type, events.at(-1)?.type], ['job', 'end'])
  })

  test('of no job: exit 2', async () => {
    const { code, err } = await home.run(['logs', 'zzzz'])
    assert.equal(code, 2)
    assert.match(err, /no job begins with zzzz \(exit 2\)\n {2}why: .*\n {2}cure: pleach jobs/)
  })

  test('into a reader that has enough: no error', async () => {
    await home.run(['run', '-q', 'big.wasm'])
    const program = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
    const script = `"$0" "$1" logs "$2" | head -c 10 | wc -c; echo "\${PIPESTATUS[0]}"`
    const child = spawn('bash', ['-c', script, process.execPath, program, await shortId()], { env: { ...home.env } })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    const [code] = (await once(child, 'close')) as [number]
    assert.deepEqual([code, Buffer.concat(chunks).toString()], [0, '10\n0\n'])
  })
})
