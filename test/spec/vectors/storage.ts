/** Receipts of storage, and what is said about them. */
import { create, toBinary } from '@bufbuild/protobuf'
import { fromString } from 'uint8arrays'

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
import { bad, good, type VectorFile } from './cases.ts'
import { asker, network, worker } from './kinds.ts'

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

const storage: VectorFile = {
  what: 'Messages of /pleach/storage/1 (protocols/storage/README.md). The account is that of the asker as owner and the worker as keeper.',
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
  ],
}

export const storageVectors = { storage }
