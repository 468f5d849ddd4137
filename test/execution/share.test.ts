// A run has its share of the processors, whatever it is, and what it does not use it may not save for long.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { realClock, silentLog } from '../../src/environment.ts'
import { Holds } from '../../src/execution/holds.ts'
import { burstMs, ProcessorShare } from '../../src/execution/share.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import { execute, ordinaryLimits, Scratch } from '../fixtures/executions.ts'
import * as programs from '../fixtures/programs.ts'

/** Of one look: the kernel counts in ticks of 10 ms, and a look comes late on a busy machine. */
const slackMs = 400

describe('a share of the processors', () => {
  test('binds who may have less than all, and nobody else', () => {
    assert.ok(!new ProcessorShare(2_000, 2, 0, 0).binds)
    assert.ok(new ProcessorShare(1_999, 2, 0, 0).binds)
  })

  test('over any stretch it is the share of the time and a burst at most', () => {
    for (const cpuMilli of [100, 250, 900, 1_500]) {
      const share = new ProcessorShare(cpuMilli, 2, 0, 0)
      let usedMs = 0
      let nowMs = 0
      const seen: [number, number][] = []
      while (nowMs < 60_000) {
        const { holdMs, lookMs } = share.look(usedMs, nowMs)
        nowMs += holdMs + lookMs
        // As much as two processors give, in all the time that it is not held.
        usedMs += 2 * lookMs
        seen.push([nowMs, usedMs])
      }
      for (const [fromMs, from] of seen)
        for (const [toMs, to] of seen) {
          if (toMs <= fromMs) continue
          const allowed = burstMs + ((toMs - fromMs) * cpuMilli) / 1_000
          // A look every 25 ms at the least, by two processors, on each side of the stretch.
          assert.ok(to - from <= allowed + 200, `${to - from} of ${allowed} ms with ${cpuMilli}`)
        }
      assert.ok(usedMs >= 0.95 * ((nowMs * cpuMilli) / 1_000), `only ${usedMs} of ${nowMs} ms with ${cpuMilli}`)
    }
  })

  test('time that goes with a process that ends is no gain', () => {
    const share = new ProcessorShare(500, 2, 0, 0)
    share.look(burstMs, 0)
    assert.equal(share.look(0, 0).holdMs, 0)
    assert.ok(share.look(600, 0).holdMs > 0)
  })

  test('holds a program that would have a whole processor', { timeout: 60_000 }, async (t) => {
    if (process.platform !== 'linux') return t.skip('only Linux tells what a process has used')
    using scratch = new Scratch()
    const { reason, usage } = await execute(scratch, programs.spins, { limits: { wallMs: 6_000, cpuMilli: 200 } })
    assert.equal(reason, 'wall-limit')
    const allowedMs = burstMs + 0.2 * usage.wallMs
    t.diagnostic(`${usage.cpuMs} ms of processor in ${usage.wallMs} ms, ${allowedMs} allowed`)
    assert.ok(usage.cpuMs <= allowedMs + slackMs, `${usage.cpuMs} of ${allowedMs} ms`)
    assert.ok(usage.cpuMs > 0, 'it ran')
  })

  test('what its owner holds is not let go on by its share', { timeout: 60_000 }, async (t) => {
    if (process.platform !== 'linux') return t.skip('there is no /proc to see processes in')
    using scratch = new Scratch()
    const executor = createWasiExecutor({ clock: realClock, log: silentLog })
    const folder = join(scratch.path, 'run')
    const stop = new AbortController()
    const run = executor.run(
      {
        modulePath: scratch.file('program.wasm', programs.spins),
        args: [],
        env: {},
        inputs: [],
        outputsTarPath: join(scratch.path, 'outputs.tar'),
        keep: { folder, aloneMs: 10_000 },
      },
      { ...ordinaryLimits, cpuMilli: 100 },
      { onLog: () => {} },
      stop.signal,
    )
    // Until it has used up its burst, and is held and let go on again and again.
    await sleep(2_500)
    executor.suspend(folder)
    await sleep(200)
    const before = childTicks(folder)
    await sleep(1_500)
    assert.equal(childTicks(folder), before, 'it stands still')
    executor.resume(folder)
    const untilMs = Date.now() + 10_000
    while (childTicks(folder) === before && Date.now() < untilMs) await sleep(50)
    assert.notEqual(childTicks(folder), before, 'it goes on')
    stop.abort()
    assert.equal((await run).reason, 'cancelled')
  })

  test('a run goes on when nobody holds it any more, and holders of one that never was are no harm', () => {
    const holds = new Holds()
    holds.hold('/nowhere', 'owner')
    holds.letGo('/nowhere', 'share')
    holds.letGo('/nowhere', 'owner')
    holds.forget('/nowhere')
  })
})

/** Of all that the run's supervisor has started. */
function childTicks(folder: string): number {
  const [supervisor = ''] = readFileSync(join(folder, 'supervisor'), 'latin1').split(' ')
  const below = (pid: string): string[] => {
    try {
      const kids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
      return kids === '' ? [] : kids.split(' ').flatMap((kid) => [kid, ...below(kid)])
    } catch {
      return []
    }
  }
  return below(supervisor)
    .map((pid) => readFileSync(`/proc/${pid}/stat`, 'latin1'))
    .filter((stat) => !stat.includes('(sleep)') && !stat.includes('(sh)'))
    .reduce((sum, stat) => {
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return sum + Number(fields[11]) + Number(fields[12])
    }, 0)
}
