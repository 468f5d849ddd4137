// What transfers may carry, on a clock that is played and over real streams.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createTransfer, emptyShelf } from '../../protocols/transfer/index.ts'
import { realClock } from '../../src/environment.ts'
import { Bandwidth, emptyBucket, exchangesMaxAt, spend } from '../../src/storage/bandwidth.ts'
import { addressOf, inTime, startedHost } from '../host/network.ts'
import { allLeaves, never, root, shardBytes, shardSource } from '../transfer/other-peer.ts'

test('however frames fall in time, what goes is never over the rate, nor under it while frames wait', () => {
  const bytesPerSecond = 1_000_000
  for (const { frame, everyMs } of [
    { frame: 65_536, everyMs: 0 },
    { frame: 65_536, everyMs: 10 },
    { frame: 1, everyMs: 0 },
    { frame: 1_000, everyMs: 0.3 },
  ]) {
    let bucket = emptyBucket(bytesPerSecond)
    let [nowMs, bytes] = [500, 0]
    const [fromMs, untilMs] = [500, 60_500]
    while (nowMs < untilMs) {
      const [next, waitMs] = spend(bucket, frame, nowMs)
      bucket = next
      nowMs += waitMs
      bytes += frame
      nowMs += everyMs
    }
    const rate = (bytes / (nowMs - fromMs)) * 1_000
    assert.ok(Math.abs(rate / bytesPerSecond - 1) < 0.01, `${rate} bytes a second, ${frame} B every ${everyMs} ms`)
  }
})

test('an idle line saves up no more than a moment', () => {
  let bucket = emptyBucket(1_000_000)
  ;[bucket] = spend(bucket, 1_000, 0)
  let bytes = 0
  for (let waitMs = 0; waitMs === 0; bytes += 1_000) [bucket, waitMs] = spend(bucket, 1_000, 3_600_000)
  assert.ok(bytes <= 52_000, `${bytes} bytes at once`)
})

test('timers that fire late cost nothing', () => {
  let bucket = emptyBucket(1_000_000)
  let [nowMs, bytes] = [0, 0]
  for (; nowMs < 30_000; bytes += 10_000) {
    const [next, waitMs] = spend(bucket, 10_000, nowMs)
    bucket = next
    nowMs += waitMs === 0 ? 0 : waitMs + 15
  }
  assert.ok(Math.abs(bytes / nowMs / 1_000 - 1) < 0.05, `${bytes} bytes in ${nowMs} ms`)
})

test('a slow line serves fewer at once', () => {
  const at = (upBytesPerSecond: number | null) => exchangesMaxAt({ upBytesPerSecond, downBytesPerSecond: null })
  assert.deepEqual([at(null), at(100_000_000), at(131_072), at(1)], [64, 64, 10, 1])
})

const triesMax = 4

for (const side of ['up', 'down'] as const) {
  test(`over real streams the limit ${side} is kept within 5 %, by two exchanges together`, async () => {
    const bytesPerSecond = 4_000_000
    const limits = {
      upBytesPerSecond: side === 'up' ? bytesPerSecond : null,
      downBytesPerSecond: side === 'down' ? bytesPerSecond : null,
    }
    const [near, far] = [await startedHost(), await startedHost()]
    try {
      const pace = new Bandwidth(limits, realClock)
      const shelf = { ...emptyShelf, open: async () => shardSource }
      const keeper = createTransfer({
        streams: far.streams,
        timekeeper: realClock,
        shelf,
        pace: side === 'up' ? pace : undefined,
      })
      await keeper.serve()
      await near.dial(addressOf(far), inTime())
      const client = createTransfer({
        streams: near.streams,
        timekeeper: realClock,
        shelf: emptyShelf,
        pace: side === 'down' ? pace : undefined,
      })
      const ratios: number[] = []
      // It is never faster. That it is slower may be the machine's doing, when it has other things to do: it is tried again.
      for (let tries = 1; tries <= triesMax && (ratios.length === 0 || ratios.at(-1)! < 0.95); tries++) {
        let bytes = 0
        const beganMs = performance.now()
        const count = async (_leaf: number, leaf: Uint8Array): Promise<void> => void (bytes += leaf.byteLength)
        await Promise.all([1, 2].map(async () => client.get(far.peer, root, shardBytes, allLeaves, count, never)))
        assert.equal(bytes, 2 * shardBytes)
        ratios.push((bytes / (performance.now() - beganMs)) * (1_000 / bytesPerSecond))
      }
      assert.ok(
        ratios.every((ratio) => ratio <= 1.05) && ratios.at(-1)! >= 0.95,
        `times the limit: ${ratios.join(', ')}`,
      )
    } finally {
      await Promise.all([near.stop(), far.stop()])
    }
  })
}
