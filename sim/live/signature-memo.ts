/**
 * Signatures that were checked before in this process. In a live world hundreds of peers check the same signature on the same
 * bytes, each on a machine of its own as far as the network goes; here they share two cores, and the checks alone would
 * take longer than the gossip that they are about.
 *
 * What is remembered is the verdict on exactly this key, signature and message, so that nothing is believed that would not be.
 */
import { hash } from 'node:crypto'

import { publicKeyFromRaw } from '@libp2p/crypto/keys'

import type { Signer } from '../../protocols/wire/index.ts'
import type { Identity } from '../../src/host/index.ts'

/** Verdicts that are kept, at some 200 B each: of the last minutes of a busy world. */
const verdictsMax = 20_000

type Verdict = boolean | Promise<boolean>

/** libp2p's public keys, as far as we touch them. */
interface Ed25519Prototype {
  readonly raw: Uint8Array
  verify: (this: Ed25519Prototype, message: { subarray(): Uint8Array }, signature: Uint8Array) => Verdict
}

export class SignatureMemo {
  readonly #verdicts = new Map<string, boolean>()
  /** Checks that were made, and that were spared. */
  readonly counts = { made: 0, spared: 0 }

  /** The signer, with our own checks remembered. */
  signer(signer: Signer): Signer {
    return {
      peer: signer.peer,
      publicKey: signer.publicKey,
      sign: (message) => signer.sign(message),
      verify: (key, message, signature) => {
        const name = nameOf(key, message, signature)
        const known = this.#known(name)
        return known ?? this.#keep(name, signer.verify(key, message, signature))
      },
    }
  }

  identity(identity: Identity): Identity {
    return { ...identity, signer: this.signer(identity.signer) }
  }

  /** Remembers libp2p's own checks too, of gossip and of address records, until the returned function is called. */
  install(anyKey: Uint8Array): () => void {
    const prototype = Object.getPrototypeOf(publicKeyFromRaw(anyKey)) as Ed25519Prototype
    const { verify } = prototype
    const ask = (key: Uint8Array, message: Uint8Array, signature: Uint8Array, check: () => Verdict): Verdict => {
      const name = nameOf(key, message, signature)
      const known = this.#known(name)
      if (known !== undefined) return known
      const verdict = check()
      return typeof verdict === 'boolean' ? this.#keep(name, verdict) : verdict.then((sure) => this.#keep(name, sure))
    }
    prototype.verify = function (message, signature) {
      return ask(this.raw, message.subarray(), signature, () => verify.call(this, message, signature))
    }
    return () => {
      prototype.verify = verify
    }
  }

  #known(name: string): boolean | undefined {
    const known = this.#verdicts.get(name)
    if (known !== undefined) this.counts.spared += 1
    return known
  }

  #keep(name: string, verdict: boolean): boolean {
    this.counts.made += 1
    this.#verdicts.set(name, verdict)
    if (this.#verdicts.size > verdictsMax) this.#verdicts.delete(this.#verdicts.keys().next().value!)
    return verdict
  }
}

function nameOf(key: Uint8Array, message: Uint8Array, signature: Uint8Array): string {
  const head = Buffer.concat([key, signature]).toString('latin1')
  return `${head}${hash('sha256', message, 'base64')}`
}
