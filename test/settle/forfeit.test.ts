/** Bonds: what forfeits one, that it does so once, and that nobody is made to forfeit what is not proved. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { manifestBytesMax, sealAward, type Notary } from '../../protocols/negotiate/index.ts'
import { sealCountersignature } from '../../protocols/receipt/index.ts'
import {
  checkForfeits,
  decodeSettling,
  drawForfeits,
  encodeSettling,
  forfeitOf,
  forfeitsMax,
  isForfeitOf,
  openForfeit,
  openStatement,
  sealStatement,
  settleLimits,
  totalsOf,
  type Forfeit,
  type ForfeitEnvelopes,
  type ForfeitProof,
  type Settling,
} from '../../protocols/settle/index.ts'
import { microMax, sha256 } from '../../protocols/wire/index.ts'
import { StatementBooks } from '../../src/settlement/statement-books.ts'
import { awardTerms, faultOf, startMs } from '../negotiate/parties.ts'
import { Pair } from './pair.ts'
import {
  betrayalOf,
  evidenceOf,
  high,
  higher,
  leaseNamed,
  low,
  lower,
  outsider,
  statementOf,
  unit,
  viewOf,
} from './parties.ts'

const bond = 4_000
const opened = (envelopes: ForfeitEnvelopes): ForfeitProof => openForfeit(low, envelopes)
const codeOf = (envelopes: ForfeitEnvelopes): string => faultOf(() => opened(envelopes))
const byLow = betrayalOf(low, high, bond)
const inStatement = (forfeits: readonly Forfeit[]) =>
  statementOf([], { forfeits, ...totalsOf(lower, higher, [], forfeits)! })
const proposal = (by: Notary, forfeits: readonly Forfeit[], proofs: readonly ForfeitProof[]): Settling => ({
  say: 'propose',
  statement: sealStatement(by, inStatement(forfeits)),
  evidence: [],
  forfeits: proofs,
})

test('two receipts of one number and two ACCEPTs of one AWARD forfeit the bond that the AWARD names', () => {
  for (const kind of ['receipt', 'accept'] as const) {
    const { lease, proof } = betrayalOf(low, high, bond, { of: kind })
    const { first, second, ...forfeit } = forfeitOf(opened(proof))
    assert.deepEqual(forfeit, { lease, provider: lower, bondMicro: bond })
    assert.deepEqual([first, second], [sha256(proof.first), sha256(proof.second)])
  }
})

test('nothing else does', () => {
  const { proof, lease } = byLow
  const other = betrayalOf(low, high, bond, { slot: 1 }).proof
  assert.equal(codeOf({ ...proof, second: proof.first }), 'PROOF_INVALID', 'one statement twice')
  assert.equal(codeOf({ ...proof, award: other.award }), 'PROOF_INVALID', 'of another lease')
  assert.equal(codeOf({ ...proof, second: other.second }), 'PROOF_INVALID', 'of two leases')
  assert.equal(codeOf(betrayalOf(low, high, 0).proof), 'PROOF_INVALID', 'no bond is named')
  const next = evidenceOf(low, high, lease, 2, 2).receipt.envelope
  assert.equal(codeOf({ ...proof, second: next }), 'PROOF_INVALID', 'two numbers')
  const [first, second] = [1, 2].map((amount) => evidenceOf(outsider, high, lease, 1, amount).receipt.envelope)
  assert.equal(codeOf({ ...proof, first: first!, second: second! }), 'PROOF_INVALID', 'two receipts of a stranger')
  const signatures = [1, 2].map(
    (sequence) =>
      sealCountersignature(low, { lease, sequence: 1, receipt: sha256(Uint8Array.of(sequence)), issuedMs: startMs })
        .envelope,
  )
  const countersigned = { ...proof, first: signatures[0]!, second: signatures[1]! }
  assert.equal(codeOf(countersigned), 'PROOF_INVALID', 'a provider countersigns nothing of its lease')
  const awards = [1, 2].map((ceilingMicro) => sealAward(high, awardTerms({ provider: lower, ceilingMicro })).envelope)
  assert.equal(
    codeOf({ ...proof, first: awards[0]!, second: awards[1]! }),
    'PROOF_INVALID',
    'the requester’s own fault',
  )
  const long = new Uint8Array(2_000)
  assert.equal(codeOf({ ...proof, first: long }), 'FIELD_INVALID')
  assert.equal(codeOf({ ...proof, award: new Uint8Array(manifestBytesMax + 10_000) }), 'FIELD_INVALID')
})

test('a statement takes in what is proved beside it, and no more, no less, nor anything twice', () => {
  const empty = viewOf(new StatementBooks(low), higher)
  const check = (forfeits: readonly Forfeit[], proofs: readonly ForfeitProof[], books = empty): string =>
    faultOf(() => checkForfeits(inStatement(forfeits), proofs, null, books))
  const proof = opened(byLow.proof)
  const forfeit = forfeitOf(proof)
  assert.equal(check([forfeit], [proof]), 'no fault')
  assert.equal(check([forfeit], []), 'PROOF_INVALID', 'not proved')
  assert.equal(check([], [proof]), 'PROOF_INVALID', 'a proof of nothing')
  assert.equal(check([forfeit], [proof, proof]), 'PROOF_INVALID')
  assert.equal(check([{ ...forfeit, bondMicro: bond + 1 }], [proof]), 'PROOF_INVALID', 'more than the bond')
  assert.equal(check([{ ...forfeit, bondMicro: bond - 1 }], [proof]), 'PROOF_INVALID', 'less than the bond')
  assert.equal(check([{ ...forfeit, provider: higher }], [proof]), 'PROOF_INVALID', 'the other way round')
  assert.equal(check([{ ...forfeit, first: forfeit.second }], [proof]), 'PROOF_INVALID', 'other envelopes')
  const foreign = opened(betrayalOf(low, outsider, bond).proof)
  assert.equal(check([forfeitOf(foreign)], [foreign]), 'PROOF_INVALID', 'of a lease with somebody else')
  const inFranc = opened(betrayalOf(low, high, bond, { unit: 'franc' }).proof)
  assert.ok(!isForfeitOf(inFranc, { lower, higher, unit }))
  assert.equal(check([forfeitOf(inFranc)], [inFranc]), 'PROOF_INVALID', 'in another unit')
  assert.equal(check([forfeit], [proof], { ...empty, isForfeited: () => true }), 'CHAIN_BROKEN')
  const statement = sealStatement(low, inStatement([forfeit]))
  const head = { statement, agreement: undefined as never }
  assert.equal(
    faultOf(() => checkForfeits(inStatement([forfeit]), [proof], head, empty)),
    'CHAIN_BROKEN',
    'books that lag by one',
  )
  // A proposer's books may lag as well: what the head has is not drawn again, nor is anything twice.
  const lagging = { ...empty, forfeits: () => [byLow.proof, byLow.proof] }
  const drawn = (at: Parameters<typeof drawForfeits>[4]) => drawForfeits(high, { lower, higher, unit }, [], lagging, at)
  assert.deepEqual(drawn(null).map(forfeitOf), [forfeit])
  assert.deepEqual(drawn(head), [])
})

test('what a statement says of forfeits is read strictly', () => {
  const forfeits = [0, 1, 2].map((slot) => forfeitOf(opened(betrayalOf(low, high, bond, { slot }).proof)))
  const sorted = forfeits.toSorted((one, other) => (one.lease < other.lease ? -1 : 1))
  const [one, two] = sorted as [Forfeit, Forfeit]
  const code = (body: Parameters<typeof sealStatement>[1]): string =>
    faultOf(() => openStatement(low, sealStatement(low, body).envelope))
  assert.equal(code(inStatement([one, two])), 'no fault')
  assert.equal(code(inStatement(sorted)), 'FIELD_INVALID', 'too many')
  assert.equal(code(inStatement([two, one])), 'FIELD_INVALID', 'out of order')
  assert.equal(code(inStatement([one, one])), 'FIELD_INVALID', 'a lease twice')
  assert.equal(code(inStatement([{ ...one, bondMicro: 0 }])), 'FIELD_INVALID', 'nothing')
  assert.equal(code(inStatement([{ ...one, first: new Uint8Array(31) }])), 'FIELD_INVALID')
  assert.equal(code({ ...inStatement([one]), lowerForfeitedMicro: bond + 1 }), 'FIELD_INVALID')
  assert.equal(code({ ...inStatement([one]), higherForfeitedMicro: 1 }), 'FIELD_INVALID')
  assert.equal(code({ ...inStatement([one]), debtor: higher }), 'FIELD_INVALID', 'the provider owes it')
  assert.equal(totalsOf(lower, higher, [], [{ ...one, bondMicro: microMax }, two]), undefined, 'beyond any amount')
  const all = [0, 1, 2].map((slot) => opened(betrayalOf(low, high, bond, { slot }).proof))
  assert.equal(
    faultOf(() => decodeSettling(low, encodeSettling(proposal(high, [one], all)))),
    'FIELD_INVALID',
    'too many proofs',
  )
})

test('the largest awards fit into a frame', () => {
  const room = settleLimits.frameBytesMax - forfeitsMax * (manifestBytesMax + 8 * 1024 + 2 * 1_024)
  assert.ok(room >= 128 * 1024)
})

test('earned and forfeited are one net, and the story ends with one number', () => {
  const pair = new Pair().work('a', 'low', 1_000).betray(0, 'low', bond)
  pair.propose('high').run()
  const { body } = pair.low.state.head!.statement
  assert.deepEqual(
    [body.lowerEarnedMicro, body.lowerForfeitedMicro, body.netMicro, body.debtor],
    [1_000, bond, bond - 1_000, lower],
  )
  assert.deepEqual(pair.faults, [])
  pair.propose('high').run()
  assert.equal(pair.high.state.head!.statement.body.number, 1, 'nothing is left')
  assert.match(pair.lines.join('\n'), /1 leases, 1 forfeited/)
})

test('a proposal of the one who forfeits is agreed to without it, and the next number has it', () => {
  const pair = new Pair().work('a', 'low', 1_000).betray(0, 'low', bond)
  pair.propose('low').run()
  assert.deepEqual(pair.high.state.head!.statement.body.forfeits, [])
  pair.propose('high').run()
  const { number, forfeits } = pair.low.state.head!.statement.body
  assert.deepEqual([number, forfeits.map(({ bondMicro }) => bondMicro)], [2, [bond]])
})

test('a revision keeps what it forfeits, with its proof', () => {
  const pair = new Pair().work('a', 'high', 500).work('a', 'high', 500, false).betray(0, 'low', bond)
  pair.propose('high').run()
  const { revision, forfeits } = pair.low.state.head!.statement.body
  assert.deepEqual([revision, forfeits.length], [2, 1])
  assert.deepEqual(pair.faults, [])
})

test('what does not fit into one statement is in the next', () => {
  const pair = new Pair()
  for (const slot of [0, 1, 2]) pair.betray(slot, 'low', bond)
  pair.propose('high').run().propose('high').run().propose('high').run()
  assert.deepEqual(
    [1, 2, 3].map((number) => {
      const agreed = pair.low.books.agreed(higher, unit, number)
      return agreed && openStatement(low, agreed.statement).body.forfeits.length
    }),
    [forfeitsMax, 1, undefined],
  )
})

test('a proof that the disk has changed is not proposed, and holds up nothing', () => {
  const pair = new Pair().work('a', 'low', 10)
  const { lease, proof } = betrayalOf(low, high, bond)
  pair.high.books.claim(lower, unit, lease, {
    ...proof,
    second: proof.second.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
  })
  pair
    .betray(1, 'low', bond + 1)
    .propose('high')
    .run()
  const { forfeits, entries } = pair.low.state.head!.statement.body
  assert.deepEqual([forfeits.map(({ bondMicro }) => bondMicro), entries.length], [[bond + 1], 1])
  assert.notEqual(lease, leaseNamed('a'))
})
