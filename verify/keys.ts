/** Hashes, signatures and the names of keys. Everything secret or slow is WebCrypto's: nothing of it is made here. */
import { base58Of, fromBase58, isSame, joined } from './bytes.ts'
import { Problem } from './problem.ts'

export const keyBytes = 32
export const signatureBytes = 64
const nameCharsMax = 64

/** `PublicKey { Type: Ed25519, Data: 32 bytes }` of libp2p's peer-ids specification. */
const keyPrefix = Uint8Array.of(0x08, 0x01, 0x12, 0x20)
/** The identity multihash of 36 bytes. */
const namePrefix = Uint8Array.of(0x00, 0x24)
/** The multicodec `ed25519-pub` as a varint. */
const multikeyPrefix = Uint8Array.of(0xed, 0x01)

/** It is not the file that is wrong: here nothing can be verified. */
export class VerifierError extends Error {
  override readonly name = 'VerifierError'
  readonly code: 'NO_WEBCRYPTO' | 'NO_ED25519'

  constructor(code: 'NO_WEBCRYPTO' | 'NO_ED25519', message: string) {
    super(message)
    this.code = code
  }
}

function subtle(): typeof crypto.subtle {
  const there = (globalThis as { crypto?: { subtle?: typeof crypto.subtle } }).crypto?.subtle
  if (there !== undefined) return there
  throw new VerifierError(
    'NO_WEBCRYPTO',
    'there is no WebCrypto here: a page has it from https, localhost or a file, and Node from version 20',
  )
}

export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await subtle().digest('SHA-256', bytes.slice()))
}

/** Ed25519 (RFC 8032). Throws a VerifierError where WebCrypto does not know it. */
export async function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const there = subtle()
  let key: Awaited<ReturnType<typeof there.importKey>>
  try {
    key = await there.importKey('raw', publicKey.slice(), { name: 'Ed25519' }, false, ['verify'])
  } catch (error) {
    // Of 32 bytes that are no point of the curve some implementations speak here, others when something is to be verified with them.
    if ((error as Error).name !== 'NotSupportedError') return false
    throw new VerifierError(
      'NO_ED25519',
      'this WebCrypto does not know Ed25519: Chrome has it from version 137, Firefox from 129, Safari from 17, Node from 20',
    )
  }
  return there.verify({ name: 'Ed25519' }, key, signature.slice(), message.slice())
}

/** The 32 bytes in libp2p's encoding of a key. Throws a Problem. */
export function keyOf(encoded: Uint8Array): Uint8Array {
  const prefix = encoded.subarray(0, keyPrefix.byteLength)
  if (encoded.byteLength === keyPrefix.byteLength + keyBytes && isSame(prefix, keyPrefix))
    return encoded.slice(keyPrefix.byteLength)
  throw new Problem('FIELD_INVALID', 'the public key is not an Ed25519 key')
}

/** The peer id of a key: `12D3KooW…`. */
export function peerOf(publicKey: Uint8Array): string {
  return base58Of(joined(namePrefix, keyPrefix, publicKey))
}

/** Throws a Problem for what is not the name of an Ed25519 key. */
export function keyOfPeer(name: string): Uint8Array {
  const bytes = name.length > nameCharsMax ? undefined : fromBase58(name)
  if (bytes !== undefined && isSame(bytes.subarray(0, namePrefix.byteLength), namePrefix))
    return keyOf(bytes.subarray(namePrefix.byteLength))
  throw new Problem('FIELD_INVALID', 'the peer id is not of an Ed25519 key')
}

/** The key of a peer as a Multikey (Controlled Identifiers 1.0): `z6Mk…`. */
export function multikeyOf(peer: string): string {
  return `z${base58Of(joined(multikeyPrefix, keyOfPeer(peer)))}`
}

export function didOf(peer: string): string {
  return `did:key:${multikeyOf(peer)}`
}

/** The key in a Multikey; undefined when it is none of Ed25519. */
export function keyOfMultikey(text: string): Uint8Array | undefined {
  const bytes = text.startsWith('z') && text.length <= nameCharsMax ? fromBase58(text.slice(1)) : undefined
  if (bytes?.byteLength !== multikeyPrefix.byteLength + keyBytes) return undefined
  return isSame(bytes.subarray(0, 2), multikeyPrefix) ? bytes.slice(multikeyPrefix.byteLength) : undefined
}
