/**
 * Peer names: the libp2p peer id of an Ed25519 key, as base58btc text. It is the identity multihash of the protobuf-encoded
 * public key (libp2p specs, peer-ids), so name and key convert both ways without a look-up.
 */
import { base58btc } from 'multiformats/bases/base58'
import * as Digest from 'multiformats/hashes/digest'
import { toString } from 'uint8arrays'

import { Fault } from './fault.ts'
import { Memo } from './memo.ts'

/** For example `12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi`. */
export type PeerName = string

export const publicKeyBytes = 32
/** `PublicKey { Type: Ed25519 = 1, Data: 32 bytes }`, the deterministic encoding the peer-id specification fixes. */
const keyPrefix = Uint8Array.of(0x08, 0x01, 0x12, 0x20)
const identityCode = 0x00
const nameCharsMax = 64
/** Names remembered: some 200 bytes each. */
const namesMax = 8_192

export function encodePublicKey(publicKey: Uint8Array): Uint8Array {
  if (publicKey.byteLength !== publicKeyBytes) throw new RangeError('an Ed25519 public key has 32 bytes')
  const encoded = new Uint8Array(keyPrefix.byteLength + publicKeyBytes)
  encoded.set(keyPrefix)
  encoded.set(publicKey, keyPrefix.byteLength)
  return encoded
}

/** The raw 32 bytes. Throws Fault FIELD_INVALID for any other kind of key. */
export function decodePublicKey(encoded: Uint8Array): Uint8Array {
  const right =
    encoded.byteLength === keyPrefix.byteLength + publicKeyBytes &&
    keyPrefix.every((byte, index) => encoded[index] === byte)
  if (!right) throw new Fault('FIELD_INVALID', 'the public key is not an Ed25519 key', { bytes: encoded.byteLength })
  return encoded.slice(keyPrefix.byteLength)
}

/** Names in the one direction and in the other: base58 is a division of long numbers, and every statement names its signer. */
const names = new Memo<string, PeerName>(namesMax)
const keys = new Memo<PeerName, Uint8Array>(namesMax)

export function peerNameOf(publicKey: Uint8Array): PeerName {
  const key = toString(publicKey, 'hex')
  const known = names.get(key)
  if (known !== undefined) return known
  const name = base58btc.baseEncode(Digest.create(identityCode, encodePublicKey(publicKey)).bytes)
  names.set(key, name)
  return name
}

/** The public key inside a name. Throws Fault FIELD_INVALID when the text is not the name of an Ed25519 key. */
export function publicKeyOf(name: PeerName): Uint8Array {
  const known = keys.get(name)
  if (known !== undefined) return known.slice()
  if (name.length > nameCharsMax) throw new Fault('FIELD_INVALID', 'the peer id is too long', { chars: name.length })
  try {
    const digest = Digest.decode(base58btc.baseDecode(name))
    if (digest.code !== identityCode) throw new Fault('FIELD_INVALID', 'the peer id is not of an Ed25519 key')
    const key = decodePublicKey(digest.digest)
    keys.set(name, key.slice())
    return key
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('FIELD_INVALID', 'the peer id is not base58btc', { name: name.slice(0, nameCharsMax) })
  }
}

export function isPeerName(name: string): boolean {
  try {
    publicKeyOf(name)
    return true
  } catch {
    return false
  }
}
