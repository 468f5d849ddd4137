/** The reader of a log against a provider that the test plays: it sends what was asked for, and the way loses it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { concat, equals } from 'uint8arrays'

import {
  executeRetransmitMs,
  isLogComplete,
  logChunkBytesMax,
  logCreditBytes,
  logWakeAtMs,
  openLog,
  stepLog,
  type LogChannel,
  type LogReaderState,
  type LogReaderStep,
} from '../../protocols/execute/index.ts'

const channels = ['stdout', 'stderr'] as const
type Logs = Readonly<Record<LogChannel, Uint8Array>>

const logOf = (bytes: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >> 8) * 7 + seed) & 255)

interface Chunk {
  readonly channel: LogChannel
  readonly offset: number
  readonly bytes: Uint8Array
}

/** How the way treats the n-th chunk: the delays of the copies that arrive. */
type Way = (count: number) => readonly number[]

/** Reads both logs to their ends. Returns what was shown, how often it asked and how far ahead the provider ever was. */
function read(logs: Logs, way: Way, from: Readonly<Record<LogChannel, number>>, chunkBytes: number, endsAtMs: number) {
  let nowMs = 0
  let follows = 0
  let sent = 0
  let aheadMax = 0
  let state: LogReaderState
  const shown: Record<LogChannel, Uint8Array[]> = { stdout: [], stderr: [] }
  const queue: { atMs: number; chunk: Chunk | 'ends' }[] = [{ atMs: endsAtMs, chunk: 'ends' }]

  const take = (step: LogReaderStep): void => {
    state = step.state
    if (step.fresh !== null) shown[step.fresh.channel].push(step.fresh.bytes.slice())
    const { say } = step
    if (say?.say !== 'follow') return assert.equal(say, null)
    follows++
    assert.equal(say.creditBytes, logCreditBytes)
    assert.deepEqual([say.stdoutOffset, say.stderrOffset], [state.offsets.stdout, state.offsets.stderr])
    // The provider: from the offsets, as much as the credit allows, in chunks.
    for (const channel of channels) {
      const begin = channel === 'stdout' ? say.stdoutOffset : say.stderrOffset
      const end = Math.min(logs[channel].byteLength, begin + say.creditBytes)
      aheadMax = Math.max(aheadMax, end - begin)
      for (let offset = begin; offset < end; offset += chunkBytes) {
        const bytes = logs[channel].subarray(offset, Math.min(end, offset + chunkBytes))
        for (const delayMs of way(sent++)) queue.push({ atMs: nowMs + delayMs, chunk: { channel, offset, bytes } })
      }
    }
  }

  take(openLog(from, nowMs))
  for (let turns = 0; turns < 20_000; turns++) {
    const wakeMs = logWakeAtMs(state!)
    if (wakeMs === undefined) break
    queue.sort((left, right) => left.atMs - right.atMs)
    const next = queue[0]
    if (next !== undefined && next.atMs <= wakeMs) {
      queue.shift()
      nowMs = Math.max(nowMs, next.atMs)
      const ends = { stdout: logs.stdout.byteLength, stderr: logs.stderr.byteLength }
      const input = next.chunk === 'ends' ? ({ is: 'ends', ends } as const) : ({ is: 'chunk', ...next.chunk } as const)
      take(stepLog(state!, input, nowMs))
    } else {
      nowMs = wakeMs
      take(stepLog(state!, { is: 'wake' }, nowMs))
    }
  }
  return { shown, follows, aheadMax, nowMs, complete: isLogComplete(state!) }
}

const assertWhole = (logs: Logs, shown: Record<LogChannel, Uint8Array[]>, from: Record<LogChannel, number>) => {
  for (const channel of channels) {
    const expected = logs[channel].subarray(from[channel])
    assert.ok(equals(concat(shown[channel]), expected), `${channel} is not the log`)
  }
}
const start = { stdout: 0, stderr: 0 }

test('a log is read whole, and asked for once when nothing is lost and it is short', () => {
  const logs = { stdout: logOf(1_000, 1), stderr: logOf(10, 2) }
  const { shown, follows, complete } = read(logs, () => [5], start, 100, 50)
  assertWhole(logs, shown, start)
  assert.deepEqual([follows, complete], [1, true])
})

test('two empty logs are complete as soon as their ends are known', () => {
  const { complete, nowMs } = read({ stdout: new Uint8Array(), stderr: new Uint8Array() }, () => [], start, 100, 50)
  assert.deepEqual([complete, nowMs], [true, 50])
})

test('in any order, with any loss and any repetition, what is shown is exactly the log', () => {
  const fate = fc.oneof(
    { weight: 3, arbitrary: fc.constant([5]) },
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(fc.nat(3_000), { maxLength: 3 }) },
  )
  fc.assert(
    fc.property(
      fc.tuple(fc.nat(5_000), fc.nat(5_000)),
      fc.array(fate, { maxLength: 60 }),
      fc.tuple(fc.nat(1_000), fc.nat(1_000)),
      fc.integer({ min: 1, max: 900 }),
      fc.nat(10_000),
      ([out, err], fates, [fromOut, fromErr], chunkBytes, endsAtMs) => {
        const logs = { stdout: logOf(out, 1), stderr: logOf(err, 2) }
        const from = { stdout: Math.min(fromOut, out), stderr: Math.min(fromErr, err) }
        const { shown, complete } = read(logs, (count) => fates[count] ?? [5], from, chunkBytes, endsAtMs)
        assert.ok(complete)
        assertWhole(logs, shown, from)
      },
    ),
    { numRuns: 80 },
  )
})

test('a long log comes with credit in time: never more under way than the credit, and never a second of waiting', () => {
  const logs = { stdout: logOf(2 ** 21 + 77, 1), stderr: logOf(300_000, 2) }
  const { shown, aheadMax, nowMs, follows } = read(logs, () => [5], start, logChunkBytesMax, 10)
  assertWhole(logs, shown, start)
  assert.equal(aheadMax, logCreditBytes)
  assert.ok(nowMs < executeRetransmitMs, `${nowMs} ms`)
  assert.ok(follows <= 2 + (2 * logs.stdout.byteLength) / logCreditBytes + 4, `asked ${follows} times`)
})

test('a long log over a way that loses every third chunk comes whole', () => {
  const logs = { stdout: logOf(700_000, 1), stderr: logOf(700_000, 2) }
  const { shown, complete } = read(logs, (count) => (count % 3 === 1 ? [] : [5]), start, logChunkBytesMax, 10)
  assert.ok(complete)
  assertWhole(logs, shown, start)
})

const opened = openLog({ stdout: 10, stderr: 0 }, 1_000).state
const chunk = (offset: number, bytes: number) =>
  ({ is: 'chunk', channel: 'stdout', offset, bytes: logOf(bytes, offset) }) as const

test('only what follows is shown: a gap waits, an overlap is cut off, what is known is dropped', () => {
  const rows: readonly [string, number, number, readonly [number, number] | null][] = [
    ['what follows', 10, 5, [15, 5]],
    ['a gap', 11, 5, null],
    ['known already', 0, 10, null],
    ['known in part', 5, 10, [15, 5]],
    ['nothing', 10, 0, null],
  ]
  for (const [what, offset, bytes, expected] of rows) {
    const step = stepLog(opened, chunk(offset, bytes), 1_500)
    if (expected === null) {
      const state = { ...opened, hasGap: what === 'a gap' }
      assert.deepEqual(step, { state, say: null, fresh: null }, what)
      continue
    }
    assert.equal(step.state.offsets.stdout, expected[0], what)
    assert.deepEqual(step.fresh?.bytes, logOf(bytes, offset).subarray(bytes - expected[1]), what)
    assert.equal(step.state.offsets.stderr, 0)
  }
})

test('it asks again after a second without anything new, also to say that somebody listens', () => {
  assert.equal(logWakeAtMs(opened), 2_000)
  assert.equal(stepLog(opened, { is: 'wake' }, 1_999).say, null)
  assert.deepEqual(stepLog(opened, { is: 'wake' }, 2_000).say, {
    say: 'follow',
    stdoutOffset: 10,
    stderrOffset: 0,
    creditBytes: logCreditBytes,
  })
})

test('a trickle on one channel does not put off the question for what was lost on the other', () => {
  let { state } = stepLog(opened, chunk(20, 5), 1_100)
  const dueMs = logWakeAtMs(opened)!
  for (let at = 0, nowMs = 1_200; nowMs < dueMs; at++, nowMs += 100) {
    state = stepLog(state, { is: 'chunk', channel: 'stderr', offset: at, bytes: Uint8Array.of(1) }, nowMs).state
  }
  assert.equal(logWakeAtMs(state), dueMs)
  assert.equal(stepLog(state, { is: 'wake' }, dueMs).say?.say, 'follow')
})

test('when the ends are known it asks for the rest at once, and is over when it has it', () => {
  const step = stepLog(opened, { is: 'ends', ends: { stdout: 15, stderr: 0 } }, 1_100)
  assert.equal(step.say?.say, 'follow')
  assert.equal(isLogComplete(step.state), false)
  const last = stepLog(step.state, chunk(10, 5), 1_200)
  assert.deepEqual([isLogComplete(last.state), last.say, logWakeAtMs(last.state)], [true, null, undefined])
  assert.deepEqual(stepLog(last.state, { is: 'wake' }, 9_000), { state: last.state, say: null, fresh: null })
  const had = stepLog(opened, { is: 'ends', ends: { stdout: 10, stderr: 0 } }, 1_100)
  assert.deepEqual([isLogComplete(had.state), had.say], [true, null])
})
