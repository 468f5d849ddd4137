/**
 * Signed envelopes (libp2p RFC 0002): everything that binds a peer travels in one, and is kept as the bytes that came.
 *
 * Under the signature are the domain (one per message type, with the network's id, so that a statement made on one network
 * or as one kind of message is nothing on another), the payload type and the payload.
 */
import { equals, fromString } from 'uint8arrays'

import { decodeEnvelope, encodeEnvelope, lengthBytes, writeLength, type EnvelopeFields } from './envelope-form.ts'
import { Fault } from './fault.ts'
import { sha256 } from './hash.ts'
import { decodePublicKey, encodePublicKey, peerNameOf, type PeerName } from './peer.ts'
import { pooled } from './pool.ts'

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

/** Who signs here and on which network. */
export interface Notary {
  readonly signer: Signer
  readonly network: string
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
export function signedBytes(domain: Uint8Array, payloadType: Uint8Array, payload: Uint8Array): Uint8Array {
  const parts = [domain, payloadType, payload]
  const bytes = pooled(parts.reduce((sum, part) => sum + lengthBytes(part.byteLength) + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    at = writeLength(bytes, at, part.byteLength)
    bytes.set(part, at)
    at += part.byteLength
  }
  return bytes
}

/** Signs `payload` and returns the envelope's bytes: keep these, never make them again. */
export function sealEnvelope(signer: Signer, network: string, type: StatementType, payload: Uint8Array): Uint8Array {
  const { payloadType, domain } = labelsOf(type, network)
  const signature = signer.sign(signedBytes(domain, payloadType, payload))
  return encodeEnvelope({ publicKey: encodePublicKey(signer.publicKey), payloadType, payload, signature })
}

/**
 * Checks an envelope against the type that is expected here. Cheap checks come first; the signature is last.
 * Throws Fault FRAME_MALFORMED, FIELD_INVALID, DOMAIN_UNEXPECTED or SIGNATURE_INVALID.
 */
export function openEnvelope(
  signer: Pick<Signer, 'verify'>,
  network: string,
  type: StatementType,
  bytes: Uint8Array,
): Signed<Uint8Array> {
  const { publicKey, payload, signature } = readEnvelope(type, bytes)
  const { domain, payloadType } = labelsOf(type, network)
  const message = signedBytes(domain, payloadType, payload)
  if (signature.byteLength !== signatureBytes || !signer.verify(publicKey, message, signature)) {
    throw new Fault('SIGNATURE_INVALID', 'the signature does not fit the statement', { type: type.name, network })
  }
  return { by: peerNameOf(publicKey), body: payload, envelope: bytes }
}

/**
 * What an envelope says, with its signature unread: for who drops what is of no use before it spends anything on it, and opens the rest.
 * Throws Fault FRAME_MALFORMED, FIELD_INVALID or DOMAIN_UNEXPECTED.
 */
export function peekEnvelope(type: StatementType, bytes: Uint8Array): Signed<Uint8Array> {
  const { publicKey, payload } = readEnvelope(type, bytes)
  return { by: peerNameOf(publicKey), body: payload, envelope: bytes }
}

function readEnvelope(type: StatementType, bytes: Uint8Array): EnvelopeFields {
  const fields = decodeEnvelope(bytes)
  if (!equals(fields.payloadType, payloadTypeBytesOf(type))) {
    throw new Fault('DOMAIN_UNEXPECTED', 'the envelope holds another type of statement', {
      expected: payloadTypeOf(type),
    })
  }
  return { ...fields, publicKey: decodePublicKey(fields.publicKey) }
}

/** By the array, which is kept and never written to: both halves of a protocol name the same statement again and again. */
const hashes = new WeakMap<Uint8Array, Uint8Array>()

/** What a statement is referred to by: the SHA-256 of its envelope. */
export function hashOfEnvelope(envelope: Uint8Array): Uint8Array {
  let hash = hashes.get(envelope)
  if (hash === undefined) hashes.set(envelope, (hash = sha256(envelope)))
  return hash
}

interface Labels {
  readonly payloadType: Uint8Array
  readonly domain: Uint8Array
}

/** The labels as bytes, made once: types are constants of the protocols, and a process is on one network or a few. */
const labels = new WeakMap<StatementType, Map<string, Labels>>()

function labelsOf(type: StatementType, network: string): Labels {
  let ofType = labels.get(type)
  if (ofType === undefined) labels.set(type, (ofType = new Map<string, Labels>()))
  let made = ofType.get(network)
  if (made === undefined) {
    made = { payloadType: payloadTypeBytesOf(type), domain: fromString(domainOf(type, network)) }
    if (ofType.size < networksMax) ofType.set(network, made)
  }
  return made
}

/** The same on every network. */
const payloadTypes = new WeakMap<StatementType, Uint8Array>()

function payloadTypeBytesOf(type: StatementType): Uint8Array {
  let bytes = payloadTypes.get(type)
  if (bytes === undefined) payloadTypes.set(type, (bytes = fromString(payloadTypeOf(type))))
  return bytes
}

const networksMax = 64
