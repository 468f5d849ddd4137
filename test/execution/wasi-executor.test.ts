// Runs real child processes: what a program is given, how it may end, and what happens to one that takes too much.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { realClock, silentLog } from '../../src/environment.ts'
import { treeOf } from '../../src/execution/process-usage.ts'
import { encodeEntry, paddingBytes, tarEnd } from '../../src/execution/tar-format.ts'
import { bareWalls } from '../../src/execution/walls.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import { execute, executor, ordinaryLimits, Scratch } from '../fixtures/executions.ts'
import * as programs from '../fixtures/programs.ts'

const mib = 1_024 * 1_024
const concurrency = 2

/** Process ids of the children that a process has now. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
      } catch {
        return false
      }
    })
}

/** A tar with these files, as `[path, content]`. */
function tarOf(...files: readonly [path: string, content: string][]): Uint8Array {
  const entries = files.flatMap(([path, content]) => [
    encodeEntry({ kind: 'file', path, bytes: content.length }),
    Buffer.from(content),
    new Uint8Array(paddingBytes(content.length)),
  ])
  return new Uint8Array(Buffer.concat([...entries, tarEnd]))
}

describe('how a program ends', { concurrency }, () => {
  const endings: [what: string, program: Uint8Array, reason: string, exitCode: number | null, detail: RegExp][] = [
    ['returns from _start', programs.returns, 'exited', 0, /^$/],
    ['exits with 0', programs.exits(0), 'exited', 0, /^$/],
    ['exits with 3', programs.exits(3), 'exited', 3, /^$/],
    ['exits with 200', programs.exits(200), 'exited', 200, /^$/],
    ['exits with the largest code', programs.exits(-1), 'exited', 0xffff_ffff, /^$/],
    ['executes unreachable', programs.traps, 'trapped', null, /unreachable/],
    ['divides by zero', programs.divides, 'trapped', null, /divide by zero/],
    ['recurses without end', programs.recurses, 'trapped', null, /call stack/],
    ['is not WebAssembly', Buffer.from('#!/bin/sh\necho hello\n'), 'module-invalid', null, /not a WebAssembly module/],
    ['is empty', new Uint8Array(0), 'module-invalid', null, /not a WebAssembly module/],
    ['is cut off', programs.spins.slice(0, -4), 'module-invalid', null, /malformed/],
    [
      'does not validate',
      Uint8Array.from(programs.traps, (byte, at) => (at === programs.traps.length - 1 ? 0x00 : byte)),
      'module-invalid',
      null,
      /./,
    ],
    ['imports what is not there', programs.importsUnknown, 'module-invalid', null, /env\.launch_missiles/],
    ['has no _start', programs.library, 'module-invalid', null, /_start/],
    ['gives pointers outside its memory', programs.pointsNowhere, 'exited', 21, /^$/],
    ['asks for much randomness', programs.takesRandom, 'exited', 0, /^$/],
  ]
  for (const [what, program, reason, exitCode, detail] of endings) {
    test(what, async () => {
      using scratch = new Scratch()
      const result = await execute(scratch, program)
      assert.deepEqual([result.reason, result.exitCode], [reason, exitCode])
      assert.match(result.detail, detail)
      assert.equal(result.stderr, '')
      assert.equal(result.outputs, null)
      for (const [name, value] of Object.entries(result.usage))
        assert.ok(Number.isSafeInteger(value), `${name} is ${value}`)
    })
  }

  test('an exit cannot be caught', async () => {
    using scratch = new Scratch()
    const result = await execute(scratch, programs.catchesExit(3, 'still here'))
    assert.deepEqual([result.reason, result.exitCode, result.stdout], ['exited', 3, ''])
  })
})

describe('what a program is given', { concurrency }, () => {
  test('its name, its arguments and its environment, whatever the alphabet, and nothing of ours', async () => {
    using scratch = new Scratch()
    const task = { name: 'naïve', args: ['', 'a b', '日本'], env: { GREETING: 'grüß dich', EMPTY: '' } }
    const { stdout } = await execute(scratch, programs.tellsArguments, { task })
    assert.deepEqual(stdout.split('\0'), ['naïve', '', 'a b', '日本', 'GREETING=grüß dich', 'EMPTY=', ''])
  })

  test('the name of its file, when it has no other', async () => {
    using scratch = new Scratch()
    const { stdout } = await execute(scratch, programs.tellsArguments)
    assert.equal(stdout, 'program.wasm\0')
  })

  test('a file as standard input', async () => {
    using scratch = new Scratch()
    const content = 'line\n'.repeat(2_000)
    const { stdout, exitCode } = await execute(scratch, programs.copiesStdin, {
      task: { stdinPath: scratch.file('stdin', content) },
    })
    assert.equal(exitCode, 0)
    assert.equal(stdout, content)
  })

  test('an empty standard input otherwise', async () => {
    using scratch = new Scratch()
    const { stdout, exitCode } = await execute(scratch, programs.copiesStdin)
    assert.deepEqual([stdout, exitCode], ['', 0])
  })

  test('inputs as files', async () => {
    using scratch = new Scratch()
    const inputs = [{ kind: 'file', guestPath: '/in/deep/x', hostPath: scratch.file('x', 'the input') }] as const
    const { stdout } = await execute(scratch, programs.copiesFile('in/deep/x'), { task: { inputs } })
    assert.equal(stdout, 'the input')
  })

  test('inputs as folders', async () => {
    using scratch = new Scratch()
    const hostPath = scratch.file('x.tar', tarOf(['a', 'first'], ['sub/b', 'second']))
    const inputs = [{ kind: 'tar', guestPath: '/in/set', hostPath }] as const
    const { stdout } = await execute(scratch, programs.copiesFile('in/set/sub/b'), { task: { inputs } })
    assert.equal(stdout, 'second')
  })

  test('no way to change its inputs', async () => {
    using scratch = new Scratch()
    const inputs = [{ kind: 'file', guestPath: '/in/x', hostPath: scratch.file('x', 'the input') }] as const
    const { exitCode } = await execute(scratch, programs.writesFile('in/y', 'more'), { task: { inputs } })
    const readonlyFileSystem = 69
    assert.equal(exitCode, readonlyFileSystem)
  })

  test('nothing of the machine', async () => {
    using scratch = new Scratch()
    const { exitCode } = await execute(scratch, programs.copiesFile('etc/passwd'))
    const noEntry = 44
    assert.equal(exitCode, noEntry)
  })

  test('no way out of its root', async () => {
    using scratch = new Scratch()
    const { exitCode } = await execute(scratch, programs.copiesFile('../../etc/passwd'))
    const notCapable = 76
    assert.equal(exitCode, notCapable)
  })

  for (const [what, guestPath, pattern] of [
    ['a relative path', 'in/x', /absolute/],
    ['a path that climbs', '/in/../../x', /leaves/],
    ['a path under /out', '/out/x', /in the way/],
    ['the root', '/', /in the way/],
  ] as const) {
    test(`no input at ${what}`, async () => {
      using scratch = new Scratch()
      const inputs = [{ kind: 'file', guestPath, hostPath: scratch.file('x', '') }] as const
      const { reason, detail } = await execute(scratch, programs.returns, { task: { inputs } })
      assert.equal(reason, 'module-invalid')
      assert.match(detail, pattern)
    })
  }

  test('no input from a tar that is none', async () => {
    using scratch = new Scratch()
    const inputs = [{ kind: 'tar', guestPath: '/in/set', hostPath: scratch.file('x', 'x'.repeat(1_024)) }] as const
    const { reason, detail } = await execute(scratch, programs.returns, { task: { inputs } })
    assert.equal(reason, 'module-invalid')
    assert.match(detail, /input \/in\/set: .*not a tar/)
  })

  test('nothing, when a file of the task is missing here', async () => {
    using scratch = new Scratch()
    const inputs = [{ kind: 'file', guestPath: '/in/x', hostPath: join(scratch.path, 'missing') }] as const
    const { reason, detail } = await execute(scratch, programs.returns, { task: { inputs } })
    assert.equal(reason, 'executor-failed')
    assert.match(detail, /ENOENT/)
  })
})

describe('what a program leaves', { concurrency }, () => {
  test('its logs, in order', async () => {
    using scratch = new Scratch()
    const program = programs.prints([1, 'one '], [2, 'uno '], [1, 'two '], [2, 'dos '], [1, 'three'])
    const { stdout, stderr, usage } = await execute(scratch, program)
    assert.deepEqual([stdout, stderr], ['one two three', 'uno dos '])
    assert.deepEqual([usage.stdoutBytes, usage.stderrBytes], [13, 8])
  })

  test('its logs while it runs', async () => {
    using scratch = new Scratch()
    const sleepMs = 400
    const arrivals: number[] = []
    const onLog = (): void => void arrivals.push(performance.now())
    const { exitCode, usage } = await execute(scratch, programs.sleeps(sleepMs, 'hello'), { watch: { onLog } })
    assert.equal(exitCode, 1, 'poll_oneoff says how many events came')
    assert.equal(arrivals.length, 2)
    assert.ok(arrivals[1]! - arrivals[0]! >= sleepMs / 2, 'the first was held back')
    assert.ok(usage.cpuMs < sleepMs, 'it slept, and did not spin')
  })

  test('no more of its logs than the watch takes', async () => {
    using scratch = new Scratch()
    let waiting = 0
    let most = 0
    let bytes = 0
    const onLog = async (_stream: string, piece: Uint8Array): Promise<void> => {
      most = Math.max(most, ++waiting)
      await sleep(1)
      bytes += piece.byteLength
      waiting--
    }
    const { reason } = await execute(scratch, programs.floodsStdout, {
      watch: { onLog },
      limits: { logBytes: 4 * mib },
    })
    assert.deepEqual([reason, bytes, most], ['log-limit', 4 * mib, 1])
  })

  test('its outputs, as the same tar every time', async () => {
    const tars: Buffer[] = []
    for (let round = 0; round < 2; round++) {
      using scratch = new Scratch()
      const { outputs, usage } = await execute(scratch, programs.writesFile('out/result', 'done'))
      assert.ok(outputs !== null)
      assert.deepEqual([outputs.files, outputs.bytes, usage.outputBytes], [1, 4, 4])
      tars.push(readFileSync(outputs.path))
    }
    assert.deepEqual(tars[0], tars[1])
    assert.deepEqual(new Uint8Array(tars[0]!), tarOf(['result', 'done']))
  })

  test('nothing of what it wrote elsewhere', async () => {
    using scratch = new Scratch()
    const { reason, exitCode, outputs } = await execute(scratch, programs.writesFile('tmp/result', 'done'))
    assert.deepEqual([reason, exitCode, outputs], ['exited', 0, null])
    assert.ok(!existsSync(join(scratch.path, 'outputs.tar')))
  })

  test('no outputs in the place of a file that is there already', async () => {
    using scratch = new Scratch()
    const path = scratch.file('outputs.tar', 'precious')
    const { reason, detail } = await execute(scratch, programs.writesFile('out/result', 'done'))
    assert.equal(reason, 'executor-failed')
    assert.match(detail, /EEXIST/)
    assert.equal(readFileSync(path, 'utf8'), 'precious')
  })
})

describe('a program that takes too much', { concurrency }, () => {
  test('time: is ended within bounds', async () => {
    using scratch = new Scratch()
    const wallMs = 500
    const { reason, exitCode, detail, usage } = await execute(scratch, programs.spins, { limits: { wallMs } })
    assert.deepEqual([reason, exitCode], ['wall-limit', null])
    assert.match(detail, /500 ms/)
    assert.ok(usage.wallMs >= wallMs && usage.wallMs < wallMs + 500, `it took ${usage.wallMs} ms`)
    assert.ok(usage.cpuMs > 0 && usage.memoryBytesPeak > 0, 'what it used until then is known')
  })

  test('time, asleep: is ended as well', async () => {
    using scratch = new Scratch()
    const { reason, stdout } = await execute(scratch, programs.sleeps(60_000, 'zzz'), { limits: { wallMs: 1_500 } })
    assert.deepEqual([reason, stdout], ['wall-limit', 'zzz'])
  })

  test('memory: is stopped at the cap, and may go on with what it has', async () => {
    using scratch = new Scratch()
    const { reason, exitCode, usage } = await execute(scratch, programs.growsAndTells, {
      limits: { memoryBytes: 10 * mib },
    })
    assert.deepEqual([reason, exitCode, usage.memoryBytesPeak], ['exited', 160, 10 * mib])
  })

  test('memory, and aborts when it is refused', async () => {
    using scratch = new Scratch()
    const { reason, detail } = await execute(scratch, programs.growsAndAborts(7), { limits: { memoryBytes: 10 * mib } })
    assert.equal(reason, 'memory-limit')
    assert.match(detail, /10485760/)
  })

  test('memory at its start', async () => {
    using scratch = new Scratch()
    const program = programs.program(() => [], { pagesMin: 200 })
    const { reason, detail } = await execute(scratch, program, { limits: { memoryBytes: 10 * mib } })
    assert.equal(reason, 'memory-limit')
    assert.match(detail, /13107200 .* 10485760/)
  })

  test('memory, by files', async () => {
    using scratch = new Scratch()
    const { reason, detail } = await execute(scratch, programs.floodsFile('tmp/flood'), {
      limits: { memoryBytes: 10 * mib },
    })
    assert.equal(reason, 'memory-limit')
    assert.match(detail, /10485760/)
  })

  test('log', async () => {
    using scratch = new Scratch()
    const { reason, stdout, usage, outputs } = await execute(scratch, programs.floodsStdout, {
      limits: { logBytes: 100_000 },
    })
    assert.deepEqual([reason, stdout.length, usage.stdoutBytes, outputs], ['log-limit', 100_000, 100_000, null])
  })

  test('log, although it ended and left outputs before that was noticed', async () => {
    using scratch = new Scratch()
    const program = programs.writesFile('out/result', 'done', 'four')
    // Slow, so that the program has long ended when the fourth byte is looked at.
    const onLog = async (): Promise<void> => sleep(300)
    const { reason, exitCode, usage, outputs } = await execute(scratch, program, {
      limits: { logBytes: 3 },
      watch: { onLog },
    })
    assert.deepEqual([reason, exitCode, usage.stdoutBytes, outputs], ['log-limit', null, 3, null])
    assert.ok(!existsSync(join(scratch.path, 'outputs.tar')))
  })

  test('output', async () => {
    using scratch = new Scratch()
    const { reason, outputs } = await execute(scratch, programs.floodsFile('out/flood'), {
      limits: { outputBytes: mib },
    })
    assert.deepEqual([reason, outputs], ['output-limit', null])
    assert.ok(!existsSync(join(scratch.path, 'outputs.tar')))
  })
})

test('nothing that has ended leaves a process behind', () => {
  assert.deepEqual(childrenOf(process.pid), [])
})

describe('a caller', () => {
  test('can cancel', async () => {
    using scratch = new Scratch()
    const controller = new AbortController()
    const running = execute(scratch, programs.sleeps(60_000, 'running'), {
      signal: controller.signal,
      watch: { onLog: () => controller.abort() },
    })
    const { reason, exitCode } = await running
    assert.deepEqual([reason, exitCode], ['cancelled', null])
    assert.deepEqual(childrenOf(process.pid), [])
  })

  test('can cancel before it begins', async () => {
    using scratch = new Scratch()
    const { reason } = await execute(scratch, programs.spins, { signal: AbortSignal.abort() })
    assert.equal(reason, 'cancelled')
  })

  test('is told the usage', async () => {
    using scratch = new Scratch()
    const seen: number[] = []
    const onUsage = (usage: { readonly cpuMs: number }): void => void seen.push(usage.cpuMs)
    await execute(scratch, programs.spins, { limits: { wallMs: 1_300 }, watch: { onUsage } })
    assert.equal(seen.length, 2)
    // On a busy machine it may not have begun by the first.
    assert.ok(seen[1]! > 0 && seen[1]! >= seen[0]!)
  })

  test('whose watch throws gets a result, and no process is left', async () => {
    using scratch = new Scratch()
    const onLog = (): never => {
      throw new Error('the watch is broken')
    }
    const { reason, detail } = await execute(scratch, programs.floodsStdout, { watch: { onLog } })
    assert.equal(reason, 'executor-failed')
    assert.match(detail, /the watch is broken/)
    assert.deepEqual(childrenOf(process.pid), [])
  })

  test('gives limits that are whole numbers', async () => {
    using scratch = new Scratch()
    await assert.rejects(execute(scratch, programs.returns, { limits: { wallMs: 0.5 } }), RangeError)
    await assert.rejects(execute(scratch, programs.returns, { limits: { logBytes: 0 } }), RangeError)
  })

  test('can ask whether this machine runs programs', async () => {
    const probe = await executor.probe()
    assert.ok(probe.usable, probe.detail)
    assert.ok(probe.startMs !== null && probe.startMs < ordinaryLimits.wallMs)
  })
})

for (const [what, executorHere] of [
  ['behind the walls that this machine has', executor],
  [
    'without namespaces',
    createWasiExecutor({ clock: realClock, log: silentLog, walls: await bareWalls(process.execPath) }),
  ],
] as const)
  test(`the child has no right to anything, ${what}`, async (t) => {
    using scratch = new Scratch()
    const controller = new AbortController()
    let child: { command: string; environment: string; status: string } | undefined
    const modulePath = scratch.file('program.wasm', programs.sleeps(60_000, 'running'))
    await executorHere.run(
      { modulePath, args: [], env: {}, inputs: [], outputsTarPath: join(scratch.path, 'outputs.tar') },
      ordinaryLimits,
      {
        onLog() {
          for (const pid of treeOf(process.pid)) {
            const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'latin1')
            const command = read('cmdline')
            if (/^[^\0]*\/node\0--permission\0/.test(command))
              child = { command, environment: read('environ'), status: read('status') }
          }
          controller.abort()
        },
      },
      controller.signal,
    )
    assert.ok(child !== undefined, 'it runs')
    assert.doesNotMatch(child.command, /--allow/)
    assert.equal(child.environment.replace(/^PWD=\/\0$/, ''), '')
    if ((await bareWalls(process.execPath)).isRoot)
      return t.diagnostic('it runs as root, because nobody else can read this node')
    assert.match(child.status, /^CapEff:\s0+$/m)
    assert.doesNotMatch(child.status, /^Uid:\s0\b/m)
  })
