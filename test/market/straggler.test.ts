/** Places that take too long beside the others: tried a second time, and whoever is sooner has it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { JobEvent } from '../../src/market/job-events.ts'
import type { JobTerms } from '../../src/market/terms.ts'
import { World, type Peer } from '../support/bench.ts'

type Of<Stage extends JobEvent['stage']> = Extract<JobEvent, { stage: Stage }>

const told = <Stage extends JobEvent['stage']>(peer: Peer, stage: Stage): Of<Stage>[] =>
  peer.jobEvents.filter((event): event is Of<Stage> => event.stage === stage)
const ending = (peer: Peer) => told(peer, 'ended').at(-1)?.ending
const leaseEndings = (peer: Peer) =>
  peer.leaseEvents.flatMap((event) => (event.stage === 'ended' ? [`${event.ending.outcome} ${event.ending.code}`] : []))

const siblingMs = 4_000

/** A gang of four that runs, of which one place takes as long as is said, and then comes one more provider. */
async function gang(slowMs: number, secondMs = siblingMs, over: Partial<JobTerms> = {}) {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const slow = world.peer(2, { workMs: slowMs })
  const siblings = [3, 4, 5].map((seed) => world.peer(seed, { cpuHourMicro: 1_100_000, workMs: siblingMs }))
  const terms = asker.terms({ slots: 4, ...over })
  await asker.requester.submit(terms)
  await world.until(() => told(asker, 'matched').length === 4)
  const leasedMs = world.clock.nowMs()
  const second = world.peer(6, { cpuHourMicro: 500_000, workMs: secondMs })
  return { world, asker, terms, slow, siblings, second, leasedMs, all: [asker, slow, ...siblings, second] }
}

/** Nobody holds anything, and nobody is blamed. */
async function checkRest(world: World, peers: readonly Peer[]): Promise<void> {
  await world.idle(30_000)
  for (const peer of peers) {
    assert.equal(peer.provider.inUse().cpuMilli, 0, world.story())
    assert.deepEqual(peer.faults, [])
  }
}

test("a hung provider costs no more than twice its siblings' time: another is awarded the place, and the job is paid", async () => {
  const { world, asker, slow, second, leasedMs, all } = await gang(55_000)
  await world.until(() => told(asker, 'straggling').length > 0)
  const [straggling] = told(asker, 'straggling')
  assert.equal(straggling!.peer, slow.name)
  const lostMs = world.clock.nowMs() - leasedMs
  assert.ok(lostMs <= 2 * siblingMs + 500, `the place was given away after ${lostMs} ms`)
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' }, world.story())
  const tookMs = world.clock.nowMs() - leasedMs
  assert.ok(tookMs <= 3 * siblingMs + 2_000, `it took ${tookMs} ms`)
  const again = told(asker, 'matched')[4]!
  assert.deepEqual([again.slot, again.epoch, again.peer], [straggling!.slot, 2, second.name])
  assert.deepEqual(
    told(asker, 'replacing').map(({ peer, because }) => [peer, because.code]),
    [[slow.name, 'STRAGGLED']],
  )
  await checkRest(world, all)
  assert.deepEqual(leaseEndings(slow), ['paid PAID'], 'it is paid for what it did')
  assert.deepEqual(leaseEndings(second), ['paid PAID'])
  const receipts = told(asker, 'receipt').filter(({ final }) => final)
  assert.equal(receipts.length, 5)
  assert.equal(
    told(asker, 'ended')[0]!.amountMicro,
    receipts.reduce((sum, { amountMicro }) => sum + amountMicro, 0),
    'the job costs what all of its leases cost',
  )
})

test('the first provider may still be sooner: the second is told to stop, and paid for what it did', async () => {
  const { world, asker, slow, second, all } = await gang(2 * siblingMs + 2_000, 30_000)
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' }, world.story())
  assert.deepEqual(told(asker, 'replacing'), [])
  assert.equal(told(asker, 'matched').length, 5)
  await checkRest(world, all)
  assert.deepEqual([leaseEndings(slow), leaseEndings(second)], [['paid PAID'], ['paid PAID']])
})

test('a hung provider that is dead too does not keep the job open', async () => {
  const { world, asker, slow, second, leasedMs, all } = await gang(55_000, siblingMs, { reclaimMs: 60_000 })
  slow.silence()
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' }, world.story())
  assert.ok(world.clock.nowMs() - leasedMs < 3 * siblingMs + 7_000)
  await checkRest(
    world,
    all.filter((peer) => peer !== slow),
  )
  assert.deepEqual(leaseEndings(second), ['paid PAID'])
})

test('when the first is lost during the race, the second has the place', async () => {
  const { world, asker, slow, all } = await gang(55_000, 7_000, { reclaimMs: 5_000 })
  await world.until(() => told(asker, 'running').length === 5)
  slow.silence()
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' }, world.story())
  assert.equal(told(asker, 'matched').length, 5, 'nobody is awarded a third time')
  assert.deepEqual(
    told(asker, 'replacing').map(({ because }) => because.code),
    ['PROVIDER_SILENT'],
  )
  await checkRest(
    world,
    all.filter((peer) => peer !== slow),
  )
})

test('a place whose second try came to nothing is awarded under an epoch that was never signed before', async () => {
  const { world, asker, slow, siblings, second } = await gang(55_000, siblingMs, { reclaimMs: 5_000 })
  for (const { provider } of siblings) provider.bids.lend(null)
  world.fate = ({ to, say }) => Number(say !== 'AWARD' || to !== second.name)
  const isReplaced = (who: Peer): boolean => told(asker, 'replacing').some(({ peer }) => peer === who.name)
  await world.until(() => isReplaced(second))
  slow.silence()
  await world.until(() => isReplaced(slow))
  const third = world.peer(7, { cpuHourMicro: 600_000 })
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' }, world.story())
  const [last] = told(asker, 'matched').slice(-1)
  // The first award, as many to the second as it left unanswered, and then this one.
  const unanswered = told(asker, 'replacing').filter(({ peer }) => peer === second.name).length
  assert.deepEqual([last!.peer, last!.epoch], [third.name, 1 + unanswered + 1])
})

test('with nobody for a second try the first goes on, and nobody is asked a third time', async () => {
  const { world, asker, slow, siblings, second } = await gang(30_000)
  second.silence()
  for (const { provider } of siblings) provider.bids.lend(null)
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' }, world.story())
  assert.equal(told(asker, 'straggling').length, 1)
  assert.equal(told(asker, 'matched').length, 4)
  await checkRest(world, [asker, slow, ...siblings])
})

/** From 8 s one place is tried a second time, at 9 s another one is lost, and at 9.5 s the first has its result. */
async function raceWithLoss() {
  const { world, asker, slow, siblings, second, leasedMs } = await gang(9_500, siblingMs, { reclaimMs: 6_000 })
  const [lost, ...others] = siblings
  for (const { provider } of [slow, ...others]) provider.bids.lend(null)
  await world.until(() => world.clock.nowMs() >= leasedMs + 3_500)
  lost!.silence()
  const untilLost = async (): Promise<void> => {
    await world.until(() => told(asker, 'replacing').some(({ peer }) => peer === lost!.name))
    assert.deepEqual(
      told(asker, 'straggling').map(({ peer }) => peer),
      [slow.name],
    )
    assert.equal(told(asker, 'result').length, 2)
    await world.until(() => told(asker, 'result').length === 3)
  }
  return { world, asker, second, untilLost, left: [asker, slow, ...others, second] }
}

test('the first of a race has its result while another place is looked for: that one is looked for still', async () => {
  const { world, asker, second, untilLost, left } = await raceWithLoss()
  second.provider.bids.lend(null)
  await untilLost()
  const third = world.peer(7, { cpuHourMicro: 600_000 })
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' }, world.story())
  assert.equal(told(asker, 'matched').at(-1)!.peer, third.name)
  await checkRest(world, [...left, third])
})

test('an award of a second try is taken back when the first has its result, and the place that was lost is awarded', async () => {
  const { world, asker, second, untilLost, left } = await raceWithLoss()
  let isHeard = false
  world.fate = ({ to, say }) => Number(isHeard || say !== 'AWARD' || to !== second.name)
  await untilLost()
  isHeard = true
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' }, world.story())
  assert.deepEqual([told(asker, 'matched').length, told(asker, 'matched').at(-1)!.peer], [5, second.name])
  await checkRest(world, left)
})

test('a cancelled race ends both', async () => {
  const { world, asker, terms, all } = await gang(55_000, 40_000)
  await world.until(() => told(asker, 'running').length === 5)
  asker.requester.cancel(terms.job)
  await world.until(() => ending(asker) !== undefined)
  assert.equal(told(asker, 'ended').length, 1)
  await checkRest(world, all)
})

test('a race goes on over a restart of its requester, after any of its writes', async (context) => {
  const dyingAt = async (write: number) => {
    const { world, asker, all } = await gang(55_000)
    let isBack = false
    world.fate = ({ from }) => (!isBack && from === asker.name && asker.journal.length >= write ? 0 : 1)
    await world.until(() => asker.journal.length >= write || ending(asker) !== undefined)
    const wrote = asker.journal.length
    const again = asker.restart(1, { lends: false })
    isBack = true
    return { world, asker, again, wrote, all }
  }
  const { asker, wrote } = await dyingAt(Infinity)
  const began =
    1 + asker.journal.findIndex(({ state }) => ((state as { spares?: unknown[] } | null)?.spares ?? []).length > 0)
  assert.ok(began > 0)
  for (let write = began; write < wrote; write++) {
    await context.test(`write ${write}`, async () => {
      const { world, again, all } = await dyingAt(write)
      await world.until(() => ending(again) !== undefined)
      assert.equal(ending(again)?.outcome, 'paid', world.story())
      await checkRest(world, [again, ...all.slice(1)])
    })
  }
})
