// What becomes of a transfer when nothing comes: on a virtual clock, so that a minute takes no time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import {
  createTransfer,
  creditIdleMsMax,
  emptyShelf,
  exchangeMsMax,
  idleMsMax,
} from '../../protocols/transfer/index.ts'
import type { Streams } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { DeadlineError } from '../../src/environment.ts'
import {
  Stage,
  allLeaves,
  block,
  client,
  keeper,
  never,
  root,
  shardBytes,
  shardSource,
  type Other,
} from './other-peer.ts'

/** Lets time pass until the promise has settled, and tells how much it took. */
async function elapsed(clock: VirtualClock, settling: Promise<unknown>): Promise<number> {
  let settled = false
  void settling.catch(() => {}).finally(() => (settled = true))
  for (let rounds = 0; rounds < 20_000; rounds++) {
    // What is ready has run when the event loop comes round.
    await setImmediate()
    if (settled) return clock.monotonicMs()
    clock.jump()
  }
  throw new Error('it never ends')
}

const isDeadline = (error: unknown): boolean => error instanceof DeadlineError
const forEver = async (): Promise<void> => Promise.withResolvers<void>().promise
const silent = async (other: Other): Promise<void> => {
  await other.hear()
  await forEver()
}

test('a keeper that does not answer is given up', async () => {
  const clock = new VirtualClock(0)
  using stage = new Stage(clock)
  const get = stage.get(silent)
  assert.equal(await elapsed(clock, get), idleMsMax)
  await assert.rejects(get, isDeadline)
})

test('a keeper that falls silent in the middle is given up, and what came is kept', async () => {
  const clock = new VirtualClock(0)
  using stage = new Stage(clock)
  const got: number[] = []
  const service = await stage.client(async (other) => {
    await other.hear()
    await other.say({ say: 'have', shardBytes })
    await other.say(block(0))
    await forEver()
  })
  const get = service.get(keeper, root, shardBytes, allLeaves, async (leaf) => void got.push(leaf), never)
  assert.equal(await elapsed(clock, get), idleMsMax)
  await assert.rejects(get, isDeadline)
  assert.deepEqual(got, [0])
})

test('a keeper that feeds crumbs within the idle limit ends at the limit of the exchange', async () => {
  const clock = new VirtualClock(0)
  using stage = new Stage(clock)
  const get = stage.get(async (other) => {
    await other.hear()
    await other.say({ say: 'have', shardBytes })
    for (let leaf = 0; leaf < 71; leaf++) {
      await clock.sleep(idleMsMax - 1, never)
      await other.say(block(leaf))
    }
  })
  assert.equal(await elapsed(clock, get), exchangeMsMax(71 * 65_536))
  await assert.rejects(get, isDeadline)
})

test('an uploader that falls silent does not hold its place, and the shard is abandoned', async () => {
  const clock = new VirtualClock(0)
  using stage = new Stage(clock)
  const abandoned = Promise.withResolvers<void>()
  const other = await stage.keeper({
    admit: async () => ({
      admit: 'all',
      keepUntilMs: 1,
      sink: {
        needed: allLeaves,
        write: async () => {},
        finish: async () => assert.fail('nothing was sent'),
        abandon: async () => abandoned.resolve(),
      },
    }),
  })
  await other.say({ say: 'put', root, shardBytes, keepUntilMs: 1 })
  assert.equal(await elapsed(clock, abandoned.promise), idleMsMax)
  await assert.rejects(async () => {
    for (;;) await other.hear()
  })
})

test('a client that says nothing at all does not hold its place', async () => {
  const clock = new VirtualClock(0)
  using stage = new Stage(clock)
  const other = await stage.keeper({ open: async () => shardSource })
  assert.equal(await elapsed(clock, other.hear()), idleMsMax)
})

test('a client that waits for others before it grants more credit is not cut off, but not waited for for ever', async () => {
  const clock = new VirtualClock(0)
  using stage = new Stage(clock)
  const other = await stage.keeper({ open: async () => shardSource })
  await other.say({ say: 'get', root })
  await other.hear()
  const heard = clock.sleep(creditIdleMsMax - 1, never).then(async () => {
    await other.say({ say: 'want', firstLeaf: 0, count: 1 })
    return other.hear()
  })
  await elapsed(clock, heard)
  assert.deepEqual(await heard, block(0))
  const ended = other.hear()
  assert.equal(await elapsed(clock, ended), 2 * creditIdleMsMax - 1)
  await assert.rejects(ended, isDeadline)
})

test('whoever gives up is free at once, and the other side is told', async () => {
  using stage = new Stage()
  const controller = new AbortController()
  const told = Promise.withResolvers<unknown>()
  const get = stage.get(
    async (other) => {
      await other.hear()
      await other.say({ say: 'have', shardBytes })
      await other.hear()
      controller.abort(new Error('enough'))
      await other.hear().then(told.resolve, told.resolve)
    },
    allLeaves,
    controller.signal,
  )
  await assert.rejects(get, /enough/)
  assert.match(String(await told.promise), /enough/)
  await assert.rejects(stage.get(silent, allLeaves, controller.signal), /enough/, 'nothing is begun')
})

test('a keeper that never closes does not hold the stream: what came is here at once, and the stream is ended a little later', async () => {
  const clock = new VirtualClock(0)
  using stage = new Stage(clock)
  const streams = stage.board.streamsOf(client)
  const aborted = Promise.withResolvers<void>()
  const watched: Streams = {
    handle: async () => {},
    async open(...args) {
      const channel = await streams.open(...args)
      return {
        ...channel,
        abort(reason) {
          channel.abort(reason)
          aborted.resolve()
        },
      }
    },
  }
  await stage.client(async (other) => {
    await other.hear()
    await other.say({ say: 'have', shardBytes })
    await other.hear()
    await other.say(block(0))
    await forEver()
  })
  const service = createTransfer({ streams: watched, timekeeper: clock, shelf: emptyShelf })
  assert.equal(
    await elapsed(
      clock,
      service.get(keeper, root, shardBytes, [0], async () => {}, never),
    ),
    0,
  )
  assert.equal(await elapsed(clock, aborted.promise), idleMsMax)
})
