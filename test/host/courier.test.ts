// The courier over streams that a test opens, refuses, resets and counts.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as sleep } from 'node:timers/promises'

import { Fault, type Channel, type Streams } from '../../protocols/wire/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { createChannel, type StreamChannel } from '../../src/host/channel.ts'
import { createCourier, type Courier, type CourierLimits } from '../../src/host/index.ts'
import { addressOf, bytes, deadlineMs, eventually, inTime, startedHost, stopAll } from './network.ts'
import { streamPair } from './stream-pair.ts'

const limits = { frameBytesMax: 64, streamsPerPeerMax: 4 }
const queue = { ...limits, queueBytesMax: 64 * 1024 }
const protocol = '/pleach/talk/1'

/** Streams of which the test holds the far ends. */
class Lines implements Streams {
  readonly far: Channel[] = []
  readonly near: StreamChannel[] = []
  refuse = false
  hold: Promise<void> = Promise.resolve()
  attempts = 0
  handler: ((channel: Channel) => Promise<void>) | undefined

  async open(): Promise<Channel> {
    this.attempts += 1
    await this.hold
    if (this.refuse) throw new Error('nobody is there')
    const { near, far } = await streamPair()
    const channel = createChannel(near, 'them', queue)
    this.near.push(channel)
    this.far.push(createChannel(far, 'us', queue))
    return channel
  }

  async handle(_protocol: string, _limits: object, handler: (channel: Channel) => Promise<void>): Promise<void> {
    this.handler = handler
  }
}

const world = async (changed: Partial<CourierLimits> = {}) => {
  const lines = new Lines()
  const faults: Fault[] = []
  const heard: string[] = []
  const onFault = (_peer: string, _protocol: string, fault: Fault): void => void faults.push(fault)
  const courier = createCourier(lines, { clock: realClock, log: silentLog, onFault, limits: changed })
  await courier.register(protocol, limits, (from, frame) => {
    const text = new TextDecoder().decode(frame)
    if (text === 'bad') throw new Fault('OUT_OF_TURN', 'not now')
    heard.push(`${from} ${text}`)
  })
  return { lines, courier, faults, heard }
}
const say = (courier: Courier, ...texts: string[]): void => {
  for (const text of texts) courier.send('them', protocol, bytes(text))
}
const read = async (channel: Channel | undefined): Promise<string | undefined> => {
  const frame = await (channel ?? assert.fail('no stream')).read(inTime())
  return frame === undefined ? undefined : new TextDecoder().decode(frame)
}

describe('the courier', { timeout: deadlineMs }, () => {
  test('carries frames in order on one stream', async () => {
    const { lines, courier } = await world()
    say(courier, 'one', 'two')
    await eventually('a stream is there', () => lines.far.length === 1)
    say(courier, 'three')
    for (const text of ['one', 'two', 'three']) assert.equal(await read(lines.far[0]), text)
    say(courier, 'four')
    assert.equal(await read(lines.far[0]), 'four')
    assert.equal(lines.attempts, 1)
    courier.stop()
  })

  test('keeps the newest frames when there are too many', async () => {
    const { lines, courier } = await world({ messagesQueuedMax: 3 })
    const held = Promise.withResolvers<void>()
    lines.hold = held.promise
    say(courier, 'first')
    await eventually('the first is under way', () => lines.attempts === 1)
    say(courier, 'a', 'b', 'c', 'd', 'e')
    held.resolve()
    await eventually('a stream is there', () => lines.far.length === 1)
    for (const text of ['first', 'c', 'd', 'e']) assert.equal(await read(lines.far[0]), text)
    courier.stop()
  })

  test('hears a peer that says too much at a pace, and the rest waits on its side', async () => {
    const { lines, courier, heard } = await world({ framesHeardPerSecondMax: 100, framesHeardAtOnceMax: 5 })
    const { near, far } = await streamPair()
    const hearing = lines.handler!(createChannel(near, 'them', queue))
    const talker = createChannel(far, 'us', queue)
    const startedMs = performance.now()
    for (let frame = 0; frame < 25; frame++) await talker.write(bytes(String(frame)), inTime())
    await eventually('all are heard', () => heard.length === 25)
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs >= 190, `${tookMs} ms for the twenty that were too many`)
    courier.stop()
    await hearing
  })

  test('drops frames to whom it cannot reach, and tries again with the next', async () => {
    const { lines, courier } = await world()
    lines.refuse = true
    say(courier, 'lost', 'lost too')
    await eventually('it has tried', () => lines.attempts === 1)
    await eventually('it has given up', () => {
      lines.refuse = false
      say(courier, 'found')
      return lines.far.length > 0
    })
    assert.equal(await read(lines.far[0]), 'found')
    courier.stop()
  })

  test('opens anew when the stream has ended meanwhile, and loses nothing by it', async () => {
    const { lines, courier } = await world()
    say(courier, 'one')
    await eventually('a stream is there', () => lines.far.length === 1)
    assert.equal(await read(lines.far[0]), 'one')
    lines.far[0]!.abort(new Error('gone'))
    await lines.near[0]!.closed
    await sleep()
    say(courier, 'two')
    await eventually('there is a second', () => lines.far.length === 2)
    assert.equal(await read(lines.far[1]), 'two')
    courier.stop()
  })

  test('closes a stream on which nothing was said for a while', async () => {
    const { lines, courier } = await world({ idleMs: 30 })
    say(courier, 'one')
    await eventually('a stream is there', () => lines.far.length === 1)
    assert.equal(await read(lines.far[0]), 'one')
    assert.equal(await read(lines.far[0]), undefined)
    say(courier, 'two')
    await eventually('there is a second', () => lines.far.length === 2)
    assert.equal(await read(lines.far[1]), 'two')
    courier.stop()
  })

  test('hears what comes on streams of others, and what comes back on its own', async () => {
    const { lines, courier, heard } = await world()
    const { near, far } = await streamPair()
    const theirs = createChannel(near, 'us', queue)
    const answered = lines.handler!(createChannel(far, 'them', queue))
    await theirs.write(bytes('a'), inTime())
    await theirs.close(inTime())
    await answered
    say(courier, 'hello')
    await eventually('a stream is there', () => lines.far.length === 1)
    await lines.far[0]!.write(bytes('b'), inTime())
    await eventually('both are heard', () => heard.length === 2)
    assert.deepEqual(heard, ['them a', 'them b'])
    courier.stop()
  })

  test('ends a stream on which the other side breaks the protocol, and tells of it', async () => {
    const { lines, courier, faults } = await world()
    const { near, far } = await streamPair()
    const theirs = createChannel(near, 'us', queue)
    const answered = assert.rejects(lines.handler!(createChannel(far, 'them', queue)), Fault)
    await theirs.write(bytes('bad'), inTime())
    await answered
    assert.deepEqual(faults, [], 'that one is told by whoever answers streams')
    say(courier, 'hello')
    await eventually('a stream is there', () => lines.far.length === 1)
    await lines.far[0]!.write(bytes('bad'), inTime())
    await eventually('it is told', () => faults.length === 1)
    assert.equal(await read(lines.far[0]), 'hello')
    await assert.rejects(read(lines.far[0]))
    courier.stop()
  })

  test('has a bound on peers it writes to, and refuses what was not agreed', async () => {
    const { lines, courier } = await world({ outboxesMax: 1 })
    say(courier, 'one')
    courier.send('another', protocol, bytes('dropped'))
    await eventually('a stream is there', () => lines.far.length === 1)
    assert.equal(lines.attempts, 1)
    assert.throws(() => courier.send('them', '/pleach/other/1', bytes('x')), /not registered/)
    assert.throws(() => courier.send('them', protocol, new Uint8Array(65)), RangeError)
    courier.stop()
  })

  test('stops: what waits is dropped, streams end, and nothing is opened any more', async () => {
    const { lines, courier } = await world()
    say(courier, 'one')
    await eventually('a stream is there', () => lines.far.length === 1)
    assert.equal(await read(lines.far[0]), 'one')
    const { far } = await streamPair()
    const answering = lines.handler!(createChannel(far, 'them', queue))
    courier.stop()
    await answering
    assert.equal(await read(lines.far[0]).catch(() => undefined), undefined)
    say(courier, 'two')
    assert.equal(lines.attempts, 1)
  })
})

test('two couriers of two hosts talk', { timeout: deadlineMs }, async () => {
  const hosts = [await startedHost(), await startedHost()]
  const heard: string[][] = [[], []]
  try {
    const couriers = await Promise.all(
      hosts.map(async (host, index) => {
        const courier = createCourier(host.streams, { clock: realClock, log: silentLog, onFault: () => {} })
        await courier.register(protocol, limits, (from, frame) => {
          const text = new TextDecoder().decode(frame)
          heard[index]!.push(text)
          if (index === 1) courier.send(from, protocol, bytes(`${text}!`))
        })
        return courier
      }),
    )
    await hosts[0]!.dial(addressOf(hosts[1]!), inTime())
    const said = Array.from({ length: 50 }, (_, index) => `frame ${index}`)
    for (const text of said) couriers[0]!.send(hosts[1]!.peer, protocol, bytes(text))
    await eventually('all is answered', () => heard[0]!.length === said.length)
    assert.deepEqual(heard[1], said)
    assert.deepEqual(
      heard[0],
      said.map((text) => `${text}!`),
    )
    for (const courier of couriers) courier.stop()
  } finally {
    await stopAll(hosts)
  }
})
