/**
 * Peers that signed two things of which only one can be: what proves it is kept, and shown to those that we are connected to. What
 * others show is checked, and believed as far as it proves itself.
 */
import {
  decodeEvidence,
  encodeEvidence,
  evidenceLimits,
  evidenceProtocol,
  provesEquivocation,
  type Evidence,
} from '../../protocols/evidence/index.ts'
import { EquivocationFault, type Notary } from '../../protocols/negotiate/index.ts'
import { openForfeit, unlessBroken } from '../../protocols/settle/index.ts'
import { describeFacts, type Fault, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'
import type { Proofs } from '../ledger/proofs.ts'
import type { Outcomes } from './outcomes.ts'
import type { Courier } from './routes.ts'

export interface EquivocationsDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly log: Log
  readonly proofs: Proofs
  readonly courier: Courier
  readonly outcomes: Pick<Outcomes, 'onProven'>
  /** Told that two statements of our own exclude each other. */
  readonly care: { onOwnEquivocation(of: string): void }
  readonly host: { connections(): readonly { readonly peer: PeerName }[] }
}

/** Peers that one proof is shown to. They do not pass it on. */
const shownToMax = 32
/** Proofs that are taken in a while, from all: new names that equivocate are free. */
const takenMax = 64
const takenWindowMs = 60_000

export class Equivocations {
  readonly #deps: EquivocationsDeps
  #taken = 0
  #windowEndsMs = 0

  constructor(deps: EquivocationsDeps) {
    this.#deps = deps
  }

  async serve(): Promise<void> {
    await this.#deps.courier.register(evidenceProtocol, evidenceLimits, (from, frame) => this.#onShown(from, frame))
  }

  isProven(peer: PeerName): boolean {
    return this.#deps.proofs.has(peer)
  }

  /** What a peer did to us; nothing but an equivocation that proves itself is of interest here. */
  onFault(peer: PeerName, fault: Fault): void {
    if (!(fault instanceof EquivocationFault)) return
    const { courier, host } = this.#deps
    const evidence: Evidence = fault
    this.#claim(peer, evidence)
    if (this.isProven(peer)) return
    this.#keep(peer, evidence)
    const frame = encodeEvidence(evidence)
    // It too: when its key was copied, its owner does not know of the other one.
    courier.send(peer, evidenceProtocol, frame)
    const others = host.connections().filter((other) => other.peer !== peer)
    for (const { peer: other } of others.slice(0, shownToMax)) courier.send(other, evidenceProtocol, frame)
  }

  /** Throws a Fault of whoever shows what proves nothing. */
  #onShown(from: PeerName, frame: Uint8Array): void {
    const { notary, clock, outcomes, care } = this.#deps
    const nowMs = clock.monotonicMs()
    if (nowMs >= this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + takenWindowMs
      this.#taken = 0
    }
    if (this.#taken >= takenMax) return
    this.#taken++
    const evidence = decodeEvidence(frame)
    const { by, of } = provesEquivocation(notary, evidence)
    const isOurs = by === notary.signer.peer
    if (!isOurs) this.#claim(by, evidence)
    if (this.isProven(by)) return
    this.#keep(by, evidence)
    // Both are signed with our key, and we do not contradict ourselves. Once: after that the owner has decided, and knows.
    if (isOurs) care.onOwnEquivocation(of)
    else outcomes.onProven(by, `EQUIVOCATION${describeFacts({ of, shownBy: from })}`)
  }

  /** The bond of a lease of ours, when what is proven was done under one: the next statement takes it in. */
  #claim(peer: PeerName, { first, second }: Evidence): void {
    const { notary, proofs, clock } = this.#deps
    const lease = unlessBroken(() => provesEquivocation(notary, { first, second }).lease) ?? null
    const award = lease === null ? undefined : proofs.awardOf(lease)
    if (lease === null || award === undefined) return
    // None: the lease names no bond, or the fault is not one of its provider.
    const proof = unlessBroken(() => openForfeit(notary, { award, first, second }))
    if (proof?.award.by !== notary.signer.peer) return
    const { unit } = proof.award.body
    this.#later(proofs.putForfeit({ lease, peer, unit, award, first, second, atMs: clock.nowMs() }))
  }

  #keep(peer: PeerName, { first, second }: Evidence): void {
    const { proofs, clock } = this.#deps
    this.#later(proofs.put({ peer, first, second, atMs: clock.nowMs() }))
  }

  #later(writing: Promise<void>): void {
    writing.catch((error: unknown) => this.#deps.log('warn', 'a proof was not written down', { error }))
  }
}
