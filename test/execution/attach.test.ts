// A run outlives its peer: it is killed with SIGKILL in the middle of a program, and another one, here this process, goes on.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { ExecutionLimits } from '../../src/execution/executor.ts'
import { treeOf } from '../../src/execution/process-usage.ts'
import { isRunning, processNamed, readRun, type ProcessName } from '../../src/execution/supervisor.ts'
import { execute, executor, Scratch } from '../fixtures/executions.ts'
import * as programs from '../fixtures/programs.ts'

const limits: ExecutionLimits = {
  wallMs: 60_000,
  cpuMilli: 1_000_000,
  memoryBytes: 2 ** 20,
  outputBytes: 1_024,
  logBytes: 1_024,
  gas: 1_000_000,
}
const letters = 'abcdefghijklmnopqrstuvwxyz'
const goneWithinMs = 4_000

/** A peer that has run a program until something of its log was heard, and was killed then. */
class Orphan implements Disposable {
  readonly scratch = new Scratch()
  readonly folder = join(this.scratch.path, 'run')
  readonly tree: ProcessName[] = []
  heard = ''

  static async of(program: Uint8Array, aloneMs: number, wallMs = limits.wallMs): Promise<Orphan> {
    const orphan = new Orphan()
    const modulePath = orphan.scratch.file('program.wasm', program)
    const fixture = join(import.meta.dirname, '..', 'fixtures', 'doomed-peer.ts')
    const peer: ChildProcess = spawn(
      process.execPath,
      [fixture, modulePath, orphan.scratch.path, String(aloneMs), String(wallMs)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    peer.stdout!.on('data', (bytes: Buffer) => (orphan.heard += bytes.toString()))
    await once(peer.stdout!, 'data')
    orphan.tree.push(
      ...treeOf(peer.pid!)
        .slice(1)
        .flatMap((pid) => processNamed(pid) ?? []),
    )
    const gone = once(peer, 'exit')
    peer.kill('SIGKILL')
    await gone
    return orphan
  }

  async attach(limitsNow: Partial<ExecutionLimits> = {}, signal = new AbortController().signal) {
    let stdout = ''
    const result = await executor.attach(
      {
        modulePath: '',
        args: [],
        env: {},
        inputs: [],
        outputsTarPath: join(this.scratch.path, 'outputs.tar'),
        keep: { folder: this.folder, aloneMs: 1_000 },
      },
      { ...limits, ...limitsNow },
      { onLog: (_stream, bytes) => void (stdout += Buffer.from(bytes).toString()) },
      signal,
    )
    return { ...(result ?? assert.fail('nothing was started')), stdout }
  }

  get running(): ProcessName[] {
    return this.tree.filter(isRunning)
  }

  async untilGone(withinMs = goneWithinMs): Promise<void> {
    const endMs = performance.now() + withinMs
    while (this.running.length > 0 && performance.now() < endMs) await sleep(20)
    assert.deepEqual(this.running, [], 'all of it is gone')
  }

  [Symbol.dispose](): void {
    for (const { pid } of this.running) process.kill(pid, 'SIGKILL')
    this.scratch[Symbol.dispose]()
  }
}

/** What it uses when nobody is killed. */
async function gasOf(program: Uint8Array): Promise<number> {
  using scratch = new Scratch()
  const { usage } = await execute(scratch, program)
  assert.ok(usage.gas > 0)
  return usage.gas
}

describe('a run whose peer was killed', { concurrency: 2 }, () => {
  test('goes on, and is gone on with: the whole log, the outputs, the time from its beginning, the gas', async () => {
    using orphan = await Orphan.of(programs.ticks(20, 100), 20_000)
    assert.ok(orphan.running.length >= 4)
    await sleep(300)
    const { reason, exitCode, stdout, usage, outputs } = await orphan.attach()
    assert.deepEqual([reason, exitCode, stdout], ['exited', 0, letters.slice(0, 20)])
    assert.ok(orphan.heard.length < 20, 'it was killed in the middle')
    assert.ok(usage.wallMs >= 2_000, `${usage.wallMs} ms`)
    assert.equal(usage.stdoutBytes, 20)
    assert.equal(usage.gas, await gasOf(programs.ticks(20, 1)))
    assert.deepEqual([outputs?.files, outputs?.bytes], [1, 3])
    assert.ok(existsSync(join(orphan.scratch.path, 'outputs.tar')))
    await orphan.untilGone()
  })

  test('and that ended while nobody was there has its result, and the time that it took', async () => {
    using orphan = await Orphan.of(programs.ticks(5, 100), 20_000)
    await orphan.untilGone(20_000)
    const sinceMs = performance.now()
    await sleep(500)
    const { reason, stdout, usage, outputs } = await orphan.attach()
    assert.deepEqual([reason, stdout, outputs?.files], ['exited', 'abcde', 1])
    assert.equal(usage.gas, await gasOf(programs.ticks(5, 1)))
    assert.ok(usage.wallMs >= 500 && performance.now() - sinceMs > 500)
    const again = await orphan.attach()
    assert.deepEqual([again.reason, again.stdout, again.outputs], [reason, stdout, outputs])
  })

  test('is ended by its guard when nobody comes', async () => {
    using orphan = await Orphan.of(programs.sleeps(60_000, 'x'), 1_500)
    await orphan.untilGone(1_500 + goneWithinMs)
    const { reason, detail, stdout } = await orphan.attach()
    assert.deepEqual([reason, detail, stdout], ['executor-failed', 'its peer was away for too long', 'x'])
  })

  test('is ended by its guard when its time is over', async () => {
    using orphan = await Orphan.of(programs.sleeps(60_000, 'x'), 60_000, 2_000)
    await orphan.untilGone(2_000 + goneWithinMs)
    const { reason, stdout } = await orphan.attach({ wallMs: 2_000 })
    assert.deepEqual([reason, stdout], ['wall-limit', 'x'])
  })

  test('has the time limit of its beginning when it is gone on with', async () => {
    using orphan = await Orphan.of(programs.sleeps(60_000, 'x'), 20_000)
    await sleep(700)
    const sinceMs = performance.now()
    const { reason, usage } = await orphan.attach({ wallMs: 1_500 })
    assert.equal(reason, 'wall-limit')
    assert.ok(performance.now() - sinceMs < 1_500, 'it did not begin anew')
    assert.ok(usage.wallMs >= 1_500 && usage.wallMs < 2_500, `${usage.wallMs} ms`)
    await orphan.untilGone()
  })

  test('can be cancelled', async () => {
    using orphan = await Orphan.of(programs.sleeps(60_000, 'x'), 20_000)
    const { reason } = await orphan.attach({}, AbortSignal.timeout(200))
    assert.equal(reason, 'cancelled')
    await orphan.untilGone()
  })

  test('is kept by whoever attached itself, for longer than it would be alone', async () => {
    using orphan = await Orphan.of(programs.ticks(26, 150), 1_500)
    const { reason, stdout } = await orphan.attach()
    assert.deepEqual([reason, stdout], ['exited', letters])
  })

  test('is ended when it is of no interest any more', async () => {
    using orphan = await Orphan.of(programs.sleeps(60_000, 'x'), 20_000)
    await executor.end(orphan.folder)
    await orphan.untilGone()
  })

  test('that was ended with its supervisor has failed', async () => {
    using orphan = await Orphan.of(programs.sleeps(60_000, 'x'), 20_000)
    const { supervisor } = readRun(orphan.folder) ?? assert.fail('it has a supervisor')
    process.kill(-supervisor.pid, 'SIGKILL')
    await orphan.untilGone()
    const { reason, detail } = await orphan.attach()
    assert.deepEqual([reason, detail], ['executor-failed', 'it was ended together with its supervisor'])
  })

  test('is not mistaken for a process that has its number', async () => {
    using scratch = new Scratch()
    using orphan = await Orphan.of(programs.sleeps(60_000, 'x'), 20_000)
    await executor.end(orphan.folder)
    await orphan.untilGone()
    const bystander = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', cwd: scratch.path })
    await once(bystander, 'spawn')
    writeFileSync(join(orphan.folder, 'supervisor'), `${bystander.pid} ${bystander.pid} 1\n`)
    await executor.end(orphan.folder)
    assert.equal((await orphan.attach()).reason, 'executor-failed')
    assert.ok(processNamed(bystander.pid!) !== undefined, 'the bystander lives')
    bystander.kill('SIGKILL')
  })

  test('may be held and let go on', async () => {
    using orphan = await Orphan.of(programs.ticks(26, 50), 20_000)
    executor.suspend(orphan.folder)
    const size = (): number => readFileSync(join(orphan.folder, 'stdout')).byteLength
    await sleep(100)
    const held = size()
    await sleep(400)
    assert.equal(size(), held, 'it stands still')
    assert.ok(held < 26)
    executor.resume(orphan.folder)
    await sleep(300)
    assert.ok(size() > held, 'it goes on')
    executor.suspend(orphan.folder)
    // Whoever held it may be gone: with whoever goes on, it does.
    const { reason, stdout } = await orphan.attach()
    assert.deepEqual([reason, stdout], ['exited', letters])
  })

  test('that was never started is nothing to go on with', async () => {
    using scratch = new Scratch()
    const task = { modulePath: '', args: [], env: {}, inputs: [], outputsTarPath: join(scratch.path, 'outputs.tar') }
    const keep = { folder: join(scratch.path, 'run'), aloneMs: 1_000 }
    const signal = new AbortController().signal
    assert.equal(await executor.attach({ ...task, keep }, limits, { onLog: () => {} }, signal), null)
    await executor.end(keep.folder)
  })
})
