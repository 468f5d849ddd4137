/** Messages of settling, and the chain of what was agreed: three numbers of one account, the second of them in two revisions. */
import { create, toBinary } from '@bufbuild/protobuf'
import { fromString, toString } from 'uint8arrays'

import { leaseIdOf, sealAccept, sealAward } from '../../../protocols/negotiate/index.ts'
import { sealCountersignature, sealReceipt, type Receipt } from '../../../protocols/receipt/index.ts'
import {
  encodeSettling,
  evidenceBytesMax,
  forfeitOf,
  heldOf,
  openForfeit,
  originOf,
  pairOf,
  revisionMax,
  sealAgreement,
  sealDifference,
  sealStatement,
  totalsOf,
  type Agreed,
  type Agreement,
  type Difference,
  type Disputed,
  type Entry,
  type Evidence,
  type Forfeit,
  type ForfeitProof,
  type Settling,
  type Statement,
} from '../../../protocols/settle/index.ts'
import { SettlingSchema } from '../../../protocols/settle/wire_pb.ts'
import { microMax, sha256, type Signed } from '../../../protocols/wire/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { bad, good, type SettlementsCase, type VectorFile } from './cases.ts'
import { asker, network, stranger, worker } from './kinds.ts'
import { accept, award, countersignatures, lease as sold, receiptAfter, receipts, terms } from './lease.ts'

type Notary = typeof asker

const unit = 'credit'
const { lower, higher } = pairOf(asker.signer.peer, worker.signer.peer)
const [bought, forked] = ['bought', 'forked'].map((name) => toString(sha256(fromString(name)), 'hex')) as [
  string,
  string,
]

/** The lease of the other vectors, where the provider works; and two of which the other way round nothing else is told. */
const soldAt = (sequence: number): Evidence => ({
  receipt: receipts[sequence - 1]!,
  countersignature: countersignatures[sequence - 1]!,
})
const boughtAt = (lease: string, sequence: number, amountMicro: number, over: Partial<Receipt> = {}): Evidence => {
  const receipt = sealReceipt(asker, {
    ...receiptAfter(undefined, 1_000).body,
    lease,
    requester: worker.signer.peer,
    previous: fromString(lease, 'hex'),
    sequence,
    amountMicro,
    ...over,
  })
  const { issuedMs } = receipt.body
  return { receipt, countersignature: countersignatureOf(receipt, worker, issuedMs) }
}
function countersignatureOf({ body, envelope }: Signed<Receipt>, by: Notary, issuedMs = startMs) {
  return sealCountersignature(by, { lease: body.lease, sequence: body.sequence, receipt: sha256(envelope), issuedMs })
}

const entryOf = (proof: Evidence, settledMicro = 0): Entry => ({
  lease: proof.receipt.body.lease,
  provider: proof.receipt.by,
  ...heldOf(proof),
  settledMicro,
})
const byLease = (one: { readonly lease: string }, other: { readonly lease: string }) =>
  one.lease < other.lease ? -1 : 1
const statementOf = (entries: readonly Entry[], over: Partial<Statement> = {}): Statement => {
  const inOrder = entries.toSorted(byLease)
  return {
    lower,
    higher,
    unit,
    number: 1,
    revision: 1,
    previous: originOf(network, lower, higher, unit),
    answers: new Uint8Array(0),
    entries: inOrder,
    disputed: [],
    forfeits: [],
    ...totalsOf(lower, higher, inOrder)!,
    issuedMs: startMs + 20_000,
    ...over,
  }
}
const hashOf = ({ envelope }: Signed<unknown>) => sha256(envelope)
const referenceTo = (to: Signed<Statement>): Agreement => {
  const { number, revision, issuedMs } = to.body
  return { unit, number, revision, statement: hashOf(to), issuedMs: issuedMs + 15 }
}
const agreedBy = (by: Notary, statement: Signed<Statement>, over: Partial<Agreement> = {}): Agreed => ({
  statement,
  agreement: sealAgreement(by, { ...referenceTo(statement), ...over }),
})

const amountOf = ({ receipt }: Evidence): number => receipt.body.amountMicro
const [sold2, sold3, sold4] = [soldAt(2), soldAt(3), soldAt(4)]
const [bought1, bought2] = [boughtAt(bought, 1, 900), boughtAt(bought, 2, 1_000)]
const [fork, otherFork] = [boughtAt(forked, 1, 10), boughtAt(forked, 1, 11)]

// 1: both leases, agreed to at once.
const first = agreedBy(worker, sealStatement(asker, statementOf([entryOf(sold2), entryOf(bought1)])))
const following = { number: 2, previous: hashOf(first.statement), issuedMs: startMs + 40_000 }

// 2: the other side holds more of one lease, less of another, and of the third another receipt.
const entriesOf2 = [entryOf(sold3, amountOf(sold2)), entryOf(bought2, amountOf(bought1)), entryOf(fork)]
const proposed = sealStatement(asker, statementOf(entriesOf2, following))
const difference: Difference = {
  ...referenceTo(proposed),
  objections: [
    { lease: sold, code: 'HOLDS_MORE' as const, holds: heldOf(sold4) },
    { lease: bought, code: 'HOLDS_LESS' as const, holds: heldOf(bought1) },
    { lease: forked, code: 'RECEIPT_DIFFERS' as const, holds: heldOf(otherFork) },
  ].toSorted(byLease),
}
const differs = sealDifference(worker, difference)
const dispute: Disputed = {
  lease: forked,
  provider: asker.signer.peer,
  code: 'RECEIPT_DIFFERS',
  proposerHolds: heldOf(fork),
  otherHolds: heldOf(otherFork),
}
const revision = { ...following, revision: 2, answers: hashOf(differs), issuedMs: startMs + 41_000 }
const revised = statementOf([entryOf(sold4, amountOf(sold2)), entryOf(bought2, amountOf(bought1))], {
  ...revision,
  disputed: [dispute],
})
const second = agreedBy(worker, sealStatement(asker, revised))

// 3: proposed by the other; nobody owes anything.
const [bought3, unseen] = [boughtAt(bought, 3, 1_250), boughtAt(forked, 2, 30)]
const last = { number: 3, previous: hashOf(second.statement), issuedMs: startMs + 60_000 }
const third = agreedBy(
  asker,
  sealStatement(worker, statementOf([entryOf(bought3, amountOf(bought2)), entryOf(unseen)], last)),
)

// 4: the provider of the lease has accepted it twice.
const again = sealAccept(worker, { ...accept.body, issuedMs: accept.body.issuedMs + 1 })
const accepted = openForfeit(asker, { award: award.envelope, first: accept.envelope, second: again.envelope })
const billed = (slot: number): ForfeitProof => {
  const other = sealAward(asker, { ...terms, slot })
  const lease = leaseIdOf(other.envelope)
  const [one, two] = [1_000, 1_001].map((wallMs) =>
    sealReceipt(worker, { ...receiptAfter(undefined, wallMs).body, lease, previous: fromString(lease, 'hex') }),
  )
  return openForfeit(asker, { award: other.envelope, first: one!.envelope, second: two!.envelope })
}
const statementWith = (forfeits: readonly Forfeit[], over: Partial<Statement> = {}): Statement => {
  const inOrder = forfeits.toSorted(byLease)
  return { ...statementOf([]), forfeits: inOrder, ...totalsOf(lower, higher, [], inOrder)!, ...over }
}
const fourth = agreedBy(
  worker,
  sealStatement(
    asker,
    statementWith([forfeitOf(accepted)], { number: 4, previous: hashOf(third.statement), issuedMs: startMs + 80_000 }),
  ),
)
const forfeit = forfeitOf(accepted)
const bonded = agreedBy(worker, sealStatement(asker, statementWith([forfeit])))
const several = [billed(1), billed(2), billed(3)]
const two = several.slice(0, 2)

const frame = (message: Settling): Uint8Array => encodeSettling(message)
const proposes = (
  statement: Signed<Statement>,
  evidence: readonly Evidence[] = [],
  forfeits: readonly ForfeitProof[] = [],
): Settling => ({
  say: 'propose',
  statement,
  evidence,
  forfeits,
})
const forfeits = (name: string, body: Statement, proofs: readonly ForfeitProof[], fault?: string) => {
  const bytes = frame(proposes(sealStatement(asker, body), [], proofs))
  return fault === undefined ? good('settling', name, bytes) : bad('settling', name, fault, bytes)
}
const changed = (name: string, over: Partial<ForfeitProof>, fault = 'PROOF_INVALID') =>
  forfeits(name, statementWith([forfeit]), [{ ...accepted, ...over }], fault)
const says = (name: string, message: Settling) => good('settling', name, frame(message))
const refused = (name: string, message: Settling, fault = 'FIELD_INVALID') =>
  bad('settling', name, fault, frame(message))
const wrong = (name: string, over: Partial<Statement>, body = first.statement.body) =>
  refused(name, proposes(sealStatement(asker, { ...body, ...over })))
const unfounded = (name: string, over: Partial<Difference>) =>
  refused(name, { say: 'differ', difference: sealDifference(worker, { ...difference, ...over }), evidence: [] })
const unproved = (name: string, fault: string, ...evidence: Evidence[]) =>
  refused(name, proposes(second.statement, evidence), fault)

const [entry, otherEntry] = first.statement.body.entries as [Entry, Entry]
const most = [{ ...entry, amountMicro: microMax, settledMicro: 0 }]
const holding = (over: Partial<Disputed>) => ({ disputed: [{ ...dispute, ...over }] })

const settle: VectorFile = {
  what: 'Frames of /pleach/settle/1: three statements of one account, how they were agreed, and what no honest peer sends.',
  cases: [
    says('PROPOSE 1', proposes(first.statement)),
    says('AGREE 1', { say: 'agree', agreement: first.agreement }),
    says('PROPOSE 2, revision 1', proposes(proposed)),
    says('DIFFER 2, with the proof of more', { say: 'differ', difference: differs, evidence: [sold4] }),
    says('PROPOSE 2, revision 2, with a dispute and a proof', proposes(second.statement, [bought2])),
    says('AGREE 2', { say: 'agree', agreement: second.agreement }),
    says('PROPOSE 3, in which nothing is earned one way', proposes(third.statement)),
    says('AGREED 3', { say: 'agreed', ...third }),
    says(
      'PROPOSE 4, with a bond that is forfeited and two ACCEPTs that prove it',
      proposes(fourth.statement, [], [accepted]),
    ),
    forfeits('two bonds, each with two receipts of one number', statementWith(two.map(forfeitOf)), two),
    forfeits('a bond and a lease that was worked', { ...statementWith([forfeit]), ...mixed() }, [accepted]),
    says('the other side holds nothing of it', {
      say: 'differ',
      difference: sealDifference(worker, {
        ...difference,
        objections: [{ lease: bought, code: 'HOLDS_LESS', holds: null }],
      }),
      evidence: [],
    }),
    says(
      'PROPOSE with disputes alone, of which the other side holds nothing',
      proposes(
        sealStatement(asker, statementOf([], { ...revision, ...holding({ code: 'HOLDS_LESS', otherHolds: null }) })),
      ),
    ),
    says('what nobody owes', proposes(sealStatement(asker, statementOf(evenEntries())))),
    says(
      'the highest numbers',
      proposes(
        sealStatement(
          worker,
          statementOf(most, { number: microMax, revision: revisionMax, answers: hashOf(differs), issuedMs: microMax }),
        ),
      ),
    ),
    wrong('number 0', { number: 0 }),
    wrong('revision 0', { revision: 0 }),
    wrong('a revision over its bound', { revision: revisionMax + 1 }, revised),
    wrong('a number over 2^53 - 1', { number: microMax + 1 }),
    wrong('peers that are not in order', { lower: higher, higher: lower }),
    wrong('a peer that is none', { lower: '1' }),
    wrong('a unit too long', { unit: 'u'.repeat(65) }),
    wrong('a line break in the unit', { unit: 'a\nb' }),
    wrong('a predecessor that is no hash', { previous: new Uint8Array(31) }),
    wrong('a first revision that answers', { answers: hashOf(differs) }),
    wrong('a first revision that disputes', { disputed: [dispute] }),
    wrong('a second revision that answers nothing', { answers: new Uint8Array(0) }, revised),
    wrong('nothing in it', { ...totalsOf(lower, higher, [])!, entries: [] }),
    wrong('leases out of order', { entries: [otherEntry, entry] }),
    wrong('a lease twice', statementOf([entry, entry])),
    wrong('a lease taken in and disputed', holding({ lease: bought }), revised),
    wrong('receipt 0', statementOf([{ ...entry, sequence: 0 }])),
    wrong('a receipt that is no hash', statementOf([{ ...entry, receipt: new Uint8Array(33) }])),
    wrong('a lease that is no hash', statementOf([{ ...entry, lease: 'ab' }])),
    wrong('an entry that adds nothing', statementOf([{ ...entry, settledMicro: entry.amountMicro }])),
    wrong('an amount that falls', { entries: [{ ...entry, settledMicro: entry.amountMicro + 1 }, otherEntry] }),
    wrong('another sum', { lowerEarnedMicro: first.statement.body.lowerEarnedMicro + 1 }),
    wrong('another net', { netMicro: first.statement.body.netMicro + 1 }),
    wrong('another debtor', { debtor: first.statement.body.debtor === lower ? higher : lower }),
    wrong('a debtor of nothing', { ...statementOf(evenEntries()), debtor: lower }),
    wrong('a sum over 2^53 - 1', {
      entries: [
        { ...entry, provider: lower, amountMicro: microMax, settledMicro: 0 },
        { ...otherEntry, provider: lower },
      ],
    }),
    wrong('an objection of an unknown kind', holding({ code: 'BORED' as never }), revised),
    wrong('a dispute about receipt 0', holding({ proposerHolds: { ...heldOf(fork), sequence: 0 } }), revised),
    unfounded('a difference without an objection', { objections: [] }),
    unfounded('an objection twice', { objections: [difference.objections[0]!, difference.objections[0]!] }),
    unfounded('more is held, and nothing', { objections: [{ lease: sold, code: 'HOLDS_MORE', holds: null }] }),
    unfounded('a difference from no statement', { statement: new Uint8Array(0) }),
    unproved('two proofs of one lease', 'FIELD_INVALID', bought1, bought2),
    unproved('a countersignature of another receipt', 'PROOF_INVALID', {
      ...bought2,
      countersignature: bought1.countersignature,
    }),
    unproved('a countersignature by a stranger', 'SIGNER_UNEXPECTED', {
      ...bought2,
      countersignature: countersignatureOf(bought2.receipt, stranger),
    }),
    unproved('a proof too long', 'FIELD_INVALID', {
      ...bought2,
      receipt: { ...bought2.receipt, envelope: new Uint8Array(evidenceBytesMax + 1) },
    }),
    unproved(
      'too many proofs',
      'FIELD_INVALID',
      ...Array.from({ length: 33 }, (_, index) => boughtAt(toString(sha256(Uint8Array.of(index)), 'hex'), 1, 5)),
    ),
    forfeits('more bonds than a statement takes in', statementWith(several.map(forfeitOf)), several, 'FIELD_INVALID'),
    forfeits('more proofs than a statement takes in', statementWith([forfeit]), several, 'FIELD_INVALID'),
    forfeits(
      'bonds out of order',
      { ...statementWith(two.map(forfeitOf)), forfeits: statementWith(two.map(forfeitOf)).forfeits.toReversed() },
      two,
      'FIELD_INVALID',
    ),
    forfeits('a bond twice', statementWith([forfeit, forfeit]), [accepted], 'FIELD_INVALID'),
    forfeits('a bond of nothing', statementWith([{ ...forfeit, bondMicro: 0 }]), [accepted], 'FIELD_INVALID'),
    forfeits(
      'a bond that is in no sum',
      { ...statementWith([forfeit]), ...totalsOf(lower, higher, [])! },
      [accepted],
      'FIELD_INVALID',
    ),
    changed('one ACCEPT twice', { second: accept.envelope }),
    changed('two ACCEPTs of another lease', { award: several[0]!.award }),
    changed('two receipts of another lease', { first: several[0]!.first, second: several[0]!.second }),
    changed('a lease that names no bond', unbonded()),
    changed('two countersignatures, which a provider never gives', countersignedTwice()),
    changed('a statement too long', { second: new Uint8Array(evidenceBytesMax + 1) }, 'FIELD_INVALID'),
    refused('a statement by a stranger', proposes(sealStatement(stranger, first.statement.body)), 'SIGNER_UNEXPECTED'),
    refused(
      'a statement for another network',
      proposes(sealStatement({ ...asker, network: 'elsewhere' }, first.statement.body)),
      'NETWORK_FOREIGN',
    ),
    refused(
      'an agreement in the place of a statement',
      proposes({ ...first.statement, envelope: first.agreement.envelope }),
      'DOMAIN_UNEXPECTED',
    ),
    refused('agreed to by its proposer', { say: 'agreed', ...agreedBy(asker, first.statement) }, 'SIGNER_UNEXPECTED'),
    refused('agreed to by a stranger', { say: 'agreed', ...agreedBy(stranger, first.statement) }, 'SIGNER_UNEXPECTED'),
    refused(
      'an agreement to another statement',
      { say: 'agreed', statement: first.statement, agreement: second.agreement },
      'CHAIN_BROKEN',
    ),
    bad('settling', 'nothing said', 'FIELD_INVALID', toBinary(SettlingSchema, create(SettlingSchema))),
    bad('settling', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x0a, 0xff)),
  ],
}

/** As much one way as the other. */
function evenEntries(): Entry[] {
  return [
    { ...entry, provider: lower, amountMicro: 70, settledMicro: 20 },
    { ...otherEntry, provider: higher, amountMicro: 50, settledMicro: 0 },
  ].toSorted(byLease)
}

/** Beside a bond, what its provider earned. */
function mixed() {
  const entries = [entryOf(sold2)]
  return { entries, ...totalsOf(lower, higher, entries, [forfeit])! }
}

function unbonded(): Partial<ForfeitProof> {
  const without = sealAward(asker, { ...terms, bondMicro: 0 })
  const twice = [1, 2].map((later) =>
    sealAccept(worker, { ...accept.body, lease: sha256(without.envelope), issuedMs: accept.body.issuedMs + later }),
  )
  return { award: without, first: twice[0]!.envelope, second: twice[1]!.envelope }
}

function countersignedTwice(): Partial<ForfeitProof> {
  const [one, other] = [1, 2].map((later) => countersignatureOf(receipts[0]!, worker, startMs + later).envelope)
  return { first: one!, second: other! }
}

/** What proves the forfeits of these vectors. */
export function proofsOf(of: readonly Forfeit[]): ForfeitProof[] {
  return [accepted, ...several].filter((proof) => of.some(({ lease }) => lease === forfeitOf(proof).lease))
}

/** What a chain comes to: how much of each lease is settled, and what each side earned in all. */
export function balanceOf(chain: readonly Agreed[]) {
  const settled = new Map<string, { lease: string; provider: string; settledMicro: number }>()
  let [lowerEarnedMicro, higherEarnedMicro, lowerForfeitedMicro, higherForfeitedMicro] = [0, 0, 0, 0]
  for (const { statement } of new Map(chain.map((agreed) => [agreed.statement.body.number, agreed])).values()) {
    for (const { lease, provider, amountMicro, settledMicro } of statement.body.entries) {
      settled.set(lease, { lease, provider, settledMicro: amountMicro })
      if (provider === lower) lowerEarnedMicro += amountMicro - settledMicro
      else higherEarnedMicro += amountMicro - settledMicro
    }
    lowerForfeitedMicro += statement.body.lowerForfeitedMicro
    higherForfeitedMicro += statement.body.higherForfeitedMicro
  }
  const [toLower, toHigher] = [lowerEarnedMicro + higherForfeitedMicro, higherEarnedMicro + lowerForfeitedMicro]
  const netMicro = Math.abs(toLower - toHigher)
  const debtor = netMicro === 0 ? '' : toLower < toHigher ? lower : higher
  const leases = [...settled.values()].toSorted(byLease)
  return {
    number: chain.at(-1)?.statement.body.number ?? 0,
    leases,
    lowerEarnedMicro,
    higherEarnedMicro,
    lowerForfeitedMicro,
    higherForfeitedMicro,
    netMicro,
    debtor,
  }
}

const chain = (name: string, of: readonly Agreed[], fault?: string): SettlementsCase => ({
  name,
  kind: 'settlements',
  settlements: of.map(({ statement, agreement }) => ({
    statement: toString(statement.envelope, 'hex'),
    agreement: toString(agreement.envelope, 'hex'),
  })),
  ...(fault === undefined ? { meaning: balanceOf(of) } : { fault }),
})
const broken = (name: string, body: Statement, fault: string, before: readonly Agreed[] = []) =>
  chain(name, [...before, agreedBy(worker, sealStatement(asker, body))], fault)

const settlements: VectorFile = {
  what: 'What two peers have agreed, in order (protocols/settle/README.md). Each follows, but the last of a bad chain, which is a fault.',
  cases: [
    chain('three numbers', [first, second, third]),
    chain('four numbers, with a bond in the last', [first, second, third, fourth]),
    chain('a bond alone', [bonded]),
    broken(
      'a bond forfeited again',
      statementWith([forfeit], { number: 2, previous: hashOf(bonded.statement) }),
      'CHAIN_BROKEN',
      [bonded],
    ),
    chain('one number', [first]),
    chain('each comes twice', [first, first, second, second]),
    broken(
      'the first names nothing before it',
      statementOf([entryOf(sold2)], { previous: new Uint8Array(32) }),
      'CHAIN_BROKEN',
    ),
    broken(
      'the first names what it would on another network',
      statementOf([entryOf(sold2)], { previous: originOf('elsewhere', lower, higher, unit) }),
      'CHAIN_BROKEN',
    ),
    broken(
      'another predecessor',
      statementOf([entryOf(sold3, amountOf(sold2))], { ...following, previous: hashOf(proposed) }),
      'CHAIN_BROKEN',
      [first],
    ),
    broken('counted twice', statementOf([entryOf(sold3)], following), 'CHAIN_BROKEN', [first]),
    broken(
      'settled before, and never',
      statementOf([entryOf(boughtAt(forked, 2, 30), 10)], following),
      'CHAIN_BROKEN',
      [first],
    ),
    broken('what was disputed, as if it had been settled', statementOf([entryOf(unseen, 10)], last), 'CHAIN_BROKEN', [
      first,
      second,
    ]),
    broken(
      'a number left out',
      statementOf([entryOf(sold3, amountOf(sold2))], { ...following, number: 3 }),
      'OUT_OF_TURN',
      [first],
    ),
    broken('two of one number', statementOf([entryOf(sold2)]), 'EQUIVOCATION', [first]),
    chain(
      'two of one number, one by each',
      [first, agreedBy(asker, sealStatement(worker, statementOf([entryOf(sold2)])))],
      'EQUIVOCATION',
    ),
    chain('agreed to by its proposer', [first, agreedBy(asker, second.statement)], 'SIGNER_UNEXPECTED'),
    chain('an agreement to another statement', [{ ...first, agreement: second.agreement }], 'CHAIN_BROKEN'),
  ],
}

export const settleVectors = { settle, settlements }
