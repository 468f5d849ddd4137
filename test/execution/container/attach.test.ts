// A container outlives its peer: that is killed with SIGKILL in the middle of a program, and another one, here this process,
// goes on. Who ends what nobody comes back to is the guard, with no help of the engine's.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { realClock } from '../../../src/environment.ts'
import { Container } from '../../../src/execution/container/container.ts'
import { Engine } from '../../../src/execution/container/engine.ts'
import { writeKept } from '../../../src/execution/container/kept-container.ts'
import { containerTask } from '../../fixtures/container-tasks.ts'
import { Scratch } from '../../fixtures/executions.ts'
import { busybox, busyboxImage } from '../../fixtures/images.ts'
import { PodmanService } from '../../fixtures/podman.ts'

const limits = {
  wallMs: 60_000,
  cpuMilli: 1_000,
  memoryBytes: 64 * 2 ** 20,
  outputBytes: 2 ** 20,
  logBytes: 64 * 1_024,
  gas: 1,
}
const never = new AbortController().signal
/** From the guard's last second until the engine has seen that all is gone, on a busy machine. */
const goneWithinMs = 8_000
const shell = busybox()
const service = shell === undefined ? 'busybox-static is not installed' : await PodmanService.start()
const skip = typeof service === 'string' ? `skipped: ${service}` : false
after(async () => {
  if (typeof service !== 'string') await service[Symbol.asyncDispose]()
})

const ticks = (count: number, rest = ''): string =>
  `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); printf "$i "; sleep 0.1; done; ${rest}`
const ticked = (count: number): string => Array.from({ length: count }, (_, at) => `${at + 1} `).join('')

/** A peer that has run a program until something of its log was heard, and was killed then. */
class Orphan implements Disposable {
  readonly scratch = new Scratch()
  readonly archivePath = this.scratch.file('image.tar', busyboxImage(shell!).archive)
  readonly engine: Engine
  readonly executor: ReturnType<PodmanService['executor']>
  heard = ''
  #aloneMs = 0

  private constructor() {
    assert.ok(typeof service !== 'string')
    this.engine = new Engine(service.socketPath, realClock)
    this.executor = service.executor()
  }

  static async of(script: string, { aloneMs = 20_000, wallMs = limits.wallMs } = {}): Promise<Orphan> {
    assert.ok(typeof service !== 'string')
    const orphan = new Orphan()
    orphan.#aloneMs = aloneMs
    const { scratch, archivePath } = orphan
    const fixture = join(import.meta.dirname, '..', '..', 'fixtures', 'doomed-container.ts')
    const given = [service.socketPath, archivePath, scratch.path, String(aloneMs), String(wallMs), script]
    const peer = spawn(process.execPath, [fixture, ...given], { stdio: ['ignore', 'pipe', 'inherit'] })
    peer.stdout.on('data', (bytes: Buffer) => (orphan.heard += bytes.toString()))
    await once(peer.stdout, 'data')
    const gone = once(peer, 'exit')
    peer.kill('SIGKILL')
    await gone
    return orphan
  }

  get task() {
    const task = containerTask({ archivePath: this.archivePath, folder: this.scratch.path, script: '' })
    return { ...task, keep: { folder: join(this.scratch.path, 'run'), aloneMs: this.#aloneMs } }
  }

  async attach(limitsNow: Partial<typeof limits> = {}, signal = never) {
    let stdout = ''
    const result = await this.executor.attach(
      this.task,
      { ...limits, ...limitsNow },
      { onLog: (_stream, bytes) => void (stdout += Buffer.from(bytes).toString()) },
      signal,
    )
    return { ...(result ?? assert.fail('nothing was started')), stdout }
  }

  async isRunning(part: 'program' | 'guard'): Promise<boolean> {
    const container = new Container(this.engine, `pleach-test-${this.task.container.id}-${part}`)
    const state = await container.stateIfThere(never)
    return state !== null && state.end === null
  }

  async untilEnded(part: 'program' | 'guard', withinMs = goneWithinMs): Promise<void> {
    const endMs = performance.now() + withinMs
    while ((await this.isRunning(part)) && performance.now() < endMs) await sleep(50)
    assert.equal(await this.isRunning(part), false, `the ${part} has ended`)
  }

  /** Names of what is there of it. */
  async left(): Promise<string[]> {
    const left = await this.executor.left(never)
    return left.filter(({ task }) => task === this.task.container.id).map(({ id }) => id)
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]()
  }
}

describe('a container whose peer was killed', { skip }, () => {
  test('goes on, and is gone on with: the whole log, the outputs, the time from its beginning', async () => {
    const script = ticks(20, 'mkdir /out/a; echo done > /out/a/file; printf "\\0\\r\\nlast"; exit 3')
    using orphan = await Orphan.of(script)
    await sleep(300)
    const { reason, exitCode, stdout, usage, outputs, imageDigest, detail } = await orphan.attach()
    assert.deepEqual([reason, exitCode, stdout], ['exited', 3, `${ticked(20)}\0\r\nlast`], detail)
    assert.ok(orphan.heard.length < stdout.length / 2, 'it was killed in the middle')
    assert.ok(usage.wallMs >= 2_000, `${usage.wallMs} ms`)
    assert.equal(usage.stdoutBytes, stdout.length)
    assert.deepEqual([outputs?.files, outputs?.bytes], [1, 5])
    assert.match(imageDigest ?? '', /^sha256:/)
    assert.deepEqual(await orphan.left(), [])
  })

  test('and that ended while nobody was there has its result, and the time that it took', async () => {
    using orphan = await Orphan.of(ticks(5, 'echo out > /out/file'))
    await orphan.untilEnded('program')
    await sleep(1_000)
    const { reason, stdout, outputs, usage } = await orphan.attach()
    assert.deepEqual([reason, stdout, outputs?.files], ['exited', ticked(5), 1])
    assert.ok(usage.wallMs >= 500)
    assert.deepEqual(await orphan.left(), [])
  })

  test('is ended by its guard when nobody comes, with all that it has started, and deaf as it is', async (t) => {
    const script =
      'trap "" TERM INT USR1; (trap "" TERM; while :; do sleep 1; done) & echo up; while :; do kill -USR1 1; done'
    using orphan = await Orphan.of(script, { aloneMs: 2_000 })
    const sinceMs = performance.now()
    assert.ok(await orphan.isRunning('program'))
    await orphan.untilEnded('guard', 2_000 + goneWithinMs)
    t.diagnostic(
      `gone ${Math.round(performance.now() - sinceMs)} ms after its peer, which it may be without for 2000 ms`,
    )
    await orphan.untilEnded('program')
    const { reason, detail, stdout } = await orphan.attach()
    assert.deepEqual([reason, detail, stdout], ['executor-failed', 'its peer was away for too long', 'up\n'])
  })

  test('is ended by its guard when its time is over', async () => {
    using orphan = await Orphan.of('echo up; while :; do :; done', { wallMs: 2_500 })
    await orphan.untilEnded('program', 2_500 + goneWithinMs)
    assert.ok(await orphan.isRunning('guard'))
    const { reason, stdout } = await orphan.attach({ wallMs: 2_500 })
    assert.deepEqual([reason, stdout], ['wall-limit', 'up\n'])
  })

  test('has the time limit of its beginning when it is gone on with', async () => {
    using orphan = await Orphan.of('echo up; sleep 60')
    await sleep(700)
    const sinceMs = performance.now()
    const { reason, usage } = await orphan.attach({ wallMs: 2_500 })
    assert.equal(reason, 'wall-limit')
    assert.ok(performance.now() - sinceMs < 2_500, 'it did not begin anew')
    assert.ok(usage.wallMs >= 2_500 && usage.wallMs < 3_500, `${usage.wallMs} ms`)
  })

  test('can be cancelled', async () => {
    using orphan = await Orphan.of('echo up; sleep 60')
    const { reason } = await orphan.attach({}, AbortSignal.timeout(300))
    assert.equal(reason, 'cancelled')
    assert.deepEqual(await orphan.left(), [])
  })

  test('is kept by whoever attached itself, for longer than it would be alone', async () => {
    using orphan = await Orphan.of(ticks(60), { aloneMs: 2_000 })
    const { reason, stdout, usage } = await orphan.attach()
    assert.deepEqual([reason, stdout], ['exited', ticked(60)])
    assert.ok(usage.wallMs > 5_000)
  })

  test('and that was held goes on when its next peer comes', async () => {
    using orphan = await Orphan.of(ticks(20))
    const program = new Container(orphan.engine, `pleach-test-${orphan.task.container.id}-program`)
    await program.pause(never)
    const { reason, stdout } = await orphan.attach()
    assert.deepEqual([reason, stdout], ['exited', ticked(20)])
  })

  test('a flood while nobody is there is cut at exactly the limit', async () => {
    using orphan = await Orphan.of('echo up; sleep 1; /bin/busybox yes | head -c 100000; sleep 60')
    await sleep(2_000)
    const { reason, stdout } = await orphan.attach()
    assert.equal(reason, 'log-limit')
    assert.equal(stdout.length, limits.logBytes)
    assert.ok(stdout.startsWith('up\ny\ny\n'))
  })

  test('a flood of which the engine has thrown the beginning away is known to be one', async () => {
    // In lines of one letter, what is kept of it was cut once; what is left is less than the limit.
    using orphan = await Orphan.of('echo up; sleep 1; /bin/busybox yes | head -c 150000; sleep 60')
    await sleep(2_500)
    const { reason, stdout } = await orphan.attach()
    assert.deepEqual([reason, stdout], ['log-limit', ''])
  })

  test('is spared by the sweep of a start that knows its lease, and swept by one that does not', async () => {
    using orphan = await Orphan.of('echo up; sleep 60')
    const { id } = orphan.task.container
    assert.ok((await orphan.executor.probe(new Set([id]))).usable)
    assert.equal((await orphan.left()).length, 2)
    assert.ok(await orphan.isRunning('program'))
    // Its image is there as well: it could be run again.
    const [image] = (await orphan.executor.left(never)).flatMap((one) => (one.isProgram ? [one.image] : []))
    assert.ok(await orphan.engine.ask('GET', `/images/${image}/json`, { signal: never }))
    assert.ok((await orphan.executor.probe()).usable)
    assert.deepEqual(await orphan.left(), [])
    const { reason, detail } = await orphan.attach()
    assert.deepEqual([reason, detail], ['executor-failed', 'its container is gone'])
  })

  test('is ended when it is of no interest any more', async () => {
    using orphan = await Orphan.of('echo up; sleep 60')
    await orphan.executor.end(orphan.task.keep.folder)
    assert.deepEqual(await orphan.left(), [])
    await orphan.executor.end(join(orphan.scratch.path, 'never'))
  })

  test('where nothing was started there is nothing to go on with', async () => {
    assert.ok(typeof service !== 'string')
    using scratch = new Scratch()
    const archivePath = scratch.file('image.tar', busyboxImage(shell!).archive)
    const task = containerTask({ archivePath, folder: scratch.path, script: 'true' })
    const keep = { folder: join(scratch.path, 'run'), aloneMs: 1_000 }
    const executor = service.executor()
    assert.equal(await executor.attach({ ...task, keep }, limits, { onLog: () => {} }, never), null)
    // The peer died when all was made, and nothing had run.
    await writeKept(keep.folder, { task: task.container.id, startedMs: Date.now(), image: null })
    assert.equal(await executor.attach({ ...task, keep }, limits, { onLog: () => {} }, never), null)
  })
})

describe('a container that is held', { skip }, () => {
  test('does not go on, whatever it has started, until it is let go; and can be cancelled meanwhile', async () => {
    assert.ok(typeof service !== 'string')
    using scratch = new Scratch()
    const archivePath = scratch.file('image.tar', busyboxImage(shell!).archive)
    const executor = service.executor()
    const cancel = new AbortController()
    const folder = join(scratch.path, 'run')
    const task = containerTask({ archivePath, folder: scratch.path, script: `(${ticks(100)}) & wait` })
    let heard = ''
    const { promise: begun, resolve } = Promise.withResolvers<void>()
    const onLog = (_stream: string, bytes: Uint8Array): void => {
      heard += Buffer.from(bytes).toString()
      resolve()
    }
    const running = executor.run({ ...task, keep: { folder, aloneMs: 20_000 } }, limits, { onLog }, cancel.signal)
    await begun
    const stillFor = async (ms: number): Promise<boolean> => {
      const before = heard
      await sleep(ms)
      return heard === before
    }
    executor.suspend(folder)
    executor.suspend(folder)
    // The engine takes its time.
    for (let tries = 0; tries < 10 && !(await stillFor(500)); tries++);
    assert.ok(await stillFor(1_000), 'it is held')
    executor.resume(folder)
    for (let tries = 0; tries < 10 && (await stillFor(300)); tries++);
    assert.ok(!(await stillFor(1_000)), 'it goes on')
    executor.suspend(folder)
    for (let tries = 0; tries < 10 && !(await stillFor(500)); tries++);
    cancel.abort()
    assert.equal((await running).reason, 'cancelled')
    assert.deepEqual(await executor.left(never), [])
  })
})
