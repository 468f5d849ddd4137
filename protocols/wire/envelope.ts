/**
 * Signed envelopes (libp2p RFC 0002): everything that binds a peer travels in one, and is kept as the bytes that came.
 *
 * Under the signature are the domain (one per message type, with the network's id, so that a statement made on one network
 * or as one kind of message is nothing on another), the payload type and the payload.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { varint } from 'multiformats'
import { concat, equals, fromString } from 'uint8arrays'

import { Fault } from './fault.ts'
import { parseMessage } from './message.ts'
import { decodePublicKey, encodePublicKey, peerNameOf, type PeerName } from './peer.ts'
import { EnvelopeSchema, type Envelope } from './wire_pb.ts'

/** What is signed: a name such as `offer` and the version of its meaning. */
export interface StatementType {
  readonly name: string
  readonly version: number
}

/** Signs and verifies. The real one holds the peer's Ed25519 key; the model simulator may bring a cheap one. */
export interface Signer {
  readonly peer: PeerName
  readonly publicKey: Uint8Array
  /** 64 bytes. Deterministic: the same message gives the same signature. */
  sign(message: Uint8Array): Uint8Array
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
}

/** An opened envelope: who said it, what was said, and the exact bytes that prove it. */
export interface Signed<Body> {
  readonly by: PeerName
  readonly body: Body
  readonly envelope: Uint8Array
}

export const signatureBytes = 64

export function payloadTypeOf(type: StatementType): string {
  return `/pleach/${type.name}/${type.version}`
}

/** For example `pleach/offer/1@main`: the message type and the network. */
export function domainOf(type: StatementType, network: string): string {
  return `pleach/${type.name}/${type.version}@${network}`
}

/** The bytes that the signature covers (RFC 0002, "Signature Production and Verification"). */
export function signedBytes(domain: string, payloadType: Uint8Array, payload: Uint8Array): Uint8Array {
  const parts = [fromString(domain), payloadType, payload]
  return concat(
    parts.flatMap((part) => [
      varint.encodeTo(part.byteLength, new Uint8Array(varint.encodingLength(part.byteLength))),
      part,
    ]),
  )
}

/** Signs `payload` and returns the envelope's bytes: keep these, never make them again. */
export function sealEnvelope(signer: Signer, network: string, type: StatementType, payload: Uint8Array): Uint8Array {
  const payloadType = fromString(payloadTypeOf(type))
  return toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, {
      publicKey: encodePublicKey(signer.publicKey),
      payloadType,
      payload,
      signature: signer.sign(signedBytes(domainOf(type, network), payloadType, payload)),
    }),
  )
}

/**
 * Checks an envelope against the type that is expected here. Cheap checks come first; the signature is last.
 * Throws Fault FRAME_MALFORMED, FIELD_INVALID or SIGNATURE_INVALID.
 */
export function openEnvelope(
  signer: Pick<Signer, 'verify'>,
  network: string,
  type: StatementType,
  bytes: Uint8Array,
): Signed<Uint8Array> {
  const envelope = parseEnvelope(bytes)
  const expected = fromString(payloadTypeOf(type))
  if (!equals(envelope.payloadType, expected)) {
    throw new Fault('FIELD_INVALID', 'the envelope holds another type of statement', { expected: payloadTypeOf(type) })
  }
  const publicKey = decodePublicKey(envelope.publicKey)
  const message = signedBytes(domainOf(type, network), envelope.payloadType, envelope.payload)
  if (envelope.signature.byteLength !== signatureBytes || !signer.verify(publicKey, message, envelope.signature)) {
    throw new Fault('SIGNATURE_INVALID', 'the signature does not fit the statement', { type: type.name, network })
  }
  return { by: peerNameOf(publicKey), body: envelope.payload, envelope: bytes }
}

/**
 * An envelope has one form: its four fields, in order, nothing else. Statements are named by the hash of their envelope, so a
 * second spelling of the same statement would pass for a second statement, and an honest peer for an equivocator.
 */
function parseEnvelope(bytes: Uint8Array): Envelope {
  const envelope = parseMessage(EnvelopeSchema, bytes)
  const { publicKey, payloadType, payload, signature } = envelope
  const canonical = toBinary(EnvelopeSchema, create(EnvelopeSchema, { publicKey, payloadType, payload, signature }))
  if (!equals(canonical, bytes)) throw new Fault('FRAME_MALFORMED', 'the envelope is not in its one form')
  return envelope
}
