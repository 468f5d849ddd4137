/**
 * One attacker with many names. Each of them asks for less than any honest provider, and then plays one trick; a name that is burnt comes
 * back as another. They sign receipts for each other as large as they like, and keep what honest requesters signed before they knew.
 */
import { sealCountersignature, sealReceipt, type Receipt } from '../../protocols/receipt/index.ts'
import type { ShownReference } from '../../protocols/references/index.ts'
import {
  cidOfDocument,
  hashOfEnvelope,
  noUsage,
  sha256,
  type Notary,
  type PeerName,
} from '../../protocols/wire/index.ts'
import type { SeededRandom } from '../random.ts'
import type { Vice } from './vices.ts'

/** What a name does with the work that it is given. */
export const tricks = ['no-show', 'withhold-result', 'fake-result', 'wrong-result'] as const
export type Trick = (typeof tricks)[number]

/** How the frames of a name are bent; a fake result is a matter of what is in it, and of a wrong one nobody sees that it is wrong. */
export function viceOf(trick: Trick): Vice | null {
  return trick === 'fake-result' || trick === 'wrong-result' ? null : trick
}

/** How often a requester sees, before it signs for it, that a result is none. */
export const seenThroughShare = 0.5
/** Otherwise it finds out when it uses what it got, after so long. */
export const foundOutMs: readonly [number, number] = [5_000, 20_000]
/** Receipts that names of the clique sign for one of theirs, and of how much. */
const cliqueReferences = 12
const cliqueMicro = 10_000_000
/** One in so many shows a reference that is no one's. */
const forgedShare = 0.1

export class Clique {
  readonly #random: SeededRandom
  readonly #signerOf: (identity: number) => Notary['signer']
  readonly #network: string
  readonly #peers: number
  readonly #tricks: readonly Trick[]
  /** Of every name that it ever had. */
  readonly #names: Notary[] = []
  #born = 0

  constructor(
    random: SeededRandom,
    network: string,
    { peers, tricks }: { readonly peers: number; readonly tricks: readonly Trick[] },
    signerOf: (identity: number) => Notary['signer'],
  ) {
    this.#random = random
    this.#network = network
    this.#peers = peers
    this.#tricks = tricks
    this.#signerOf = signerOf
  }

  /** A name that nobody has heard of, and what it will do. */
  born(): { readonly notary: Notary; readonly trick: Trick } {
    const notary = { network: this.#network, signer: this.#signerOf(this.#peers + this.#born++) }
    this.#names.push(notary)
    return { notary, trick: this.#random.pick(this.#tricks) }
  }

  /** What one of them shows: of the clique, and perhaps a signature of somebody honest that is not. */
  references(shower: Notary, honest: PeerName, nowMs: number): ShownReference[] {
    const others = this.#names.filter(({ signer }) => signer.peer !== shower.signer.peer)
    const mates = Array.from({ length: Math.min(cliqueReferences, others.length) }, () => this.#random.pick(others))
    const shown = mates.map((mate, index) => this.#signed(shower, mate, mate.signer.peer, index, nowMs))
    const [forger] = mates
    if (forger !== undefined && this.#random.chance(forgedShare))
      shown.push(this.#signed(shower, forger, honest, mates.length, nowMs))
    return shown
  }

  /** `requester` is named, and `by` signs. */
  #signed(shower: Notary, by: Notary, requester: PeerName, index: number, nowMs: number): ShownReference {
    const nonce = Uint8Array.of(index, this.#random.between(0, 255), this.#random.between(0, 255))
    const lease = sha256(nonce)
    const body: Receipt = {
      lease: Buffer.from(lease).toString('hex'),
      job: cidOfDocument(nonce),
      slot: 0,
      epoch: 1,
      requester,
      sequence: 1,
      previous: lease,
      usage: { ...noUsage, wallMs: 1, cpuMs: 1 },
      unit: 'credit',
      amountMicro: cliqueMicro,
      final: true,
      result: cidOfDocument(nonce),
      issuedMs: nowMs,
    }
    const receipt = sealReceipt(shower, body)
    const signed = sealCountersignature(by, {
      lease: body.lease,
      sequence: 1,
      receipt: hashOfEnvelope(receipt.envelope),
      issuedMs: nowMs,
    })
    return { receipt: receipt.envelope, countersignature: signed.envelope }
  }
}
