/** Billing messages from and to bytes. All validation of a single message is here. */
import { create, toBinary } from '@bufbuild/protobuf'
import { fromString, toString } from 'uint8arrays'

import {
  Fault,
  checkedCid,
  checkedHash,
  checkedInteger,
  checkedText,
  decodeRefusal,
  encodeRefusal,
  hashOfEnvelope,
  openEnvelope,
  parseMessage,
  publicKeyOf,
  required,
  sealEnvelope,
  type Refusal,
  type Signed,
} from '../wire/index.ts'
import type { Notary } from '../negotiate/codec.ts'
import {
  countersignatureType,
  disputeType,
  receiptType,
  type Billing,
  type Countersignature,
  type Dispute,
  type Receipt,
  type Usage,
} from './messages.ts'
import {
  BillingSchema,
  CountersignatureSchema,
  DisputeSchema,
  ReceiptSchema,
  type Usage as WireUsage,
} from './wire_pb.ts'

const textCharsMax = 64

export function encodeBilling(message: Billing): Uint8Array {
  switch (message.say) {
    case 'receipt':
      return frame({ case: 'receipt', value: message.receipt.envelope })
    case 'countersignature':
      return frame({ case: 'countersignature', value: message.countersignature.envelope })
    case 'dispute':
      return frame({ case: 'dispute', value: message.dispute.envelope })
    default:
      return message satisfies never
  }
}

function frame(body: { case: Billing['say']; value: Uint8Array }): Uint8Array {
  return toBinary(BillingSchema, create(BillingSchema, { body }))
}

/** Parses, validates and checks the signature. Throws a Fault. */
export function decodeBilling(notary: Notary, bytes: Uint8Array): Billing {
  const { body } = parseMessage(BillingSchema, bytes)
  switch (body.case) {
    case 'receipt':
      return { say: 'receipt', receipt: openReceipt(notary, body.value) }
    case 'countersignature':
      return { say: 'countersignature', countersignature: openCountersignature(notary, body.value) }
    case 'dispute':
      return { say: 'dispute', dispute: openDispute(notary, body.value) }
    default:
      throw new Fault('FIELD_INVALID', 'a billing message says nothing that this version knows')
  }
}

/**
 * What was sealed or opened here, by the array of its envelope, which is kept and never written to: who writes it down needs to know
 * what it says once more, and reading it takes as long as writing it.
 */
const receipts = new WeakMap<Uint8Array, Signed<Receipt>>()
const countersignatures = new WeakMap<Uint8Array, Signed<Countersignature>>()

function said<Body>(known: WeakMap<Uint8Array, Signed<Body>>, signed: Signed<Body>): Signed<Body> {
  known.set(signed.envelope, signed)
  return signed
}

/** What a receipt says that was sealed or opened a moment ago; its signature is not looked at again. Another is opened. */
export function receiptIn(notary: Notary, envelope: Uint8Array): Signed<Receipt> {
  return receipts.get(envelope) ?? openReceipt(notary, envelope)
}

/** The same of a countersignature. */
export function countersignatureIn(notary: Notary, envelope: Uint8Array): Signed<Countersignature> {
  return countersignatures.get(envelope) ?? openCountersignature(notary, envelope)
}

export function sealReceipt({ signer, network }: Notary, receipt: Receipt): Signed<Receipt> {
  const payload = toBinary(
    ReceiptSchema,
    create(ReceiptSchema, {
      lease: fromString(receipt.lease, 'hex'),
      job: receipt.job,
      slot: receipt.slot,
      epoch: receipt.epoch,
      requester: receipt.requester,
      sequence: BigInt(receipt.sequence),
      previous: receipt.previous,
      usage: encodeUsage(receipt.usage),
      unit: receipt.unit,
      amountMicro: BigInt(receipt.amountMicro),
      final: receipt.final,
      result: receipt.result,
      issuedMs: BigInt(receipt.issuedMs),
    }),
  )
  const envelope = sealEnvelope(signer, network, receiptType, payload)
  return said(receipts, { by: signer.peer, body: receipt, envelope })
}

export function openReceipt(notary: Notary, envelope: Uint8Array): Signed<Receipt> {
  const { by, body } = openEnvelope(notary.signer, notary.network, receiptType, envelope)
  const wire = parseMessage(ReceiptSchema, body)
  publicKeyOf(wire.requester)
  const receipt: Receipt = {
    lease: toString(checkedHash(wire.lease, 'lease'), 'hex'),
    job: checkedCid(wire.job, 'job'),
    slot: checkedInteger(wire.slot, 'slot'),
    epoch: checkedInteger(wire.epoch, 'epoch'),
    requester: wire.requester,
    sequence: counted(wire.sequence, 'sequence'),
    previous: checkedHash(wire.previous, 'previous'),
    usage: decodeUsage(required(wire.usage, 'usage')),
    unit: checkedText(wire.unit, 'unit', textCharsMax),
    amountMicro: counted(wire.amountMicro, 'amount_micro'),
    final: wire.final,
    result: wire.final ? checkedCid(wire.result, 'result') : checkedText(wire.result, 'result', 0),
    issuedMs: counted(wire.issuedMs, 'issued_ms'),
  }
  if (receipt.sequence === 0) throw new Fault('FIELD_INVALID', 'receipts are counted from 1', { field: 'sequence' })
  return said(receipts, { by, envelope, body: receipt })
}

export function sealCountersignature({ signer, network }: Notary, body: Countersignature): Signed<Countersignature> {
  const payload = toBinary(
    CountersignatureSchema,
    create(CountersignatureSchema, {
      lease: fromString(body.lease, 'hex'),
      sequence: BigInt(body.sequence),
      receipt: body.receipt,
      issuedMs: BigInt(body.issuedMs),
    }),
  )
  const envelope = sealEnvelope(signer, network, countersignatureType, payload)
  return said(countersignatures, { by: signer.peer, body, envelope })
}

export function openCountersignature(notary: Notary, envelope: Uint8Array): Signed<Countersignature> {
  const { by, body } = openEnvelope(notary.signer, notary.network, countersignatureType, envelope)
  const wire = parseMessage(CountersignatureSchema, body)
  const countersignature: Countersignature = {
    lease: toString(checkedHash(wire.lease, 'lease'), 'hex'),
    sequence: counted(wire.sequence, 'sequence'),
    receipt: checkedHash(wire.receipt, 'receipt'),
    issuedMs: counted(wire.issuedMs, 'issued_ms'),
  }
  return said(countersignatures, { by, envelope, body: countersignature })
}

export function sealDispute({ signer, network }: Notary, body: Dispute): Signed<Dispute> {
  const payload = toBinary(
    DisputeSchema,
    create(DisputeSchema, {
      lease: fromString(body.lease, 'hex'),
      sequence: BigInt(body.sequence),
      receipt: body.receipt,
      refusal: encodeRefusal(body.refusal),
      issuedMs: BigInt(body.issuedMs),
    }),
  )
  return { by: signer.peer, body, envelope: sealEnvelope(signer, network, disputeType, payload) }
}

/** Why one receipt is not countersigned. */
export function disputeOf(
  notary: Notary,
  { body, envelope }: Signed<Receipt>,
  because: Refusal,
  nowMs: number,
): Signed<Dispute> {
  const { lease, sequence } = body
  return sealDispute(notary, { lease, sequence, receipt: hashOfEnvelope(envelope), refusal: because, issuedMs: nowMs })
}

export function openDispute(notary: Notary, envelope: Uint8Array): Signed<Dispute> {
  const { by, body } = openEnvelope(notary.signer, notary.network, disputeType, envelope)
  const wire = parseMessage(DisputeSchema, body)
  const dispute: Dispute = {
    lease: toString(checkedHash(wire.lease, 'lease'), 'hex'),
    sequence: counted(wire.sequence, 'sequence'),
    receipt: checkedHash(wire.receipt, 'receipt'),
    refusal: decodeRefusal(wire.refusal),
    issuedMs: counted(wire.issuedMs, 'issued_ms'),
  }
  return { by, envelope, body: dispute }
}

function encodeUsage(usage: Usage) {
  return {
    wallMs: BigInt(usage.wallMs),
    cpuMs: BigInt(usage.cpuMs),
    gas: BigInt(usage.gas),
    memMibS: BigInt(usage.memMibS),
    gpuMs: BigInt(usage.gpuMs),
    inBytes: BigInt(usage.inBytes),
    outBytes: BigInt(usage.outBytes),
    storeMibS: BigInt(usage.storeMibS),
  }
}

function decodeUsage(usage: WireUsage): Usage {
  return {
    wallMs: counted(usage.wallMs, 'wall_ms'),
    cpuMs: counted(usage.cpuMs, 'cpu_ms'),
    gas: counted(usage.gas, 'gas'),
    memMibS: counted(usage.memMibS, 'mem_mib_s'),
    gpuMs: counted(usage.gpuMs, 'gpu_ms'),
    inBytes: counted(usage.inBytes, 'in_bytes'),
    outBytes: counted(usage.outBytes, 'out_bytes'),
    storeMibS: counted(usage.storeMibS, 'store_mib_s'),
  }
}

/** What is counted is exact in any language. A negative number, written as one of 64 bits, has the highest bit. */
export function counted(value: bigint, field: string): number {
  if (value >= 2n ** 63n)
    throw new Fault('NUMBER_NEGATIVE', `${field} is negative`, { field, value: String(BigInt.asIntN(64, value)) })
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new Fault('NUMBER_TOO_LARGE', `${field} is over 2^53 - 1`, { field, value: String(value) })
  return Number(value)
}
