/** Questions and references from and to bytes, and what a reference must be to be one. */
import { create, toBinary } from '@bufbuild/protobuf'
import { equals } from 'uint8arrays'

import { openCountersignature, openReceipt } from '../receipt/codec.ts'
import {
  Fault,
  decodeRefusal,
  encodeRefusal,
  hashOfEnvelope,
  parseMessage,
  type Notary,
  type PeerName,
} from '../wire/index.ts'
import { referenceBytesMax, referencesMax, type Reference, type Referring, type ShownReference } from './messages.ts'
import { ReferringSchema } from './wire_pb.ts'

export function encodeReferring(message: Referring): Uint8Array {
  switch (message.say) {
    case 'question':
      return toBinary(ReferringSchema, create(ReferringSchema, { body: { case: 'question', value: {} } }))
    case 'references': {
      const references = message.shown.map(({ receipt, countersignature }) => ({ receipt, countersignature }))
      return toBinary(ReferringSchema, create(ReferringSchema, { body: { case: 'references', value: { references } } }))
    }
    case 'refused':
      return toBinary(
        ReferringSchema,
        create(ReferringSchema, { body: { case: 'refused', value: encodeRefusal(message.refusal) } }),
      )
    default:
      return message satisfies never
  }
}

/** Parses and checks sizes and counts; what is shown is checked by `openReferences`. Throws a Fault. */
export function decodeReferring(bytes: Uint8Array): Referring {
  const { body } = parseMessage(ReferringSchema, bytes)
  switch (body.case) {
    case 'question':
      return { say: 'question' }
    case 'references': {
      const { references } = body.value
      if (references.length > referencesMax) throw invalid('too many references', { count: references.length })
      return {
        say: 'references',
        shown: references.map(({ receipt, countersignature }) => ({
          receipt: bounded(receipt),
          countersignature: bounded(countersignature),
        })),
      }
    }
    case 'refused':
      return { say: 'refused', refusal: decodeRefusal(body.value) }
    default:
      throw new Fault('FIELD_INVALID', 'it says nothing that this version knows')
  }
}

/** All that a peer showed. Throws a Fault when one of them is none: nobody has a bad one by mistake. */
export function openReferences(notary: Notary, shower: PeerName, shown: readonly ShownReference[]): Reference[] {
  const leases = new Set<string>()
  return shown.map((one) => {
    const reference = openReference(notary, shower, one)
    if (leases.has(reference.lease)) throw invalid('a lease is shown twice', { lease: reference.lease })
    leases.add(reference.lease)
    return reference
  })
}

function openReference(notary: Notary, shower: PeerName, shown: ShownReference): Reference {
  const receipt = openReceipt(notary, shown.receipt)
  const { lease, requester: by, sequence, unit, amountMicro, issuedMs, final } = receipt.body
  if (receipt.by !== shower)
    throw new Fault('SIGNER_UNEXPECTED', 'the receipt is not of the peer that shows it', { by: receipt.by })
  if (by === shower) throw invalid('it worked for itself', { field: 'requester' })
  if (!final) throw invalid('the receipt is not the final one', { field: 'final' })
  if (amountMicro === 0) throw invalid('the receipt is of nothing', { field: 'amount_micro' })
  const signed = openCountersignature(notary, shown.countersignature)
  if (signed.by !== by)
    throw new Fault('SIGNER_UNEXPECTED', 'the countersignature is not of the requester', { by: signed.by })
  const isOfReceipt =
    signed.body.lease === lease &&
    signed.body.sequence === sequence &&
    equals(signed.body.receipt, hashOfEnvelope(receipt.envelope))
  if (!isOfReceipt) throw new Fault('PROOF_INVALID', 'the countersignature is of another receipt')
  return { by, lease, unit, amountMicro, issuedMs }
}

function bounded(envelope: Uint8Array): Uint8Array {
  if (envelope.byteLength === 0 || envelope.byteLength > referenceBytesMax)
    throw invalid('an envelope of a reference is empty or too long', { bytes: envelope.byteLength })
  return envelope
}

function invalid(what: string, facts: Readonly<Record<string, string | number>>): Fault {
  return new Fault('FIELD_INVALID', what, facts)
}
