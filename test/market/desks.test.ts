import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { LeaseEvent } from '../../src/market/lease-machine.ts'
import { plainLending } from '../../sim/model/stand-ins.ts'
import { cidOfDocument } from '../../protocols/wire/index.ts'
import { World, type Peer } from '../support/bench.ts'

const ending = (peer: Peer) => {
  const event = peer.jobEvents.findLast((candidate) => candidate.stage === 'ended')
  return event?.stage === 'ended' ? event.ending : undefined
}
const leaseEnding = (peer: Peer) => {
  const event = peer.leaseEvents.findLast(
    (candidate): candidate is Extract<LeaseEvent, { stage: 'ended' }> => candidate.stage === 'ended',
  )
  return event?.ending
}
const statements = (peer: Peer) => peer.journal.flatMap((entry) => entry.statements.map(({ kind }) => kind))

test('a job is bid for, leased, run, and paid on both sides', async () => {
  const world = new World()
  const [asker, cheap, dear] = [
    world.peer(1, { lends: false }),
    world.peer(2),
    world.peer(3, { cpuHourMicro: 2_000_000 }),
  ]
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined && leaseEnding(cheap) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' })
  assert.deepEqual(leaseEnding(cheap), { outcome: 'paid', code: 'PAID' })
  const ended = asker.jobEvents.at(-1)
  // 3 s of one processor at 1.0 an hour: 3_000_000 / 3_600 rounded up.
  assert.equal(ended?.stage === 'ended' && ended.amountMicro, 834)
  assert.deepEqual(statements(asker).slice(0, 3), ['award', 'accept', 'commit'])
  assert.deepEqual(new Set(statements(asker)), new Set(statements(cheap)))
  assert.equal(
    statements(asker).filter((kind) => kind === 'receipt').length,
    statements(cheap).filter((kind) => kind === 'countersignature').length,
  )
  assert.equal(dear.provider.inUse().cpuMilli, 0, 'the one that was not chosen was released')
  assert.equal(cheap.provider.inUse().cpuMilli, 0)
  assert.equal(
    world.frames.some((frame) => frame.to === dear.name && frame.say === 'RELEASE'),
    true,
  )
  assert.deepEqual([...asker.faults, ...cheap.faults, ...dear.faults], [])
})

test('clocks may differ by 30 s, either way, however short the bid is', async () => {
  for (const skewMs of [30_000, -30_000]) {
    const world = new World()
    const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { skewMs })]
    await asker.requester.submit(asker.terms({ bidUntilMs: world.clock.nowMs() + 1_000 }))
    await world.until(() => ending(asker) !== undefined && leaseEnding(worker) !== undefined)
    assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' })
    assert.equal(world.frames.filter(({ say }) => say === 'OFFER').length, 1, 'the first offer is taken')
    assert.deepEqual([...asker.faults, ...worker.faults], [])
  }
})

test('every message may be lost once: the job is still paid', async (context) => {
  const rehearsal = new World()
  const first = rehearsal.peer(1, { lends: false })
  rehearsal.peer(2)
  await first.requester.submit(first.terms())
  await rehearsal.until(() => ending(first) !== undefined)
  await rehearsal.idle(5_000)
  const total = rehearsal.frames.length
  assert.ok(total > 8)
  for (let lost = 0; lost < total; lost++) {
    await context.test(`message ${lost} (${rehearsal.frames[lost]!.say}) lost`, async () => {
      const world = new World()
      const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
      let count = 0
      world.fate = () => (count++ === lost ? 0 : 1)
      await asker.requester.submit(asker.terms())
      await world.until(() => ending(asker) !== undefined && leaseEnding(worker) !== undefined)
      assert.deepEqual([ending(asker)?.outcome, leaseEnding(worker)?.outcome], ['paid', 'paid'], world.story())
    })
  }
})

test('every message may come twice: nothing is counted twice', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
  world.fate = () => 2
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined && leaseEnding(worker) !== undefined)
  assert.deepEqual([ending(asker)?.outcome, leaseEnding(worker)?.outcome], ['paid', 'paid'])
  const ended = asker.jobEvents.at(-1)
  assert.equal(ended?.stage === 'ended' && ended.amountMicro, 834)
  assert.deepEqual([...asker.faults, ...worker.faults], [])
})

test('without a provider the job expires, and says so', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'expired', code: 'NO_MATCH' })
})

test('a provider that does not answer its award is replaced under a higher epoch', async () => {
  const world = new World()
  const [asker, mute, other] = [
    world.peer(1, { lends: false }),
    world.peer(2),
    world.peer(3, { cpuHourMicro: 2_000_000 }),
  ]
  world.fate = (frame) => (frame.to === mute.name && frame.say === 'AWARD' ? 0 : 1)
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  const matched = asker.jobEvents.find((event) => event.stage === 'matched')
  assert.deepEqual(matched?.stage === 'matched' && [matched.peer, matched.epoch], [other.name, 2])
})

test('a provider that falls silent while it works is replaced', async () => {
  const world = new World()
  const [asker, dying, other] = [
    world.peer(1, { lends: false }),
    world.peer(2, { workMs: 20_000 }),
    world.peer(3, { cpuHourMicro: 2_000_000 }),
  ]
  await asker.requester.submit(asker.terms())
  await world.until(() => asker.jobEvents.some((event) => event.stage === 'running'))
  dying.silence()
  await world.until(() => ending(asker) !== undefined && leaseEnding(other) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  assert.equal(leaseEnding(other)?.outcome, 'paid')
})

test('a requester that is restarted while its job runs pays for it', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 8_000 })]
  await asker.requester.submit(asker.terms())
  await world.until(() => asker.jobEvents.some((event) => event.stage === 'running'))
  const again = asker.restart(1, { lends: false })
  await world.until(() => ending(again) !== undefined && leaseEnding(worker) !== undefined)
  assert.deepEqual([ending(again)?.outcome, leaseEnding(worker)?.outcome], ['paid', 'paid'], world.story())
})

test('a provider that is restarted reports that the work was lost, and another does it', async () => {
  const world = new World()
  const [asker, worker, other] = [
    world.peer(1, { lends: false }),
    world.peer(2, { workMs: 8_000 }),
    world.peer(3, { cpuHourMicro: 2_000_000 }),
  ]
  await asker.requester.submit(asker.terms())
  await world.until(() => asker.jobEvents.some((event) => event.stage === 'running'))
  const again = worker.restart(2)
  await world.until(
    () => ending(asker) !== undefined && leaseEnding(again) !== undefined && leaseEnding(other) !== undefined,
  )
  assert.equal(ending(asker)?.outcome, 'paid')
  assert.deepEqual(leaseEnding(again), { outcome: 'refused', code: 'PROVIDER_FAILED' })
})

test("a user's own mistake is not tried on every peer", async () => {
  const world = new World()
  const [asker, worker] = [
    world.peer(1, { lends: false }),
    world.peer(2, { exit: { reason: 'module-invalid', exitCode: null } }),
  ]
  world.peer(3)
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined && leaseEnding(worker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'refused', code: 'MODULE_INVALID' })
  assert.deepEqual(leaseEnding(worker), { outcome: 'refused', code: 'MODULE_INVALID' })
  assert.equal(asker.jobEvents.filter((event) => event.stage === 'matched').length, 1)
})

test('a cancelled job stops the work, and what was worked is paid', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 30_000 })]
  const terms = asker.terms()
  await asker.requester.submit(terms)
  await world.until(() => asker.jobEvents.some((event) => event.stage === 'running'))
  asker.requester.cancel(terms.job)
  await world.until(() => ending(asker) !== undefined && leaseEnding(worker) !== undefined)
  assert.deepEqual([ending(asker)?.outcome, leaseEnding(worker)?.outcome], ['paid', 'paid'], world.story())
  assert.ok(world.clock.nowMs() < 1_700_000_000_000 + 10_000)
})

test('a job that could not be written down was not taken in: nothing of it is left', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  world.peer(2)
  asker.diskFull = true
  await assert.rejects(asker.requester.submit(asker.terms()))
  assert.equal(asker.requester.openJobs, 0)
  asker.diskFull = false
  await asker.requester.submit(asker.terms())
  await world.until(() => asker.jobEvents.some((event) => event.stage === 'ended'))
  assert.equal(asker.jobEvents.filter((event) => event.stage === 'ended').length, 1)
})

test('a requester whose ledger cannot be written awards nothing', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
  await asker.requester.submit(asker.terms())
  asker.diskFull = true
  await world.until(() => asker.jobEvents.some((event) => event.stage === 'stalled'))
  assert.equal(ending(asker), undefined, 'a job that stands still has not ended')
  assert.equal(
    world.frames.some((frame) => frame.say === 'AWARD'),
    false,
  )
  await world.idle(20_000)
  assert.equal(worker.provider.inUse().cpuMilli, 0, 'the hold expired by itself')
})

test('a provider works no longer for a requester that does not countersign', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 59_000 })]
  world.fate = (frame) => (frame.say === 'COUNTERSIGNATURE' ? 0 : 1)
  await asker.requester.submit(asker.terms({ retriesMax: 0 }))
  await world.until(() => leaseEnding(worker) !== undefined)
  assert.notEqual(leaseEnding(worker)?.outcome, 'paid')
  assert.ok(world.clock.nowMs() - 1_700_000_000_000 < 40_000, 'it stopped after one unpaid interval')
})

test('START may overtake its COMMIT', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
  world.delayMs = (frame) => (frame.say === 'COMMIT' ? 400 : 5)
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined && leaseEnding(worker) !== undefined)
  assert.deepEqual([ending(asker)?.outcome, leaseEnding(worker)?.outcome], ['paid', 'paid'], world.story())
  assert.equal(world.frames.filter((frame) => frame.say === 'START').length, 1, 'and is not sent twice for it')
})

test('inputs that take long to stage bind nobody meanwhile, and the wait for a provider begins after them', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false, stageMs: 60_000 }), world.peer(2)]
  await asker.requester.submit(asker.terms())
  await world.idle(59_000)
  assert.equal(worker.provider.inUse().cpuMilli, 0)
  assert.equal(
    asker.jobEvents.some((event) => event.stage === 'matched'),
    false,
  )
  await world.until(() => ending(asker) !== undefined && leaseEnding(worker) !== undefined)
  assert.deepEqual([ending(asker)?.outcome, leaseEnding(worker)?.outcome], ['paid', 'paid'], world.story())
})

test('when a provider does not answer, others at its address come after the rest', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const [mute, sibling, other] = [
    world.peer(2),
    world.peer(3, { cpuHourMicro: 1_100_000 }),
    world.peer(4, { cpuHourMicro: 2_000_000 }),
  ]
  for (const { name } of [mute, sibling]) asker.houses.set(name, '203.0.113.7')
  asker.houses.set(other.name, '203.0.113.8')
  world.fate = (frame) => (frame.to === mute.name && frame.say === 'AWARD' ? 0 : 1)
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  const matched = asker.jobEvents.find((event) => event.stage === 'matched')
  assert.deepEqual(matched?.stage === 'matched' && [matched.peer, matched.epoch], [other.name, 2])
})

test('offers that a stranger does not answer bind half of what is lent, and those that a good customer does not, all', async () => {
  const answersTo = async (standing: number): Promise<number> => {
    const world = new World()
    const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
    worker.standings.set(asker.name, standing)
    world.fate = ({ say }) => Number(say !== 'OFFER')
    const { facts, rules } = plainLending(1_000_000)
    const cpuMilli = { value: 8_000, evidence: 'measured' as const }
    worker.provider.bids.lend({ facts: { ...facts, compute: { ...facts.compute!, cpuMilli } }, rules })
    for (let job = 0; job < 10; job++)
      await asker.requester.submit(asker.terms({ job: cidOfDocument(Uint8Array.of(job)) }))
    await world.idle(1_000)
    return worker.provider.bids.tally.counts().answered
  }
  assert.equal(await answersTo(0.5), 4)
  assert.equal(await answersTo(0.6), 8)
})

test('a stranger that signs nothing is worked for once at a time, and one that signs goes on with the next at once', async () => {
  for (const signs of [true, false]) {
    const world = new World()
    const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 10_000 })]
    world.fate = ({ say }) => Number(signs || say !== 'COUNTERSIGNATURE')
    for (const number of [1, 2])
      await asker.requester.submit(
        asker.terms({ ...named(number), retriesMax: 0, bidUntilMs: world.clock.nowMs() + 30_000 }),
      )
    await world.until(() => worker.leaseEvents.some(({ stage }) => stage === 'running'))
    await world.idle(900)
    assert.equal(worker.leaseEvents.filter(({ stage }) => stage === 'leased').length, 1)
    await world.idle(4_000)
    assert.equal(worker.leaseEvents.filter(({ stage }) => stage === 'leased').length, signs ? 2 : 1)
  }
})

test('nothing is offered to a requester of poor standing', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
  worker.standings.set(asker.name, 0.09)
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'expired', code: 'NO_MATCH' })
  assert.ok(worker.provider.bids.tally.counts().notAnswered['poor standing']! > 0)
  assert.equal(worker.provider.bids.tally.counts().answered, 0)
})

const named = (number: number) => ({
  manifest: Uint8Array.of(number),
  job: cidOfDocument(Uint8Array.of(number)),
})

test('a provider whose ledger is full makes no offers for a minute', async () => {
  const world = new World()
  const [asker, full, other] = [
    world.peer(1, { lends: false }),
    world.peer(2),
    world.peer(3, { cpuHourMicro: 2_000_000 }),
  ]
  full.diskFull = true
  await asker.requester.submit(asker.terms())
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  assert.equal(full.provider.bids.tally.counts().answered, 1)
  full.diskFull = false
  await asker.requester.submit(asker.terms(named(1)))
  await world.until(() => asker.jobEvents.filter(({ stage }) => stage === 'ended').length === 2)
  assert.ok(full.provider.bids.tally.counts().notAnswered['ledger failed']! > 0)
  assert.equal(other.provider.bids.tally.counts().won, 2)
  world.clock.after(60_000, () => {})
  await world.idle(60_000)
  await asker.requester.submit(asker.terms(named(2)))
  await world.until(() => asker.jobEvents.filter(({ stage }) => stage === 'ended').length === 3)
  assert.equal(full.provider.bids.tally.counts().answered, 2)
})

test('who may not pay says so in place of a countersignature, writes nothing, and the provider works no further', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
  asker.doesNotPay = { code: 'RECEIPTS_DAMAGED', facts: {} }
  await asker.requester.submit(asker.terms())
  await world.until(() => leaseEnding(worker) !== undefined)
  assert.notEqual(leaseEnding(worker)?.outcome, 'paid')
  assert.ok(
    world.frames.some(({ to, say }) => to === worker.name && say === 'DISPUTE'),
    world.story(),
  )
  assert.deepEqual(
    statements(asker).filter((kind) => kind === 'receipt' || kind === 'countersignature'),
    [],
  )
  assert.deepEqual([...asker.faults, ...worker.faults], [])
})
