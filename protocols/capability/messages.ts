/** What a peer says it can do, as the rest of the program sees it. */
import type { Micro, PeerName, StatementType } from '../wire/index.ts'

export const capabilityType: StatementType = { name: 'capability', version: 1 }

/** Namespace of records in the DHT; the key is the peer's raw Ed25519 public key (32 bytes). */
export const capabilityNamespace = 'pleach-capability'

/** A record that does not fit is refused by whoever is asked to store it. Aim for a quarter. */
export const capabilityBytesMax = 4096
/** Longest validity, so that a dead peer's record does not live on. */
export const capabilityTermMsMax = 60 * 60_000
/** How far in the future a record may have been issued: tolerated difference of clocks. */
export const clockSkewMsMax = 30_000
export const runtimesMax = 32

export type Evidence = 'claimed' | 'measured' | 'challenged'

export interface Quantity {
  readonly value: number
  readonly evidence: Evidence
}

export interface Runtime {
  readonly name: string
  readonly version: string
  readonly isolation: string
}

export interface Capability {
  readonly sequence: number
  readonly issuedMs: number
  readonly expiresMs: number
  readonly withdrawn: boolean
  readonly software: string
  readonly compute: {
    readonly arch: string
    readonly cpuMilli: Quantity
    readonly memoryBytes: Quantity
    readonly wallMsMax: number
  } | null
  readonly storage: { readonly keepBytes: Quantity; readonly termMsMax: number } | null
  readonly runtimes: readonly Runtime[]
  readonly price: { readonly unit: string; readonly cpuHourMicro: Micro; readonly gbMonthMicro: Micro } | null
}

/** A record with whose it is. */
export interface KnownCapability {
  readonly peer: PeerName
  readonly capability: Capability
  readonly envelope: Uint8Array
}
