// Whom a requester awards: offers are made up, and the dice are the test's.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { noWishes, type Requirements } from '../../protocols/bid/index.ts'
import { sealOffer, type Offer } from '../../protocols/negotiate/index.ts'
import type { Signed } from '../../protocols/wire/index.ts'
import {
  chooseOffers,
  dearness,
  explorationShare,
  trialMicroMax,
  trialWallMsMax,
  type Acquaintance,
  type Choice,
} from '../../src/market/rank.ts'
import { noWish } from '../../src/market/wishes.ts'
import { offerTerms } from '../negotiate/parties.ts'
import { network, signer } from '../support/peers.ts'

const people = Array.from({ length: 6 }, (_, number) => signer(number + 1))
const [anna, bert, cora, dora] = people.map(({ peer }) => peer)
const offerOf = (number: number, cpuHourMicro: number): Signed<Offer> =>
  sealOffer({ signer: people[number]!, network }, offerTerms({ cpuHourMicro }))
const requirements: Requirements = {
  ...noWishes,
  runtime: 'wasi-preview1',
  cpuMilli: 1_000,
  memoryBytes: 65_536,
  diskBytes: 0,
  wallMsMax: 60_000,
}
const stranger: Acquaintance = {
  standing: 0.5,
  familiarity: 'stranger',
  jobs: 0,
  checkShare: 1,
  cooling: undefined,
  startMs: undefined,
  rttMs: undefined,
  evidence: undefined,
  house: undefined,
  operator: '',
}
const friend = { familiarity: 'known', standing: 0.8 } as const

/** Who is chosen, best first. `know`: by peer, what differs from a stranger. */
function chosen(
  offers: readonly Signed<Offer>[],
  over: Partial<Omit<Choice, 'offers'>> = {},
  know: Readonly<Record<string, Partial<Acquaintance>>> = {},
  roll: () => number = () => 1,
  trust = 0.5,
): string[] {
  const choice = { offers, count: offers.length, failed: [], holders: [], requirements, wishes: noWish, ...over }
  const dice = { roll, trustInStrangers: () => trust }
  return chooseOffers(choice, (peer) => ({ ...stranger, ...know[peer] }), dice).map(({ by }) => by)
}

test('the cheapest is first, and no more are chosen than are needed', () => {
  const offers = [offerOf(0, 300), offerOf(1, 100), offerOf(2, 200)]
  assert.deepEqual(chosen(offers), [bert, cora, anna])
  assert.deepEqual(chosen(offers, { count: 2 }), [bert, cora])
  assert.deepEqual(chosen([]), [])
})

test('standing, distance and evidence make an offer count as dearer, as much as is written', () => {
  const best: Acquaintance = { ...stranger, standing: 1, rttMs: 0, evidence: 'measured' }
  assert.equal(dearness(best), 1)
  assert.equal(dearness({ ...best, standing: 0 }), 1.5)
  assert.equal(dearness({ ...best, rttMs: 100 }), 1.1)
  assert.equal(dearness({ ...best, rttMs: 9_000 }), 1.5, 'no more than for half a second')
  assert.equal(dearness({ ...best, startMs: 2_000 }), 1.02)
  assert.equal(dearness({ ...best, startMs: 90_000 }), 1.1, 'no more than for ten seconds')
  assert.equal(dearness({ ...best, evidence: 'claimed' }), 1.1)
  assert.equal(dearness({ ...best, evidence: 'challenged' }), 0.95)
  const offers = [offerOf(0, 100_000), offerOf(1, 120_000)]
  assert.deepEqual(chosen(offers, {}, { [bert!]: { standing: 1 } }), [bert, anna])
  assert.deepEqual(chosen(offers, {}, { [anna!]: { rttMs: 400 } }), [bert, anna])
})

test('who failed comes last, and before it who shares its house', () => {
  const offers = [offerOf(0, 100), offerOf(1, 200), offerOf(2, 900)]
  const know = { [anna!]: { ...friend, house: 'x' }, [bert!]: { ...friend, house: 'x' }, [cora!]: friend }
  assert.deepEqual(chosen(offers, { failed: [anna!] }, know), [cora, bert, anna])
})

test('who is not wanted is not chosen, however cheap', () => {
  const offers = [offerOf(0, 100), offerOf(1, 200), offerOf(2, 300)]
  const wishing = (wishes: Partial<typeof noWish>, know = {}) =>
    chosen(offers, { wishes: { ...noWish, ...wishes } }, know)
  assert.deepEqual(wishing({ deny: [anna!] }), [bert, cora])
  assert.deepEqual(wishing({ allow: [cora!] }), [cora])
  assert.deepEqual(wishing({ standingMin: 0.6 }, { [bert!]: { standing: 0.7 } }), [bert])
  assert.deepEqual(wishing({}, { [anna!]: { standing: 0.05 } }), [bert, cora], 'of poor standing')
  assert.deepEqual(wishing({ rttMsMax: 50 }, { [anna!]: { rttMs: 51 }, [bert!]: { rttMs: 50 } }), [bert, cora])
})

test('places that are to be apart share no subnet and no operator, with each other or with who holds one', () => {
  const offers = [offerOf(0, 100), offerOf(1, 200), offerOf(2, 300), offerOf(3, 400)]
  const bySubnet = { wishes: { ...noWish, spread: 'subnet' as const } }
  const houses = { [anna!]: { house: 'x' }, [bert!]: { house: 'x' }, [cora!]: { house: 'y' } }
  assert.deepEqual(chosen(offers, bySubnet, houses), [anna, cora, dora], 'who cannot be placed is by itself')
  assert.deepEqual(chosen(offers, { ...bySubnet, holders: [anna!] }, houses), [cora, dora])
  const byOperator = { wishes: { ...noWish, spread: 'operator' as const } }
  const operators = { [anna!]: { operator: 'weavers' }, [dora!]: { operator: 'weavers' } }
  assert.deepEqual(chosen(offers, byOperator, operators), [anna, bert, cora])
})

/** Rolls these, one after the other, and then ones. */
const rolling =
  (...rolls: number[]) =>
  () =>
    rolls.shift() ?? 1

test('one choice in twenty is made at random among those that did not fail', () => {
  const offers = [offerOf(0, 100), offerOf(1, 200), offerOf(2, 300), offerOf(3, 50)]
  const know = Object.fromEntries(people.map(({ peer }) => [peer, friend]))
  const choice = { failed: [dora!], count: 1 }
  assert.deepEqual(chosen(offers, choice, know, rolling(0.04, 0.99)), [cora])
  assert.deepEqual(chosen(offers, choice, know, rolling(0.05)), [anna])
})

test('who is known comes before strangers, whoever asks for less, and who was introduced is no stranger', () => {
  const offers = [offerOf(0, 10), offerOf(1, 500), offerOf(2, 400)]
  assert.deepEqual(chosen(offers, {}, { [bert!]: friend }), [bert, anna, cora])
  assert.deepEqual(chosen(offers, {}, { [cora!]: { familiarity: 'introduced' }, [bert!]: friend }), [bert, cora, anna])
  const unreliable = { familiarity: 'known', standing: 0.55 } as const
  assert.deepEqual(
    chosen(offers, {}, { [bert!]: unreliable }),
    [anna, cora, bert],
    'nor is who fails every second time',
  )
})

test('where all are strangers the cheapest is first; once strangers fail us the price says nothing', () => {
  const offers = [offerOf(0, 300), offerOf(1, 100), offerOf(2, 200)]
  assert.deepEqual(
    chosen(offers, {}, {}, () => 1),
    [bert, cora, anna],
  )
  assert.deepEqual(chosen(offers, {}, {}, rolling(0.2, 0.9, 0.5), 0.3), [anna, cora, bert])
})

test('a stranger is tried out of turn with small jobs only, and more seldom the more of them failed us', () => {
  const offers = [offerOf(0, 300), offerOf(1, 100)]
  const know = { [anna!]: friend }
  const out = (over: Partial<Choice>, roll: number, trust = 0.5, among = offers) =>
    chosen(among, { count: 1, ...over }, know, rolling(roll, 0.99), trust)
  assert.deepEqual(out({}, explorationShare * 0.9), [bert])
  assert.deepEqual(out({}, explorationShare), [anna])
  assert.deepEqual(
    out({ requirements: { ...requirements, wallMsMax: trialWallMsMax + 1 } }, 0),
    [anna],
    'not with a long one',
  )
  const dear = [offerOf(0, 300), offerOf(1, trialMicroMax * 3_600)]
  assert.deepEqual(out({}, 0, 0.5, dear), [anna], 'nor with a dear one')
  const doubted = (roll: number) => chosen(offers, { count: 1 }, know, rolling(1, roll, 0.99), 0.1)
  assert.deepEqual(doubted(explorationShare * 0.19), [bert])
  assert.deepEqual(doubted(explorationShare * 0.21), [anna])
})

test('of a gang no more places go to strangers than there are others for', () => {
  const offers = [0, 1, 2, 3].map((number) => offerOf(number, 100 * (number + 1)))
  const know = { [cora!]: friend, [dora!]: friend }
  assert.deepEqual(chosen(offers, { count: 3 }, know), [cora, dora, anna])
})

test('who did not come not long ago comes after the doubtful, and who broke a protocol does not come at all', () => {
  const offers = [offerOf(0, 100), offerOf(1, 200), offerOf(2, 300), offerOf(3, 400)]
  const know = {
    [anna!]: { ...friend, cooling: 'noShow' },
    [bert!]: { ...friend, cooling: 'fault' },
    [cora!]: { standing: 0.3 },
  } as const
  assert.deepEqual(chosen(offers, {}, know), [dora, cora, anna])
})
