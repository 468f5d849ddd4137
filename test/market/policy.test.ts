// What a provider makes of bids: its rules, what is free, its owner's word, and what it looks at again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import { bidSkewMsMax, type Bid } from '../../protocols/bid/index.ts'
import { refusal, type Refusal, type Signed } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { SeededRandom } from '../../sim/random.ts'
import { plainLending } from '../../sim/model/stand-ins.ts'
import { silentLog } from '../../src/environment.ts'
import { BidDesk, type BidDeskDeps } from '../../src/market/bid-desk.ts'
import { bondOf, noBond } from '../../src/market/bond.ts'
import { wordOf } from '../../src/market/decline.ts'
import { busyAfterMs, idleAfterMs, idleAtFirst, stepIdle, type IdleState } from '../../src/market/idle-policy.ts'
import { decideOffer, nothingInUse, offerDelayMs, type InUse, type Lending } from '../../src/market/offer-policy.ts'
import { OpenBids } from '../../src/market/open-bids.ts'
import { Tally } from '../../src/market/tally.ts'
import { ask } from '../spec/vectors/announcements.ts'
import { signer } from '../support/peers.ts'

const [asker, other] = [signer(1).peer, signer(2).peer]
const bidOf = (over: Partial<Bid> = {}, by = asker): Signed<Bid> => ({
  by,
  body: { ...ask, expiresMs: Number.MAX_SAFE_INTEGER, spreadMs: 0, ...over },
  envelope: new Uint8Array(),
})
const lending = plainLending(1_000_000)
const credit = { exposedMicro: 0n, capMicro: 1_000_000n }
const around = {
  inUse: nothingInUse,
  unanswered: [],
  unpaid: 0,
  earnedMicro: 0n,
  ...credit,
  standing: 0.5,
  nowMs: ask.issuedMs,
}
const codeFor = (lent: Lending, over = {}, bid = bidOf()): string => {
  const decision = decideOffer(bid, lent, { ...around, ...over })
  return decision.answer ? `at ${decision.cpuHourMicro}` : decision.because.code
}
const ruled = (rules: Partial<Lending['rules']>): Lending => ({ ...lending, rules: { ...lending.rules, ...rules } })

test('who asks comes first, then what there is at all, then what is free', () => {
  assert.equal(codeFor(lending), 'at 1000000')
  assert.equal(codeFor(ruled({ deny: [asker] })), 'DENIED')
  assert.equal(codeFor(ruled({ allow: [other] })), 'NOT_ALLOWED')
  assert.equal(codeFor(ruled({ allow: [asker] })), 'at 1000000')
  assert.equal(codeFor(lending, { standing: 0.05 }), 'STANDING_POOR')
  assert.equal(codeFor(lending, { unpaid: 1 }), 'UNPAID', 'a stranger is worked for once at a time')
  assert.equal(codeFor(lending, { unpaid: 1, standing: 0.6 }), 'at 1000000')
  assert.equal(codeFor(lending, { exposedMicro: 1_000_000n }), 'CREDIT_FULL', 'the first interval would be too much')
  const tooLarge = bidOf({ requirements: { ...ask.requirements, cpuMilli: 2_001 } })
  assert.equal(codeFor(lending, {}, tooLarge), 'LACKS_CPU')
  assert.equal(codeFor(lending, { inUse: { ...nothingInUse, cpuMilli: 1_500 } }), 'BUSY')
  assert.equal(codeFor(lending, { inUse: { ...nothingInUse, memoryBytes: 2 ** 30 } }), 'BUSY')
  assert.equal(codeFor(ruled({ oversubscription: 2 }), { inUse: { ...nothingInUse, cpuMilli: 1_500 } }), 'at 1000000')
})

test('reasons in the words of the owner', () => {
  assert.equal(wordOf(refusal('LACKS_GPU_MODEL', { wanted: 'h100', has: '' })), 'needs gpu')
  assert.equal(wordOf(refusal('LACKS_RUNTIME', { wanted: 'oci', has: '' })), 'needs oci')
  assert.equal(wordOf(refusal('LACKS_PRICE', { wanted: 1, has: 2 })), 'price below floor')
  assert.equal(wordOf(refusal('LACKS_WINGS')), 'lacks wings', 'of a later version')
  assert.equal(wordOf(refusal('BUSY')), 'busy')
})

/** Until nothing waits any more. */
const runOut = (clock: VirtualClock): void => {
  while (clock.nextMs !== undefined) clock.jump()
}

/** Timers of a machine that stood still: they come late. */
class LateClock extends VirtualClock {
  behindMs = 0

  override monotonicMs(): number {
    return super.monotonicMs() + this.behindMs
  }
}

/** A desk with one processor of two in use or not. */
function desk(over: Partial<BidDeskDeps> = {}) {
  const clock = new VirtualClock(ask.issuedMs)
  const offered: string[] = []
  const state: { inUse: InUse } = { inUse: nothingInUse }
  const bids = new BidDesk({
    self: other,
    clock,
    random: SeededRandom.of(1, 'policy'),
    log: silentLog,
    standing: { of: () => 0.5 },
    capacity: {
      inUse: () => state.inUse,
      unanswered: () => [],
      unpaid: () => 0,
      credit: () => credit,
      earned: () => 0n,
      isAnswered: (_by, job) => offered.includes(job),
      isFull: () => false,
    },
    offer: ({ body }) => void offered.push(body.job),
    ...over,
  })
  bids.lend(lending)
  return { bids, clock, offered, state }
}

test('the bond is the least that the owner says, and a tenth of what was earned where it grows', () => {
  const rules = { leastMicro: 400_000, grows: false }
  assert.equal(bondOf(rules, 9_999_999n), 400_000)
  assert.equal(bondOf({ ...rules, grows: true }, 0n), 400_000)
  assert.equal(bondOf({ ...rules, grows: true }, 9_999_999n), 1_399_999, 'rounded down')
  assert.equal(bondOf({ ...rules, grows: true }, 10n ** 18n), Number.MAX_SAFE_INTEGER)
  const wants = (bondMicroMin: number) => bidOf({ requirements: { ...ask.requirements, bondMicroMin } })
  const bonded = ruled({ bond: { leastMicro: 400_000, grows: true } })
  assert.equal(codeFor(bonded, {}, wants(400_000)), 'at 1000000')
  assert.equal(codeFor(bonded, {}, wants(400_001)), 'BOND_TOO_LOW')
  assert.equal(codeFor(bonded, { earnedMicro: 10n }, wants(400_001)), 'at 1000000')
  assert.equal(codeFor(ruled({ bond: noBond }), {}, wants(1)), 'BOND_TOO_LOW')
  const decision = decideOffer(bidOf(), bonded, { ...around, earnedMicro: 1_000_000n })
  assert.ok(decision.answer && decision.bondMicro === 500_000)
})

test('a provider full then free looks again at what is open, the longest waiting first', () => {
  const { bids, clock, offered, state } = desk()
  state.inUse = { ...nothingInUse, cpuMilli: 2_000 }
  bids.onBid(bidOf({ job: 'one' }))
  bids.onBid(bidOf({ job: 'two' }))
  bids.onBid(bidOf({ job: 'one' }))
  bids.onBid(bidOf({ job: 'over', requirements: { ...ask.requirements, cpuMilli: 9_000 } }))
  bids.onBid(bidOf({ job: 'gone', expiresMs: clock.nowMs() + 10 }))
  assert.deepEqual(offered, [])
  assert.deepEqual(bids.tally.counts().notAnswered, { busy: 3, 'over cpu': 1 }, 'a repeated bid counts once')
  clock.after(10 + bidSkewMsMax, () => {})
  runOut(clock)
  // Who asks is still there: it says one of its bids again.
  bids.onBid(bidOf({ job: 'two' }))
  state.inUse = nothingInUse
  bids.somethingIsFree()
  bids.somethingIsFree()
  runOut(clock)
  assert.deepEqual(offered.slice(0, 2), ['one', 'two'])
  assert.equal(offered.length, 2)
  assert.deepEqual(bids.quote(bidOf({ job: 'over' })).heard, {
    offered: false,
    because: refusal('LACKS_CPU', { wanted: 9_000, has: 2_000 }),
  })
})

test('after the machine stood still, what was said meanwhile is heard before an answer goes out', () => {
  const clock = new LateClock(ask.issuedMs)
  const { bids, offered } = desk({ clock })
  for (const job of ['heard', 'hushed']) bids.onBid(bidOf({ job, spreadMs: 1_000 }))
  clock.behindMs = 2_000
  clock.jump()
  clock.jump()
  assert.deepEqual(offered, [], 'both came late')
  bids.onBid(bidOf({ job: 'hushed', enough: true, issuedMs: ask.issuedMs + 1 }))
  runOut(clock)
  assert.deepEqual(offered, ['heard'])
})

test('while the owner is at work nothing is offered, and what is open is looked at after', () => {
  const { bids, clock, offered } = desk()
  bids.rest(refusal('OWNER_ACTIVE'))
  bids.onBid(bidOf({ job: 'one' }))
  assert.deepEqual(offered, [])
  assert.deepEqual(bids.tally.counts().notAnswered, { 'owner at work': 1 })
  bids.rest(null)
  runOut(clock)
  assert.deepEqual(offered, ['one'])
})

test("the owner's own word: admitted, not admitted, failed, and asked once", async () => {
  const asked: string[] = []
  const answers: Record<string, () => Promise<Refusal | null>> = {
    good: async () => null,
    bad: async () => refusal('NOT_ADMITTED', { exit: 3 }),
    broken: async () => {
      throw new Error('no such program')
    },
  }
  const { bids, clock, offered } = desk({
    admit: async ({ body }) => {
      asked.push(body.job)
      return answers[body.job]!()
    },
  })
  for (const job of ['good', 'good', 'bad', 'broken']) bids.onBid(bidOf({ job }))
  await setImmediate()
  runOut(clock)
  assert.deepEqual(asked, ['good', 'bad', 'broken'])
  assert.deepEqual(offered, ['good'])
  assert.deepEqual(bids.tally.counts().notAnswered, { 'not admitted': 2 })
})

test('a bid that is answered often enough is not answered any more, until it is called anew', () => {
  const { bids, clock, offered } = desk()
  const spread = { spreadMs: 10_000 }
  bids.onBid(bidOf({ job: 'one', ...spread }))
  bids.onBid(bidOf({ job: 'one', ...spread, enough: true }))
  bids.onBid(bidOf({ job: 'one', ...spread }))
  bids.onBid(bidOf({ job: 'unheard', ...spread, enough: true }))
  bids.onBid(bidOf({ job: 'unheard', ...spread }))
  bids.somethingIsFree()
  runOut(clock)
  assert.deepEqual(offered, [])
  assert.deepEqual(bids.tally.counts().notAnswered, { 'others were sooner': 2 })
  assert.equal(bids.tally.counts().bidsSeen, 2)
  assert.deepEqual(bids.quote(bidOf({ job: 'one' })).heard, { offered: false, because: refusal('ENOUGH') })
  bids.onBid(bidOf({ job: 'one', ...spread, issuedMs: ask.issuedMs + 1 }))
  bids.onBid(bidOf({ job: 'one', ...spread, enough: true }))
  runOut(clock)
  assert.deepEqual(offered, ['one'], 'word of the call before closes nothing')
})

test('what is only due binds nothing, and is looked at again when its time comes', () => {
  const { bids, clock, offered, state } = desk()
  bids.onBid(bidOf({ job: 'one', spreadMs: 10_000 }))
  state.inUse = { ...nothingInUse, cpuMilli: 2_000 }
  runOut(clock)
  assert.deepEqual(offered, [])
  assert.deepEqual(bids.tally.counts().notAnswered, { busy: 1 })
  state.inUse = nothingInUse
  bids.somethingIsFree()
  runOut(clock)
  assert.deepEqual(offered, ['one'])
})

test('answers are spread over what the requester says, and the cheap come twice as fast', () => {
  const spread = { ...ask, spreadMs: 1_000, cpuHourMicroMax: 2_000_000 }
  assert.equal(offerDelayMs(spread, 2_000_000, 0.999), 999)
  assert.equal(offerDelayMs(spread, 0, 0.999), 499)
  assert.equal(offerDelayMs(spread, 2_000_000, 0), 0, 'some of the dear are first as well')
  assert.equal(offerDelayMs({ ...spread, spreadMs: 0 }, 2_000_000, 0.999), 0)
})

test('what was lost to cheaper offers says at what price it would not have been', () => {
  const tally = new Tally()
  const outbid = (winners: number) => tally.lost(refusal('OUTBID', { cpuHourMicro: winners }), 1_000_000, 5_000)
  for (const winners of [800_000, 850_000, 900_000]) outbid(winners)
  tally.lost(refusal('NOT_CHOSEN'), 1_000_000, 5_000)
  outbid(2_000_000)
  assert.deepEqual(tally.counts().lost, { 'dearer than winner': 4, 'not chosen': 1 })
  assert.deepEqual(tally.hint(6_000), { cpuHourMicro: 850_000, wouldHaveWon: 2 })
  assert.equal(tally.dearerPercent(6_000), 18)
  assert.equal(tally.hint(5_001 + 24 * 3_600_000), undefined, 'a day later it says nothing')
})

test('what a bid was answered is told after it has ended too, and it is not looked at again', () => {
  const heard = new OpenBids()
  const bid = bidOf({ expiresMs: ask.issuedMs + 1_000 })
  heard.hear(bid, bid.body.issuedMs)
  heard.note(bid, refusal('BUSY'), bid.body.issuedMs)
  assert.equal(heard.waiting(bid.body.issuedMs).length, 1)
  const afterMs = bid.body.expiresMs + 60_000
  assert.deepEqual(heard.waiting(afterMs), [])
  assert.equal(heard.verdictOn(bid.by, bid.body.job)?.code, 'BUSY')
  assert.equal(heard.verdictOn(bid.by, 'another'), undefined)
})

test('a tally goes on after a restart from what was kept, within its limits', () => {
  const tally = new Tally()
  tally.seen()
  tally.answered()
  tally.won()
  tally.declined(refusal('BUSY'))
  for (let index = 0; index < 2_000; index++) tally.lost(refusal('OUTBID', { cpuHourMicro: 800_000 }), 1_000_000, index)
  const kept = JSON.parse(JSON.stringify(tally.keep())) as ReturnType<Tally['keep']>
  assert.equal(kept.losses.length, 1_024)
  const after = new Tally()
  after.recall(kept)
  assert.deepEqual(after.counts(), tally.counts())
  assert.deepEqual(after.hint(3_000), tally.hint(3_000))
  after.seen()
  assert.equal(after.counts().bidsSeen, 2)
})

test('the owner is at work after a while of it, and away after a longer while', () => {
  const run = (from: IdleState, share: number, forMs: number, startMs: number): IdleState => {
    let state = from
    for (let atMs = startMs; atMs <= startMs + forMs; atMs += 1_000) state = stepIdle(state, share, atMs)
    return state
  }
  assert.ok(run(idleAtFirst, 0.9, busyAfterMs - 1_000, 0).isIdle, 'a moment is nothing')
  const busy = run(idleAtFirst, 0.9, busyAfterMs, 0)
  assert.ok(!busy.isIdle)
  assert.ok(!run(busy, 0.1, idleAfterMs - 1_000, 20_000).isIdle)
  assert.ok(run(busy, 0.1, idleAfterMs, 20_000).isIdle)
  assert.ok(!run(busy, 0.3, idleAfterMs * 2, 20_000).isIdle, 'between the two nothing turns over')
})
