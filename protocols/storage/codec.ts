/** Messages of storage receipts from and to bytes. All validation of a single message is here. */
import { create, toBinary } from '@bufbuild/protobuf'
import { fromString, toString } from 'uint8arrays'

import type { Notary } from '../negotiate/index.ts'
import { counted } from '../receipt/codec.ts'
import {
  Fault,
  checkedHash,
  decodeRefusal,
  encodeRefusal,
  openEnvelope,
  parseMessage,
  publicKeyOf,
  required,
  sealEnvelope,
  type Signed,
} from '../wire/index.ts'
import {
  storageAccount,
  storageCountersignatureType,
  storageReceiptType,
  type StorageCountersignature,
  type StorageMessage,
  type StorageReceipt,
  type StorageUsage,
} from './messages.ts'
import {
  ExchangeSchema,
  SignedSchema,
  StorageCountersignatureSchema,
  StorageReceiptSchema,
  type Usage as WireUsage,
} from './wire_pb.ts'

/** A month, as in `2026-03`. */
export const periodPattern = /^[0-9]{4}-(0[1-9]|1[0-2])$/

export function encodeStorage(message: StorageMessage): Uint8Array {
  return toBinary(ExchangeSchema, create(ExchangeSchema, { body: bodyOf(message) }))
}

function bodyOf(message: StorageMessage) {
  switch (message.say) {
    case 'stated': {
      const { period, sequence, usage } = message
      return { case: 'stated' as const, value: { period, sequence: BigInt(sequence), usage: encodeUsage(usage) } }
    }
    case 'receipt':
      return { case: 'receipt' as const, value: message.receipt.envelope }
    case 'countersignature':
      return { case: 'countersignature' as const, value: message.countersignature.envelope }
    case 'signed':
      return { case: 'signed' as const, value: create(SignedSchema) }
    case 'refused':
      return { case: 'refused' as const, value: encodeRefusal(message.refusal) }
    default:
      return message satisfies never
  }
}

/** Parses, validates and checks the signature. Throws a Fault. */
export function decodeStorage(notary: Notary, frame: Uint8Array): StorageMessage {
  const { body } = parseMessage(ExchangeSchema, frame)
  switch (body.case) {
    case 'stated': {
      const { period, sequence, usage } = body.value
      return {
        say: 'stated',
        period: checkedPeriod(period),
        sequence: counted(sequence, 'sequence'),
        usage: decodeUsage(required(usage, 'usage')),
      }
    }
    case 'receipt':
      return { say: 'receipt', receipt: openStorageReceipt(notary, body.value) }
    case 'countersignature':
      return { say: 'countersignature', countersignature: openStorageCountersignature(notary, body.value) }
    case 'signed':
      return { say: 'signed' }
    case 'refused':
      return { say: 'refused', refusal: decodeRefusal(body.value) }
    default:
      throw new Fault('FIELD_INVALID', 'a storage message says nothing that this version knows')
  }
}

export function sealStorageReceipt({ signer, network }: Notary, receipt: StorageReceipt): Signed<StorageReceipt> {
  const payload = toBinary(
    StorageReceiptSchema,
    create(StorageReceiptSchema, {
      account: fromString(receipt.account, 'hex'),
      owner: receipt.owner,
      period: receipt.period,
      sequence: BigInt(receipt.sequence),
      previous: receipt.previous,
      usage: encodeUsage(receipt.usage),
      issuedMs: BigInt(receipt.issuedMs),
    }),
  )
  return { by: signer.peer, body: receipt, envelope: sealEnvelope(signer, network, storageReceiptType, payload) }
}

export function openStorageReceipt({ signer, network }: Notary, envelope: Uint8Array): Signed<StorageReceipt> {
  const { by, body } = openEnvelope(signer, network, storageReceiptType, envelope)
  const wire = parseMessage(StorageReceiptSchema, body)
  publicKeyOf(wire.owner)
  const receipt: StorageReceipt = {
    account: toString(checkedHash(wire.account, 'account'), 'hex'),
    owner: wire.owner,
    period: checkedPeriod(wire.period),
    sequence: counted(wire.sequence, 'sequence'),
    previous: checkedHash(wire.previous, 'previous'),
    usage: decodeUsage(required(wire.usage, 'usage')),
    issuedMs: counted(wire.issuedMs, 'issued_ms'),
  }
  if (receipt.account !== storageAccount(receipt.owner, by, receipt.period, network).id)
    throw new Fault('FIELD_INVALID', 'the account is not that of its owner, keeper and period', { field: 'account' })
  if (receipt.sequence === 0) throw new Fault('FIELD_INVALID', 'receipts are counted from 1', { field: 'sequence' })
  return { by, envelope, body: receipt }
}

export function sealStorageCountersignature(
  { signer, network }: Notary,
  body: StorageCountersignature,
): Signed<StorageCountersignature> {
  const payload = toBinary(
    StorageCountersignatureSchema,
    create(StorageCountersignatureSchema, {
      account: fromString(body.account, 'hex'),
      sequence: BigInt(body.sequence),
      receipt: body.receipt,
      issuedMs: BigInt(body.issuedMs),
    }),
  )
  return { by: signer.peer, body, envelope: sealEnvelope(signer, network, storageCountersignatureType, payload) }
}

export function openStorageCountersignature(
  { signer, network }: Notary,
  envelope: Uint8Array,
): Signed<StorageCountersignature> {
  const { by, body } = openEnvelope(signer, network, storageCountersignatureType, envelope)
  const wire = parseMessage(StorageCountersignatureSchema, body)
  const countersignature: StorageCountersignature = {
    account: toString(checkedHash(wire.account, 'account'), 'hex'),
    sequence: counted(wire.sequence, 'sequence'),
    receipt: checkedHash(wire.receipt, 'receipt'),
    issuedMs: counted(wire.issuedMs, 'issued_ms'),
  }
  return { by, envelope, body: countersignature }
}

function encodeUsage({ storeMibS, auditsPassed, inBytes, outBytes, relayBytes }: StorageUsage) {
  return {
    storeMibS: BigInt(storeMibS),
    auditsPassed: BigInt(auditsPassed),
    inBytes: BigInt(inBytes),
    outBytes: BigInt(outBytes),
    relayBytes: BigInt(relayBytes),
  }
}

function decodeUsage(usage: WireUsage): StorageUsage {
  return {
    storeMibS: counted(usage.storeMibS, 'store_mib_s'),
    auditsPassed: counted(usage.auditsPassed, 'audits_passed'),
    inBytes: counted(usage.inBytes, 'in_bytes'),
    outBytes: counted(usage.outBytes, 'out_bytes'),
    relayBytes: counted(usage.relayBytes, 'relay_bytes'),
  }
}

function checkedPeriod(text: string): string {
  if (!periodPattern.test(text))
    throw new Fault('FIELD_INVALID', 'a period is a month, as in 2026-03', { field: 'period' })
  return text
}
