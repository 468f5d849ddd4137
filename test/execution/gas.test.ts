// The gas of whole tasks, in real children: what it costs to call the host, what happens when it is used up, what is told meanwhile.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { realClock } from '../../src/environment.ts'
import type { ExecutionUsage } from '../../src/execution/executor.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import { execute, ordinaryLimits, Scratch } from '../fixtures/executions.ts'
import * as programs from '../fixtures/programs.ts'
import { assemble } from '../fixtures/wat.ts'

const concurrency = 2
const hostCall = 256

/** Calls random_get for this many bytes, so many times, then spins so many passes of four instructions. */
const busy = (calls: number, bytes: number, passes: number): Uint8Array =>
  assemble(`(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 2) (global $n (mut i32) (i32.const ${calls}))
    (func (export "_start") (local i32)
      (block (loop (br_if 1 (i32.eqz (global.get $n))) (global.set $n (i32.sub (global.get $n) (i32.const 1)))
        (drop (call $random (i32.const 0) (i32.const ${bytes}))) (br 0)))
      (local.set 0 (i32.const ${passes}))
      (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`)

describe('a task', { concurrency }, () => {
  test('is billed for its instructions, its calls of the host, and the bytes that these move', async () => {
    using scratch = new Scratch()
    const { usage, reason } = await execute(scratch, busy(3, 1_000, 10))
    assert.equal(reason, 'exited')
    // In the loop: 3 to leave it, 15 for each pass with its call; 2 before the last loop, 5 for each of its passes.
    assert.equal(usage.gas, 3 * 15 + 3 + 2 + 10 * 5 + 3 * (hostCall + 250))
  })

  test('is billed the same each time', async () => {
    const gas: number[] = []
    for (let round = 0; round < 3; round++) {
      using scratch = new Scratch()
      const { usage } = await execute(scratch, programs.tellsArguments, { task: { args: ['a', 'b'], env: { C: 'd' } } })
      gas.push(usage.gas)
    }
    assert.equal(new Set(gas).size, 1)
    assert.ok(gas[0]! > 4 * hostCall)
  })

  test('is ended when its gas is used up, has used all of it, and not more', async () => {
    using scratch = new Scratch()
    const { reason, exitCode, detail, usage, outputs } = await execute(scratch, programs.spins, {
      limits: { gas: 50_000_000 },
    })
    assert.deepEqual([reason, exitCode, usage.gas, outputs], ['gas-limit', null, 50_000_000, null])
    assert.match(detail, /50000000 gas/)
  })

  test('that has just enough ends by itself, with one less it does not', async () => {
    const program = busy(2, 8, 100)
    using scratch = new Scratch()
    const { usage } = await execute(scratch, program)
    for (const [gas, reason] of [
      [usage.gas, 'exited'],
      [usage.gas - 1, 'gas-limit'],
    ] as const) {
      using other = new Scratch()
      assert.equal((await execute(other, program, { limits: { gas } })).reason, reason)
    }
  })

  test('cannot do anything more with the host once its gas is used up', async () => {
    using scratch = new Scratch()
    const { reason, stdout } = await execute(scratch, programs.prints([1, 'never seen']), { limits: { gas: hostCall } })
    assert.deepEqual([reason, stdout], ['gas-limit', ''])
  })

  test('that traps says what it used', async () => {
    using scratch = new Scratch()
    const { reason, usage } = await execute(scratch, programs.traps)
    assert.deepEqual([reason, usage.gas], ['trapped', 1])
  })

  test('that a function runs before it, is billed for that too, and may call the host in it', async () => {
    using scratch = new Scratch()
    const program = assemble(`(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
      (memory (export "memory") 1) (func $first (drop (call $yield))) (func (export "_start")) (start $first))`)
    const { reason, usage } = await execute(scratch, program)
    assert.deepEqual([reason, usage.gas], ['exited', 5 + hostCall])
  })

  test('tells while it runs, and when it is killed what it had told', async () => {
    using scratch = new Scratch()
    const seen: ExecutionUsage[] = []
    const program = assemble(`(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
      (memory (export "memory") 1) (func (export "_start") (local i32)
        (loop (local.set 0 (i32.const 10000000))
          (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
          (drop (call $yield)) (br 0))))`)
    const { reason, usage } = await execute(scratch, program, {
      limits: { wallMs: 1_800 },
      watch: { onUsage: (now) => void seen.push(now) },
    })
    assert.equal(reason, 'wall-limit')
    assert.ok(seen.length >= 2 && seen.every(({ gas }, index) => index === 0 || gas >= seen[index - 1]!.gas))
    assert.ok(usage.gas >= 2 ** 28 && usage.gas >= seen.at(-1)!.gas)
  })
})

describe('what is secret', { concurrency }, () => {
  const secret = 'open-sesame-51f2'

  test('stands in nothing that is told of a task, however it ends', async () => {
    for (const program of [
      programs.returns,
      programs.traps,
      programs.importsUnknown,
      programs.spins,
      Buffer.from('no module'),
    ]) {
      using scratch = new Scratch()
      const { stdout: _stdout, ...told } = await execute(scratch, program, {
        task: { env: { TOKEN: secret }, args: [`--token=${secret}`] },
        limits: { wallMs: 600 },
      })
      assert.ok(!JSON.stringify(told).includes(secret))
    }
  })

  test('stands in no argument and no environment of a process', async () => {
    using scratch = new Scratch()
    const controller = new AbortController()
    let processes = ''
    await execute(scratch, programs.sleeps(60_000, 'running'), {
      task: { env: { TOKEN: secret } },
      signal: controller.signal,
      watch: {
        onLog() {
          for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
            for (const file of ['cmdline', 'environ']) processes += contentOf(`/proc/${pid}/${file}`)
          controller.abort()
        },
      },
    })
    assert.match(processes, /--permission/)
    assert.ok(!processes.includes(secret))
  })

  test('stands in no log of ours', async () => {
    const lines: string[] = []
    const executor = createWasiExecutor({ clock: realClock, log: (...line) => void lines.push(JSON.stringify(line)) })
    using scratch = new Scratch()
    const modulePath = scratch.file('program.wasm', programs.floodsStdout)
    const onLog = (): never => {
      throw new Error('the watch is broken')
    }
    const task = {
      modulePath,
      args: [secret],
      env: { TOKEN: secret },
      inputs: [],
      outputsTarPath: join(scratch.path, 'o'),
    }
    const { reason } = await executor.run(task, ordinaryLimits, { onLog }, new AbortController().signal)
    assert.equal(reason, 'executor-failed')
    assert.ok(lines.length > 0 && !lines.join().includes(secret))
  })
})

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
