/** What the desk needs of this peer's books. Implemented over the ledger; `StatementBooks` implements it over statements. */
import type { AgreedEnvelopes, EvidenceEnvelopes, ForfeitEnvelopes, LeaseBook } from '../../protocols/settle/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'

export interface Partner {
  readonly peer: PeerName
  readonly unit: string
}

/** Read within a step of a machine, so nothing here waits; what was committed before the step must show. */
export interface Books {
  /** Everybody with whom there is a lease, or who forfeits a bond to us, a unit at a time. */
  partners(): Iterable<Partner>
  /**
   * The leases with this peer in this unit, in both directions, in the order in which they are to be settled: those with a
   * receipt by either side, the fully settled ones too.
   */
  totalsWith(peer: PeerName, unit: string): readonly LeaseBook[]
  /** Those of `totalsWith` of which more is signed by both than is settled. */
  unsettledWith(peer: PeerName, unit: string): readonly LeaseBook[]
  /** The receipt of that number and its countersignature, when both are there. */
  evidence(lease: string, sequence: number): EvidenceEnvelopes | undefined
  /** What proves that bonds are forfeited to us that no statement has taken in. */
  forfeitsWith(peer: PeerName, unit: string): readonly ForfeitEnvelopes[]
  /** Whether a statement has taken in the bond of this lease. */
  isForfeited(lease: string): boolean
  /** The statement of that number that both have signed. */
  agreed(peer: PeerName, unit: string, number: number): AgreedEnvelopes | undefined
}
