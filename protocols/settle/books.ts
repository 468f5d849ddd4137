/** What this peer's books say, as the machine is shown it with every input: a view, true at the moment of the step. */
import { equals } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import { Fault, type Micro, type PeerName } from '../wire/index.ts'
import { heldOf, openAgreed, openEvidence } from './codec.ts'
import type { Agreed, Evidence, ForfeitEnvelopes, Held, Objection } from './messages.ts'

/** One lease with the other peer in the unit of the account. */
export interface LeaseBook {
  /** Hex. */
  readonly lease: string
  readonly provider: PeerName
  /** The last receipt that both have signed; null before the first. */
  readonly held: Held | null
  /** What the statements that are agreed have taken in of it; 0 before the first. */
  readonly settledMicro: Micro
}

export interface BooksView {
  /** Leases of which more is signed by both than is settled, in the order in which they are to be taken in. */
  unsettled(): Iterable<LeaseBook>
  lease(lease: string): LeaseBook | undefined
  /** The receipt of that number and its countersignature, as they came; undefined when both are not there. */
  evidence(lease: string, sequence: number): EvidenceEnvelopes | undefined
  /** What proves a fault under leases with a bond that no agreed statement has taken in, in either direction. */
  forfeits(): Iterable<ForfeitEnvelopes>
  /** Whether an agreed statement has taken in the bond of this lease. */
  isForfeited(lease: string): boolean
  /** The agreed statement of that number. */
  agreed(number: number): AgreedEnvelopes | undefined
}

export interface EvidenceEnvelopes {
  readonly receipt: Uint8Array
  readonly countersignature: Uint8Array
}

export interface AgreedEnvelopes {
  readonly statement: Uint8Array
  readonly agreement: Uint8Array
}

/** Of this lease in all statements agreed before. The head is looked at too, so that books that lag by one count nothing twice. */
export function settledOf(book: LeaseBook | undefined, head: Agreed | null, lease: string): Micro {
  const entry = head?.statement.body.entries.find((one) => one.lease === lease)
  return Math.max(book?.settledMicro ?? 0, entry?.amountMicro ?? 0)
}

/** The proof of what our books hold, or undefined. A proof that does not open is none: a disk may have flipped a bit. */
export function proofOf(notary: Notary, books: BooksView, lease: string, sequence: number): Evidence | undefined {
  return unlessBroken(() => {
    const envelopes = books.evidence(lease, sequence)
    return envelopes === undefined ? undefined : openEvidence(notary, envelopes)
  })
}

export function agreedOf(notary: Notary, books: BooksView, number: number): Agreed | undefined {
  return unlessBroken(() => {
    const envelopes = books.agreed(number)
    return envelopes === undefined ? undefined : openAgreed(notary, envelopes)
  })
}

/** A proof proves when it is of this lease, in this unit, between these two, in this direction. */
export function isProofOf(
  { receipt }: Evidence,
  of: { readonly lease: string; readonly provider: PeerName },
  pair: { readonly lower: PeerName; readonly higher: PeerName; readonly unit: string },
): boolean {
  const requester = of.provider === pair.lower ? pair.higher : pair.lower
  return (
    receipt.by === of.provider &&
    receipt.body.requester === requester &&
    receipt.body.lease === of.lease &&
    receipt.body.unit === pair.unit
  )
}

export function isSameHeld(one: Held | null, other: Held | null): boolean {
  if (one === null || other === null) return one === other
  return one.sequence === other.sequence && one.amountMicro === other.amountMicro && equals(one.receipt, other.receipt)
}

/** The proof's pointer is the one that is spoken of. */
export function points(evidence: Evidence | undefined, to: Held | Objection['holds']): boolean {
  return evidence !== undefined && isSameHeld(heldOf(evidence), to)
}

export function unlessBroken<Value>(open: () => Value): Value | undefined {
  try {
    return open()
  } catch (error) {
    if (error instanceof Fault) return undefined
    throw error
  }
}
