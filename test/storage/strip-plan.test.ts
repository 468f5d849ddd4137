// Who brings which strip, and who is asked first.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { hashLeaf, leafBytes, leavesPerStrip, segmentBytesOf } from '../../protocols/erasure/index.ts'
import { Lane } from '../../src/storage/lane.ts'
import { PeerRates } from '../../src/storage/peer-rates.ts'
import { SegmentWindow } from '../../src/storage/segment-window.ts'
import { assignStrips, usualStripMs } from '../../src/storage/strip-plan.ts'

const code = { k: 3, m: 2 }
const leaf = new Uint8Array(leafBytes)
const hash = hashLeaf(leaf)

/** Five lanes over a window; each takes its own time for a strip. */
class Play {
  readonly window = new SegmentWindow(code, 60 * segmentBytesOf(code))
  readonly lanes = new Map<number, Lane>()
  readonly brought = new Map<number, number>()
  readonly #stripMs: readonly number[]
  /** When each lane is done with the strip that it is at. */
  readonly #doneMs = new Map<number, number>()
  readonly #owed = new Map<number, number[]>()
  nowMs = 0
  #segments = 0

  constructor(stripMs: readonly number[]) {
    this.#stripMs = stripMs
    for (const shard of stripMs.keys()) {
      const lane = new Lane(
        { shard, peer: `peer${shard}` },
        (segment) => this.window.missing(segment, shard),
        () => this.nowMs,
      )
      this.lanes.set(shard, lane)
      this.#owed.set(shard, [])
    }
  }

  async run(segments: number): Promise<void> {
    const until = this.#segments + segments
    for (let segment = this.#segments; segment < until; segment++) {
      while (!this.window.isDone(segment)) this.#step()
      await this.window.take()
      this.window.done(segment)
    }
    this.#segments = until
  }

  #step(): void {
    assignStrips(this.window, this.lanes, code.k)
    for (const [shard, lane] of this.lanes) {
      const owed = this.#owed.get(shard)!
      const wasIdle = owed.length === 0
      for (const wanted of lane.take() ?? []) owed.push(wanted)
      if (wasIdle && owed.length > 0) this.#doneMs.set(shard, this.nowMs + this.#stripMs[shard]!)
    }
    const [shard, atMs] = [...this.#doneMs].reduce((first, other) => (other[1] < first[1] ? other : first))
    this.nowMs = atMs
    const owed = this.#owed.get(shard)!
    for (const wanted of owed.splice(0, leavesPerStrip)) {
      this.window.accept(shard, wanted, leaf, hash)
      this.lanes.get(shard)!.came(leafBytes)
    }
    this.brought.set(shard, (this.brought.get(shard) ?? 0) + 1)
    if (owed.length === 0) this.#doneMs.delete(shard)
    else this.#doneMs.set(shard, atMs + this.#stripMs[shard]!)
  }
}

test('among equals the data shards bring all there is', async () => {
  const play = new Play([10, 10, 10, 10, 10])
  await play.run(40)
  assert.ok((play.brought.get(3) ?? 0) + (play.brought.get(4) ?? 0) <= 4, 'nobody decodes without need')
})

test('a lane at half the speed contributes, one at a twentieth does not hold the others up', async () => {
  const play = new Play([10, 10, 20, 20, 200])
  // Until each has been measured: who is late meanwhile is the lanes' business.
  await play.run(8)
  const beganMs = play.nowMs
  play.brought.clear()
  await play.run(40)
  const [half, other, crawler] = [2, 3, 4].map((shard) => play.brought.get(shard) ?? 0)
  assert.ok(half! >= 15 && other! >= 15, `the two at half the speed brought ${half} and ${other} of 40`)
  assert.ok(crawler! <= 2, `the slowest brought ${crawler}`)
  assert.ok(play.nowMs - beganMs <= 40 * 10 * 1.3, `${play.nowMs - beganMs} ms, 400 at best`)
})

test('who is late gets nothing, and what it was not asked for yet is given to others', () => {
  const play = new Play([10, 10, 10, 10, 10])
  assignStrips(play.window, play.lanes, code.k)
  const [first] = play.lanes.values()
  assert.deepEqual(first!.segments, [0, 1, 2, 3])
  first!.take()
  first!.isLate = true
  first!.unassign()
  assert.deepEqual(first!.segments, [0, 1], 'what it was asked for')
  assignStrips(play.window, play.lanes, code.k)
  assert.deepEqual(first!.segments, [0, 1])
  assert.deepEqual(
    [...play.lanes.values()].map((lane) => lane.segments.length).slice(1),
    [4, 4, 4, 0].map((all) => all),
  )
})

test('what is usual is known when half as many lanes as are needed have brought a strip', async () => {
  const play = new Play([10, 30, 30, 30, 30])
  assert.equal(usualStripMs(play.lanes.values(), code.k), undefined)
  await play.run(4)
  assert.ok(usualStripMs(play.lanes.values(), code.k)! >= 10)
})

test('rates are remembered by their order of two, of the last peers that were measured', () => {
  const rates = new PeerRates()
  const mib = 2 ** 20
  assert.equal(rates.costOf('unknown'), 0)
  rates.measured('fast', mib, 10)
  rates.measured('as-fast', mib, 11)
  rates.measured('slow', mib, 100)
  rates.measured('small', 1_000, 1)
  assert.equal(rates.costOf('fast'), rates.costOf('as-fast'), 'a tenth is no reason to decode')
  assert.ok(rates.costOf('slow') > rates.costOf('fast'))
  assert.equal(rates.costOf('unknown'), rates.costOf('as-fast'), 'like the middle of those who are known')
  assert.equal(rates.costOf('small'), rates.costOf('unknown'), 'small pieces measure nothing')
  for (let peer = 0; peer < 1_024; peer++) rates.measured(`peer${peer}`, mib, 100)
  assert.equal(rates.costOf('fast'), rates.costOf('slow'), 'forgotten')
})
