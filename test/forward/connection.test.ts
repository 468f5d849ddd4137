// Connections over joined channels: bytes both ways, half-closed, refused, broken; what no honest peer sends is said by hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  createForward,
  decodeForward,
  encodeForward,
  forwardDataBytesMax,
  forwardIdleMs,
  forwardLimits,
  forwardProtocol,
  forwardsMax,
  type Connect,
  type ConnectionEnd,
} from '../../protocols/forward/index.ts'
import { Fault, RefusedError, refusal } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { signer } from '../support/peers.ts'

const never = new AbortController().signal
const [provider, requester] = [signer(1).peer, signer(2).peer]
const lease = 'ab'.repeat(32)

/** An end whose other side is the test. */
class Made implements ConnectionEnd {
  readonly sent: Uint8Array[] = []
  readonly ended = Promise.withResolvers<void>()
  readonly closed = Promise.withResolvers<void>()
  #give: ((bytes: Uint8Array | undefined) => void) | undefined
  #given: (Uint8Array | undefined)[] = []
  isClosed = false
  /** How often something was asked of it, and given. */
  taken = 0
  /** Sending waits for this. */
  room: Promise<void> = Promise.resolve()

  give(bytes: Uint8Array | undefined): void {
    if (this.#give === undefined) this.#given.push(bytes)
    else this.#give(bytes)
    this.#give = undefined
  }

  readonly received = {
    [Symbol.asyncIterator]: () => ({
      next: async (): Promise<IteratorResult<Uint8Array>> => {
        const bytes =
          this.#given.length > 0
            ? this.#given.shift()
            : await new Promise<Uint8Array | undefined>((resolve) => {
                this.#give = resolve
              })
        this.taken++
        return bytes === undefined ? { done: true, value: undefined } : { done: false, value: bytes }
      },
    }),
  }

  async send(bytes: Uint8Array): Promise<void> {
    await this.room
    this.sent.push(bytes.slice())
  }

  end(): void {
    this.ended.resolve()
  }

  close(): void {
    this.isClosed = true
    this.closed.resolve()
    this.give(undefined)
  }

  get text(): string {
    return Buffer.concat(this.sent).toString('utf8')
  }
}

async function stage(connect?: Connect) {
  const board = new Switchboard()
  const far = new Made()
  const over = new AbortController()
  const asked: [string, string, number][] = []
  const of = (self: string) =>
    createForward({
      streams: board.streamsOf(self),
      timekeeper: realClock,
      connect:
        connect ??
        (async (from, named, port) => {
          asked.push([from, named, port])
          return { end: asked.length === 1 ? far : new Made(), over: over.signal }
        }),
    })
  await of(provider).serve()
  return { board, near: of(requester), far, over, asked }
}

test('bytes go both ways, and one direction may end before the other', async () => {
  const { near, far, asked } = await stage()
  const here = new Made()
  const connection = await near.open(provider, lease, 80, never)
  const carried = connection.carry(here, never)
  here.give(Buffer.from('a question'))
  here.give(undefined)
  await far.ended.promise
  assert.equal(far.text, 'a question')
  assert.ok(!far.isClosed)
  far.give(Buffer.alloc(3 * forwardDataBytesMax + 1, 'x'))
  far.give(undefined)
  await carried
  assert.equal(here.text, 'x'.repeat(3 * forwardDataBytesMax + 1))
  assert.ok(here.isClosed)
  await far.closed.promise
  assert.deepEqual(asked, [[requester, lease, 80]])
})

test('why not is said, and costs nobody standing', async () => {
  for (const code of ['LEASE_UNKNOWN', 'PORT_NOT_EXPOSED', 'PORT_CLOSED']) {
    const { near, board } = await stage(async () => refusal(code))
    await assert.rejects(near.open(provider, lease, 80, never), (error) => {
      assert.ok(error instanceof RefusedError)
      return error.code === code
    })
    assert.deepEqual(board.faults, [])
  }
})

test('a lease that is over closes the connection, on both sides', async () => {
  const { near, far, over } = await stage()
  const here = new Made()
  const connection = await near.open(provider, lease, 80, never)
  const carried = connection.carry(here, never)
  over.abort(new Error('the lease is over'))
  await assert.rejects(carried)
  await far.closed.promise
  assert.ok(here.isClosed)
})

test('a caller that goes closes it as well', async () => {
  const { near, far } = await stage()
  const here = new Made()
  const gone = new AbortController()
  const connection = await near.open(provider, lease, 80, never)
  const carried = connection.carry(here, gone.signal)
  gone.abort(new Error('gone'))
  await assert.rejects(carried)
  await far.closed.promise
  assert.ok(here.isClosed)
})

test('a program that does not read is not sent for ever: back-pressure', async () => {
  const { near, far } = await stage()
  const here = new Made()
  const { promise, resolve } = Promise.withResolvers<void>()
  far.room = promise
  const connection = await near.open(provider, lease, 80, never)
  const carried = connection.carry(here, never)
  // Far more than a stream holds.
  const pieces = 64
  for (let piece = 0; piece < pieces; piece++) here.give(Buffer.alloc(forwardDataBytesMax, piece))
  here.give(undefined)
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
  assert.equal(far.sent.length, 0)
  assert.ok(here.taken < pieces / 2, `${here.taken} pieces were taken from who sends`)
  resolve()
  await far.ended.promise
  assert.deepEqual(
    far.sent.map(([first]) => first),
    Array.from({ length: pieces }, (_, piece) => piece),
  )
  far.give(undefined)
  await carried
})

test('a connection on which nothing moves is closed, one on which something does is not', async () => {
  let nowMs = 0
  const timers = new Map<() => void, number>()
  const timekeeper = {
    monotonicMs: () => nowMs,
    after(delayMs: number, run: () => void) {
      timers.set(run, nowMs + delayMs)
      return () => void timers.delete(run)
    },
    deadline: (delayMs: number, parent?: AbortSignal) => realClock.deadline(delayMs, parent),
  }
  const goTo = async (atMs: number): Promise<void> => {
    nowMs = atMs
    for (const [run, dueMs] of timers)
      if (dueMs <= nowMs) {
        timers.delete(run)
        run()
      }
    await new Promise(setImmediate)
  }
  const board = new Switchboard()
  const far = new Made()
  const of = (self: string) =>
    createForward({
      streams: board.streamsOf(self),
      timekeeper: self === requester ? timekeeper : realClock,
      connect: async () => ({ end: far, over: never }),
    })
  await of(provider).serve()
  const here = new Made()
  const connection = await of(requester).open(provider, lease, 80, never)
  const carried = connection.carry(here, never)
  carried.catch(() => {})
  here.give(Buffer.from('a'))
  await new Promise(setImmediate)
  await goTo(forwardIdleMs - 1)
  here.give(Buffer.from('b'))
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  await goTo(forwardIdleMs)
  assert.ok(!here.isClosed, 'it has moved meanwhile')
  await goTo(2 * forwardIdleMs - 1)
  await assert.rejects(carried, /nothing moved for too long/)
  assert.ok(here.isClosed)
  await far.closed.promise
  assert.equal(timers.size, 0)
})

test('so many and no more', async () => {
  const { near, over } = await stage()
  const open = await Promise.all(Array.from({ length: forwardsMax }, async () => near.open(provider, lease, 80, never)))
  await assert.rejects(near.open(provider, lease, 80, never), { code: 'BUSY' })
  assert.equal(open.length, forwardsMax)
  over.abort(new Error('the lease is over'))
})

test('what comes out of turn is a fault', async () => {
  const frames: [first: Uint8Array, second?: Uint8Array][] = [
    [encodeForward({ say: 'data', bytes: Uint8Array.of(1) })],
    [encodeForward({ say: 'opened' })],
    [encodeForward({ say: 'open', lease, port: 80 }), encodeForward({ say: 'open', lease, port: 80 })],
  ]
  for (const [first, second] of frames) {
    const { board, far } = await stage()
    const channel = await board.streamsOf(requester).open(provider, forwardProtocol, forwardLimits, never)
    await channel.write(first, never)
    if (second !== undefined) {
      assert.equal(decodeForward((await channel.read(never))!).say, 'opened')
      await channel.write(second, never)
      await far.closed.promise
    }
    await assert.rejects(async () => {
      for (;;) if ((await channel.read(never)) === undefined) throw new Error('closed')
    })
    assert.deepEqual(
      board.faults.map(({ peer, error }) => [peer, error instanceof Fault && error.code]),
      [[requester, 'OUT_OF_TURN']],
    )
  }
})

test('what a frame may not say', () => {
  const wrong: [Uint8Array, string][] = [
    [encodeForward({ say: 'open', lease, port: 0 }), 'FIELD_INVALID'],
    [encodeForward({ say: 'open', lease, port: 65_536 }), 'FIELD_INVALID'],
    [encodeForward({ say: 'open', lease: 'ab', port: 80 }), 'FIELD_INVALID'],
    [encodeForward({ say: 'data', bytes: new Uint8Array() }), 'FIELD_INVALID'],
    [new Uint8Array(), 'FIELD_INVALID'],
    [Uint8Array.of(0x12, 0xff), 'FRAME_MALFORMED'],
  ]
  for (const [bytes, code] of wrong)
    assert.throws(
      () => decodeForward(bytes),
      (error) => error instanceof Fault && error.code === code,
    )
})
