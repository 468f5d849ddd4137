import assert from 'node:assert/strict'
import { test } from 'node:test'

import { create, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'

import {
  decodeSettling,
  encodeSettling,
  entriesMax,
  evidenceBytesMax,
  evidenceMax,
  openAgreed,
  openAgreement,
  openDifference,
  openEvidence,
  openStatement,
  originOf,
  pairOf,
  revisionMax,
  sealAgreement,
  sealDifference,
  sealStatement,
  settleLimits,
  totalsOf,
  unitCharsMax,
  unitOf,
  type Difference,
  type Disputed,
  type Entry,
  type Settling,
  type Statement,
} from '../../protocols/settle/index.ts'
import { SettlingSchema } from '../../protocols/settle/wire_pb.ts'
import { microMax, sha256 } from '../../protocols/wire/index.ts'
import { faultOf, flipped, startMs } from '../negotiate/parties.ts'
import { network } from '../support/peers.ts'
import { messages, second } from './messages.ts'
import { entryOf, evidenceOf, high, higher, leaseNamed, low, lower, outsider, statementOf, unit } from './parties.ts'

/**
 * What is signed in a message. AGREED without its statement is an AGREE, and says no more than that: the frame around the envelopes
 * is not signed, and either is lawful from whoever can send it.
 */
function signedIn(heard: Settling, sent: Settling): unknown {
  const isHalf = sent.say === 'agreed' && heard.say === 'agree'
  return isHalf
    ? { ...sent, agreement: heard.agreement, evidence: [], forfeits: [] }
    : { ...heard, evidence: [], forfeits: [] }
}

for (const [name, message] of Object.entries(messages)) {
  const bytes = encodeSettling(message)

  test(`${name}: reads back as it was written`, () => {
    assert.ok(bytes.byteLength <= settleLimits.frameBytesMax)
    assert.deepEqual(decodeSettling(outsider, bytes), message)
    assert.equal(unitOf(message), unit)
  })

  test(`${name}: a flipped bit is a fault, or leaves every signed word as it was`, () => {
    fc.assert(
      fc.property(fc.nat(bytes.byteLength * 8 - 1), (bit) => {
        let heard: Settling | undefined
        const code = faultOf(() => {
          heard = decodeSettling(low, flipped(bytes, bit))
        })
        // The frame around the envelopes may have two spellings, and may leave a proof out; what is signed has one.
        if (code === 'no fault') assert.deepEqual(signedIn(heard!, message), signedIn(message, message))
      }),
      { numRuns: 200 },
    )
  })

  test(`${name}: cut short is a fault`, () => {
    fc.assert(
      fc.property(fc.nat(bytes.byteLength - 1), (length) => {
        // A frame may end before its proofs; never within anything.
        let heard: Settling | undefined
        const code = faultOf(() => {
          heard = decodeSettling(low, bytes.subarray(0, length))
        })
        if (code === 'no fault') assert.deepEqual(signedIn(heard!, message), signedIn(message, message))
      }),
      { numRuns: 100 },
    )
  })
}

test('a statement with any one bit flipped is refused, every one of them', () => {
  for (const [open, { envelope }] of [
    [openStatement, second],
    [openAgreement, (messages['AGREE'] as Extract<Settling, { say: 'agree' }>).agreement],
  ] as const) {
    for (let bit = 0; bit < envelope.byteLength * 8; bit++)
      assert.notEqual(
        faultOf(() => open(low, flipped(envelope, bit))),
        'no fault',
        `bit ${bit}`,
      )
  }
})

test('a statement is nothing on another network, nor as another kind of statement', () => {
  assert.equal(
    faultOf(() => openStatement({ ...low, network: 'other' }, second.envelope)),
    'NETWORK_FOREIGN',
  )
  assert.equal(
    faultOf(() => openAgreement(low, second.envelope)),
    'DOMAIN_UNEXPECTED',
  )
  assert.equal(
    faultOf(() => openDifference(low, second.envelope)),
    'DOMAIN_UNEXPECTED',
  )
  assert.notDeepEqual(originOf('other', lower, higher, unit), originOf(network, lower, higher, unit))
  assert.notDeepEqual(originOf(network, lower, higher, 'other'), originOf(network, lower, higher, unit))
  assert.deepEqual(originOf(network, higher, lower, unit), originOf(network, lower, higher, unit))
})

const entries = (count: number): Entry[] =>
  Array.from({ length: count }, (_, index) => ({
    lease: leaseNamed(`lease ${index}`),
    provider: index % 2 === 0 ? lower : higher,
    sequence: index + 1,
    receipt: sha256(Uint8Array.of(index)),
    amountMicro: index + 2,
    settledMicro: index,
  }))
const [sound] = entries(1) as [Entry]
const ordered = entries(2).toSorted((one, other) => (one.lease < other.lease ? -1 : 1))
const { lease, provider, sequence, receipt, amountMicro } = sound
const held = { sequence, receipt, amountMicro }
const disputed: Disputed = {
  lease: leaseNamed('x'),
  provider,
  code: 'HOLDS_LESS',
  proposerHolds: held,
  otherHolds: null,
}
const later = { revision: 2, answers: new Uint8Array(32) }

const unlawful: Readonly<Record<string, Statement>> = {
  'peers out of order': { ...statementOf([sound]), lower: higher, higher: lower },
  'one peer twice': { ...statementOf([sound]), higher: lower },
  'a name that is none': { ...statementOf([sound]), lower: 'nobody' },
  'nothing in it': statementOf([]),
  'too many leases': statementOf(entries(entriesMax + 1)),
  'too many leases, one of them disputed': statementOf(entries(entriesMax), { ...later, disputed: [disputed] }),
  'number 0': statementOf([sound], { number: 0 }),
  'revision 0': statementOf([sound], { revision: 0 }),
  'a revision over the bound': statementOf([sound], { ...later, revision: revisionMax + 1 }),
  'a first revision that answers': statementOf([sound], { answers: new Uint8Array(32) }),
  'a first revision that disputes': statementOf([sound], { disputed: [disputed] }),
  'a second that answers nothing': statementOf([sound], { revision: 2 }),
  'a short hash before it': statementOf([sound], { previous: new Uint8Array(31) }),
  'leases out of order': statementOf([], { entries: ordered.toReversed(), ...totalsOf(lower, higher, ordered)! }),
  'a lease twice': statementOf([sound, sound]),
  'a lease taken in and disputed': statementOf([sound], { ...later, disputed: [{ ...disputed, lease }] }),
  'disputes out of order': statementOf([sound], {
    ...later,
    disputed: [disputed, { ...disputed, lease: leaseNamed('y') }].toSorted((one, two) =>
      one.lease < two.lease ? 1 : -1,
    ),
  }),
  'a dispute without what the proposer holds': statementOf([sound], {
    ...later,
    disputed: [{ ...disputed, proposerHolds: { ...held, sequence: 0 } }],
  }),
  'a dispute of an unknown kind': statementOf([sound], { ...later, disputed: [{ ...disputed, code: 'WHY' as never }] }),
  'an entry that adds nothing': statementOf([{ ...sound, settledMicro: sound.amountMicro }]),
  'an entry that falls': { ...statementOf([sound]), entries: [{ ...sound, settledMicro: sound.amountMicro + 1 }] },
  'receipt 0': statementOf([{ ...sound, sequence: 0 }]),
  'a lease that is no hash': statementOf([{ ...sound, lease: 'abcd' }]),
  'a receipt that is no hash': statementOf([{ ...sound, receipt: new Uint8Array(33) }]),
  'another net': statementOf([sound], { netMicro: 3 }),
  'another debtor': statementOf([sound], { debtor: lower }),
  'another sum': statementOf([sound], { lowerEarnedMicro: 3, netMicro: 3 }),
  'a long unit': statementOf([sound], { unit: 'u'.repeat(unitCharsMax + 1) }),
  'a unit with a line end': statementOf([sound], { unit: 'a\nb' }),
}

for (const [name, body] of Object.entries(unlawful)) {
  test(`a statement with ${name} is a fault`, () => {
    assert.equal(
      faultOf(() => openStatement(low, sealStatement(low, body).envelope)),
      'FIELD_INVALID',
    )
  })
}

test('totals beyond any amount are a fault, and the greatest amount is lawful', () => {
  const [one, other] = ordered as [Entry, Entry]
  const most = [{ ...one, provider: lower, amountMicro: microMax, settledMicro: 0 }]
  assert.deepEqual(openStatement(low, sealStatement(low, statementOf(most)).envelope).body.netMicro, microMax)
  const beyond = [...most, { ...other, provider: lower }]
  assert.equal(totalsOf(lower, higher, beyond), undefined)
  const wire = { ...statementOf(most), entries: beyond }
  assert.equal(
    faultOf(() => openStatement(low, sealStatement(low, wire).envelope)),
    'FIELD_INVALID',
  )
})

test('the longest message fits its frame', () => {
  const most = statementOf([], {
    ...later,
    number: microMax,
    unit: 'ü'.repeat(unitCharsMax),
    disputed: entries(entriesMax)
      .map((entry) => ({ ...disputed, lease: entry.lease, code: 'RECEIPT_DIFFERS' as const }))
      .map((one) => ({ ...one, proposerHolds: { ...held, sequence: microMax, amountMicro: microMax } }))
      .map((one) => ({ ...one, otherHolds: one.proposerHolds }))
      .toSorted((one, other) => (one.lease < other.lease ? -1 : 1)),
  })
  const statement = openStatement(low, sealStatement(low, most).envelope)
  assert.ok(
    statement.envelope.byteLength + evidenceMax * (2 * evidenceBytesMax + 16) + 64 <= settleLimits.frameBytesMax,
    `${statement.envelope.byteLength} bytes`,
  )
  // Codes, names and a proof's frame cost less than this; a receipt with the longest words is a proof still.
  const longest = evidenceOf(low, high, leaseNamed('x'), microMax, microMax, { unit: '\u{20ac}'.repeat(unitCharsMax) })
  assert.ok(longest.receipt.envelope.byteLength < evidenceBytesMax, `${longest.receipt.envelope.byteLength} bytes`)
})

const objection = { lease, code: 'HOLDS_LESS' as const, holds: null }
const differing: Readonly<Record<string, Partial<Difference>>> = {
  'without an objection': { objections: [] },
  'with a lease twice': { objections: [objection, objection] },
  'that holds more of nothing': { objections: [{ ...objection, code: 'HOLDS_MORE' }] },
  'that holds another nothing': { objections: [{ ...objection, code: 'RECEIPT_DIFFERS' }] },
  'of number 0': { number: 0 },
  'of no statement': { statement: new Uint8Array(0) },
}

for (const [name, over] of Object.entries(differing)) {
  test(`a difference ${name} is a fault`, () => {
    const body = {
      unit,
      number: 1,
      revision: 1,
      statement: sha256(receipt),
      objections: [objection],
      issuedMs: startMs,
    }
    assert.equal(
      faultOf(() => openDifference(low, sealDifference(low, { ...body, ...over }).envelope)),
      'FIELD_INVALID',
    )
  })
}

test('proofs are two signatures under one receipt, each lease once, and not too many', () => {
  const proof = evidenceOf(low, high, lease, 1, 5)
  const another = evidenceOf(low, high, lease, 2, 6)
  const of = (receiptOf: typeof proof, signedOf: typeof proof) => ({
    receipt: receiptOf.receipt.envelope,
    countersignature: signedOf.countersignature.envelope,
  })
  assert.deepEqual(openEvidence(outsider, of(proof, proof)), proof)
  assert.equal(
    faultOf(() => openEvidence(low, of(proof, another))),
    'PROOF_INVALID',
  )
  assert.equal(
    faultOf(() => openEvidence(low, of(proof, evidenceOf(low, outsider, lease, 1, 5)))),
    'SIGNER_UNEXPECTED',
  )
  assert.equal(
    faultOf(() => openEvidence(low, { ...of(proof, proof), receipt: new Uint8Array(evidenceBytesMax + 1) })),
    'FIELD_INVALID',
  )
  const statement = sealStatement(low, statementOf([entryOf(low, lease, proof)]))
  const heard = (evidence: (typeof proof)[]) =>
    faultOf(() => decodeSettling(high, encodeSettling({ say: 'propose', statement, evidence, forfeits: [] })))
  assert.equal(heard([proof]), 'no fault')
  assert.equal(heard([proof, another]), 'FIELD_INVALID')
  const many = Array.from({ length: evidenceMax + 1 }, (_, index) =>
    evidenceOf(low, high, leaseNamed(`${index}`), 1, 5),
  )
  assert.equal(heard(many), 'FIELD_INVALID')
})

test('a statement by neither of the two, or agreed to by its proposer, is a fault', () => {
  const statement = sealStatement(low, statementOf([sound]))
  assert.equal(
    faultOf(() => openStatement(low, sealStatement(outsider, statementOf([sound])).envelope)),
    'SIGNER_UNEXPECTED',
  )
  const reference = { unit, number: 1, revision: 1, statement: sha256(statement.envelope), issuedMs: startMs }
  const agreed = (by: typeof low, over: object = {}) =>
    faultOf(() =>
      openAgreed(low, {
        statement: statement.envelope,
        agreement: sealAgreement(by, { ...reference, ...over }).envelope,
      }),
    )
  assert.equal(agreed(high), 'no fault')
  assert.equal(agreed(low), 'SIGNER_UNEXPECTED')
  assert.equal(agreed(outsider), 'SIGNER_UNEXPECTED')
  for (const over of [{ number: 2 }, { revision: 2 }, { unit: 'other' }, { statement: sha256(receipt) }])
    assert.equal(agreed(high, over), 'CHAIN_BROKEN')
})

test('a message that says nothing is a fault', () => {
  assert.equal(
    faultOf(() => decodeSettling(low, toBinary(SettlingSchema, create(SettlingSchema)))),
    'FIELD_INVALID',
  )
})

test('the pair has one order, whoever asks', () => {
  assert.deepEqual(pairOf(lower, higher), pairOf(higher, lower))
  assert.equal(pairOf(higher, lower).lower, lower)
})
