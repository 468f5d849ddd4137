import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ShardSource, TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, refusal } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { OwnShardError, PlacementError, placeShards, type PlaceDeps } from '../../src/storage/place.ts'
import type { SealedObject } from '../../src/storage/seal.ts'

const never = new AbortController().signal
const untilMs = 1_000

function objectOf(k: number, m: number): SealedObject {
  const roots = Array.from({ length: k + m }, (_, shard) => Uint8Array.of(shard))
  return { cid: '', manifest: new Uint8Array(), key: new Uint8Array(), bytes: 1, shardBytes: 1, code: { k, m }, roots }
}

/** Keepers that all take everything, unless `habits` says what one does. */
function stage(habits: Record<string, (shard: number) => Promise<void> | void> = {}) {
  const puts: { peer: string; shard: number }[] = []
  let [underWay, mostUnderWay] = [0, 0]
  const transfer: Pick<TransferService, 'put'> = {
    put: async (peer, root, _source, keepUntilMs) => {
      underWay++
      mostUnderWay = Math.max(mostUnderWay, underWay)
      try {
        puts.push({ peer, shard: root[0]! })
        await Promise.resolve()
        await habits[peer]?.(root[0]!)
        return keepUntilMs
      } finally {
        underWay--
      }
    },
  }
  const source: ShardSource = {
    shardBytes: 1,
    leaf: async () => ({ bytes: new Uint8Array(1), proof: [] }),
    close: async () => {},
  }
  return { puts, transfer, store: { open: async () => source }, most: () => mostUnderWay }
}

/** All shards of an object. */
async function placeObject(
  deps: Omit<PlaceDeps, 'clock'>,
  object: SealedObject,
  candidates: string[],
  keepUntilMs: number,
  signal: AbortSignal,
) {
  return placeShards({ ...deps, clock: realClock }, { object, candidates, keepUntilMs }, signal)
}

const refuses = (code: string) => () => {
  throw new RefusedError(refusal(code))
}

test('each shard goes to a keeper of its own while there are enough, a few at a time', async () => {
  const { transfer, store, most } = stage()
  const keepers = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const placed = await placeObject({ transfer, store }, objectOf(4, 2), keepers, untilMs, never)
  assert.deepEqual(
    placed.map(({ shard }) => shard),
    [0, 1, 2, 3, 4, 5],
  )
  assert.equal(new Set(placed.map(({ peer }) => peer)).size, 6)
  assert.equal(most(), 4)
})

test('with fewer keepers they share evenly, but none gets so much that its loss is the loss of the object', async () => {
  const { transfer, store } = stage()
  const placed = await placeObject({ transfer, store }, objectOf(4, 2), ['a', 'b', 'c'], untilMs, never)
  const shares = Object.groupBy(placed, ({ peer }) => peer)
  assert.deepEqual(
    Object.values(shares).map((share) => share?.length),
    [2, 2, 2],
  )
  await assert.rejects(
    placeObject({ transfer, store }, objectOf(4, 2), ['a', 'b'], untilMs, never),
    (error: unknown) => {
      assert.ok(error instanceof PlacementError)
      assert.equal(error.placed.length, 4)
      assert.equal(error.missing.length, 2)
      assert.match(error.message, /2 keepers have up to 2 each/)
      return true
    },
  )
})

test('who refuses or fails is not tried again, and its share goes to others', async () => {
  const { transfer, store, puts } = stage({
    full: refuses('NO_SPACE'),
    dead: () => {
      throw new Error('unreachable')
    },
  })
  const keepers = ['full', 'a', 'dead', 'b', 'c']
  const placed = await placeObject({ transfer, store }, objectOf(4, 2), keepers, untilMs, never)
  assert.deepEqual([placed.length, new Set(placed.map(({ peer }) => peer)).size], [6, 3])
  assert.equal(puts.filter(({ peer }) => peer === 'full' || peer === 'dead').length, 2)
})

test('who is only busy is asked again for another shard', async () => {
  let calls = 0
  const { transfer, store } = stage({
    a: () => {
      if (calls++ < 2) throw new RefusedError(refusal('BUSY'))
    },
  })
  const placed = await placeObject({ transfer, store }, objectOf(1, 5), ['a', 'b'], untilMs, never)
  assert.equal(placed.length, 6)
  assert.ok(placed.some(({ peer }) => peer === 'a'))
})

test('what could not be placed is named, with the reason of each keeper', async () => {
  const { transfer, store } = stage({ a: refuses('NO_SPACE'), b: refuses('TERM_TOO_LONG') })
  await assert.rejects(
    placeObject({ transfer, store }, objectOf(1, 1), ['a', 'b'], untilMs, never),
    (error: unknown) => {
      assert.ok(error instanceof PlacementError)
      assert.deepEqual(error.missing, [0, 1])
      assert.deepEqual(error.reasons, [
        { peer: 'a', reason: 'NO_SPACE' },
        { peer: 'b', reason: 'TERM_TOO_LONG' },
      ])
      return true
    },
  )
  await assert.rejects(placeObject({ transfer, store }, objectOf(1, 1), [], untilMs, never), /there are no keepers/)
})

test('a keeper that breaks the protocol is reported', async () => {
  const { transfer, store } = stage({
    a: () => {
      throw new Fault('CREDIT_EXCEEDED', 'too much')
    },
  })
  const faults: string[] = []
  const onFault = (peer: string, { code }: Fault): void => void faults.push(`${peer} ${code}`)
  const placed = await placeObject({ transfer, store, onFault }, objectOf(1, 1), ['a', 'b', 'c'], untilMs, never)
  assert.equal(placed.length, 2)
  assert.deepEqual(faults, ['a CREDIT_EXCEEDED'])
})

test('our own shard that cannot be read is nobody else’s refusal', async () => {
  const { transfer } = stage()
  const gone = { open: async () => undefined }
  await assert.rejects(
    placeObject({ transfer, store: gone }, objectOf(1, 1), ['a', 'b'], untilMs, never),
    OwnShardError,
  )
  const closed: string[] = []
  const damaged: ShardSource = {
    shardBytes: 1,
    leaf: async () => refuses('DAMAGED')(),
    close: async () => void closed.push('closed'),
  }
  const reading: Pick<TransferService, 'put'> = {
    put: async (_peer, _root, source) => {
      await source.leaf(0)
      return untilMs
    },
  }
  const store = { open: async () => damaged }
  await assert.rejects(
    placeObject({ transfer: reading, store }, objectOf(1, 0), ['a', 'b'], untilMs, never),
    OwnShardError,
  )
  assert.deepEqual(closed, ['closed'])
})

test('whoever gives up is told nothing of keepers', async () => {
  const controller = new AbortController()
  const { transfer, store } = stage({
    a: () => {
      controller.abort(new Error('enough'))
      throw new Error('reset')
    },
  })
  await assert.rejects(
    placeObject({ transfer, store }, objectOf(1, 1), ['a', 'b'], untilMs, controller.signal),
    /enough/,
  )
})

test('of one network at most two shards, counted with what is there already, and with what shows only later', async () => {
  const networks: Record<string, string> = { a: 'one', b: 'one', c: 'one', d: 'two', e: 'three', f: 'three' }
  const { transfer, store } = stage()
  const place = async (candidates: string[], networkOf: (peer: string) => string | undefined) =>
    placeShards(
      { transfer, store, networkOf, clock: realClock },
      { object: objectOf(2, 2), shards: [1, 2, 3], held: [{ shard: 0, peer: 'a' }], candidates, keepUntilMs: untilMs },
      never,
    )
  const placed = await place(['b', 'c', 'd', 'e', 'f'], (peer) => networks[peer])
  assert.deepEqual(
    placed.map(({ peer }) => networks[peer]),
    ['two', 'three', 'one'],
  )
  await assert.rejects(
    place(['b', 'c'], (peer) => networks[peer]),
    (error: unknown) => error instanceof PlacementError && error.placed.length === 1,
  )
  assert.equal((await place(['b', 'c'], () => undefined)).length, 3)
  // Known once it is connected.
  const connected = new Set(['a'])
  const late = stage(Object.fromEntries(['b', 'c', 'd'].map((peer) => [peer, () => void connected.add(peer)])))
  const found = await placeShards(
    {
      transfer: late.transfer,
      store: late.store,
      clock: realClock,
      networkOf: (peer) => (connected.has(peer) ? networks[peer] : undefined),
    },
    {
      object: objectOf(2, 2),
      shards: [1, 2, 3],
      held: [{ shard: 0, peer: 'a' }],
      candidates: ['b', 'c', 'd'],
      keepUntilMs: untilMs,
    },
    never,
  )
  assert.equal(found.filter(({ peer }) => networks[peer] === 'one').length, 1)
  assert.equal(found.filter(({ peer }) => peer === 'd').length, 2)
})

test('operators share among themselves, and none gets what the object cannot lose while there is another', async () => {
  const { transfer, store } = stage()
  // `a…` are of one operator, `b…` of another; `c…` do not say.
  const operatorOf = (peer: string) => (peer.startsWith('c') ? undefined : peer[0])
  const sharesOf = async (candidates: string[], held: { shard: number; peer: string }[] = []) => {
    const shards = Array.from({ length: 6 - held.length }, (_, index) => index + held.length)
    const placed = await placeShards(
      { transfer, store, operatorOf, clock: realClock },
      { object: objectOf(4, 2), shards, held, candidates, keepUntilMs: untilMs },
      never,
    )
    return placed
      .map(({ peer }) => peer)
      .toSorted((left, right) => (left < right ? -1 : 1))
      .join(' ')
  }
  assert.equal(await sharesOf(['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'c1', 'c2']), 'a1 a2 b1 b2 c1 c2')
  // A keeper has two rather than an operator three.
  assert.equal(await sharesOf(['a1', 'a2', 'a3', 'a4', 'b1', 'c1']), 'a1 a2 b1 b1 c1 c1')
  assert.equal(await sharesOf(['a2', 'a3', 'b1', 'b2', 'c1'], [{ shard: 0, peer: 'a1' }]), 'a2 b1 b2 c1 c1')
  // There is no other: who may say what it likes is not refused for it.
  assert.equal(await sharesOf(['a1', 'a2', 'a3', 'a4']), 'a1 a1 a2 a2 a3 a4')
})

test('what broke off goes to the keeper that has a part of it, which is waited for while it is busy with that', async () => {
  let [busy, sleeps] = [2, 0]
  const { transfer, store, puts } = stage({
    c: (shard) => {
      if (shard === 1 && busy-- > 0) throw new RefusedError(refusal('BUSY'))
    },
  })
  const diary: string[] = []
  const placed = await placeShards(
    {
      transfer,
      store,
      clock: { ...realClock, sleep: async () => void sleeps++ },
      diary: {
        offered: async ({ shard, peer }) => void diary.push(`${shard} to ${peer}`),
        placed: async ({ shard, peer }) => void diary.push(`${shard} at ${peer}`),
      },
    },
    {
      object: objectOf(2, 1),
      shards: [1, 2],
      held: [{ shard: 0, peer: 'a' }],
      // It need not be known as a keeper just now.
      offered: [{ shard: 1, peer: 'c' }],
      candidates: ['a', 'b'],
      keepUntilMs: untilMs,
    },
    never,
  )
  assert.deepEqual(
    placed.map(({ shard, peer }) => `${shard} at ${peer}`),
    ['1 at c', '2 at b'],
  )
  assert.equal(sleeps, 2)
  assert.equal(puts.filter(({ shard, peer }) => shard === 1 && peer === 'c').length, 3)
  assert.deepEqual(diary.toSorted(), ['1 at c', '1 to c', '2 at b', '2 to b'])
})

test('when that keeper is gone, another gets all of it; who is busy for ever is not waited for for ever', async () => {
  for (const code of ['NO_SPACE', 'BUSY']) {
    let sleeps = 0
    const { transfer, store } = stage({ c: refuses(code) })
    const placed = await placeShards(
      { transfer, store, clock: { ...realClock, sleep: async () => void sleeps++ } },
      {
        object: objectOf(1, 1),
        shards: [1],
        offered: [{ shard: 1, peer: 'c' }],
        candidates: ['c', 'b'],
        keepUntilMs: untilMs,
      },
      never,
    )
    assert.deepEqual(
      placed.map(({ peer }) => peer),
      ['b'],
    )
    assert.equal(sleeps, code === 'BUSY' ? 11 : 0)
  }
})

/** A clock that the test puts on. */
function handClock() {
  const waiting = new Set<() => void>()
  return {
    clock: {
      ...realClock,
      after: (_delayMs: number, run: () => void) => {
        waiting.add(run)
        return () => void waiting.delete(run)
      },
    },
    pass(): void {
      for (const run of waiting) {
        waiting.delete(run)
        run()
      }
    },
    waiting,
  }
}

test('who gives no sign is not waited for alone, and whoever begins first gets it', { timeout: 10_000 }, async () => {
  const { clock, pass, waiting } = handClock()
  const asked: string[] = []
  const given: string[] = []
  const silent: string[] = []
  const dead = new Set(['a', 'b'])
  const transfer: Pick<TransferService, 'put'> = {
    put: async (peer, root, source, keepUntilMs, signal) => {
      asked.push(`${root[0]} to ${peer}`)
      if (dead.has(peer)) {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        })
      }
      await source.leaf(0)
      given.push(`${root[0]} to ${peer}`)
      return keepUntilMs
    },
  }
  const { store } = stage()
  const placing = placeShards(
    { transfer, store, clock, onSilent: (peer) => void silent.push(peer) },
    { object: objectOf(2, 1), candidates: ['a', 'b', 'c', 'd', 'e'], keepUntilMs: untilMs },
    never,
  )
  while (asked.length < 3) await new Promise(setImmediate)
  await new Promise(setImmediate)
  assert.deepEqual(given, ['2 to c'])
  pass()
  const placed = await placing
  assert.deepEqual(
    placed.map(({ shard, peer }) => `${shard} at ${peer}`),
    ['0 at d', '1 at e', '2 at c'],
  )
  assert.deepEqual(silent, ['a', 'b'])
  assert.equal(waiting.size, 0)
})

test('who is only slow gets what it was offered, when nobody was faster', { timeout: 10_000 }, async () => {
  const { clock, pass } = handClock()
  const slow = Promise.withResolvers<void>()
  const gone: string[] = []
  const transfer: Pick<TransferService, 'put'> = {
    put: async (peer, _root, source, keepUntilMs, signal) => {
      if (peer === 'a') await slow.promise
      else {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            gone.push(peer)
            reject(signal.reason as Error)
          })
        })
      }
      await source.leaf(0)
      return keepUntilMs
    },
  }
  const { store } = stage()
  const placing = placeShards(
    { transfer, store, clock },
    { object: objectOf(1, 1), shards: [0], candidates: ['a', 'b'], keepUntilMs: untilMs },
    never,
  )
  await new Promise(setImmediate)
  pass()
  await new Promise(setImmediate)
  pass()
  slow.resolve()
  assert.deepEqual(
    (await placing).map(({ peer }) => peer),
    ['a'],
  )
  assert.deepEqual(gone, ['b'])
})
