/**
 * A cheap signer for the model: a keyed hash in the place of Ed25519, so that a second of real time holds a hundred lives of
 * the mesh. Nobody can make another's signature without the other's secret, which is all that the machines rely on.
 */
import { createHash, hash } from 'node:crypto'

import { fromString } from 'uint8arrays'

import { peerNameOf, type Signer } from '../../protocols/wire/index.ts'

const secrets = new Map<string, Uint8Array>()

export function modelSigner(number: number): Signer {
  const secret = digest(fromString(`secret ${number}`))
  const publicKey = digest(fromString(`public ${number}`))
  secrets.set(keyOf(publicKey), secret)
  return {
    peer: peerNameOf(publicKey),
    publicKey,
    sign: (message) => mac(secret, message),
    verify(other, message, signature) {
      const known = secrets.get(keyOf(other))
      return known !== undefined && Buffer.compare(mac(known, message), signature) === 0
    },
  }
}

/** 64 bytes, as a signature of Ed25519 has. */
function mac(secret: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha512').update(secret).update(message).digest())
}

function digest(bytes: Uint8Array): Uint8Array {
  return fromString(hash('sha256', bytes, 'hex'), 'hex')
}

function keyOf(publicKey: Uint8Array): string {
  return Buffer.from(publicKey).toString('latin1')
}
