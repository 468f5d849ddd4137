// What is shown, and how: on a terminal, on none, and when a stranger chose the words.

import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'

import type { ForegroundPeer } from '../../src/cli/foreground-peer.ts'
import { safe } from '../../src/cli/escape.ts'
import {
  cpu,
  healthText,
  memory,
  named,
  price,
  prices,
  seconds,
  shortPeer,
  size,
  span,
  stopwatch,
} from '../../src/cli/format.ts'
import { jsonLine, textLine } from '../../src/cli/log-lines.ts'
import { stopPeers } from '../../src/cli/stop-peers.ts'
import { table } from '../../src/cli/table.ts'
import { Terminal } from '../../src/cli/terminal.ts'
import { Timeline } from '../../src/cli/timeline.ts'
import type { JobStreamEvent, JobView } from '../../src/control/api.ts'
import { mallory, reed, twill } from '../control/fake-control.ts'

/** Both streams as one text, in the order in which they were written. */
const screen = (isTTY: boolean, options: { quiet?: boolean; json?: boolean; columns?: number } = {}) => {
  let shown = ''
  const stream = (): NodeJS.WriteStream => {
    const made = Object.assign(new PassThrough(), { isTTY, columns: options.columns ?? 100 })
    made.on('data', (chunk: Buffer) => (shown += chunk.toString()))
    return made as unknown as NodeJS.WriteStream
  }
  const terminal = new Terminal(stream(), stream(), { quiet: false, json: false, ...options })
  const read = async (): Promise<string> => {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    return shown
  }
  return { terminal, read }
}

describe('words of strangers', () => {
  const rows: [text: string, shown: string][] = [
    ['plain ä 🧀', 'plain ä 🧀'],
    ['\u001b[2J\u0007', '\\u{1b}[2J\\u{7}'],
    ['\u009b31m', '\\u{9b}31m'],
    ['a\nb\rc\td', 'a\\u{a}b\\u{d}c\\u{9}d'],
    ['abc\u202edef\u2066', 'abc\\u{202e}def\\u{2066}'],
    ['in\u200bvisible\ufeff', 'in\\u{200b}visible\\u{feff}'],
    ['\ud800', '\ufffd'],
    ['x'.repeat(200), `${'x'.repeat(119)}…`],
    ['\u001b'.repeat(200), `${'\\u{1b}'.repeat(20).slice(0, 119)}…`],
  ]
  for (const [text, shown] of rows) {
    test(JSON.stringify(text).slice(0, 40), () => assert.equal(safe(text), shown))
  }

  test('a peer is shown with its petname beside its id', () => {
    assert.equal(named(reed), 'brisk-reed 12D3KooW…Reed')
    assert.equal(named(mallory), 'evil\\u{1b}[2J\\u{202e}own\\u{a} 12D3KooWMallory')
    assert.equal(shortPeer('\u001b[2J'), '\\u{1b}[2J')
  })

  test('a log line stays one line', () => {
    const at = new Date(2026, 10, 20, 12, 4, 5)
    const facts = { peer: 'a\nb', bytes: 5, error: new Error('no\u001b[2J'), list: [1], none: undefined }
    assert.equal(
      textLine(at, 'warn', 'odd\nthing', facts),
      '12:04:05 warn  odd\\u{a}thing peer=a\\u{a}b bytes=5 error=no\\u{1b}[2J list=[1] none=null',
    )
    const json = jsonLine(at, 'warn', 'odd\nthing', { ...facts, big: 5n, key: Uint8Array.of(1, 255) })
    assert.ok(!json.includes('\n') && !json.includes('\u001b'))
    const { message, error, big, key, bytes } = JSON.parse(json) as Record<string, unknown>
    assert.deepEqual([message, error, big, key, bytes], ['odd\nthing', 'no\u001b[2J', '5', '01ff', 5])
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    assert.match(jsonLine(at, 'info', 'm', { circular, long: 'x'.repeat(5_000) }), /not JSON.*"long":"x{1000}"/)
  })
})

describe('quantities as people read them', () => {
  const rows: [shown: string, wanted: string][] = [
    [cpu(500), '0.5 cpu'],
    [cpu(2_000), '2 cpu'],
    [memory(512 * 2 ** 20), '512 MiB'],
    [memory(1.1 * 2 ** 30), '1.1 GiB'],
    [memory(16 * 2 ** 30), '16 GiB'],
    [size(48_200_000), '48.2 MB'],
    [size(20e9), '20 GB'],
    [size(0), '0 B'],
    [size(999), '999 B'],
    [size(5e15), '5000 TB'],
    [span(310), '0.31 s'],
    [span(41_000), '41 s'],
    [span(600_000), '10 min'],
    [span(3 * 3_600_000), '3 h'],
    [span(12 * 86_400_000), '12 d'],
    [seconds(-5), '0.00 s'],
    [stopwatch(41_900), '00:41'],
    [stopwatch(3_723_000), '1:02:03'],
    [price('1'), '1.0/cpu-h'],
    [price('0.85'), '0.85/cpu-h'],
    [prices('1', '0'), '1.0/cpu-h'],
    [prices('0', '0.002'), '0.0/cpu-h + 0.002/Ggas'],
  ]
  for (const [shown, wanted] of rows) test(wanted, () => assert.equal(shown, wanted))

  test('columns line up', () => {
    assert.deepEqual(
      table(
        ['A', '>NUMBER'],
        [
          ['long name', '5'],
          ['b', '123'],
        ],
      ),
      ['A          NUMBER', 'long name       5', 'b             123'],
    )
  })
})

describe('the two streams', () => {
  test('-q and --json silence what is only said, and never an error', async () => {
    for (const options of [{ quiet: true }, { json: true }]) {
      const { terminal, read } = screen(true, options)
      terminal.note('progress')
      terminal.live('progress')
      terminal.say('error')
      assert.equal(await read(), 'error\n')
    }
  })

  test('a status line rewrites itself on a terminal, makes way for everything else, and is not there elsewhere', async () => {
    const { terminal, read } = screen(true)
    terminal.live('50 %')
    terminal.live('x'.repeat(500))
    await terminal.data('out\n')
    terminal.live('99 %')
    terminal.note('done')
    assert.equal(await read(), `50 %\r\u001b[K${'x'.repeat(99)}\r\u001b[Kout\n99 %\r\u001b[Kdone\n`)
    const unsized = screen(true, { columns: 0 })
    unsized.terminal.live('x'.repeat(500))
    assert.equal(await unsized.read(), 'x'.repeat(79))
    const plain = screen(false)
    plain.terminal.live('50 %')
    plain.terminal.note('done')
    assert.equal(await plain.read(), 'done\n')
  })

  test('a last line without an end is ended before something is said, on a terminal only', async () => {
    const { terminal, read } = screen(true)
    await terminal.data('42')
    terminal.note('done')
    assert.equal(await read(), '42\ndone\n')
    const plain = screen(false)
    await plain.terminal.data('42')
    plain.terminal.note('done')
    assert.equal(await plain.read(), '42done\n')
  })

  test('a writer waits for a reader that is slow, and not for one that has gone', async () => {
    const out = new PassThrough({ highWaterMark: 10 })
    const terminal = new Terminal(out as never, new PassThrough() as never, { quiet: false, json: false })
    let written = false
    const writing = terminal.data(Buffer.alloc(100)).then(() => (written = true))
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
    assert.ok(!written)
    out.resume()
    await writing
    out.pause()
    const stuck = terminal.data(Buffer.alloc(100))
    out.emit('error', Object.assign(new Error('gone'), { code: 'EPIPE' }))
    await stuck
    await terminal.data(Buffer.alloc(100))
    assert.ok(terminal.gone.aborted)
  })

  test('JSON holds nothing that acts on a terminal, and says the same', async () => {
    const { terminal, read } = screen(false, { json: true })
    const value = { name: '\u001b\u009b\u202e\u007f' }
    await terminal.printJson(value)
    const shown = await read()
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.doesNotMatch(shown, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    assert.deepEqual(JSON.parse(shown), value)
  })
})

describe('the course of a job on a terminal', () => {
  const job: JobView = {
    v: 1,
    id: 'bafyjob91c0',
    name: 'n',
    role: 'requester',
    stage: 'paid',
    code: 'PAID',
    provider: reed,
    requester: null,
    lease: 'ab',
    reason: 'exited',
    exitCode: 0,
    detail: '',
    cost: '0.71',
    unit: 'credit',
    createdMs: 0,
    updatedMs: 0,
    out: null,
    outputFiles: 0,
    outputBytes: 0,
    attempts: 1,
  }
  const bid: JobStreamEvent = {
    type: 'bid',
    atMs: 1_000,
    bid: 'b',
    cpuMilli: 500,
    memoryBytes: 2 ** 30,
    wallMs: 60_000,
  }
  const progress = (wallMs: number, cpuMs: number): JobStreamEvent => ({
    type: 'progress',
    atMs: 1_000,
    stage: 'running',
    wallMs,
    cpuMs,
    memoryBytes: 1.1 * 2 ** 30,
    gas: 0,
  })

  test('progress is a live line with the load since the last one', async () => {
    const { terminal, read } = screen(true)
    const timeline = new Timeline(terminal, { module: 'm' })
    timeline.on({ type: 'job', job })
    timeline.on(bid)
    timeline.on({ type: 'matched', atMs: 1_050, peer: twill, price: '1', offers: 0 })
    timeline.on({ type: 'running', atMs: 1_310, peer: twill })
    timeline.on(progress(40_000, 40_000))
    timeline.on({ ...progress(41_000, 43_880), gas: 4_161_000_000 } as JobStreamEvent)
    timeline.on({ type: 'collected', atMs: 42_000, files: 0, bytes: 0, out: null, sources: [], decodedSegments: 0 })
    timeline.finish({ ...job, gas: 4_200_000_000, outcome: 'bafyoutcome' }, undefined)
    const hint = '(Ctrl-C detaches; pleach cancel 91c0 stops)'
    const erase = '\r\u001b[K'
    assert.equal(
      await read(),
      [
        `bid 91c0  0.5 cpu 1 GiB, at most 1 min               0.00 s\n`,
        `  matched 0.05 s${erase}  matched 0.05 s  running 0.31 s${erase}  matched 0.05 s  running 0.31 s\n`,
        `running 00:40  cpu 100 %  mem 1.1 GiB          ${hint}${erase}`,
        `running 00:41  cpu 388 %  mem 1.1 GiB  gas 4.2 G          ${hint.slice(0, -2)}${erase}`,
        `  verified 41.00 s${erase}  verified 41.00 s  gas 4.2 G  cost 0.71\n`,
        'outcome bafyoutcome  the same at every provider\n',
      ].join(''),
    )
  })

  test('where there is no terminal, that it runs is said when it does', async () => {
    const { terminal, read } = screen(false)
    const timeline = new Timeline(terminal, { module: 'm' })
    timeline.on(bid)
    timeline.on({ type: 'running', atMs: 1_310, peer: twill })
    timeline.on(progress(1, 1))
    assert.match(await read(), /\n {2}running 0\.31 s\n$/)
  })

  test('an event of a newer peer is passed over', () => {
    const { terminal } = screen(false)
    new Timeline(terminal, { module: 'm' }).on({ type: 'teleported' } as unknown as JobStreamEvent)
  })

  test('a receipt that only one side has signed is said to be so', async () => {
    const { terminal, read } = screen(false)
    const receipt = { lease: 'ab12ab12ff', receipts: 3, bothSigned: 2 }
    new Timeline(terminal, { module: 'm', costMax: '1' }).finish(job, receipt as never)
    assert.equal(
      await read(),
      '  cost 0.71 (0.29 unspent)\nreceipt ab12ab12…  not yet signed by both - pleach receipt verify ab12ab12\n',
    )
  })
})

describe('stopping', () => {
  const peer = (stop: (signal?: AbortSignal) => Promise<void>): ForegroundPeer => ({ stop }) as ForegroundPeer

  test('in good order is 0; a peer that fails does not keep the others from it', async () => {
    const { terminal, read } = screen(false)
    assert.equal(await stopPeers([peer(async () => {})], terminal), 0)
    let stopped = false
    const failing = peer(async () => Promise.reject(new Error('no\u001b[2J')))
    const slow = peer(async () => {
      await new Promise((resolve) => {
        setTimeout(resolve, 20)
      })
      stopped = true
    })
    assert.equal(await stopPeers([failing, slow], terminal), 1)
    assert.ok(stopped)
    assert.match(await read(), /warning: a peer did not stop in good order: Error: no\\u\{1b\}\[2J\n$/)
  })

  test('what takes too long is told of it, and then left', async () => {
    const { terminal, read } = screen(false)
    let told = false
    const hung = peer(async (signal) => {
      signal?.addEventListener('abort', () => (told = true))
      await Promise.withResolvers().promise
    })
    assert.equal(await stopPeers([hung], terminal, 20), 1)
    assert.ok(told)
    assert.equal(await read(), 'stopping\nwarning: not stopped after 0.02 s; ending as it is\n')
  })
})

test('the health of a service, as people read it', () => {
  assert.equal(healthText({ state: 'healthy', failures: 0, failuresMax: 3 }), 'healthy')
  assert.equal(healthText({ state: 'failing', failures: 1, failuresMax: 3 }), 'failing, 1 of 3 checks failed')
})
