// Whom a requester awards: offers are made up, and the dice are the test's.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { noWishes, type Requirements } from '../../protocols/bid/index.ts'
import { sealOffer, type Offer } from '../../protocols/negotiate/index.ts'
import type { Signed } from '../../protocols/wire/index.ts'
import { chooseOffers, dearness, type Acquaintance, type Choice } from '../../src/market/rank.ts'
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
const stranger: Acquaintance = { standing: 0.5, rttMs: undefined, evidence: undefined, house: undefined, operator: '' }

/** Who is chosen, best first. `know`: by peer, what differs from a stranger. */
function chosen(
  offers: readonly Signed<Offer>[],
  over: Partial<Omit<Choice, 'offers'>> = {},
  know: Readonly<Record<string, Partial<Acquaintance>>> = {},
  dice: () => number = () => 1,
): string[] {
  const choice = { offers, count: offers.length, failed: [], holders: [], requirements, wishes: noWish, ...over }
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
  assert.equal(dearness({ ...best, evidence: 'claimed' }), 1.1)
  assert.equal(dearness({ ...best, evidence: 'challenged' }), 0.95)
  const offers = [offerOf(0, 100_000), offerOf(1, 120_000)]
  assert.deepEqual(chosen(offers, {}, { [bert!]: { standing: 1 } }), [bert, anna])
  assert.deepEqual(chosen(offers, {}, { [anna!]: { rttMs: 400 } }), [bert, anna])
})

test('who failed comes last, and before it who shares its house', () => {
  const offers = [offerOf(0, 100), offerOf(1, 200), offerOf(2, 900)]
  const know = { [anna!]: { house: 'x' }, [bert!]: { house: 'x' } }
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

test('one choice in twenty is made at random among those that did not fail', () => {
  const offers = [offerOf(0, 100), offerOf(1, 200), offerOf(2, 300), offerOf(3, 50)]
  const rolls = [0.04, 0.99]
  const dice = (): number => rolls.shift() ?? 1
  assert.deepEqual(chosen(offers, { failed: [dora!], count: 1 }, {}, dice), [cora])
  assert.deepEqual(
    chosen(offers, { failed: [dora!], count: 1 }, {}, () => 0.05),
    [anna],
  )
})
