/**
 * Signatures that were made or checked before in this process. In a live world hundreds of peers check the same signature on
 * the same bytes, each on a machine of its own as far as the network goes; here they share two cores, and the checks alone
 * would take longer than the gossip that they are about.
 *
 * What is remembered is the verdict on exactly this key, signature and message, so that nothing is believed that would not
 * be: of a signature that a key has made here it is known without a check, every other is checked once.
 */
import { hash } from 'node:crypto'

import type { Signer } from '../../protocols/wire/index.ts'
import type { Identity } from '../../src/host/index.ts'

/** Verdicts that are kept, at some 200 B each: of the last minutes of a busy world. */
const verdictsMax = 20_000

type Verdict = boolean | Promise<boolean>

/** libp2p's keys, as far as we touch them. */
interface PublicKey {
  readonly raw: Uint8Array
  verify: (this: PublicKey, message: { subarray(): Uint8Array }, signature: Uint8Array) => Verdict
}
interface PrivateKey {
  readonly publicKey: PublicKey
  sign: (this: PrivateKey, message: { subarray(): Uint8Array }) => Uint8Array | Promise<Uint8Array>
}

export class SignatureMemo {
  readonly #verdicts = new Map<string, boolean>()
  readonly #signers = new Map<string, Signer>()
  /** Checks that were made, and that were spared. */
  readonly counts = { made: 0, spared: 0 }

  /** Who signs in this process: its signatures are known, and its checks remembered. */
  identity(identity: Identity): Identity {
    const { signer } = identity
    const remembering: Signer = {
      peer: signer.peer,
      publicKey: signer.publicKey,
      sign: (message) => {
        const signature = signer.sign(message)
        this.#keep(nameOf(signer.publicKey, message, signature), true)
        return signature
      },
      verify: (key, message, signature) => {
        const name = nameOf(key, message, signature)
        return this.#known(name) ?? this.#check(name, signer.verify(key, message, signature))
      },
    }
    this.#signers.set(textOf(signer.publicKey), remembering)
    return { ...identity, signer: remembering }
  }

  /**
   * Does the same with libp2p's own signatures, of gossip and of address records, until the returned function is called. It
   * imports a key anew at every signature; the signer of the same key has it imported.
   */
  install({ privateKey }: Identity): () => void {
    const privatePrototype = Object.getPrototypeOf(privateKey) as PrivateKey
    const publicPrototype = Object.getPrototypeOf(privateKey.publicKey) as PublicKey
    const { sign } = privatePrototype
    const { verify } = publicPrototype
    const signerOf = (key: Uint8Array): Signer | undefined => this.#signers.get(textOf(key))
    const ask = (key: Uint8Array, message: Uint8Array, signature: Uint8Array, check: () => Verdict): Verdict => {
      const name = nameOf(key, message, signature)
      const known = this.#known(name)
      if (known !== undefined) return known
      const verdict = check()
      return typeof verdict === 'boolean' ? this.#check(name, verdict) : verdict.then((sure) => this.#check(name, sure))
    }
    privatePrototype.sign = function (message) {
      return signerOf(this.publicKey.raw)?.sign(message.subarray()) ?? sign.call(this, message)
    }
    publicPrototype.verify = function (message, signature) {
      return ask(this.raw, message.subarray(), signature, () => verify.call(this, message, signature))
    }
    return () => {
      privatePrototype.sign = sign
      publicPrototype.verify = verify
    }
  }

  #known(name: string): boolean | undefined {
    const known = this.#verdicts.get(name)
    if (known !== undefined) this.counts.spared += 1
    return known
  }

  #check(name: string, verdict: boolean): boolean {
    this.counts.made += 1
    return this.#keep(name, verdict)
  }

  #keep(name: string, verdict: boolean): boolean {
    this.#verdicts.set(name, verdict)
    if (this.#verdicts.size > verdictsMax) this.#verdicts.delete(this.#verdicts.keys().next().value!)
    return verdict
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function nameOf(key: Uint8Array, message: Uint8Array, signature: Uint8Array): string {
  const head = Buffer.concat([key, signature]).toString('latin1')
  return `${head}${hash('sha256', message, 'base64')}`
}
