/** Settling messages from and to bytes. All validation of a single message is here. */
import { create, toBinary } from '@bufbuild/protobuf'
import { equals, toString } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import { openCountersignature, openReceipt } from '../receipt/codec.ts'
import { Fault, openEnvelope, parseMessage, required, sealEnvelope, sha256, type Signed } from '../wire/index.ts'
import {
  decodeAgreement,
  decodeDifference,
  decodeStatement,
  encodeAgreement,
  encodeDifference,
  encodeStatement,
} from './fields.ts'
import { openForfeit } from './proof.ts'
import {
  agreementType,
  differenceType,
  evidenceBytesMax,
  evidenceMax,
  forfeitsMax,
  statementType,
  type Agreed,
  type Agreement,
  type Difference,
  type Evidence,
  type Held,
  type Settling,
  type Statement,
} from './messages.ts'
import {
  AgreementSchema,
  DifferenceSchema,
  SettlingSchema,
  StatementSchema,
  type Evidence as WireEvidence,
} from './wire_pb.ts'

export function encodeSettling(message: Settling): Uint8Array {
  return toBinary(SettlingSchema, create(SettlingSchema, { body: bodyOf(message) }))
}

function bodyOf(message: Settling) {
  switch (message.say) {
    case 'propose': {
      const value = {
        statement: message.statement.envelope,
        evidence: message.evidence.map(encodeEvidence),
        forfeits: message.forfeits.map(({ award, first, second }) => ({ award: award.envelope, first, second })),
      }
      return { case: 'propose' as const, value }
    }
    case 'agree':
      return { case: 'agree' as const, value: message.agreement.envelope }
    case 'differ': {
      const value = { difference: message.difference.envelope, evidence: message.evidence.map(encodeEvidence) }
      return { case: 'differ' as const, value }
    }
    case 'agreed': {
      const value = { statement: message.statement.envelope, agreement: message.agreement.envelope }
      return { case: 'agreed' as const, value }
    }
    default:
      return message satisfies never
  }
}

/** Parses, validates and checks every signature. Throws a Fault. */
export function decodeSettling(notary: Notary, bytes: Uint8Array): Settling {
  const { body } = parseMessage(SettlingSchema, bytes)
  switch (body.case) {
    case 'propose': {
      const statement = openStatement(notary, body.value.statement)
      const forfeits = body.value.forfeits
      if (forfeits.length > forfeitsMax)
        throw new Fault('FIELD_INVALID', 'too many proofs of forfeits', { forfeits: forfeits.length, forfeitsMax })
      return {
        say: 'propose',
        statement,
        evidence: openEvidences(notary, body.value.evidence),
        forfeits: forfeits.map((one) => openForfeit(notary, one)),
      }
    }
    case 'agree':
      return { say: 'agree', agreement: openAgreement(notary, body.value) }
    case 'differ': {
      const difference = openDifference(notary, body.value.difference)
      return { say: 'differ', difference, evidence: openEvidences(notary, body.value.evidence) }
    }
    case 'agreed':
      return { say: 'agreed', ...openAgreed(notary, body.value) }
    default:
      throw new Fault('FIELD_INVALID', 'a settling message says nothing that this version knows')
  }
}

export function sealStatement({ signer, network }: Notary, body: Statement): Signed<Statement> {
  const payload = toBinary(StatementSchema, encodeStatement(body))
  return { by: signer.peer, body, envelope: sealEnvelope(signer, network, statementType, payload) }
}

export function openStatement({ signer, network }: Notary, envelope: Uint8Array): Signed<Statement> {
  const { by, body } = openEnvelope(signer, network, statementType, envelope)
  const statement = decodeStatement(parseMessage(StatementSchema, body))
  if (by !== statement.lower && by !== statement.higher)
    throw new Fault('SIGNER_UNEXPECTED', 'the statement is signed by neither of the two', { by })
  return { by, envelope, body: statement }
}

export function sealDifference({ signer, network }: Notary, body: Difference): Signed<Difference> {
  const payload = toBinary(DifferenceSchema, encodeDifference(body))
  return { by: signer.peer, body, envelope: sealEnvelope(signer, network, differenceType, payload) }
}

export function openDifference({ signer, network }: Notary, envelope: Uint8Array): Signed<Difference> {
  const { by, body } = openEnvelope(signer, network, differenceType, envelope)
  return { by, envelope, body: decodeDifference(parseMessage(DifferenceSchema, body)) }
}

export function sealAgreement({ signer, network }: Notary, body: Agreement): Signed<Agreement> {
  const payload = toBinary(AgreementSchema, encodeAgreement(body))
  return { by: signer.peer, body, envelope: sealEnvelope(signer, network, agreementType, payload) }
}

export function openAgreement({ signer, network }: Notary, envelope: Uint8Array): Signed<Agreement> {
  const { by, body } = openEnvelope(signer, network, agreementType, envelope)
  return { by, envelope, body: decodeAgreement(parseMessage(AgreementSchema, body)) }
}

/** A statement with both signatures: the second is by the other of the two, and names this very envelope. */
export function openAgreed(
  notary: Notary,
  envelopes: { readonly statement: Uint8Array; readonly agreement: Uint8Array },
): Agreed {
  const statement = openStatement(notary, envelopes.statement)
  const agreement = openAgreement(notary, envelopes.agreement)
  const { lower, higher, unit, number, revision } = statement.body
  if (agreement.by !== (statement.by === lower ? higher : lower))
    throw new Fault('SIGNER_UNEXPECTED', 'the agreement is not by the other of the two', { by: agreement.by })
  const isOfIt =
    agreement.body.unit === unit &&
    agreement.body.number === number &&
    agreement.body.revision === revision &&
    equals(agreement.body.statement, sha256(statement.envelope))
  if (!isOfIt) throw new Fault('CHAIN_BROKEN', 'the agreement is of another statement', { number, revision })
  return { statement, agreement }
}

/** A receipt and the countersignature of that very receipt by its requester. */
export function openEvidence(
  notary: Notary,
  envelopes: { readonly receipt: Uint8Array; readonly countersignature: Uint8Array },
): Evidence {
  for (const [field, bytes] of [
    ['receipt', envelopes.receipt],
    ['countersignature', envelopes.countersignature],
  ] as const) {
    if (bytes.byteLength > evidenceBytesMax)
      throw new Fault('FIELD_INVALID', `${field} is too long`, { field, bytes: bytes.byteLength, evidenceBytesMax })
  }
  const receipt = openReceipt(notary, envelopes.receipt)
  const countersignature = openCountersignature(notary, envelopes.countersignature)
  if (countersignature.by !== receipt.body.requester)
    throw new Fault('SIGNER_UNEXPECTED', 'the countersignature is not by the requester', { by: countersignature.by })
  const isOfIt =
    countersignature.body.lease === receipt.body.lease &&
    countersignature.body.sequence === receipt.body.sequence &&
    equals(countersignature.body.receipt, sha256(receipt.envelope))
  if (!isOfIt)
    throw new Fault('PROOF_INVALID', 'the countersignature is of another receipt', { sequence: receipt.body.sequence })
  return { receipt, countersignature }
}

export function heldOf({ receipt }: Evidence): Held {
  const { sequence, amountMicro } = receipt.body
  return { sequence, receipt: sha256(receipt.envelope), amountMicro }
}

/** The name of a signed statement, as text: a key, and what a person reads. */
export function hashTextOf({ envelope }: Signed<unknown>): string {
  return toString(sha256(envelope), 'hex')
}

function openEvidences(notary: Notary, wire: readonly WireEvidence[]): Evidence[] {
  if (wire.length > evidenceMax)
    throw new Fault('FIELD_INVALID', 'too much evidence', { evidence: wire.length, evidenceMax })
  const evidence = wire.map((one) => openEvidence(notary, required(one, 'evidence')))
  const leases = new Set(evidence.map(({ receipt }) => receipt.body.lease))
  if (leases.size < evidence.length) throw new Fault('FIELD_INVALID', 'evidence of one lease twice', {})
  return evidence
}

function encodeEvidence({ receipt, countersignature }: Evidence) {
  return { receipt: receipt.envelope, countersignature: countersignature.envelope }
}
