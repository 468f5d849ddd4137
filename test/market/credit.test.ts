// No work beyond what a requester may owe, no payment before the work, and no more committed to one provider than it may hold.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { amountOwed } from '../../protocols/receipt/index.ts'
import { freeTariff, noUsage } from '../../protocols/wire/index.ts'
import { committedTo, mayCommit } from '../../src/market/commitment.ts'
import { exposureTo, lastsMs, unlimitedCredit, worthMicro, type Credit } from '../../src/market/exposure.ts'
import { plainTerms } from '../../sim/model/stand-ins.ts'
import { World, type Peer } from '../support/bench.ts'

/** What a ledger would say: what both have signed is owed until it is settled. */
class Line implements Credit {
  capMicro: bigint
  settledMicro = 0n
  shorts = 0
  readonly #peer: Peer

  constructor(peer: Peer, capMicro: bigint) {
    this.#peer = peer
    this.capMicro = capMicro
  }

  get signedMicro(): bigint {
    const last = new Map<string, number>()
    for (const event of this.#peer.leaseEvents)
      if (event.stage === 'countersigned') last.set(event.lease, event.amountMicro)
    return [...last.values()].reduce((sum, amount) => sum + BigInt(amount), 0n)
  }

  of() {
    return { capMicro: this.capMicro, unsettledMicro: this.signedMicro - this.settledMicro, unsigned: new Map() }
  }

  short(): void {
    this.shorts++
  }

  earned(): bigint {
    return this.signedMicro
  }

  changed(): void {}
}

const endingsOf = ({ leaseEvents }: Peer): string[] =>
  leaseEvents.flatMap((event) => (event.stage === 'ended' ? [event.ending.code] : []))

/** One processor at 1.0 an hour for 20 s: 278 micro-units a second, rounded up. */
async function worked(capMicro: bigint, onReceipt: (line: Line) => void = () => {}) {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 20_000 })]
  // Others stand by, so that the job ends for both.
  const line = new Line(worker, capMicro)
  worker.credit = line
  let receipts = 0
  world.fate = ({ say }) => {
    if (say === 'COUNTERSIGNATURE' && receipts++ > 0) onReceipt(line)
    return 1
  }
  await asker.requester.submit(asker.terms({ retriesMax: 0, bidUntilMs: world.clock.nowMs() + 10_000 }))
  await world.until(
    () => endingsOf(worker).length > 0 || worker.leaseEvents.some(({ stage }) => stage === 'ended'),
    200_000,
  )
  return { world, asker, worker, line }
}

test('a lease stops before its requester owes more than it may, with all that was worked signed for', async () => {
  const { worker, line } = await worked(2_000n)
  assert.ok(line.signedMicro <= 2_000n, `${line.signedMicro}`)
  assert.ok(line.signedMicro >= 2_000n - 300n, 'the intervals became shorter, so that hardly anything was left')
  assert.ok(line.shorts > 0, 'it was said that something should be settled')
  assert.notDeepEqual(endingsOf(worker), ['PAID'])
  const intervals = worker.leaseEvents.flatMap((event) => (event.stage === 'countersigned' ? [event.amountMicro] : []))
  assert.ok(intervals.length >= 3, intervals.join())
})

test('whoever settles meanwhile is worked for to the end', async () => {
  const { worker, line } = await worked(2_000n, (at) => {
    at.settledMicro = at.signedMicro
  })
  assert.deepEqual(endingsOf(worker), ['PAID'])
  assert.ok(line.signedMicro > 5_000n)
})

test('a bid of a requester whose credit is full is declined with a code and facts, and answered when there is room again', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
  const line = { capMicro: 1_000n, unsettledMicro: 900n, unsigned: new Map([['ab', 50n]]) }
  worker.credit = { ...unlimitedCredit, of: () => line }
  await asker.requester.submit(asker.terms({ bidUntilMs: world.clock.nowMs() + 60_000 }))
  await world.idle(3_000)
  assert.deepEqual(worker.provider.bids.tally.counts().notAnswered, { 'owes us too much': 1 })
  assert.equal(world.frames.length, 0)
  line.unsettledMicro = -500n
  worker.provider.bids.somethingIsFree()
  await world.until(() => endingsOf(worker).length > 0)
  assert.deepEqual(endingsOf(worker), ['PAID'])
})

test('a receipt that is never signed counts, once: of an open lease in its risk, of a lost one by the ledger', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 60_000 })]
  const unsigned = new Map<string, bigint>()
  worker.credit = {
    of: () => ({ capMicro: 10n ** 9n, unsettledMicro: 0n, unsigned }),
    earned: () => 0n,
    short: () => {},
    changed: () => {},
  }
  world.fate = ({ say }) => (say === 'COUNTERSIGNATURE' ? 0 : 1)
  await asker.requester.submit(asker.terms({ retriesMax: 0 }))
  await world.until(() => worker.leaseEvents.some(({ stage }) => stage === 'running'))
  await world.idle(5_000)
  const [lease] = worker.provider.leases().flatMap(({ task }) => task?.lease.id ?? [])
  unsigned.set(lease!, 278n)
  const { exposedMicro } = exposureTo(
    worker.credit,
    { by: asker.name, unit: 'credit', states: worker.provider.leases() },
    world.clock.nowMs(),
  )
  // Five seconds are worked, of which the first is stated: they count once.
  assert.ok(exposedMicro >= 1_300n && exposedMicro <= 1_700n, `${exposedMicro}`)
  unsigned.set('of a lease that is over', 7n)
  const states = worker.provider.leases()
  const more = exposureTo(worker.credit, { by: asker.name, unit: 'credit', states }, world.clock.nowMs())
  assert.equal(more.exposedMicro, exposedMicro + 7n)
  const without = exposureTo(worker.credit, { by: asker.name, unit: 'credit', states, without: states[0] }, 0)
  assert.equal(without.exposedMicro, 7n)
})

test('for how long a lease lasts and what it comes to are the same thing, and never less than a receipt states', () => {
  const priced = fc.record({
    cpuHourMicro: fc.integer({ min: 1, max: 10 ** 9 }),
    cpuMilli: fc.integer({ min: 1, max: 64_000 }),
  })
  fc.assert(
    fc.property(
      priced,
      fc.bigInt({ min: 1n, max: 10n ** 12n }),
      fc.integer({ min: 0, max: 10 ** 8 }),
      (lease, micro, wallMs) => {
        const forMs = Math.floor(lastsMs(lease, micro))
        fc.pre(Number.isSafeInteger(forMs))
        assert.ok(worthMicro(lease, forMs) <= micro)
        assert.ok(worthMicro(lease, forMs + 1) >= micro)
        const usage = { ...noUsage, wallMs }
        assert.equal(
          worthMicro(lease, wallMs),
          BigInt(amountOwed({ ...freeTariff, ...lease, ceilingMicro: Number.MAX_SAFE_INTEGER }, usage)),
        )
      },
    ),
  )
  assert.equal(lastsMs({ cpuHourMicro: 0, cpuMilli: 1 }, 1n), Infinity)
  assert.equal(lastsMs({ cpuHourMicro: 1, cpuMilli: 1 }, -1n), 0)
})

test('a requester commits to one provider what it may hold: one lease by the owner’s word, more only as far as they fit', async () => {
  assert.equal(mayCommit(0n, 10 ** 9, 5n), true)
  assert.equal(mayCommit(3n, 2, 5n), true)
  assert.equal(mayCommit(3n, 3, 5n), false)
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 3_000 })]
  asker.commitCapMicro = 1_500_000n
  const jobs: string[] = []
  for (const nonce of ['one', 'two', 'three']) {
    const terms = { ...plainTerms(nonce, world.clock.nowMs()), bidUntilMs: world.clock.nowMs() + 60_000 }
    jobs.push(terms.job)
    await asker.requester.submit(terms)
  }
  let most = 0n
  await world.until(() => {
    const committed = committedTo(
      jobs.flatMap((job) => asker.requester.state(job) ?? []),
      worker.name,
      'credit',
    )
    if (committed > most) most = committed
    return endingsOf(worker).length === 3
  })
  assert.equal(most, 1_000_000n, 'the ceiling of one job')
})

test('payment is for work that was done: what is signed never goes beyond what was worked by then', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2, { workMs: 12_000 })]
  await asker.requester.submit(asker.terms())
  await world.until(() => worker.leaseEvents.some(({ stage }) => stage === 'running'))
  const beganMs = world.clock.nowMs()
  let signed = 0
  await world.until(() => {
    for (const event of asker.jobEvents) {
      if (event.stage !== 'receipt') continue
      const workedMs = world.clock.nowMs() - beganMs
      assert.ok(
        event.amountMicro <= Math.ceil((workedMs * 1_000_000) / 3_600_000),
        `${event.amountMicro} after ${workedMs} ms`,
      )
      signed = Math.max(signed, event.amountMicro)
    }
    return endingsOf(worker).length > 0
  })
  assert.ok(signed > 0)
})
