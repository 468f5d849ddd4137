/** Fifty desks that all hear one bid, and what a market does when peers come, go and are interrupted: on a virtual clock, with real frames. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { cidOfDocument } from '../../protocols/wire/index.ts'
import { World, type Peer } from '../support/bench.ts'

const named = (number: number) => ({ manifest: Uint8Array.of(number), job: cidOfDocument(Uint8Array.of(number)) })
const isMatched = (peer: Peer): boolean => peer.jobEvents.some(({ stage }) => stage === 'matched')
const endings = (peer: Peer) =>
  peer.jobEvents.flatMap((event) => (event.stage === 'ended' ? [event.ending.outcome] : []))

test('at sixty providers a bid for one place is answered by sixteen at most, and leased in half a second', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  for (let seed = 2; seed < 62; seed++) world.peer(seed, { cpuHourMicro: 500_000 + 20_000 * seed })
  const tookMs: number[] = []
  for (let job = 1; job <= 12; job++) {
    const [frames, events, beganMs] = [world.frames.length, asker.jobEvents.length, world.clock.nowMs()]
    await asker.requester.submit(asker.terms({ ...named(job), fitting: 60 }))
    await world.until(() => asker.jobEvents.slice(events).some(({ stage }) => stage === 'matched'))
    tookMs.push(world.clock.nowMs() - beganMs)
    await world.until(() => asker.jobEvents.slice(events).some(({ stage }) => stage === 'ended'))
    await world.idle(5_000)
    const offers = world.frames.slice(frames).filter(({ say }) => say === 'OFFER').length
    assert.ok(offers >= 6 && offers <= 16, `${offers} offers`)
  }
  tookMs.sort((left, right) => left - right)
  assert.ok(tookMs[6]! <= 500, `p50 is ${tookMs[6]} ms`)
})

test('one that does not know how many there are is answered by all, and learns of it', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  for (let seed = 2; seed < 62; seed++) world.peer(seed)
  const offers: number[] = []
  for (let job = 1; job <= 10; job++) {
    const [frames, events] = [world.frames.length, asker.jobEvents.length]
    await asker.requester.submit(asker.terms({ ...named(job), fitting: 5 }))
    await world.until(() => asker.jobEvents.slice(events).some(({ stage }) => stage === 'ended'))
    await world.idle(5_000)
    offers.push(world.frames.slice(frames).filter(({ say }) => say === 'OFFER').length)
  }
  assert.ok(offers[0]! > 16, String(offers))
  assert.ok(
    offers.slice(-4).every((count) => count <= 16),
    String(offers),
  )
})

test('when those that were chosen fail, the ones that kept silent are called back', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const workers = Array.from({ length: 40 }, (_, index) => world.peer(2 + index))
  const offered = new Set<string>()
  // Whoever has offered so far is mute; then nobody is any more.
  world.fate = ({ from, to, say }) => {
    if (say === 'OFFER' && offered.size < 12) offered.add(from)
    return say === 'AWARD' && offered.has(to) ? 0 : 1
  }
  await asker.requester.submit(asker.terms({ fitting: 40, bidUntilMs: world.clock.nowMs() + 90_000, retriesMax: 20 }))
  await world.until(() => endings(asker).length > 0)
  assert.deepEqual(endings(asker), ['paid'])
  await world.idle(20_000)
  for (const worker of workers) assert.equal(worker.provider.inUse().cpuMilli, 0)
})

test('no-shows, however many and cheap, do not use up the time to wait, and are not chosen for the next job', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const mute = [2, 3, 4, 5, 6].map((seed) => world.peer(seed, { cpuHourMicro: 100_000 }))
  for (let seed = 7; seed < 10; seed++) world.peer(seed)
  const names = mute.map(({ name }) => name)
  world.fate = ({ to, say }) => Number(say !== 'AWARD' || !names.includes(to))
  await asker.requester.submit(asker.terms({ ...named(1), bidUntilMs: world.clock.nowMs() + 8_000 }))
  await world.until(() => endings(asker).length === 1)
  assert.deepEqual(endings(asker), ['paid'])
  for (const event of asker.jobEvents) if (event.stage === 'replacing') asker.standings.set(event.peer, 0.33)
  const before = asker.jobEvents.length
  await asker.requester.submit(asker.terms(named(2)))
  await world.until(() => endings(asker).length === 2)
  const tried = asker.jobEvents.slice(before).flatMap((event) => (event.stage === 'replacing' ? [event.peer] : []))
  assert.ok(
    tried.length < mute.length && tried.every((peer) => (asker.standings.get(peer) ?? 0.5) === 0.5),
    String(tried),
  )
})

test('an award that was not taken is no try: whoever falls silent at work afterwards is replaced all the same', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const mute = [2, 3, 4].map((seed) => world.peer(seed, { cpuHourMicro: 100_000 }).name)
  const silent = world.peer(5, { cpuHourMicro: 200_000, workMs: 60_000 })
  world.peer(6)
  let isAtWork = false
  world.fate = ({ from, to, say }) => {
    if (say === 'AWARD' && mute.includes(to)) return 0
    if (from === silent.name && say === 'STARTED') isAtWork = true
    return Number(!isAtWork || (from !== silent.name && to !== silent.name) || say === 'STARTED')
  }
  await asker.requester.submit(asker.terms({ ...named(1), retriesMax: 1 }))
  await world.until(() => endings(asker).length === 1)
  assert.ok(isAtWork)
  assert.deepEqual(endings(asker), ['paid'])
})

test('a provider full then free bids within a second', async () => {
  const world = new World()
  const [first, second] = [world.peer(1, { lends: false }), world.peer(3, { lends: false })]
  const worker = world.peer(2, { workMs: 10_000 })
  worker.standings.set(first.name, 0.6)
  worker.standings.set(second.name, 0.6)
  for (const job of [1, 2]) await first.requester.submit(first.terms(named(job)))
  await world.until(() => worker.leaseEvents.filter(({ stage }) => stage === 'running').length === 2)
  await second.requester.submit(second.terms({ ...named(3), bidUntilMs: world.clock.nowMs() + 60_000 }))
  await world.idle(3_000)
  assert.ok(!isMatched(second))
  await world.until(() => worker.leaseEvents.some(({ stage }) => stage === 'reported'))
  const freeMs = world.clock.nowMs()
  await world.until(() => world.frames.some(({ say, to }) => say === 'OFFER' && to === second.name))
  assert.ok(world.clock.nowMs() - freeMs <= 1_000)
})

test('three interrupted requesters leave all capacity free within the hold time', async () => {
  const world = new World()
  const workers = [10, 11, 12].map((seed) => world.peer(seed))
  const askers = [1, 2, 3].map((seed) => world.peer(seed, { lends: false }))
  for (const [index, asker] of askers.entries()) await asker.requester.submit(asker.terms(named(index)))
  await world.until(() => workers.some(({ provider }) => provider.inUse().cpuMilli > 0))
  await world.idle(60)
  assert.ok(workers.some(({ provider }) => provider.inUse().cpuMilli > 0))
  for (const asker of askers) asker.silence()
  // An offer is held for 6 s, an accepted award for 5 s from when it was accepted.
  await world.idle(6_500)
  for (const worker of workers) assert.equal(worker.provider.inUse().cpuMilli, 0, world.story())
})

test('a requester that restarts is attached to its lease again within five seconds', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 20_000 })]
  await asker.requester.submit(asker.terms())
  await world.until(() => asker.jobEvents.some(({ stage }) => stage === 'running'))
  await world.idle(2_000)
  const again = asker.restart(1, { lends: false })
  const backMs = world.clock.nowMs()
  await world.until(() => again.jobEvents.some(({ stage }) => stage === 'progress' || stage === 'receipt'))
  assert.ok(world.clock.nowMs() - backMs <= 5_000)
  await world.until(() => endings(again).length > 0)
  assert.deepEqual(endings(again), ['paid'])
  assert.equal(worker.leaseEvents.filter(({ stage }) => stage === 'leased').length, 1)
})

test('a no-show is replaced within five seconds', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const mute = world.peer(2)
  const other = world.peer(3, { cpuHourMicro: 2_000_000 })
  world.fate = ({ to, say }) => Number(to !== mute.name || say !== 'AWARD')
  await asker.requester.submit(asker.terms())
  await world.until(() => world.frames.some(({ to, say }) => to === mute.name && say === 'AWARD'))
  const awardedMs = world.clock.nowMs()
  await world.until(() => world.frames.some(({ to, say }) => to === other.name && say === 'AWARD'))
  assert.ok(world.clock.nowMs() - awardedMs <= 5_000)
})
