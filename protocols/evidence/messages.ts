/** What is shown of a peer that said two things of which only one can be true. */
import { manifestBytesMax } from '../negotiate/index.ts'
import type { PeerName, ProtocolLimits } from '../wire/index.ts'

export const evidenceProtocol = '/pleach/evidence/1'

/** Two AWARDs, each with its manifest. */
export const evidenceLimits: ProtocolLimits = { frameBytesMax: 2 * (manifestBytesMax + 8 * 1024), streamsPerPeerMax: 2 }

export interface Evidence {
  readonly first: Uint8Array
  readonly second: Uint8Array
}

export interface Equivocation {
  /** Who signed both. */
  readonly by: PeerName
  /** What there are two of. */
  readonly of: 'award' | 'accept' | 'receipt' | 'countersignature' | 'storage-receipt' | 'storage-countersignature'
  /** Hex: the lease that both name; null of two AWARDs, which are two leases, and of what is of no lease. */
  readonly lease: string | null
}
