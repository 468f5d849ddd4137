/**
 * Signed envelopes (libp2p RFC 0002): everything that binds a peer travels in one, and is kept as the bytes that came.
 *
 * Under the signature are the domain (one per message type, with the network's id, so that a statement made on one network
 * or as one kind of message is nothing on another), the payload type, which says the same beside it, and the payload.
 */
import assert from 'node:assert/strict'

import { equals, fromString, toString } from 'uint8arrays'

import { decodeEnvelope, encodeEnvelope, lengthBytes, writeLength, type EnvelopeFields } from './envelope-form.ts'
import { Fault } from './fault.ts'
import { sha256 } from './hash.ts'
import { networkCharsMax, networkPattern } from './network.ts'
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

/** For example `/pleach/offer/1@main`: what an envelope says itself to be, so that one of another network can be told from a changed one. */
export function payloadTypeOf(type: StatementType, network: string): string {
  return `/${domainOf(type, network)}`
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
 * Throws Fault FRAME_MALFORMED, FIELD_INVALID, DOMAIN_UNEXPECTED, NETWORK_FOREIGN or SIGNATURE_INVALID.
 */
export function openEnvelope(
  signer: Pick<Signer, 'verify'>,
  network: string,
  type: StatementType,
  bytes: Uint8Array,
): Signed<Uint8Array> {
  const { publicKey, payload, signature } = readEnvelope(network, type, bytes)
  const { domain, payloadType } = labelsOf(type, network)
  const message = signedBytes(domain, payloadType, payload)
  if (signature.byteLength !== signatureBytes || !signer.verify(publicKey, message, signature)) {
    throw new Fault('SIGNATURE_INVALID', 'the signature does not fit the statement', { type: type.name, network })
  }
  return { by: peerNameOf(publicKey), body: payload, envelope: bytes }
}

/**
 * What an envelope says, with its signature unread: for who drops what is of no use before it spends anything on it, and opens the rest.
 * Throws Fault FRAME_MALFORMED, FIELD_INVALID, DOMAIN_UNEXPECTED or NETWORK_FOREIGN.
 */
export function peekEnvelope(network: string, type: StatementType, bytes: Uint8Array): Signed<Uint8Array> {
  const { publicKey, payload } = readEnvelope(network, type, bytes)
  return { by: peerNameOf(publicKey), body: payload, envelope: bytes }
}

function readEnvelope(network: string, type: StatementType, bytes: Uint8Array): EnvelopeFields {
  const fields = decodeEnvelope(bytes)
  if (!equals(fields.payloadType, labelsOf(type, network).payloadType)) throw misplaced(network, type, fields)
  return { ...fields, publicKey: decodePublicKey(fields.publicKey) }
}

/** Why an envelope is none of what is expected here, by what it says itself to be: its signature is unread. */
function misplaced(network: string, type: StatementType, { payloadType }: EnvelopeFields): Fault {
  const expected = payloadTypeOf(type, network)
  const ofType = expected.slice(0, -network.length)
  // Byte for character: what is no name of a network is shown to nobody.
  const said = toString(payloadType.subarray(0, ofType.length + networkCharsMax + 1), 'latin1')
  const given = said.slice(ofType.length)
  if (!said.startsWith(ofType) || !networkPattern.test(given))
    return new Fault('DOMAIN_UNEXPECTED', 'the envelope holds another type of statement', { expected })
  return new Fault('NETWORK_FOREIGN', `the statement is of the network ${given}, not of ${network}`, {
    expected: network,
    given,
  })
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
    assert.ok(networkPattern.test(network), `${network} is no name of a network`)
    made = { payloadType: fromString(payloadTypeOf(type, network)), domain: fromString(domainOf(type, network)) }
    if (ofType.size < networksMax) ofType.set(network, made)
  }
  return made
}

const networksMax = 64
