/** Messages of billing, chains of receipts, and the file that proves a whole lease. */
import assert from 'node:assert/strict'

import { toString } from 'uint8arrays'

import {
  encodeBilling,
  receiptType,
  sealCountersignature,
  sealDispute,
  sealReceipt,
  type Billing,
  type Receipt,
} from '../../../protocols/receipt/index.ts'
import { didOf, sealCredential, type Credential } from '../../../protocols/receipt/credential.ts'
import type { ReceiptFile } from '../../../protocols/receipt/verify.ts'
import {
  microMax,
  peekEnvelope,
  sealEnvelope,
  sha256,
  type Notary,
  type Signed,
} from '../../../protocols/wire/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { bad, fileCase as said, good, type ChainCase, type FileCase, type VectorFile } from './cases.ts'
import { asker, network, stranger, worker } from './kinds.ts'
import {
  accept,
  award,
  commit,
  countersignatures,
  dispute,
  first,
  last,
  lease,
  receiptAfter,
  receipts,
  result,
  second,
  third,
  worked,
} from './lease.ts'

const says = (name: string, message: Billing) => good('billing', name, encodeBilling(message))
const wrong = (name: string, over: Partial<Receipt>, fault = 'FIELD_INVALID') =>
  bad('billing', name, fault, encodeBilling({ say: 'receipt', receipt: receiptAfter(undefined, 1_000, over) }))

/** A receipt whose amount is written in another way than this program would. */
const raw = (name: string, amount: Uint8Array, fault: string) => {
  const { by, body } = peekEnvelope(network, receiptType, first.envelope)
  assert.equal(by, worker.signer.peer)
  // Field 10 (amount_micro), as a tag of its own; of two the last counts.
  const payload = Uint8Array.of(...body, ...amount)
  const envelope = sealEnvelope(worker.signer, network, receiptType, payload)
  return bad('billing', name, fault, encodeBilling({ say: 'receipt', receipt: { ...first, envelope } }))
}
const negative = Uint8Array.of(0x50, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)
const fractional = Uint8Array.of(0x51, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f)

const elsewhere = (name: string, by: Notary) =>
  bad('billing', name, 'NETWORK_FOREIGN', encodeBilling({ say: 'receipt', receipt: sealReceipt(by, first.body) }))

const billing: VectorFile = {
  what: 'Frames of /pleach/receipt/1: the receipts and countersignatures of one lease, in order, and what no honest peer sends.',
  cases: [
    ...receipts.flatMap((receipt, index) => [
      says(`RECEIPT ${index + 1}${receipt.body.final ? ', the last' : ''}`, { say: 'receipt', receipt }),
      says(`COUNTERSIGNATURE ${index + 1}`, { say: 'countersignature', countersignature: countersignatures[index]! }),
    ]),
    says('DISPUTE', { say: 'dispute', dispute }),
    wrong('number 0', { sequence: 0 }),
    wrong('a final one that names no result', { final: true }),
    wrong('a result in one that is not final', { result: result.cid }),
    wrong('an amount over 2^53 - 1', { amountMicro: microMax + 1 }, 'NUMBER_TOO_LARGE'),
    wrong('gas over 2^53 - 1', { usage: { ...worked(1_000), gas: microMax + 1 }, amountMicro: 0 }, 'NUMBER_TOO_LARGE'),
    raw('an amount of minus one', negative, 'NUMBER_NEGATIVE'),
    raw('an amount of one and a half', fractional, 'FRAME_MALFORMED'),
    elsewhere('a receipt of another network', { ...worker, network: 'elsewhere' }),
    bad(
      'billing',
      'a dispute without a code',
      'FIELD_INVALID',
      encodeBilling({
        say: 'dispute',
        dispute: sealDispute(asker, { ...dispute.body, refusal: { code: '', facts: {} } }),
      }),
    ),
    wrong('a requester that is no peer', { requester: 'somebody' }),
    wrong('a predecessor that is no hash', { previous: new Uint8Array(31) }),
    wrong('a job that is no CID', { job: 'the one from yesterday' }),
    bad('billing', 'nothing said', 'FIELD_INVALID', new Uint8Array()),
    bad('billing', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x0a, 0xff)),
    bad(
      'billing',
      'a countersignature in the place of a receipt',
      'DOMAIN_UNEXPECTED',
      encodeBilling({ say: 'receipt', receipt: { ...first, envelope: countersignatures[0]!.envelope } }),
    ),
  ],
}

const chain = (name: string, of: readonly Signed<Receipt>[], fault?: string): ChainCase => ({
  name,
  kind: 'chain',
  receipts: of.map(({ envelope }) => toString(envelope, 'hex')),
  ...(fault === undefined ? {} : { fault }),
})

const chains: VectorFile = {
  what: 'Receipts of the lease of lease.json as they come to the requester, whose clock agrees. Each is countersigned, but the last of a bad chain, which is a fault.',
  cases: [
    chain('a whole lease', receipts),
    chain(
      'each comes twice',
      receipts.flatMap((receipt) => [receipt, receipt]),
    ),
    chain('an old one comes late', [first, second, first, third]),
    chain('at the ceiling', [receiptAfter(undefined, 12_000), receiptAfter(receiptAfter(undefined, 12_000), 60_000)]),
    chain('a number left out', [first, third], 'SEQUENCE_GAP'),
    chain(
      'another predecessor',
      [first, receiptAfter(first, 3_001, { previous: sha256(Uint8Array.of(1)) })],
      'CHAIN_BROKEN',
    ),
    chain(
      'the first names no lease',
      [receiptAfter(undefined, 1_000, { previous: new Uint8Array(32) })],
      'CHAIN_BROKEN',
    ),
    chain('a fork', [first, second, receiptAfter(first, 3_002)], 'EQUIVOCATION'),
    chain('usage that falls', [first, receiptAfter(first, 999)], 'USAGE_FELL'),
    chain(
      'bytes that fall',
      [first, receiptAfter(first, 3_001, { usage: { ...worked(3_001), inBytes: 0 } })],
      'USAGE_FELL',
    ),
    chain('another epoch', [receiptAfter(undefined, 1_000, { epoch: 2 })], 'FIELD_INVALID'),
    chain(
      'a micro-unit too much',
      [first, receiptAfter(first, 3_001, { amountMicro: second.body.amountMicro + 1 })],
      'OVERCHARGED',
    ),
    chain('rounded down', [receiptAfter(undefined, 1_000, { amountMicro: first.body.amountMicro - 1 })], 'OVERCHARGED'),
    chain('by another signer', [first, receiptAfter(first, 3_001, {}, stranger)], 'SIGNER_UNEXPECTED'),
    chain('one more after the last', [...receipts, receiptAfter(last, 9_000)], 'OUT_OF_TURN'),
  ],
}

const base64 = (bytes: Uint8Array): string => toString(bytes, 'base64pad')
const whole: ReceiptFile = {
  v: 1,
  kind: 'pleach-receipts',
  network,
  lease: { award: base64(award.envelope), accept: base64(accept.envelope), commit: base64(commit.envelope) },
  result: base64(result.envelope),
  receipts: receipts.map(({ envelope }, index) => ({
    receipt: base64(envelope),
    countersignature: base64(countersignatures[index]!.envelope),
  })),
  disputes: [],
}
const file = (name: string, over: Partial<ReceiptFile> | { readonly note: string } = {}): FileCase =>
  said(name, { ...whole, ...over })
const entries = whole.receipts
const forged = sealCountersignature(stranger, {
  lease,
  sequence: 1,
  receipt: sha256(first.envelope),
  issuedMs: startMs,
})
const ofAnother = sealCountersignature(asker, {
  lease,
  sequence: 1,
  receipt: sha256(second.envelope),
  issuedMs: startMs,
})

const byStranger = base64(sealDispute(stranger, dispute.body).envelope)
const exported = sealCredential(worker, whole, startMs + 60_000)
const subject = exported['credentialSubject'] as Credential

const leases: VectorFile = {
  what: 'Files of receipts, and their verifiable form (protocols/receipt/README.md). A bad one says where it is wrong, and the code.',
  cases: [
    file('the whole lease'),
    file('the last countersignature is still to come', {
      receipts: [...entries.slice(0, 3), { ...entries[3]!, countersignature: null }],
    }),
    file('not yet over', { receipts: entries.slice(0, 2), result: null }),
    file('another network', { network: 'elsewhere' }),
    file('an ACCEPT in the place of the COMMIT', { lease: { ...whole.lease, commit: whole.lease.accept } }),
    file('a receipt left out', { receipts: entries.toSpliced(1, 1) }),
    file('two receipts exchanged', { receipts: [entries[0]!, entries[2]!, entries[1]!, entries[3]!] }),
    file('a countersignature by a stranger', {
      receipts: [{ ...entries[0]!, countersignature: base64(forged.envelope) }],
    }),
    file('a countersignature of another receipt', {
      receipts: [{ ...entries[0]!, countersignature: base64(ofAnother.envelope) }],
    }),
    file('one more after the last', {
      receipts: [...entries, { receipt: base64(receiptAfter(last, 9_000).envelope), countersignature: null }],
    }),
    file('a receipt that comes twice', { receipts: [entries[0]!, entries[0]!] }),
    file('two receipts with one number', {
      receipts: [
        ...entries.slice(0, 2),
        { receipt: base64(receiptAfter(first, 3_002).envelope), countersignature: null },
      ],
    }),
    file('a receipt that was disputed', {
      receipts: entries.slice(0, 2),
      disputes: [base64(dispute.envelope)],
      result: null,
    }),
    file('a dispute by a stranger', { disputes: [byStranger] }),
    file('a dispute of a receipt that is not there', {
      receipts: entries.slice(0, 1),
      disputes: [base64(dispute.envelope)],
    }),
    file('a key that nobody knows', { note: 'paid in full' }),
    file('no list of disputes', { disputes: undefined as never }),
    file('a statement that is not base64', { result: `${whole.result!.slice(0, 8)} ${whole.result!.slice(8)}` }),
    said('the verifiable form, by the provider', exported),
    said('the verifiable form, by the requester', sealCredential(asker, whole, startMs + 61_000)),
    said('a claim that nobody signed', { ...exported, credentialSubject: { ...subject, payable: '1000' } }),
    said('a claim more', { ...exported, credentialSubject: { ...subject, degree: 'Doctor' } }),
    said('issued by a stranger', { ...exported, issuer: didOf(stranger.signer.peer) }),
    said('without a proof', { ...exported, proof: undefined }),
    said('a proof of another day', {
      ...exported,
      proof: { ...(exported['proof'] as Credential), created: '2026-01-01T00:00:00Z' },
    }),
    said('evidence that does not hold', {
      ...exported,
      evidence: [{ type: 'PleachReceiptFile', file: { ...whole, network: 'elsewhere' } }],
    }),
  ],
}

export const receiptVectors = { billing, chains, lease: leases }
