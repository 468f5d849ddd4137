import assert from 'node:assert/strict'
import { test } from 'node:test'

import { keeperAdvert, runtimeAdvert, unsaid } from '../../protocols/capability/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { silentLog } from '../../src/environment.ts'
import { Publisher, recordTermMs, refreshMs, type Facts } from '../../src/discovery/publisher.ts'
import { network, signer } from '../support/peers.ts'
import { Board, settle, startMs } from './boards.ts'

const facts: Facts = {
  software: 'pleach/0.1.0',
  ...unsaid,
  compute: null,
  storage: { keepBytes: { value: 1, evidence: 'claimed' }, termMsMax: 1 },
  runtimes: [{ name: 'wasi-preview1', version: '1', isolation: 'process' }],
  price: null,
}

function opened(keepersKnown?: () => number) {
  const clock = new VirtualClock(startMs)
  const board = new Board(() => clock.nowMs())
  let sequence = 0
  const publisher = new Publisher({
    bulletin: board,
    signer: signer(1),
    network,
    clock,
    log: silentLog,
    nextSequence: async () => ++sequence,
    ...(keepersKnown === undefined ? {} : { keepersKnown }),
  })
  /** Runs what is due up to this moment. */
  const until = async (atMs: number) => {
    for (;;) {
      await settle()
      if (clock.nextMs === undefined || clock.nextMs > startMs + atMs) return
      clock.jump()
    }
  }
  /** Waits for a promise that needs the clock to go on. */
  const during = async (promise: Promise<void>) => {
    let ended = false
    const end = promise.finally(() => {
      ended = true
    })
    for (;;) {
      await settle()
      if (ended) return end
      if (!clock.jump()) return end
    }
  }
  const times = () => board.puts.map(({ atMs }) => atMs)
  return { clock, board, publisher, until, during, times }
}

/** Resolves never, and rejects when its signal fires: a board that hangs. */
const hangs = async (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })

test('a record is published at once, with its adverts', async () => {
  const { board, publisher, until } = opened()
  publisher.publish(facts)
  await until(0)
  const [capability] = board.capabilities()
  assert.deepEqual(capability, {
    ...facts,
    withdrawn: false,
    sequence: 1,
    issuedMs: startMs,
    expiresMs: startMs + recordTermMs,
  })
  assert.deepEqual(board.adverts, [runtimeAdvert(network, 'wasi-preview1'), keeperAdvert(network)])
  assert.equal(publisher.acknowledged, 3)
})

test('while nobody acknowledges it is tried again every two seconds', async () => {
  const { board, publisher, until, times } = opened()
  board.acknowledge = (count) => (count < 3 ? 0 : 2)
  publisher.publish(facts)
  await until(10_000)
  assert.deepEqual(times(), [0, 2_000, 4_000, 6_000])
  assert.equal(publisher.acknowledged, 2)
})

test('a board that throws is tried again as well', async () => {
  const { board, publisher, until, times } = opened()
  board.acknowledge = (count) => {
    if (count === 0) throw new Error('no peers')
    return 1
  }
  publisher.publish(facts)
  await until(3_000)
  assert.deepEqual(times(), [0, 2_000])
})

test('a board that hangs is given up after twenty seconds', async () => {
  const { board, publisher, until, times } = opened()
  board.acknowledge = (count, signal) => (count === 0 ? hangs(signal) : 1)
  publisher.publish(facts)
  await until(30_000)
  assert.deepEqual(times(), [0, 22_000])
})

test('it is refreshed long before it expires, and each record is newer than the one before', async () => {
  const { board, publisher, until, times } = opened()
  publisher.publish(facts)
  await until(4 * refreshMs)
  assert.deepEqual(times(), [0, refreshMs, 2 * refreshMs, 3 * refreshMs, 4 * refreshMs])
  assert.ok(refreshMs * 3 < recordTermMs, 'a refresh may fail twice')
  const capabilities = board.capabilities()
  assert.deepEqual(
    capabilities.map(({ sequence, issuedMs }) => [sequence, issuedMs - startMs]),
    times().map((atMs, index) => [index + 1, atMs]),
  )
})

test('whoever has come to know many more puts the record anew, where it belongs by now', async () => {
  let known = 1
  const { publisher, until, times } = opened(() => known)
  publisher.publish(facts)
  await until(4_000)
  known = 20
  await until(12_000)
  known = 29
  await until(40_000)
  assert.deepEqual(times(), [0, 5_000])
  known = 31
  await until(50_000)
  assert.deepEqual(times(), [0, 5_000, 45_000])
  await until(45_000 + refreshMs)
  assert.deepEqual(times(), [0, 5_000, 45_000, 45_000 + refreshMs])
})

test('new facts are published at once', async () => {
  const { board, publisher, until } = opened()
  publisher.publish(facts)
  await until(5_000)
  publisher.publish({ ...facts, runtimes: [] })
  await until(5_000)
  assert.deepEqual(board.capabilities()[1]?.runtimes, [])
  await until(refreshMs * 1.5)
  assert.deepEqual(board.capabilities().at(-1)?.runtimes, [])
})

test('at the end it is replaced by a newer record that takes everything back, and nothing follows', async () => {
  const { board, publisher, until, during, times } = opened()
  publisher.publish(facts)
  await until(1_000)
  await during(publisher.withdraw())
  const [first, last] = board.capabilities()
  assert.deepEqual(last, {
    ...first!,
    withdrawn: true,
    sequence: 2,
    issuedMs: last!.issuedMs,
    expiresMs: last!.expiresMs,
    compute: null,
    storage: null,
    runtimes: [],
    price: null,
  })
  publisher.publish(facts)
  await until(4 * refreshMs)
  assert.equal(times().length, 2)
})

test('what was never published need not be taken back', async () => {
  const { board, publisher, until, during, times } = opened()
  await during(publisher.withdraw())
  assert.deepEqual(times(), [])
  const unheard = opened()
  unheard.board.acknowledge = () => 0
  unheard.publisher.publish(facts)
  await unheard.until(1_000)
  await unheard.during(unheard.publisher.withdraw())
  assert.deepEqual(
    unheard.board.capabilities().map(({ withdrawn }) => withdrawn),
    [false],
  )
  await until(1)
  assert.deepEqual(board.puts, [])
})

test('what was published once is taken back, also when the last refresh failed', async () => {
  const { board, publisher, until, during } = opened()
  board.acknowledge = (count) => (count === 1 ? 0 : 3)
  publisher.publish(facts)
  await until(refreshMs + 1_000)
  await during(publisher.withdraw())
  assert.deepEqual(
    board.capabilities().map(({ sequence, withdrawn }) => [sequence, withdrawn]),
    [
      [1, false],
      [2, false],
      [3, true],
    ],
  )
})

test('what was published is taken back, also while its adverts are still being placed', async () => {
  const { board, publisher, until, during } = opened()
  board.onAdvertise = async (_name, signal) => hangs(signal)
  publisher.publish(facts)
  await until(1_000)
  await during(publisher.withdraw())
  assert.equal(board.capabilities().at(-1)?.withdrawn, true)
})

test('what was published is taken back, also in the midst of a refresh', async () => {
  const { board, publisher, until, during, times } = opened()
  board.acknowledge = (count, signal) => (count === 1 ? hangs(signal) : 3)
  publisher.publish(facts)
  await until(refreshMs)
  assert.equal(times().length, 2)
  await during(publisher.withdraw())
  assert.equal(board.capabilities().at(-1)?.withdrawn, true)
})

test('taking back gives up after three seconds', async () => {
  const { board, clock, publisher, until, during } = opened()
  board.acknowledge = (count, signal) => (count === 1 ? hangs(signal) : 3)
  publisher.publish(facts)
  await until(1_000)
  const fromMs = clock.nowMs()
  await during(publisher.withdraw())
  assert.equal(clock.nowMs() - fromMs, 3_000)
})

test('taking back ends within six seconds, though the board does not listen', async () => {
  const { clock, board, publisher, until, during } = opened()
  board.acknowledge = async (count) => (count === 0 ? 3 : new Promise<number>(() => {}))
  publisher.publish(facts)
  await until(refreshMs)
  assert.equal(board.puts.length, 2)
  const beganMs = clock.nowMs()
  await during(publisher.withdraw())
  assert.equal(clock.nowMs() - beganMs, 6_000)
})

test('who lends nothing puts a record that takes everything back, and is no answer by it; who lends does not', async () => {
  const { board, publisher, until, during, clock } = opened()
  const { signal } = new AbortController()
  await publisher.putNothing(signal)
  const [nothing] = board.capabilities()
  const { withdrawn, runtimes, compute, storage, software, sequence } = nothing!
  assert.deepEqual([withdrawn, runtimes, compute, storage, software, sequence], [true, [], null, null, '', 1])
  assert.deepEqual([board.adverts, publisher.current], [[], undefined])
  publisher.publish(facts)
  await until(0)
  await publisher.putNothing(signal)
  assert.deepEqual(
    board.capabilities().map((record) => record.withdrawn),
    [true, false],
  )
  assert.equal(publisher.current?.capability.sequence, 2)
  await during(publisher.withdraw())
  clock.jump()
  await publisher.putNothing(signal)
  assert.equal(board.capabilities().length, 3, 'it was taken back already')
})
