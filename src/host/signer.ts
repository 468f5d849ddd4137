/**
 * Signing and verifying with Node's own Ed25519 on keys that are imported once: libp2p imports them anew at every call,
 * which makes signing three times slower.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'

import { signatureBytes, type Signer } from '../../protocols/wire/envelope.ts'
import { peerNameOf, publicKeyBytes } from '../../protocols/wire/peer.ts'

export const seedBytes = 32

/** Keys of others that are kept imported: more than the peers one talks to at a time, at about 1 KiB each. */
const publicKeysKeptMax = 4096

/** DER around a raw key, the same for every Ed25519 key (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/** The signer whose Ed25519 private key is this seed (RFC 8032, the 32 bytes from which the key is made). */
export function createSigner(seed: Uint8Array): Signer {
  if (seed.byteLength !== seedBytes) throw new RangeError('an Ed25519 seed has 32 bytes')
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const publicKey = Uint8Array.from(spki.subarray(spkiPrefix.byteLength))
  const known = new Map<string, KeyObject>()

  return {
    peer: peerNameOf(publicKey),
    publicKey,
    sign: (message) => new Uint8Array(sign(null, message, privateKey)),
    verify(key, message, signature) {
      if (key.byteLength !== publicKeyBytes || signature.byteLength !== signatureBytes) return false
      try {
        return verify(null, message, imported(known, key), signature)
      } catch {
        // Bytes that are no point on the curve.
        return false
      }
    },
  }
}

/** Least recently used goes first: a Map iterates in order of insertion, and a use inserts again. */
function imported(known: Map<string, KeyObject>, raw: Uint8Array): KeyObject {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)
  const name = bytes.toString('latin1')
  const key =
    known.get(name) ?? createPublicKey({ key: Buffer.concat([spkiPrefix, bytes]), format: 'der', type: 'spki' })
  known.delete(name)
  known.set(name, key)
  if (known.size > publicKeysKeptMax) known.delete(known.keys().next().value!)
  return key
}
