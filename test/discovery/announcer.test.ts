// What is announced, when, and what becomes of what others announce.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Capability } from '../../protocols/capability/index.ts'
import { capabilityTopic, lifeSignEveryMs, lifeSignMsMax, lifeSignMsMin } from '../../protocols/discover/index.ts'
import type { Gossip, TopicHandler } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { SeededRandom } from '../../sim/random.ts'
import { Announcer } from '../../src/discovery/announcer.ts'
import { RecordIndex } from '../../src/discovery/record-index.ts'
import { silentLog } from '../../src/environment.ts'
import { network, signer } from '../support/peers.ts'
import { Floor, people, settle, startMs } from './boards.ts'
import { sealedKeeperRecord } from '../support/keeper-record.ts'

const one = people[1]!
const sealed = (by: (typeof people)[number], over: Partial<Capability> = {}) => sealedKeeperRecord(by, startMs, over)

function opened(mayAnnounce?: Promise<void>) {
  const clock = new VirtualClock(startMs)
  const published: { readonly atMs: number; readonly text: string }[] = []
  let handler: TopicHandler | undefined
  let hearers = 3
  const gossip: Gossip = {
    subscribe: (topic, each) => {
      assert.equal(topic, capabilityTopic(network))
      handler = each
      return () => {}
    },
    publish: async (_topic, message) => {
      published.push({ atMs: clock.nowMs() - startMs, text: Buffer.from(message).toString() })
      return hearers
    },
    meshDegree: () => hearers,
  }
  const index = new RecordIndex({ notary: { signer: signer(0), network }, clock, floor: new Floor() })
  let renewals = 0
  const announcer = new Announcer({
    gossip,
    notary: { signer: signer(0), network },
    index,
    clock,
    random: SeededRandom.of(1, 'announcer'),
    log: silentLog,
    floorOf: (peer) => index.get(peer)?.capability.sequence ?? -1,
    renew: async () => Buffer.from(`life ${++renewals}`),
    mayAnnounce,
  })
  announcer.begin()
  const until = async (atMs: number) => {
    for (;;) {
      await settle()
      if (clock.nextMs === undefined || clock.nextMs > startMs + atMs) return
      clock.jump()
    }
  }
  const hear = (by: string, envelope: Uint8Array) => {
    const verdict = handler!.judge(by, envelope)
    if (verdict === 'accept') handler!.deliver(by, envelope)
    return verdict
  }
  const say = (text: string) => announcer.announce(Buffer.from(text))
  const texts = () => published.map(({ text }) => text)
  const alone = (isAlone: boolean) => void (hearers = isAlone ? 0 : 3)
  return { announcer, clock, published, index, until, hear, say, texts, alone }
}

test('what others announce is known, once and not again', () => {
  const { index, hear } = opened()
  assert.equal(hear(one.peer, sealed(one)), 'accept')
  assert.ok(index.isAlive(one.peer))
  assert.equal(hear(one.peer, sealed(one)), 'ignore')
  assert.equal(hear(one.peer, sealed(one, { sequence: 6, withdrawn: true })), 'accept')
  assert.equal(index.get(one.peer), undefined)
  assert.equal(hear(one.peer, sealed(one).with(-1, 0)), 'reject')
})

test('news are announced within two seconds, and afterwards a sign of life', async () => {
  const { until, say, published, texts } = opened()
  say('first')
  await until(2_000)
  assert.deepEqual(texts(), ['first'])
  await until(2_000 + lifeSignMsMin * 1.1)
  assert.deepEqual(texts(), ['first', 'life 1'])
  const betweenMs = published[1]!.atMs - published[0]!.atMs
  assert.ok(betweenMs >= lifeSignMsMin * 0.9 && betweenMs <= lifeSignMsMin * 1.1)
})

test('how often a peer says that it lives goes by how many there are', () => {
  assert.equal(lifeSignEveryMs(1), lifeSignMsMin)
  assert.equal(lifeSignEveryMs(150), 150_000)
  assert.equal(lifeSignEveryMs(4_096), lifeSignMsMax)
})

test('changes that follow each other are announced together, and never more often than others pass on', async () => {
  const { until, say, published } = opened()
  for (const atMs of [0, 100, 200, 2_500, 2_600, 3_000]) {
    await until(atMs)
    say(`at ${atMs}`)
  }
  await until(30_000)
  assert.equal(published.at(-1)?.text, 'at 3000')
  assert.equal(published.length, 2)
  assert.ok(published[1]!.atMs - published[0]!.atMs >= 5_000)
})

test('who is alone says it again until somebody hears it', async () => {
  const { until, say, texts, alone } = opened()
  alone(true)
  say('first')
  await until(7_000)
  const before = texts().length
  assert.ok(before >= 3)
  alone(false)
  await until(12_000)
  assert.equal(texts().length, before + 1)
})

test('that everything is taken back is announced at once, and nothing follows', async () => {
  const { until, say, texts, announcer } = opened()
  say('first')
  await until(2_000)
  await announcer.takeBack(Buffer.from('back'))
  assert.deepEqual(texts(), ['first', 'back'])
  say('late')
  await until(lifeSignMsMax * 2)
  assert.deepEqual(texts(), ['first', 'back'])
})

test('nothing is announced before it may be, and then the newest', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { until, say, texts } = opened(promise)
  say('first')
  say('second')
  await until(20_000)
  assert.deepEqual(texts(), [])
  resolve()
  await until(25_000)
  assert.deepEqual(texts(), ['second'])
})
