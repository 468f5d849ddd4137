// The owner's brakes on real peers and real programs, and what is read of the machine.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { VirtualClock } from '../../sim/clock.ts'
import { silentLog } from '../../src/environment.ts'
import { memoryKeyValue } from '../../src/host/datastore.ts'
import { heldMsMax } from '../../src/market/brakes.ts'
import { hottest, watchHeat } from '../../src/node/heat-watch.ts'
import { OwnerBrakes } from '../../src/node/owner-brakes.ts'
import { ticks } from '../fixtures/programs.ts'
import { eventually, inTime, lendsNothing, Mesh, storyOf } from '../support/mesh.ts'

const letters = 'abcdefghijklmnopqrstuvwxyz'

describe('with real peers', { concurrency: true }, () => {
  test('a pause holds what runs and takes nothing new; after resume it ends as if nothing had been', async () => {
    await using mesh = await Mesh.of({ consumer: lendsNothing, worker: {} })
    const [consumer, worker] = [mesh.peer('consumer').control, mesh.peer('worker').control]
    const module = await mesh.file('ticks.wasm', ticks(26, 100))
    const { id } = await consumer.submit({ module }, inTime())
    const heard = async (): Promise<number> => (await storyOf(mesh.peer('consumer'), id, 'log')).events.length
    await heard()
    const { resting } = await worker.pause({ forMs: 600_000 })
    assert.equal(resting?.because, 'PAUSED')
    assert.ok(resting.leftMs! > 590_000 && resting.handsBackInMs! > heldMsMax - 10_000)
    await sleep(1_500)
    const bytesNow = async (): Promise<number> => {
      let bytes = 0
      const signal = AbortSignal.timeout(400)
      try {
        for await (const event of consumer.jobEvents(id, { logs: true, follow: true }, signal))
          if (event.type === 'log') bytes += Buffer.from(event.base64, 'base64').byteLength
      } catch {
        // That was all for now.
      }
      return bytes
    }
    const held = await bytesNow()
    assert.ok(held > 0 && held < 26, `${held} ticks`)
    await sleep(1_000)
    assert.equal(await bytesNow(), held, 'it stands still')
    assert.equal((await worker.resume()).resting, null)
    const story = await storyOf(mesh.peer('consumer'), id)
    assert.deepEqual([story.job.stage, story.job.attempts], ['paid', 1])
    assert.equal(story.bytes('stdout').toString(), letters)
  })

  test('`now` hands back what runs, and a pause outlives a restart', async () => {
    await using mesh = await Mesh.of({ consumer: lendsNothing, worker: {} })
    const consumer = mesh.peer('consumer')
    const module = await mesh.file('ticks.wasm', ticks(26, 400))
    const { id } = await consumer.control.submit({ module }, inTime())
    await storyOf(consumer, id, 'log')
    const { resting } = await mesh.peer('worker').control.pause({ now: true })
    assert.deepEqual(resting, { because: 'PAUSED', leftMs: null, handsBackInMs: null })
    const replaced = await storyOf(consumer, id, 'replacing')
    assert.equal(replaced.the('replacing').code, 'PROVIDER_FAILED')
    await eventually('nothing runs', async () => (await mesh.peer('worker').control.status()).jobs.running === 0)
    await consumer.control.cancel(id)
    await mesh.stop('worker')
    const again = await mesh.startAgain('worker')
    assert.equal((await again.control.status()).resting?.because, 'PAUSED')
    assert.equal((await again.control.resume()).resting, null)
  })
})

function brakesOf(memory = memoryKeyValue()) {
  const clock = new VirtualClock(1_000)
  const told: string[] = []
  const brakes = new OwnerBrakes({
    clock,
    log: silentLog,
    memory,
    provider: {
      evict: () => void told.push('evict'),
      inUse: () => ({ cpuMilli: 0, memoryBytes: 0, diskBytes: 0, gpus: 0 }),
      bids: { rest: (because) => void told.push(`rest ${because?.code ?? 'no'}`) },
    },
    hold: (isHeld) => void told.push(`hold ${isHeld}`),
  })
  return { clock, told, brakes, memory }
}

test('what begins to run while all is held is held as well, and all is handed back in the end', () => {
  const { clock, told, brakes } = brakesOf()
  const end = brakes.begin(undefined)
  brakes.pause(null, false)
  const holdsBefore = told.filter((word) => word === 'hold true').length
  const endMs = clock.nowMs() + heldMsMax + 1
  while (clock.nextMs !== undefined && clock.nextMs <= endMs) clock.jump()
  assert.ok(told.filter((word) => word === 'hold true').length > holdsBefore + 100)
  assert.equal(told.filter((word) => word === 'evict').length, 1)
  brakes.resume()
  assert.deepEqual(told.slice(-2), ['rest no', 'hold false'])
  end()
  assert.equal(clock.nextMs, undefined, 'no timer is left')
})

test('a pause of another life is recalled, one that is over is not', () => {
  const { brakes, memory } = brakesOf()
  brakes.pause(5_000, false)
  const later = brakesOf(memory)
  later.brakes.begin(undefined)()
  assert.deepEqual(later.brakes.state.reasons, ['PAUSED'])
  memory.put('/pause', new TextEncoder().encode('{"untilMs":999}'))
  const tooLate = brakesOf(memory)
  tooLate.brakes.begin(undefined)()
  assert.deepEqual(tooLate.brakes.state.reasons, [])
  memory.put('/pause', new TextEncoder().encode('junk'))
  const junk = brakesOf(memory)
  junk.brakes.begin(undefined)()
  assert.deepEqual(junk.brakes.state.reasons, [])
})

test('heat is looked at again and again', () => {
  const clock = new VirtualClock(0)
  const degrees = [50, 90, 80, 70, 90]
  const told: boolean[] = []
  const end = watchHeat({
    clock,
    celsiusMax: 85,
    celsius: () => degrees.shift() ?? null,
    onChange: (it) => told.push(it),
  })
  for (let look = 0; look < 5; look++) clock.jump()
  assert.deepEqual(told, [true, false, true, false])
  end()
  assert.equal(clock.nextMs, undefined)
})

test('the hottest zone counts, and broken ones do not', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pleach-thermal-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const zone = (name: string, text: string): void => {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'temp'), text)
  }
  assert.equal(hottest(join(folder, 'none')), null)
  zone('thermal_zone0', '-274000\n')
  zone('thermal_zone1', 'nonsense')
  zone('cooling_device0', '99000\n')
  assert.equal(hottest(folder), null)
  zone('thermal_zone2', '41500\n')
  zone('thermal_zone3', '63250\n')
  assert.equal(hottest(folder), 63.25)
})
