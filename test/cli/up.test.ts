// `pleach up` and `pleach devnet` in processes of their own, with the peer of fake-node.ts inside.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { workersByDefault } from '../../src/config/capacity.ts'
import { plainMoney, plainPolicy, type PeerOptions } from '../../src/config/options.ts'
import { readPidFile } from '../../src/config/pid-file.ts'
import { lockProfile } from '../../src/control/lock.ts'
import { Home, lastJson, type RunOptions } from './command-line.ts'

const home = new Home()
after(() => home.remove())
const { data, socket, contextFile, configFile } = home.directories()
const journal = join(home.path, 'journal')
beforeEach(() => rmSync(journal, { force: true }))

const withFakeNode = ['--import', pathToFileURL(join(import.meta.dirname, 'with-fake-node.ts')).href]
const start = (args: string[], goesWrong = '', options: RunOptions = {}) =>
  home.start(args, {
    ...options,
    node: withFakeNode,
    env: { TEST_PEER: goesWrong, TEST_PEER_LOG: journal, ...options.env },
  })
const done = (): Record<string, unknown>[] =>
  existsSync(journal)
    ? readFileSync(journal, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    : []
/** What the first peer was made with. */
const made = (): PeerOptions => done()[0]!['made'] as PeerOptions
const assertNothingLeft = (): void => {
  assert.ok(!existsSync(socket), 'the socket is gone')
  assert.ok(!existsSync(join(data, 'peer.json')), 'the pid file is gone')
}

describe('pleach up', () => {
  test(
    'starts in its own place with what V8 reads only as it starts, unless somebody said a size',
    { skip: existsSync('/proc/self/cmdline') ? false : 'there is no /proc to see it in' },
    async () => {
      for (const [said, sizes] of [
        ['', ['--max-semi-space-size=4']],
        ['--max-semi-space-size=9', []],
      ] as const) {
        const up = start(['up', '--port', '0'], '', said === '' ? {} : { env: { NODE_OPTIONS: said } })
        await up.says(/ready \d/)
        const words = readFileSync(`/proc/${up.child.pid!}/cmdline`, 'utf8').split('\0')
        assert.deepEqual(
          words.filter((word) => word.startsWith('--max-semi-space-size')),
          sizes,
        )
        assert.equal(words[words.indexOf('up') + 1], '--port')
        up.child.kill('SIGTERM')
        const { code } = await up.result
        assert.equal(code, 0)
      }
      assertNothingLeft()
    },
  )

  test('says what instructions cost, where they cost something', async () => {
    const up = start(['up', '--offer', '--price', '0', '--price-gas', '0.002', '--port', '0'])
    await up.says(/offering .*, 0\.0\/cpu-h \+ 0\.002\/Ggas {3}\(change/)
    await up.says(/ready \d/)
    up.child.kill('SIGTERM')
    assert.equal((await up.result).code, 0)
  })

  test('says who it is and what it lends, answers, and stops in good order', async () => {
    const up = start(['up', '--offer', '--cpu', '1', '--memory', '1Gi', '--storage', '100G', '--port', '0'])
    await up.says(/ready \d/)
    assert.equal(statSync(socket).mode & 0o777, 0o600)
    assert.equal(statSync(data).mode & 0o777, 0o700)
    assert.equal((await home.run(['status', '-q'])).code, 0)
    up.child.kill('SIGTERM')
    const { code, out, err } = await up.result
    assert.deepEqual([code, out], [0, ''])
    const lines = err.split('\n').filter((line) => !line.startsWith('{'))
    const expected = [
      /^new identity 12D3KooW…0000 "amber-loom" {3}~\/data\/pleach\/key \(0600\)$/,
      /^measured {3}8 cores 31 GiB ram 412 GB free$/,
      /^offering {3}1 cpu, 1 GiB, 100 GB, 1\.0\/cpu-h {3}\(change: --cpu, --memory, --storage, --price\)$/,
      /^isolation {2}wasm only$/,
      /^network {4}main, nobody is connected, and no peer to begin from was named: --bootstrap ADDRESS/,
      /^ {11}\/ip4\/127\.0\.0\.1\/tcp\/4117\/p2p\//,
      /^visible {4}mesh 4, 5 records known +ready \d\.\d s$/,
      /^stopping$/,
      /^$/,
    ]
    assert.equal(lines.length, expected.length, err)
    for (const [index, pattern] of expected.entries()) assert.match(lines[index]!, pattern)
    const offer = {
      cpuMilli: 1000,
      memoryBytes: 2 ** 30,
      keepBytes: 1e11,
      cpuHourMicro: 1e6,
      unit: 'credit',
      wallMsMax: 864e5,
      containers: { socketPath: null, mayPull: false, mayEgress: false },
      policy: plainPolicy,
    }
    assert.deepEqual(made(), {
      network: 'main',
      reach: 'public',
      dataDir: data,
      listen: ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0'],
      bootstrap: [],
      offer,
      bandwidth: { upBytesPerSecond: null, downBytesPerSecond: null },
      relay: { serve: false, bytesPerSecond: null, use: 'auto' },
      cacheBytes: 1e10,
      workers: workersByDefault({ cores: availableParallelism() }),
      money: plainMoney,
      profile: 'default',
    })
    assert.deepEqual(done().slice(1), [{ stopped: data }])
    assertNothingLeft()
  })

  test('writes its log as lines of JSON where there is no terminal', async () => {
    const up = start(['up'])
    await up.says(/ready \d/)
    up.child.kill('SIGINT')
    const { code, err } = await up.result
    assert.equal(code, 0)
    const [line] = err.split('\n').filter((one) => one.startsWith('{'))
    const { v, level, message } = JSON.parse(line ?? '') as Record<string, unknown>
    assert.deepEqual([v, level, message], [1, 'info', 'a line\u001b[2J of the log'])
    assert.ok(!line?.includes('\u001b'), 'escaped')
  })

  test('--json: one object when it is ready', async () => {
    const up = start(['up', '--json', '--bootstrap', '/ip4/203.0.113.7/tcp/1', '--bootstrap', '/dns4/a.example/tcp/2'])
    await up.says(/"ready":true/)
    up.child.kill('SIGTERM')
    const json = lastJson(await up.result)
    assert.deepEqual([json['v'], json['petname'], json['socket'], json['offering']], [1, 'amber-loom', socket, null])
    assert.deepEqual(made().bootstrap, ['/ip4/203.0.113.7/tcp/1', '/dns4/a.example/tcp/2'])
  })

  test('takes its settings from the file, the environment, the flags', async () => {
    mkdirSync(join(configFile, '..'), { recursive: true })
    writeFileSync(configFile, 'network: file\nreach: lan\nport: 1111\nnode_settings: { node_name: x }\n')
    const up = start(['up', '--network', 'flag'], '', { env: { PLEACH_NETWORK: 'env', PLEACH_PORT: '2222' } })
    await up.says(/ready \d/)
    up.child.kill('SIGTERM')
    assert.match((await up.result).err, /^warning: node_settings\.node_name in .*config\.yaml has no effect here$/m)
    const { network, reach, listen } = made()
    assert.deepEqual([network, reach, listen[0]], ['flag', 'lan', '/ip4/0.0.0.0/tcp/2222'])
    rmSync(configFile)
  })

  test('stops when pleach stop asks, and before it is ready', async () => {
    const up = start(['up'])
    await up.says(/ready \d/)
    assert.equal((await home.run(['stop'])).code, 0)
    assert.equal((await up.result).code, 0)
    const early = start(['up'], 'never ready')
    await early.says(/a line/)
    early.child.kill('SIGTERM')
    const { code, err } = await early.result
    assert.deepEqual([code, /error/.test(err)], [0, false], err)
    assert.deepEqual(done().at(-1), { stopped: data })
    assertNothingLeft()
  })

  test('a second signal does not wait', async () => {
    const up = start(['up'], 'never stops')
    await up.says(/ready \d/)
    up.child.kill('SIGTERM')
    await up.says(/stopping/)
    up.child.kill('SIGTERM')
    // Had it waited, it would have ended with 1 and a warning.
    assert.equal((await up.result).code, 143)
  })

  test('a failure after the start stops the peer all the same', async () => {
    const { code, err } = await start(['up'], 'ready fails').result
    assert.equal(code, 1)
    assert.match(err, /error: pleach failed; this is a mistake in it \(exit 1\)\n {2}why: Error: no luck/)
    assert.deepEqual(done().at(-1), { stopped: data })
    assertNothingLeft()
  })
})

describe('a second pleach up', () => {
  test('has nothing to do, says who runs, and touches nothing', async () => {
    const threeHoursMs = 3 * 3_600_000
    const attempt = lockProfile(data, { pid: 812, startedMs: Date.now() - threeHoursMs, socket })
    assert.ok(attempt.held)
    try {
      const { code, out, err } = await start(['up']).result
      assert.deepEqual([code, out], [0, ''])
      assert.equal(err, 'pleach is already running (pid 812, up 3 h, same profile). Nothing to do.\n')
      const json = lastJson(await start(['up', '--json']).result)
      assert.deepEqual([json['already'], json['pid']], [true, 812])
      assert.deepEqual(done(), [])
      assert.equal(readPidFile(data)?.pid, 812)
    } finally {
      attempt.lock.release()
    }
  })

  test('of another profile is another peer', async () => {
    const [one, other] = [start(['up']), start(['up', '--profile', 'work'])]
    await Promise.all([one.says(/ready \d/), other.says(/ready \d/)])
    const status = await home.run(['status', '-q'], { env: { PLEACH_PROFILE: 'work' } })
    assert.equal(status.code, 0)
    one.child.kill('SIGTERM')
    await one.result
    assert.equal((await home.run(['status', '-q', '--profile', 'work'])).code, 0)
    const gone = await home.run(['status'])
    assert.equal(gone.code, 5)
    assert.match(
      gone.err,
      /^error: no peer is running \(exit 5\)\n {2}why: nobody answers on .*default\.sock\n {2}cure: pleach up\n$/,
    )
    other.child.kill('SIGTERM')
    assert.equal((await other.result).code, 0)
  })

  test('after a kill -9 starts as if nothing had been', async () => {
    const first = start(['up'])
    await first.says(/ready \d/)
    first.child.kill('SIGKILL')
    await first.result
    assert.ok(existsSync(socket) && existsSync(join(data, 'peer.json')), 'it left both')
    assert.equal((await home.run(['status'])).code, 5)
    const second = start(['up'])
    await second.says(/ready \d/)
    assert.equal((await home.run(['status'])).code, 0)
    second.child.kill('SIGTERM')
    assert.equal((await second.result).code, 0)
    assertNothingLeft()
  })

  test('is found from a shell that knows of no runtime folder', async () => {
    const up = start(['up'])
    await up.says(/ready \d/)
    assert.equal((await home.run(['status'], { env: { XDG_RUNTIME_DIR: undefined } })).code, 0)
    up.child.kill('SIGTERM')
    await up.result
  })
})

describe('what keeps a peer from starting is told', () => {
  const rows: [what: string, args: string[], goesWrong: string, code: number, err: RegExp][] = [
    [
      'port',
      ['up'],
      'port',
      6,
      /^error: tcp\/4117 is used by nginx \(pid 331\)\. Use --port 0 for any free port\. \(exit 6\)$/m,
    ],
    [
      'key',
      ['up'],
      'key',
      6,
      /the key file .* can be read or written by others \(mode 0644\).*\(exit 6\)\n {2}cure: chmod 600 \//,
    ],
    ['address', ['up'], 'address', 2, /cannot begin from .* \(exit 2\)/],
    [
      'bootstrap',
      ['up', '--bootstrap', 'nonsense'],
      '',
      2,
      /--bootstrap nonsense cannot be used \(exit 2\)\n {2}why: .*begins with \//,
    ],
    ['amounts', ['up', '--cpu', '4'], '', 2, /nothing is lent: add --offer/],
  ]
  for (const [what, args, goesWrong, code, says] of rows) {
    test(what, async () => {
      const result = await start(args, goesWrong).result
      assert.equal(result.code, code, result.err)
      assert.match(result.err, says)
      assertNothingLeft()
    })
  }

  test('as JSON', async () => {
    const { error } = lastJson(await start(['up', '--json'], 'port').result) as { error: Record<string, unknown> }
    assert.deepEqual([error['code'], error['exit'], error['cure']], ['PORT_IN_USE', 6, 'pleach up --port 0'])
  })
})

describe('pleach devnet', () => {
  const leftovers = (): string[] =>
    readdirSync(join(home.path, 'run')).filter((name) => name.startsWith('pleach-devnet'))

  test('names its peers, is found by plain commands, and leaves nothing', async () => {
    const devnet = start(['devnet'])
    await devnet.says(/Ctrl-C/)
    const context = JSON.parse(readFileSync(contextFile, 'utf8')) as { socket: string }
    const status = await home.run(['status', '-q'])
    assert.equal(status.code, 0)
    assert.equal(status.err, `context devnet (5 peers, pid ${devnet.child.pid}); your own peer: --profile default\n`)
    const own = await home.run(['status', '--profile', 'default'])
    assert.equal(own.code, 5)
    assert.equal(own.err.includes('context'), false)
    const second = await start(['devnet']).result
    assert.equal(second.code, 6)
    assert.match(second.err, /devnet is running already \(pid \d+, 5 peers\) \(exit 6\)[^]*cure: kill \d+/)
    devnet.child.kill('SIGINT')
    const { code, err, out } = await devnet.result
    assert.deepEqual([code, out], [0, ''])
    assert.equal(
      err.replace(/in \d+\.\d s/, 'in 0.7 s'),
      `devnet  5 peers in this process, nothing leaves 127.0.0.1
  amber-loom  requester
  brisk-reed  2 cpu  4 GiB  20 GB  1.0/cpu-h
  calm-twill  4 cpu  8 GiB  50 GB  1.4/cpu-h
  dusk-weir   2 cpu  2 GiB  10 GB  1.2/cpu-h
  elm-wattle  8 cpu  16 GiB  100 GB  2.0/cpu-h
ready in 0.7 s - mesh 4/4, dht 5 records
Ctrl-C stops and deletes everything
stopping
`,
    )
    assert.ok(!existsSync(contextFile) && !existsSync(context.socket))
    assert.deepEqual(leftovers(), [])
    const all = done().flatMap((line) => ('made' in line ? [line['made'] as PeerOptions] : []))
    assert.equal(new Set(all.map(({ dataDir }) => dataDir)).size, 5)
    assert.ok(all.every(({ listen, reach }) => String(listen) === '/ip4/127.0.0.1/tcp/0' && reach === 'loopback'))
    assert.deepEqual(
      all.map(({ bootstrap }) => bootstrap.length),
      [0, 1, 1, 1, 1],
    )
    assert.equal(done().filter((line) => 'stopped' in line).length, 5)
  })

  test('one that was killed is ignored', async () => {
    const devnet = start(['devnet', '--peers', '2', '--json'])
    await devnet.says(/"ready":true/)
    devnet.child.kill('SIGKILL')
    await devnet.result
    assert.ok(existsSync(contextFile))
    const { code, err } = await home.run(['status'])
    assert.equal(code, 5)
    assert.equal(err.includes('context'), false)
    const next = start(['devnet', '--peers', '2'])
    await next.says(/Ctrl-C/)
    next.child.kill('SIGTERM')
    assert.equal((await next.result).code, 0)
  })

  test('of how many is checked', async () => {
    for (const peers of ['1', '51', 'some']) {
      const { code, err } = await start(['devnet', '--peers', peers]).result
      assert.equal(code, 2)
      assert.match(err, /a devnet has 2 to 50 peers/)
    }
  })
})
