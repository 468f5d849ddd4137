// Which keepers are asked, and what becomes of it: the transfers are played by the test, the file is real.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import { concat } from 'uint8arrays'

import { hashLeaf, hashLeaves, leafBytes, segmentBytesOf, type Code } from '../../protocols/erasure/index.ts'
import { eachLeaf, type TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, refusal } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { realFiles } from '../../src/environment.ts'
import { NotEnoughShardsError, fetchObject, type FetchReport, type FetchSource } from '../../src/storage/fetch.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { SegmentWindow } from '../../src/storage/segment-window.ts'
import { describedShards, sealedObject } from '../support/segments.ts'

const never = new AbortController().signal
const key = new Uint8Array(32).fill(5)

/** What a keeper does when it is asked for its `count`th leaf of one exchange: nothing, wait, or throw. */
type Habit = (count: number, leaf: number) => Promise<void> | void

class Keepers implements AsyncDisposable {
  readonly plain: Uint8Array
  readonly code: Code
  readonly folder: string
  readonly #shards: readonly Uint8Array[]
  readonly #roots: readonly Uint8Array[]
  readonly manifest: Uint8Array
  /** By peer; the peer of shard 3 is called `peer3`, unless the sources say otherwise. */
  readonly habits = new Map<string, Habit>()
  /** Every exchange: peer, shard, first leaf and number of leaves that were asked for. */
  readonly asked: { peer: string; shard: number; first: number; leaves: number }[] = []
  /** Every exchange that did not come to its end. */
  readonly ended: { peer: string; because: string }[] = []
  readonly faults: { peer: string; code: string }[] = []

  private constructor(folder: string, plain: Uint8Array, code: Code, shards: readonly Uint8Array[]) {
    this.folder = folder
    this.plain = plain
    this.code = code
    this.#shards = shards
    const { roots, manifest } = describedShards(code, plain.byteLength, shards)
    this.#roots = roots
    this.manifest = manifest
  }

  static async of(bytes: number, code: Code = { k: 2, m: 2 }): Promise<Keepers> {
    const plain = new Uint8Array(randomBytes(bytes))
    const shards: Uint8Array[][] = Array.from({ length: code.k + code.m }, () => [])
    for (const strips of sealedObject(code, key, plain))
      for (const [shard, strip] of strips.entries()) shards[shard]!.push(strip)
    const folder = await mkdtemp(join(tmpdir(), 'pleach-fetch-'))
    return new Keepers(
      folder,
      plain,
      code,
      shards.map((strips) => concat(strips)),
    )
  }

  get sources(): FetchSource[] {
    return this.#roots.map((_, shard) => ({ shard, peers: [`peer${shard}`] }))
  }

  readonly get: TransferService['get'] = async (peer, root, shardBytes, leaves, onLeaf, signal) => {
    const shard = this.#roots.indexOf(this.#roots.find((other) => Buffer.compare(other, root) === 0)!)
    const asked = { peer, shard, first: -1, leaves: 0 }
    this.asked.push(asked)
    assert.equal(this.#shards[shard]!.byteLength, shardBytes)
    let count = -1
    for await (const leaf of eachLeaf(leaves, signal)) {
      count++
      asked.leaves++
      if (asked.first === -1) asked.first = leaf
      await setImmediate()
      signal.throwIfAborted()
      const abort = Promise.withResolvers<never>()
      const onAbort = (): void => abort.reject(signal.reason as Error)
      signal.addEventListener('abort', onAbort)
      try {
        await Promise.race([this.habits.get(peer)?.(count, leaf), abort.promise])
      } catch (error) {
        this.ended.push({ peer, because: (error as Error).message })
        throw error
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
      const bytes = this.#shards[shard]!.subarray(leaf * leafBytes, (leaf + 1) * leafBytes)
      await onLeaf(leaf, bytes, hashLeaves(bytes)[0]!)
    }
  }

  async fetch(
    sources: readonly FetchSource[] = this.sources,
    more: { clock?: VirtualClock; costOf?: (peer: string) => number; lastResort?: string } = {},
    signal = never,
  ): Promise<FetchReport> {
    const path = join(this.folder, 'out')
    const onFault = (peer: string, { code }: Fault): void => void this.faults.push({ peer, code })
    const deps = { disk: realFiles, mill: new LocalMill(), transfer: { get: this.get }, onFault, ...more }
    const { lastResort } = more
    const request = { manifest: this.manifest, key, sources, path, ...(lastResort === undefined ? {} : { lastResort }) }
    const report = await fetchObject(deps, request, signal)
    assert.equal(Buffer.compare(await readFile(path), this.plain), 0)
    assert.equal(report.bytes, this.plain.byteLength)
    return report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

const dies = (): never => {
  throw new Error('connection lost')
}
const leavesOf = (report: FetchReport): Record<string, number> =>
  Object.fromEntries(report.sources.map(({ peer, bytes }) => [peer, Math.ceil(bytes / leafBytes)]))

test('only k keepers are asked, data shards first, and nothing is decoded', async () => {
  await using keepers = await Keepers.of(300_000)
  const report = await keepers.fetch()
  assert.deepEqual(
    keepers.asked.map(({ peer }) => peer),
    ['peer0', 'peer1'],
  )
  assert.equal(report.decodedSegments, 0)
  assert.deepEqual(report.failed, [])
})

test('the cheapest peers are asked first, even for parity', async () => {
  await using keepers = await Keepers.of(300_000)
  const report = await keepers.fetch(keepers.sources, { costOf: (peer) => (peer === 'peer1' ? 9 : 1) })
  assert.deepEqual(
    keepers.asked.map(({ peer }) => peer),
    ['peer0', 'peer2'],
  )
  assert.equal(report.decodedSegments, 1)
})

test('what came before a keeper failed is kept, and another keeper of the shard goes on with the rest', async () => {
  await using keepers = await Keepers.of(segmentBytesOf({ k: 2, m: 2 }) + 300_000)
  keepers.habits.set('peer0', (count) => (count === 5 ? dies() : undefined))
  const report = await keepers.fetch([
    { shard: 0, peers: ['peer0', 'second'] },
    { shard: 1, peers: ['peer1'] },
  ])
  assert.deepEqual(keepers.asked[2], { peer: 'second', shard: 0, first: 5, leaves: 16 + 3 - 5 })
  assert.deepEqual(leavesOf(report), { peer0: 5, peer1: 19, second: 14 })
  assert.equal(report.decodedSegments, 0)
  assert.deepEqual(report.failed, [{ peer: 'peer0', shard: 0, reason: 'connection lost' }])
})

test('a shard that takes over begins with the segment that is missing, not with the object', async () => {
  const code = { k: 2, m: 2 }
  await using keepers = await Keepers.of(6 * segmentBytesOf(code))
  keepers.habits.set('peer0', (_count, leaf) => (leaf === 5 * 16 + 3 ? dies() : undefined))
  const report = await keepers.fetch()
  const takeOver = keepers.asked[2]!
  assert.equal(takeOver.peer, 'peer2')
  assert.ok(takeOver.first >= 16, `it begins at leaf ${takeOver.first}`)
  assert.ok(report.decodedSegments >= 1 && report.decodedSegments < 6)
})

test('a transfer that only broke off is taken up again with the same keeper when there is no other', async () => {
  await using keepers = await Keepers.of(900_000, { k: 2, m: 0 })
  keepers.habits.set('peer1', (count) => (count === 3 ? dies() : undefined))
  const report = await keepers.fetch()
  assert.deepEqual(
    keepers.asked.map(({ peer, first }) => [peer, first]),
    [
      ['peer0', 0],
      ['peer1', 0],
      ['peer1', 3],
      ['peer1', 6],
    ],
  )
  assert.deepEqual(leavesOf(report), { peer0: 7, peer1: 7 }, 'nothing came twice')
})

test('who gives nothing is asked once, and then named', async () => {
  await using keepers = await Keepers.of(100_000)
  for (const peer of ['peer0', 'peer2']) keepers.habits.set(peer, dies)
  keepers.habits.set('peer3', () => {
    throw new RefusedError(refusal('NOT_FOUND'))
  })
  await assert.rejects(keepers.fetch(), (error: unknown) => {
    assert.ok(error instanceof NotEnoughShardsError)
    assert.deepEqual([error.need, error.have, error.missing], [2, 1, [0, 2, 3]])
    assert.deepEqual(
      error.failed.map(({ peer, reason }) => [peer, reason]),
      [
        ['peer0', 'connection lost'],
        ['peer2', 'connection lost'],
        ['peer3', 'NOT_FOUND'],
      ],
    )
    return true
  })
  assert.equal(keepers.asked.length, 4)
  assert.deepEqual(await readdir(keepers.folder), [])
})

test('who lies about one shard is not believed in another', async () => {
  await using keepers = await Keepers.of(2_000_000, { k: 3, m: 3 })
  const sources = [0, 1, 2, 3, 4, 5].map((shard) => ({
    shard,
    peers: [[0, 1, 3].includes(shard) ? 'liar' : `peer${shard}`],
  }))
  const stuck = Promise.withResolvers<void>().promise
  let exchanges = 0
  keepers.habits.set('liar', async (count) => {
    if (count === 0 && exchanges++ > 0) return stuck
    if (count === 2) throw new Fault('PROOF_INVALID', 'a block that is not of this shard')
  })
  const report = await keepers.fetch(sources)
  assert.deepEqual(keepers.faults, [{ peer: 'liar', code: 'PROOF_INVALID' }])
  assert.deepEqual(
    keepers.asked.map(({ peer }) => peer),
    ['liar', 'liar', 'peer2', 'peer4', 'peer5'],
  )
  assert.equal(keepers.ended[1]?.because, 'the peer sent what is not of another shard')
  assert.deepEqual(new Set(report.failed.map(({ shard }) => shard)), new Set([0, 1]))
})

test('who lies about two shards at once is reported once', async () => {
  await using keepers = await Keepers.of(2_000_000, { k: 2, m: 2 })
  const sources = [0, 1, 2, 3].map((shard) => ({ shard, peers: [shard < 2 ? 'liar' : `peer${shard}`] }))
  const [both, atOnce] = [Promise.withResolvers<void>(), { waiting: 0 }]
  keepers.habits.set('liar', async () => {
    if (++atOnce.waiting === 2) both.resolve()
    await both.promise
    throw new Fault('PROOF_INVALID', 'a block that is not of this shard')
  })
  await keepers.fetch(sources)
  assert.deepEqual(keepers.faults, [{ peer: 'liar', code: 'PROOF_INVALID' }])
})

test('who is busy is asked again after a while, a few times', async () => {
  for (const busyTimes of [4, 5]) {
    const clock = new VirtualClock(0)
    await using keepers = await Keepers.of(1_000, { k: 1, m: 0 })
    let times = 0
    keepers.habits.set('peer0', () => {
      if (times++ < busyTimes) throw new RefusedError(refusal('BUSY'))
    })
    const fetch = keepers.fetch(keepers.sources, { clock })
    let settled = false
    const done = fetch.catch(() => {}).finally(() => (settled = true))
    while (!settled) {
      await setImmediate()
      if (keepers.ended.length === keepers.asked.length) clock.jump()
    }
    await done
    assert.equal(keepers.asked.length, 5)
    if (busyTimes === 4) await fetch
    else await assert.rejects(fetch, NotEnoughShardsError)
  }
})

test('whoever made the object is asked for what nobody else gives, and for nothing that only comes late', async () => {
  const clock = new VirtualClock(0)
  await using keepers = await Keepers.of(3 * segmentBytesOf({ k: 2, m: 2 }))
  const stuck = Promise.withResolvers<void>()
  keepers.habits.set('peer1', async (count) => (count === 1 ? stuck.promise : undefined))
  const sources = [0, 1, 2].map((shard) => ({ shard, peers: shard === 2 ? ['maker'] : [`peer${shard}`, 'maker'] }))
  const fetch = keepers.fetch(sources, { clock, lastResort: 'maker', costOf: (peer) => (peer === 'maker' ? -9 : 0) })
  while (keepers.asked.length < 2 || keepers.asked[0]!.leaves < 48) await setImmediate()
  await setImmediate()
  clock.jump()
  for (let turn = 0; turn < 50; turn++) await setImmediate()
  assert.deepEqual(
    keepers.asked.map(({ peer }) => peer),
    ['peer0', 'peer1'],
    'late, but not so late',
  )
  while (keepers.asked.length < 3) {
    clock.jump()
    await setImmediate()
  }
  assert.ok(clock.nowMs() >= 3_000)
  await fetch
  assert.deepEqual(keepers.asked[2]?.peer, 'maker')

  keepers.asked.length = 0
  keepers.habits.set('peer1', () => Promise.reject(new Error('gone')))
  await keepers.fetch(sources, { lastResort: 'maker' })
  assert.deepEqual(
    keepers.asked.map(({ peer }) => peer),
    ['peer0', 'peer1', 'maker'],
    'at once for what is missing',
  )
})

test('a keeper that keeps the reader waiting gets another shard beside it, and retires', async () => {
  const clock = new VirtualClock(0)
  await using keepers = await Keepers.of(3 * segmentBytesOf({ k: 2, m: 2 }))
  const stuck = Promise.withResolvers<void>()
  keepers.habits.set('peer1', async (count) => (count === 1 ? stuck.promise : undefined))
  const fetch = keepers.fetch(keepers.sources, { clock })
  while (keepers.asked.length < 2) await setImmediate()
  assert.equal(clock.nextMs, 3_000, 'nobody knows what is usual')
  while (keepers.asked[0]!.leaves < 48) await setImmediate()
  await setImmediate()
  assert.equal(clock.nextMs, 30, 'now it is known, and the other has nothing more to bring')
  clock.jump()
  const report = await fetch
  assert.equal(keepers.ended[0]?.because, 'others were faster', 'it retires before the end')
  assert.deepEqual(
    keepers.asked.map(({ peer }) => peer),
    ['peer0', 'peer1', 'peer2'],
  )
  assert.equal(leavesOf(report).peer2, 48)
  assert.deepEqual(report.failed, [], 'to be slow is not to fail')
})

test('it is late by the time since it was asked, not since it is known what is usual', async () => {
  const clock = new VirtualClock(0)
  await using keepers = await Keepers.of(2 * segmentBytesOf({ k: 2, m: 2 }))
  const stuck = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  keepers.habits.set('peer0', async (count) => (count === 0 ? answered.promise : undefined))
  keepers.habits.set('peer1', async () => stuck.promise)
  const fetch = keepers.fetch(keepers.sources, { clock })
  while (keepers.asked.length < 2) await setImmediate()
  clock.post(20, answered.resolve)
  clock.jump()
  while (keepers.asked[0]!.leaves < 32) await setImmediate()
  await setImmediate()
  assert.equal(clock.nextMs, 35, 'due at 30, and looked at 15 after the last time; not 30 after 20')
  clock.jump()
  await fetch
  assert.deepEqual(
    keepers.asked.map(({ peer }) => peer),
    ['peer0', 'peer1', 'peer2'],
  )
})

test('while most owe something it may be the machine that is busy, and nobody is late so soon', async () => {
  const clock = new VirtualClock(0)
  await using keepers = await Keepers.of(2 * segmentBytesOf({ k: 4, m: 2 }), { k: 4, m: 2 })
  const stuck = Promise.withResolvers<void>()
  keepers.habits.set('peer0', async () => stuck.promise)
  for (const peer of ['peer1', 'peer2'])
    keepers.habits.set(peer, async (count) => (count === 16 ? stuck.promise : undefined))
  const fetch = keepers.fetch(keepers.sources, { clock })
  const leaves = (): number => keepers.asked.reduce((sum, asked) => sum + asked.leaves, 0)
  while (leaves() < 32 + 17 + 17 + 1) await setImmediate()
  await setImmediate()
  assert.equal(clock.nextMs, 75, 'three of four')
  stuck.resolve()
  await fetch
  assert.equal(keepers.asked.length, 4)
})

test('sources that name no shard of the object are passed over', async () => {
  await using keepers = await Keepers.of(1000)
  const strange = [-1, 4, 99, 0.5].map((shard) => ({ shard, peers: ['peer9'] }))
  const report = await keepers.fetch([...strange, ...keepers.sources])
  assert.ok(keepers.asked.every(({ peer }) => peer !== 'peer9'))
  assert.deepEqual(report.failed, [])
})

test('whoever gives up is free at once: no lane goes on, no file stays', async () => {
  await using keepers = await Keepers.of(3_000_000)
  const controller = new AbortController()
  const stuck = Promise.withResolvers<void>()
  keepers.habits.set('peer1', async () => stuck.promise)
  const fetch = keepers.fetch(keepers.sources, {}, controller.signal)
  while (keepers.asked.length < 2) await setImmediate()
  controller.abort(new Error('enough'))
  await assert.rejects(fetch, /enough/)
  assert.deepEqual(await readdir(keepers.folder), [])
  await assert.rejects(keepers.fetch(keepers.sources, {}, controller.signal), /enough/)
})

test('no more is asked for than the window has room for, and the reader makes room only when it is done', async () => {
  const code = { k: 2, m: 1 }
  const window = new SegmentWindow(code, 100 * segmentBytesOf(code))
  const leaf = new Uint8Array(leafBytes)
  const hash = hashLeaf(leaf)
  const fill = (segment: number, shard: number): void => {
    for (const missing of window.missing(segment, shard)) assert.ok(window.accept(shard, missing, leaf, hash))
  }
  assert.deepEqual(window.wanting(), [0, 1, 2, 3])
  fill(0, 0)
  fill(0, 2)
  assert.deepEqual(window.wanting(), [1, 2, 3], 'two strips are enough')
  assert.equal(window.accept(1, 15, leaf, hash), false, 'and a third is not kept')
  assert.deepEqual([...(await window.take()).keys()], [0, 2])
  assert.deepEqual(window.wanting(), [1, 2, 3], 'what the reader is at takes room')
  fill(1, 0)
  fill(1, 1)
  await window.take()
  assert.deepEqual(window.wanting(), [2, 3], 'two are with the reader')
  window.done(0)
  window.done(1)
  assert.deepEqual(window.wanting(), [2, 3, 4, 5])
  assert.deepEqual(window.missing(2, 1).slice(0, 2), [32, 33])
  const next = window.take()
  assert.ok(window.isReaderWaiting)
  window.fail(new Error('over'))
  await assert.rejects(next, /over/)
})

test('segments that are here are passed over', async () => {
  const code = { k: 1, m: 0 }
  const window = new SegmentWindow(code, 7 * segmentBytesOf(code), (segment) => [0, 1, 3].includes(segment))
  assert.deepEqual(window.wanting(), [2, 4, 5, 6])
})

test('a code so wide that one segment fills the memory still has a window of one', () => {
  const code = { k: 200, m: 1 }
  assert.deepEqual(new SegmentWindow(code, 3 * segmentBytesOf(code)).wanting(), [0])
})
