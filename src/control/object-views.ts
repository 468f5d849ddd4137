/** What is told of objects, in the words of the control interface (api.ts). */
import type { PeerView } from './api.ts'

export interface PutView {
  readonly v: 1
  readonly object: string
  readonly bytes: number
  readonly k: number
  readonly n: number
  readonly keepers: readonly PeerView[]
  readonly name: string
  /** The strings that give the object to others: to read it, and to verify and repair it. */
  readonly read: string
  readonly verify: string
  /** When the first of the terms ends, unless it is renewed. */
  readonly keptUntilMs: number
  /** Servers that it really counts on: a largest matching between shards and keepers. */
  readonly happiness: number
  /** So many keepers may be lost, whichever they are. */
  readonly lossesBorne: number
  /** The same of those who run them, as they say; null: nobody says. */
  readonly operatorsBorne: number | null
  /** Keepers that can tell others where it is, and peers of the DHT that have the record. */
  readonly keepersTold: number
  readonly recordsStored: number
  /** Shards that were with keepers already: of this put before it broke off, or because the same bytes were put before. */
  readonly shardsThere: number
  readonly folder: boolean
}

/** An object whose key is here. */
export interface ObjectView {
  readonly v: 1
  readonly object: string
  readonly name: string
  readonly bytes: number
  readonly code: string
  readonly k: number
  readonly n: number
  readonly keepers: number
  /** As far as keepers keep their word; -1: it cannot be read. */
  readonly lossesBorne: number
  readonly keptUntilMs: number
  readonly createdMs: number
  /** Whether this peer looks after it; it does not when somebody gave it the key. */
  readonly kept: boolean
  readonly folder: boolean
  /** Shards that passed the last audit, and when that was; null: none yet. */
  readonly healthy: number | null
  readonly auditedMs: number | null
}

/** An object that was removed, as it was. */
export interface RemovedView extends ObjectView {
  /** Shards that were with keepers, and how many of them are gone for certain; the others go when their terms are over. */
  readonly shardsPlaced: number
  readonly shardsReleased: number
}

export interface KeyView {
  readonly v: 1
  readonly object: string
  readonly name: string
  readonly read: string
  readonly verify: string
}

export interface AuditView {
  readonly v: 1
  readonly object: string
  readonly name: string
  readonly k: number
  readonly n: number
  readonly healthy: number
  /** Shards of which no keeper passed. */
  readonly missing: readonly number[]
  /** Healthy shards at which repair begins by itself. */
  readonly repairAt: number
  readonly lossesBorne: number
  readonly operatorsBorne: number | null
  readonly results: readonly {
    readonly shard: number
    readonly keeper: PeerView
    readonly verdict: 'passed' | 'failed' | 'absent'
    readonly reason: string
    readonly atMs: number
    readonly keptUntilMs: number
  }[]
}

export interface RepairView {
  readonly v: 1
  readonly object: string
  readonly name: string
  readonly k: number
  readonly n: number
  readonly healthyBefore: number
  readonly healthyAfter: number
  readonly repaired: readonly { readonly shard: number; readonly keeper: PeerView }[]
  /** Shards that found no keeper, and why; empty when all did. */
  readonly missing: readonly number[]
  readonly why: string
  readonly lossesBorne: number
}

/** How far a put, get or repair has come that was given a name with `transfer`. */
export interface TransferView {
  readonly v: 1
  readonly phase:
    | 'looking'
    | 'packing'
    | 'reading'
    | 'comparing'
    | 'sealing'
    | 'placing'
    | 'telling'
    | 'auditing'
    | 'fetching'
  /** Of this phase; 0 when nobody knows. */
  readonly doneBytes: number
  readonly totalBytes: number
  readonly phaseMs: number
}

export interface GetView {
  readonly v: 1
  readonly object: string
  readonly bytes: number
  readonly path: string
  readonly sources: readonly { readonly peer: PeerView; readonly bytes: number }[]
  readonly decodedSegments: number
}

/** An object that is in a file now, as a CAR. */
export interface CarView {
  readonly v: 1
  readonly object: string
  readonly name: string
  readonly path: string
  /** Of the file. */
  readonly bytes: number
  /** The string that reads what is in it; null where the key is not known. It is not in the file. */
  readonly read: string | null
  readonly verify: string
  readonly sources: readonly { readonly peer: PeerView; readonly bytes: number }[]
}
