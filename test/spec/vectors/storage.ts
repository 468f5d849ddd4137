/** Receipts of storage, and what is said about them. */
import { create, toBinary } from '@bufbuild/protobuf'
import { fromString, toString } from 'uint8arrays'

import { didOf, type Credential } from '../../../protocols/receipt/credential.ts'
import { sealStorageCredential, type StorageFile } from '../../../protocols/storage/file.ts'
import {
  encodeStorage,
  periodOf,
  sealStorageCountersignature,
  sealStorageReceipt,
  storageAccount,
  storageReceiptType,
  type StorageMessage,
  type StorageReceipt,
  type StorageUsage,
} from '../../../protocols/storage/index.ts'
import { ExchangeSchema, StorageReceiptSchema } from '../../../protocols/storage/wire_pb.ts'
import { hashOfEnvelope, sealEnvelope } from '../../../protocols/wire/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { bad, fileCase, good, type FileCase, type VectorFile } from './cases.ts'
import { asker, network, stranger, worker } from './kinds.ts'

const period = periodOf(startMs)
const account = storageAccount(asker.signer.peer, worker.signer.peer, period, network)
const usage: StorageUsage = {
  storeMibS: 21_600,
  auditsPassed: 2,
  inBytes: 1_048_576,
  outBytes: 4_194_304,
  relayBytes: 2_097_152,
}
const body: StorageReceipt = {
  account: account.id,
  owner: asker.signer.peer,
  period,
  sequence: 1,
  previous: fromString(account.id, 'hex'),
  usage,
  issuedMs: startMs,
}

export const storageReceiptOf = (over: Partial<StorageReceipt> = {}, by = worker) =>
  sealStorageReceipt(by, { ...body, ...over })
export const storageCountersignatureOf = (issuedMs = startMs + 20) =>
  sealStorageCountersignature(asker, {
    account: account.id,
    sequence: 1,
    receipt: hashOfEnvelope(first.envelope),
    issuedMs,
  })

const first = storageReceiptOf()
const second = storageReceiptOf({
  sequence: 2,
  previous: hashOfEnvelope(first.envelope),
  usage: { ...usage, storeMibS: Number.MAX_SAFE_INTEGER, auditsPassed: 3 },
  issuedMs: startMs + 3_600_000,
})

const says = (name: string, message: StorageMessage) => good('storing', name, encodeStorage(message))
const no = (name: string, fault: string, bytes: Uint8Array) => bad('storing', name, fault, bytes)
const receipt = (over: Partial<StorageReceipt>, by = worker) =>
  encodeStorage({ say: 'receipt', receipt: storageReceiptOf(over, by) })
/** With a number that no receipt of this program has. */
const counting = (storeMibS: bigint) => {
  const { issuedMs, sequence, usage: used, ...rest } = body
  const payload = toBinary(
    StorageReceiptSchema,
    create(StorageReceiptSchema, {
      ...rest,
      account: body.previous,
      sequence: BigInt(sequence),
      usage: { storeMibS, auditsPassed: BigInt(used.auditsPassed) },
      issuedMs: BigInt(issuedMs),
    }),
  )
  const envelope = sealEnvelope(worker.signer, network, storageReceiptType, payload)
  return toBinary(ExchangeSchema, create(ExchangeSchema, { body: { case: 'receipt', value: envelope } }))
}

const base64 = (bytes: Uint8Array): string => toString(bytes, 'base64pad')
const countersigned = (sequence: number, envelope: Uint8Array, by = asker, issuedMs = startMs + 20): string =>
  base64(
    sealStorageCountersignature(by, {
      account: account.id,
      sequence,
      receipt: hashOfEnvelope(envelope),
      issuedMs,
    }).envelope,
  )
const whole: StorageFile = {
  v: 1,
  kind: 'pleach-storage-receipts',
  network,
  owner: account.owner,
  keeper: account.keeper,
  period,
  receipts: [first, second].map(({ envelope, body: { sequence } }) => ({
    receipt: base64(envelope),
    countersignature: countersigned(sequence, envelope),
  })),
}
const [one, two] = whole.receipts as [StorageFile['receipts'][number], StorageFile['receipts'][number]]
const file = (name: string, over: Partial<StorageFile> | { readonly note: string } = {}): FileCase =>
  fileCase(name, { ...whole, ...over })
/** The receipt after the first, as it might also be. */
const following = (name: string, over: Partial<StorageReceipt>, by = worker): FileCase => {
  const { envelope } = storageReceiptOf({ ...second.body, ...over }, by)
  return file(name, { receipts: [one, { receipt: base64(envelope), countersignature: null }] })
}
const exported = sealStorageCredential(worker, whole, startMs + 7_200_000)
const subject = exported['credentialSubject'] as Credential

const files: readonly FileCase[] = [
  file('a file: both receipts signed by both'),
  file('a file: the last countersignature is still to come', { receipts: [one, { ...two, countersignature: null }] }),
  file('a file: nothing that the owner has signed', { receipts: [{ ...one, countersignature: null }] }),
  file('a file: no receipt', { receipts: [] }),
  file('a file: of another network', { network: 'elsewhere' }),
  file('a file: of another owner', { owner: stranger.signer.peer }),
  file('a file: of another keeper', { keeper: stranger.signer.peer }),
  file('a file: an owner that is no peer', { owner: 'nobody' }),
  file('a file: of another month', { period: '2026-03' }),
  file('a file: a month that there is not', { period: '2026-13' }),
  file('a file: a receipt left out', { receipts: [two] }),
  file('a file: two receipts exchanged', { receipts: [two, one] }),
  file('a file: a receipt that comes twice', { receipts: [one, one] }),
  following('a file: two receipts with one number', { sequence: 1, previous: body.previous }),
  following('a file: a receipt without a number', { sequence: 0 }),
  following('a file: another predecessor', { previous: new Uint8Array(32) }),
  following('a file: usage that falls', { usage: { ...usage, relayBytes: usage.relayBytes - 1 } }),
  following(
    'a file: by another keeper',
    { account: storageAccount(account.owner, stranger.signer.peer, period, network).id },
    stranger,
  ),
  file('a file: a countersignature by a stranger', {
    receipts: [{ ...one, countersignature: countersigned(1, first.envelope, stranger) }],
  }),
  file('a file: a countersignature of another receipt', {
    receipts: [{ ...one, countersignature: countersigned(1, second.envelope) }],
  }),
  file('a file: a countersignature of another number', {
    receipts: [{ ...one, countersignature: countersigned(2, first.envelope) }],
  }),
  file('a file: a countersignature of a time that is no number', {
    receipts: [{ ...one, countersignature: countersigned(1, first.envelope, asker, 2 ** 53) }],
  }),
  file('a file: a countersignature in the place of a receipt', {
    receipts: [{ ...one, receipt: one.countersignature! }],
  }),
  file('a file: a key that nobody knows', { note: 'kept well' }),
  file('a file: a statement that is not base64', { receipts: [{ ...one, receipt: `${one.receipt}=` }] }),
  fileCase('the verifiable form, by the keeper', exported),
  fileCase('the verifiable form, by the owner', sealStorageCredential(asker, whole, startMs + 7_201_000)),
  fileCase('the verifiable form: a claim that nobody signed', {
    ...exported,
    credentialSubject: { ...subject, bothSigned: 3 },
  }),
  fileCase('the verifiable form: issued by a stranger', { ...exported, issuer: didOf(stranger.signer.peer) }),
  fileCase('the verifiable form: said to be of work', {
    ...exported,
    type: ['VerifiableCredential', 'PleachReceiptCredential'],
  }),
  fileCase('the verifiable form: without a proof', { ...exported, proof: undefined }),
]

const storage: VectorFile = {
  what: 'Messages of /pleach/storage/1, files of its receipts and their verifiable form (protocols/storage/README.md). The account is that of the asker as owner and the worker as keeper.',
  cases: [
    says('STATED', { say: 'stated', period, sequence: 0, usage }),
    says('RECEIPT', { say: 'receipt', receipt: first }),
    says('COUNTERSIGNATURE', { say: 'countersignature', countersignature: storageCountersignatureOf() }),
    says('SIGNED', { say: 'signed' }),
    says('RECEIPT that follows it, of as much as can be', { say: 'receipt', receipt: second }),
    says('REFUSED', { say: 'refused', refusal: { code: 'NOTHING_NEW', facts: { sequence: 2 } } }),
    no('a receipt of another account than its parties have', 'FIELD_INVALID', receipt({ account: '0'.repeat(64) })),
    no('a receipt without a number', 'FIELD_INVALID', receipt({ sequence: 0 })),
    no('a month that there is not', 'FIELD_INVALID', receipt({ period: '2026-13' })),
    no('an owner that is no peer', 'FIELD_INVALID', receipt({ owner: 'nobody' })),
    no('a hash cut short', 'FIELD_INVALID', receipt({ previous: new Uint8Array(31) })),
    no('a negative number', 'NUMBER_NEGATIVE', counting(2n ** 64n - 1n)),
    no('2^53', 'NUMBER_TOO_LARGE', counting(2n ** 53n)),
    no('of another network', 'NETWORK_FOREIGN', receipt({}, { ...worker, network: 'elsewhere' })),
    no('nothing said', 'FIELD_INVALID', new Uint8Array()),
    no('not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x0a, 0xff)),
    ...files,
  ],
}

export const storageVectors = { storage }
