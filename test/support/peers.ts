/** Signers made from small numbers, so that a test names its peers and two runs have the same ones. */
import { sha256, type Signer } from '../../protocols/wire/index.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import { createSigner } from '../../src/host/signer.ts'

export const network = 'test'

export function signer(seed: number): Signer {
  return createSigner(sha256(Uint8Array.of(seed)))
}

export function notary(seed: number): Notary {
  return { network, signer: signer(seed) }
}
