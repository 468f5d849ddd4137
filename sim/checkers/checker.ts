/**
 * An invariant of the mesh; each has a file of its own. Some look at every message that a peer of the model says, most at the end,
 * at what the disks say: those hold for live peers as well, whose ledgers are read when they have stopped.
 */
import type { Notary } from '../../protocols/negotiate/index.ts'
import type { Fault, PeerName, Signed, Statement } from '../../protocols/wire/index.ts'
import type { Carry } from '../../src/market/carry.ts'
import type { JobEvent } from '../../src/market/job-events.ts'
import type { LeaseEvent } from '../../src/market/lease-machine.ts'
import type { JobTerms } from '../../src/market/terms.ts'
import type { ModelPeer } from '../model/peer.ts'
import type { World } from '../model/world.ts'

export interface Violation {
  readonly checker: string
  readonly what: string
  /** Milliseconds since the life began. */
  readonly atMs: number
}

interface Told<Event> {
  readonly atMs: number
  readonly event: Event
}

/** What its disk says. */
export interface CheckedDisk {
  /** States of machines by `kind/id`. */
  readonly states: ReadonlyMap<string, { readonly kind: string; readonly state: unknown }>
  /** In the order in which they were written. */
  readonly statements: readonly { readonly machine: string; readonly statement: Statement }[]
  /** Peers of which it has seen something. */
  readonly seen: ReadonlyMap<PeerName, unknown>
}

/** A peer, as checkers see it when all is over. */
export interface CheckedPeer {
  readonly number: number
  readonly name: PeerName
  /** Null: honest, and still there with its disk. Nothing is asked of the others. */
  readonly vice: string | null
  /** How long it hung, in all. */
  readonly frozenMs: number
  readonly plan: {
    readonly notary: Notary
    /** Null: it only asks. */
    readonly lending: { readonly facts: { readonly price: { readonly cpuHourMicro: number } | null } } | null
    /** Of the bids that it hears; left out: of all. */
    readonly class?: string
  }
  readonly disk: CheckedDisk
  /** By job. */
  readonly jobEvents: ReadonlyMap<string, readonly Told<JobEvent>[]>
  readonly leaseEvents: readonly Told<LeaseEvent>[]
  readonly blamed: readonly { readonly peer: PeerName; readonly fault: Pick<Fault, 'code' | 'message'> }[]
  standing(of: PeerName): number
}

export interface CheckedWorld {
  readonly peers: readonly CheckedPeer[]
  readonly jobs: readonly {
    readonly requester: CheckedPeer
    readonly terms: JobTerms
    readonly submittedMs: number
    readonly submitted: boolean
  }[]
  readonly scenario: { readonly faultsUntilMs: number; readonly workload: { readonly cancelShare: number } }
  /** When the last fault was over. */
  readonly lastFaultMs: number
  /** Statements that were opened already, by their envelopes. */
  readonly said: { get(envelope: Uint8Array): Signed<unknown> | undefined; has(envelope: Uint8Array): boolean }
  peerOf(name: PeerName): CheckedPeer | undefined
  /** -1 for who is nobody of them. */
  numberOf(name: PeerName): number
}

/** Holds for live peers too. */
export interface MeshChecker {
  readonly name: string
  /** Once everything is over. */
  readonly atEnd: (world: CheckedWorld) => string[]
}

export interface Checker {
  readonly name: string
  /** Before a message of an honest peer leaves. What is wrong with that, if anything is. */
  readonly onSaid?: (peer: ModelPeer, carry: Carry) => string | undefined
  /** Once everything is over. */
  readonly atEnd?: (world: World) => string[]
}

export function honest<Peer extends { readonly vice: string | null }>(world: {
  readonly peers: readonly Peer[]
}): Peer[] {
  return world.peers.filter(({ vice }) => vice === null)
}

/** For sentences: the end of a long name. */
export function tail(name: string): string {
  return name.slice(-5)
}
