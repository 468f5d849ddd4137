/** What a peer says it can do, as the rest of the program sees it. */
import { freeTariff, type Micro, type PeerName, type StatementType, type Tariff } from '../wire/index.ts'

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
export const gpusMax = 8
export const featuresMax = 32
export const hoursMax = 16
export const tripsMax = 8
/** Names of those who challenged one quantity. */
export const challengersMax = 4
/** A share of what is lent is said in so many parts. */
export const freeParts = 8
export const weekMinutes = 7 * 24 * 60

export type Evidence = 'claimed' | 'measured' | 'challenged'
/** The stronger the later. */
export const evidences: readonly Evidence[] = ['claimed', 'measured', 'challenged']

/** Whence something is known. */
export interface Attested {
  readonly evidence: Evidence
  /** When it was measured, or challenged last. */
  readonly atMs?: number
  /** Who challenged it. */
  readonly by?: readonly PeerName[]
}

export interface Quantity extends Attested {
  readonly value: number
}

export interface Runtime {
  readonly name: string
  readonly version: string
  readonly isolation: string
}

export interface Gpu {
  readonly vendor: string
  readonly model: string
  /** Of each of them. */
  readonly memoryBytes: Quantity
  readonly count: number
  readonly driver: string
}

export type Reachability = 'unknown' | 'private' | 'relayed' | 'public'
export const reachabilities: readonly Reachability[] = ['unknown', 'private', 'relayed', 'public']

export interface NetworkFacts {
  readonly upBytesPerSecond: Quantity
  readonly downBytesPerSecond: Quantity
  readonly reachability: Reachability
  /** Claimed; empty: not said. */
  readonly region: string
  readonly trips: readonly { readonly peer: PeerName; readonly ms: number }[]
}

export interface Tee extends Attested {
  readonly kind: string
}

/** From one minute of the week (UTC, Monday's first is 0) to another; past the week's end when `toMinute` is the lesser. */
export interface Hours {
  readonly fromMinute: number
  readonly toMinute: number
}

/** What a job is billed by, and what keeping shards costs. */
export interface Price extends Tariff {
  readonly unit: string
  readonly gbMonthMicro: Micro
  /** Added for bids that ask for this evidence. */
  readonly measuredPercent: number
  readonly challengedPercent: number
}

export interface Compute {
  readonly arch: string
  readonly cpuMilli: Quantity
  readonly memoryBytes: Quantity
  /** For what jobs write. */
  readonly diskBytes: Quantity
  readonly wallMsMax: number
  readonly model: string
  readonly features: readonly string[]
  readonly egress: boolean
}

export interface Capability {
  readonly sequence: number
  readonly issuedMs: number
  readonly expiresMs: number
  readonly withdrawn: boolean
  readonly software: string
  readonly compute: Compute | null
  readonly storage: { readonly keepBytes: Quantity; readonly termMsMax: number } | null
  readonly runtimes: readonly Runtime[]
  readonly price: Price | null
  readonly gpus: readonly Gpu[]
  readonly network: NetworkFacts | null
  readonly tee: Tee | null
  /** None: always. */
  readonly hours: readonly Hours[]
  /** Who runs it; claimed, and empty when not said. */
  readonly operator: string
  /** Null: not said. */
  readonly free: { readonly cpuEighths: number; readonly memoryEighths: number; readonly keepEighths: number } | null
}

/** Of a peer that says nothing of these. */
export const unsaid = {
  gpus: [],
  network: null,
  tee: null,
  hours: [],
  operator: '',
  free: null,
} as const satisfies Partial<Capability>
/** Of a price that has no other parts. */
export const plainPrice = {
  ...freeTariff,
  gbMonthMicro: 0,
  measuredPercent: 0,
  challengedPercent: 0,
} as const satisfies Partial<Price>
/** Of processors of which no more is said. */
export const plainCompute = { model: '', features: [], egress: false } as const satisfies Partial<Compute>

/** A record with whose it is. */
export interface KnownCapability {
  readonly peer: PeerName
  readonly capability: Capability
  readonly envelope: Uint8Array
}
