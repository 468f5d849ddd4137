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
  openEnvelope,
  parseMessage,
  publicKeyOf,
  required,
  sealEnvelope,
  type Signed,
} from '../wire/index.ts'
import type { Notary } from '../negotiate/codec.ts'
import { countersignatureType, receiptType, type Billing, type Countersignature, type Receipt } from './messages.ts'
import { BillingSchema, CountersignatureSchema, ReceiptSchema } from './wire_pb.ts'

const textCharsMax = 64

export function encodeBilling(message: Billing): Uint8Array {
  switch (message.say) {
    case 'receipt':
      return toBinary(
        BillingSchema,
        create(BillingSchema, { body: { case: 'receipt', value: message.receipt.envelope } }),
      )
    case 'countersignature':
      return toBinary(
        BillingSchema,
        create(BillingSchema, { body: { case: 'countersignature', value: message.countersignature.envelope } }),
      )
    case 'dispute':
      return toBinary(
        BillingSchema,
        create(BillingSchema, {
          body: {
            case: 'dispute',
            value: {
              lease: fromString(message.lease, 'hex'),
              sequence: BigInt(message.sequence),
              refusal: encodeRefusal(message.refusal),
            },
          },
        }),
      )
    default:
      return message satisfies never
  }
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
      return {
        say: 'dispute',
        lease: toString(checkedHash(body.value.lease, 'lease'), 'hex'),
        sequence: checkedInteger(body.value.sequence, 'sequence'),
        refusal: decodeRefusal(body.value.refusal),
      }
    default:
      throw new Fault('FIELD_INVALID', 'a billing message says nothing that this version knows')
  }
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
      usage: {
        wallMs: BigInt(receipt.usage.wallMs),
        cpuMs: BigInt(receipt.usage.cpuMs),
        inBytes: BigInt(receipt.usage.inBytes),
        outBytes: BigInt(receipt.usage.outBytes),
      },
      unit: receipt.unit,
      amountMicro: BigInt(receipt.amountMicro),
      final: receipt.final,
      result: receipt.result,
      issuedMs: BigInt(receipt.issuedMs),
    }),
  )
  return { by: signer.peer, body: receipt, envelope: sealEnvelope(signer, network, receiptType, payload) }
}

export function openReceipt(notary: Notary, envelope: Uint8Array): Signed<Receipt> {
  const { by, body } = openEnvelope(notary.signer, notary.network, receiptType, envelope)
  const wire = parseMessage(ReceiptSchema, body)
  const usage = required(wire.usage, 'usage')
  publicKeyOf(wire.requester)
  const receipt: Receipt = {
    lease: toString(checkedHash(wire.lease, 'lease'), 'hex'),
    job: checkedCid(wire.job, 'job'),
    slot: checkedInteger(wire.slot, 'slot'),
    epoch: checkedInteger(wire.epoch, 'epoch'),
    requester: wire.requester,
    sequence: checkedInteger(wire.sequence, 'sequence'),
    previous: checkedHash(wire.previous, 'previous'),
    usage: {
      wallMs: checkedInteger(usage.wallMs, 'wall_ms'),
      cpuMs: checkedInteger(usage.cpuMs, 'cpu_ms'),
      inBytes: checkedInteger(usage.inBytes, 'in_bytes'),
      outBytes: checkedInteger(usage.outBytes, 'out_bytes'),
    },
    unit: checkedText(wire.unit, 'unit', textCharsMax),
    amountMicro: checkedInteger(wire.amountMicro, 'amount_micro'),
    final: wire.final,
    result: wire.final ? checkedCid(wire.result, 'result') : checkedText(wire.result, 'result', 0),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
  }
  if (receipt.sequence === 0) throw new Fault('FIELD_INVALID', 'receipts are counted from 1', { field: 'sequence' })
  return { by, envelope, body: receipt }
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
  return { by: signer.peer, body, envelope: sealEnvelope(signer, network, countersignatureType, payload) }
}

export function openCountersignature(notary: Notary, envelope: Uint8Array): Signed<Countersignature> {
  const { by, body } = openEnvelope(notary.signer, notary.network, countersignatureType, envelope)
  const wire = parseMessage(CountersignatureSchema, body)
  const countersignature: Countersignature = {
    lease: toString(checkedHash(wire.lease, 'lease'), 'hex'),
    sequence: checkedInteger(wire.sequence, 'sequence'),
    receipt: checkedHash(wire.receipt, 'receipt'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
  }
  return { by, envelope, body: countersignature }
}
