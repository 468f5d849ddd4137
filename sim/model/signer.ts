/**
 * A cheap signer for the model: a keyed hash in the place of Ed25519, so that a second of real time holds hundreds of lives of the
 * mesh. The vices of the model do not know each other's secrets and do not attack the hash, and that is all the machines rely on.
 * `realSigner` is Ed25519 itself, for lives that are to be told to others.
 */
import { hash } from 'node:crypto'

import { fromString } from 'uint8arrays'

import { peerNameOf, type Signer } from '../../protocols/wire/index.ts'
import { createSigner } from '../../src/host/signer.ts'

/** By number: the same in every life, so that names are made once. */
const made = new Map<number, Signer>()
const secrets = new Map<string, Secret>()

type Secret = readonly [number, number, number, number]

export function modelSigner(number: number): Signer {
  const known = made.get(number)
  if (known !== undefined) return known
  const publicKey = digest(fromString(`public ${number}`))
  const secret = secretOf(digest(fromString(`secret ${number}`)))
  secrets.set(keyOf(publicKey), secret)
  const signer: Signer = {
    peer: peerNameOf(publicKey),
    publicKey,
    sign: (message) => mac(secret, message),
    verify(other, message, signature) {
      const theirs = secrets.get(keyOf(other))
      if (theirs === undefined) return false
      const wanted = mac(theirs, message)
      return wanted.byteLength === signature.byteLength && wanted.every((byte, index) => byte === signature[index])
    },
  }
  made.set(number, signer)
  return signer
}

export function realSigner(number: number): Signer {
  return createSigner(digest(fromString(`seed ${number}`)))
}

/** Lanes of the mac, and words of the signature: 64 bytes, as Ed25519 has. */
const words = 16

function mac([a0, b0, c0, d0]: Secret, message: Uint8Array): Uint8Array {
  let [a, b, c, d] = [a0, b0, c0, d0]
  const length = message.byteLength
  for (let at = 0; at < length; at++) {
    const byte = message[at]!
    a = Math.imul(a ^ byte, 0x01000193)
    b = Math.imul(b ^ byte ^ (b >>> 15), 0x85ebca6b)
  }
  c ^= a ^ length
  d ^= b
  const signature = new Uint32Array(words)
  for (let word = 0; word < words; word++) {
    c = Math.imul(c ^ (c >>> 16) ^ a ^ word, 0x7feb352d)
    d = Math.imul(d ^ (d >>> 15) ^ b ^ c, 0x846ca68b)
    signature[word] = c ^ d
  }
  return new Uint8Array(signature.buffer)
}

function secretOf(bytes: Uint8Array): Secret {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)]
}

function digest(bytes: Uint8Array): Uint8Array {
  return fromString(hash('sha256', bytes, 'hex'), 'hex')
}

function keyOf(publicKey: Uint8Array): string {
  return Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.byteLength).toString('latin1')
}
