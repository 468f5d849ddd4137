import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Fault, type Channel } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { LifeClock } from '../../sim/model/life.ts'
import { settled } from '../../sim/model/settled.ts'
import { lostAfterMs, windowBytes } from '../../sim/model/stream-end.ts'
import { calmStreams, ModelStreams, type StreamFaults } from '../../sim/model/streams.ts'
import { SeededRandom } from '../../sim/random.ts'

const limits = { frameBytesMax: 70_000, streamsPerPeerMax: 2 }
const never = new AbortController().signal

class Bench {
  readonly clock = new VirtualClock(0)
  readonly net: ModelStreams
  readonly lives = { a: new LifeClock(this.clock, 0), b: new LifeClock(this.clock, 0) }
  readonly faults: string[] = []
  isCut = false
  readonly #a

  constructor(faults: Partial<StreamFaults>, handler: (channel: Channel) => Promise<void>) {
    this.net = new ModelStreams({
      clock: this.clock,
      random: new SeededRandom(1),
      faults: { ...calmStreams, ...faults },
      isCut: () => this.isCut,
    })
    this.#a = this.net.streamsOf('a', this.lives.a, () => {})
    const b = this.net.streamsOf('b', this.lives.b, (peer, { code }) => void this.faults.push(`${peer} ${code}`))
    void b.handle('p', limits, handler)
  }

  async open(signal = never): Promise<Channel> {
    return this.until(this.#a.open('b', 'p', limits, signal))
  }

  async until<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false
    void promise.catch(() => {}).finally(() => (isSettled = true))
    for (await settled(); !isSettled; await settled()) assert.ok(this.clock.jump(), 'it never settles')
    return promise
  }

  async rest(): Promise<void> {
    for (await settled(); this.clock.jump();) await settled()
  }

  get opened(): number[] {
    return [this.net.openAt('a'), this.net.openAt('b')]
  }
}

const echo = async (channel: Channel): Promise<void> => {
  for (let frame = await channel.read(never); frame !== undefined; frame = await channel.read(never))
    await channel.write(frame, never)
}

test('frames come in order, whole, once, and after them the end', async () => {
  const bench = new Bench({ stallProbability: 0.3, stallMs: [10, 900], bytesPerMs: 1 }, echo)
  const channel = await bench.open()
  const sent = Array.from({ length: 50 }, (_, index) => Uint8Array.of(index))
  for (const frame of sent) await bench.until(channel.write(frame, never))
  await channel.close(never)
  const got: (Uint8Array | undefined)[] = []
  for (let index = 0; index <= sent.length; index++) got.push(await bench.until(channel.read(never)))
  assert.deepEqual(got, [...sent, undefined])
  await bench.rest()
  assert.deepEqual(bench.opened, [0, 0])
})

test('a writer waits for a reader: no more than a window is held', async () => {
  const bench = new Bench({}, async (channel) => {
    await channel.read(never)
    await new Promise<never>(() => {})
  })
  const channel = await bench.open()
  let written = 0
  void (async () => {
    for (; ; written++) await channel.write(new Uint8Array(60_000), never)
  })().catch(() => {})
  await bench.rest()
  assert.ok(written > 0 && written * 60_000 <= windowBytes + 60_000, String(written))
  assert.ok(bench.net.heldBytesMax <= windowBytes + 60_000)
})

test('a process that dies is told of at once, a host that dies by nobody', async () => {
  for (const isHostDown of [false, true]) {
    const bench = new Bench({}, echo)
    const channel = await bench.open()
    const beganMs = bench.clock.nowMs()
    bench.lives.b.isOver = true
    bench.net.hangUp('b', isHostDown)
    await assert.rejects(bench.until(channel.read(never)), isHostDown ? /lost/ : /reset/)
    const tookMs = bench.clock.nowMs() - beganMs
    assert.ok(isHostDown ? tookMs >= lostAfterMs : tookMs <= calmStreams.delayMs[1], String(tookMs))
    assert.deepEqual(bench.opened, [0, 0])
  }
})

test('a cut is silence; what was under way comes when it heals, and nothing when it lasts', async () => {
  const bench = new Bench({}, echo)
  const channel = await bench.open()
  bench.isCut = true
  await channel.write(Uint8Array.of(1), never)
  bench.clock.after(5_000, () => (bench.isCut = false))
  assert.deepEqual(await bench.until(channel.read(never)), Uint8Array.of(1))
  bench.isCut = true
  await channel.write(Uint8Array.of(2), never)
  await assert.rejects(bench.until(channel.read(never)), /lost/)
  using opening = bench.lives.a.deadline(3_000)
  await assert.rejects(bench.open(opening.signal), /3000 ms/)
})

test('a peer that hangs answers when it wakes up', async () => {
  const bench = new Bench({}, echo)
  const channel = await bench.open()
  bench.lives.b.frozenUntilMs = 60_000
  await channel.write(Uint8Array.of(1), never)
  assert.deepEqual(await bench.until(channel.read(never)), Uint8Array.of(1))
  assert.ok(bench.clock.nowMs() >= 60_000)
})

test('an abort ends both sides; a handler that finds a fault ends the stream and blames who opened it', async () => {
  const seen: string[] = []
  const bench = new Bench({}, async (channel) => {
    await channel.read(never).catch((error: unknown) => seen.push(String(error)))
    throw new Fault('OUT_OF_TURN', 'test')
  })
  const first = await bench.open()
  first.abort(new Error('no more'))
  await assert.rejects(bench.until(first.read(never)), /no more/)
  await bench.rest()
  assert.match(seen[0]!, /reset/)
  const second = await bench.open()
  await second.write(Uint8Array.of(1), never)
  await assert.rejects(bench.until(second.read(never)), /reset/)
  assert.deepEqual(bench.faults, ['a OUT_OF_TURN', 'a OUT_OF_TURN'])
  assert.deepEqual(bench.opened, [0, 0])
})

test('a peer has no more streams than it may, and one that nobody answers is refused', async () => {
  const bench = new Bench({}, echo)
  await bench.open()
  await bench.open()
  const third = await bench.open()
  await assert.rejects(bench.until(third.read(never)), /reset/)
  bench.lives.b.isOver = true
  bench.net.hangUp('b', false)
  await assert.rejects(bench.open(), /nobody listens/)
})

test('a connection can be lost at any frame, for both sides', async () => {
  const bench = new Bench({ resetProbability: 1 }, echo)
  const channel = await bench.open()
  await channel.write(Uint8Array.of(1), never)
  await assert.rejects(bench.until(channel.read(never)), /lost/)
  assert.deepEqual(bench.opened, [0, 0])
})
