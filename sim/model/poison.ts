/** A dishonest peer's answers for the DHT: the oldest record it ever saw, another's under this key, a forged one; made-up providers. */
import { openCapability, sealCapability } from '../../protocols/capability/index.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import { encodePublicKey, publicKeyOf, type PeerName } from '../../protocols/wire/index.ts'
import type { SeededRandom } from '../random.ts'

const keptMax = 256

export class PoisonedAnswers {
  readonly #notary: Notary
  readonly #random: SeededRandom
  readonly #others: () => readonly PeerName[]
  /** The first record that was seen of each key. */
  readonly #old = new Map<string, Uint8Array>()

  constructor(notary: Notary, random: SeededRandom, others: () => readonly PeerName[]) {
    this.#notary = notary
    this.#random = random
    this.#others = others
  }

  get(key: string, value: Uint8Array | undefined, nowMs: number): Uint8Array | undefined {
    if (value === undefined) return undefined
    if (!this.#old.has(key) && this.#old.size < keptMax) this.#old.set(key, value)
    switch (this.#random.between(0, 3)) {
      case 0:
        return undefined
      case 1:
        return this.#old.get(key)
      case 2:
        return this.#random.pick([...this.#old.values()])
      default:
        return this.#forged(value, nowMs)
    }
  }

  find(providers: readonly PeerName[]): readonly PeerName[] {
    return this.#random.chance(0.5) ? [] : [this.#random.pick(this.#others()), ...providers.slice(1)]
  }

  /** The same peer's record with the highest number there is, under its key and with our signature. */
  #forged(value: Uint8Array, nowMs: number): Uint8Array {
    const { signer, network } = this.#notary
    try {
      const { by, body } = openCapability(signer, network, value, nowMs)
      const forged = sealCapability(signer, network, { ...body, sequence: Number.MAX_SAFE_INTEGER, withdrawn: true })
      const at = Buffer.from(forged.buffer, forged.byteOffset).indexOf(encodePublicKey(signer.publicKey))
      forged.set(encodePublicKey(publicKeyOf(by)), at)
      return forged
    } catch {
      return value
    }
  }
}
