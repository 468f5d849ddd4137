/**
 * What this peer knows of who can do what: the records of others, verified, bounded, never older than what was seen before, and for each of
 * them when its peer last gave a sign of life. It answers from memory; how records come to it is not its business.
 */
import {
  capabilityNamespace,
  openCapability,
  type Capability,
  type KnownCapability,
} from '../../protocols/capability/index.ts'
import { fitsWant, type Want } from '../../protocols/discover/index.ts'
import { Fault, sha256, type Notary, type PeerName, type Signed } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'

/** The highest sequence number seen of a key; outlives a restart. False when `sequence` is lower, or the same with other bytes. */
export interface SequenceFloor {
  raise(key: string, sequence: number, hash: Uint8Array): boolean
}

/** Where records outlive a restart. */
export interface RecordShelf {
  keep(peer: PeerName, envelope: Uint8Array): void
  forget(peer: PeerName): void
  load(): Iterable<Uint8Array>
}

export interface RecordIndexDeps {
  readonly notary: Notary
  readonly clock: Pick<Clock, 'nowMs'>
  readonly floor: SequenceFloor
  readonly shelf?: RecordShelf
  /** Those that are connected now: they live. */
  readonly connected?: () => Iterable<PeerName>
  /** Told of lawful records of our own that come back. */
  readonly onOwn?: (sequence: number) => void
}

/** Records kept: a few hundred bytes each. The one nearest to its expiry goes first. */
export const recordsMax = 4_096
/** How long one sign of life lets a peer be an answer. */
export const aliveForMs = 120_000
/** Who did not answer is no candidate for so long, unless it gives a sign of itself. */
const silentForMs = 60_000

interface Entry {
  readonly record: KnownCapability
  /** The last sign of life, and the last time that the peer was asked for one in vain. Milliseconds since the epoch. */
  signMs: number
  missedMs: number
}

/** Records that fit: of peers that live, and of those of which it is not known now. */
export interface Picked {
  readonly alive: KnownCapability[]
  readonly doubtful: KnownCapability[]
}

/** The key under which the floor of a peer's records is kept. */
export function floorKeyOf(peer: PeerName): string {
  return `${capabilityNamespace}/${peer}`
}

export class RecordIndex {
  readonly #deps: RecordIndexDeps
  readonly #entries = new Map<PeerName, Entry>()

  constructor(deps: RecordIndexDeps) {
    this.#deps = deps
  }

  /** Takes back what was kept over a restart, as far as it is still lawful. Resolves with how many records that are. */
  restore(): number {
    for (const envelope of this.#deps.shelf?.load() ?? []) {
      try {
        const record = this.#open(envelope)
        this.admit(record)
      } catch (error) {
        // Most have expired. What a disk has spoilt is not taken either.
        if (!(error instanceof Fault)) throw error
      }
    }
    return this.#entries.size
  }

  /** Takes a record in if it is lawful, by `peer`, and not older than what was seen. Throws a Fault when it is not lawful. */
  take(peer: PeerName, envelope: Uint8Array): boolean {
    const record = this.#open(envelope)
    if (record.by !== peer) throw new Fault('SIGNER_UNEXPECTED', 'the record is by another peer', { by: record.by })
    return this.admit(record)
  }

  /** Takes in whoever's record it is. Throws a Fault when it is not lawful. */
  takeAny(envelope: Uint8Array): KnownCapability | undefined {
    const record = this.#open(envelope)
    return this.admit(record) ? this.#entries.get(record.by)?.record : undefined
  }

  /** Takes in a record that was opened and is lawful now, unless it is older than what was seen. */
  admit({ by, body, envelope }: Signed<Capability>): boolean {
    const { notary, clock, floor, shelf, onOwn } = this.#deps
    if (by === notary.signer.peer) {
      onOwn?.(body.sequence)
      return false
    }
    if (!floor.raise(floorKeyOf(by), body.sequence, sha256(envelope))) return false
    const before = this.#entries.get(by)
    if (before !== undefined && before.record.capability.sequence >= body.sequence)
      return before.record.capability.sequence === body.sequence
    const signMs = Math.max(Math.min(body.issuedMs, clock.nowMs()), before?.signMs ?? 0)
    this.#entries.delete(by)
    this.#entries.set(by, {
      // A copy: what came may be a part of something larger, which it would keep.
      record: { peer: by, capability: body, envelope: envelope.slice() },
      signMs,
      missedMs: before?.missedMs ?? 0,
    })
    shelf?.keep(by, envelope)
    if (this.#entries.size > recordsMax) this.#evict()
    return true
  }

  /** The record of a peer that lends something, be it alive or not. */
  get(peer: PeerName): KnownCapability | undefined {
    const record = this.#entries.get(peer)?.record
    return record !== undefined && this.#stands(record.capability) ? record : undefined
  }

  /** All that stand: neither over nor taken back. */
  heard(): KnownCapability[] {
    return this.#standing().map(({ record }) => record)
  }

  /** Of those that live. */
  alive(): KnownCapability[] {
    return this.pick({ kind: 'anybody' }).alive
  }

  isAlive(peer: PeerName): boolean {
    const entry = this.#entries.get(peer)
    return entry !== undefined && this.#lives(entry, new Set(this.#deps.connected?.()))
  }

  pick(want: Want): Picked {
    const nowMs = this.#deps.clock.nowMs()
    const connected = new Set(this.#deps.connected?.())
    const picked: Picked = { alive: [], doubtful: [] }
    for (const entry of this.#standing()) {
      if (!fitsWant(want, entry.record.capability, nowMs)) continue
      if (this.#lives(entry, connected)) picked.alive.push(entry.record)
      else if (!isSilent(entry, nowMs)) picked.doubtful.push(entry.record)
    }
    return picked
  }

  /** The peer gave a sign of itself. */
  prove(peer: PeerName): void {
    const entry = this.#entries.get(peer)
    if (entry !== undefined) entry.signMs = this.#deps.clock.nowMs()
  }

  /** The peer was asked, and did not answer. */
  miss(peer: PeerName): void {
    const entry = this.#entries.get(peer)
    if (entry !== undefined) entry.missedMs = this.#deps.clock.nowMs()
  }

  #open(envelope: Uint8Array): Signed<Capability> {
    const { notary, clock } = this.#deps
    return openCapability(notary.signer, notary.network, envelope, clock.nowMs())
  }

  #standing(): Entry[] {
    const nowMs = this.#deps.clock.nowMs()
    for (const [peer, { record }] of this.#entries) if (record.capability.expiresMs <= nowMs) this.#drop(peer)
    return [...this.#entries.values()].filter(({ record }) => !record.capability.withdrawn)
  }

  #stands({ expiresMs, withdrawn }: Capability): boolean {
    return expiresMs > this.#deps.clock.nowMs() && !withdrawn
  }

  #lives(entry: Entry, connected: ReadonlySet<PeerName>): boolean {
    const nowMs = this.#deps.clock.nowMs()
    // A connection outlives its peer for a while: who was asked in vain is not there, whatever it seems.
    if (connected.has(entry.record.peer)) return !isSilent(entry, nowMs)
    return entry.signMs > entry.missedMs && nowMs - entry.signMs <= aliveForMs
  }

  #evict(): void {
    let oldest: KnownCapability | undefined
    for (const { record } of this.#entries.values()) {
      if (oldest === undefined || record.capability.expiresMs < oldest.capability.expiresMs) oldest = record
    }
    if (oldest !== undefined) this.#drop(oldest.peer)
  }

  #drop(peer: PeerName): void {
    this.#entries.delete(peer)
    this.#deps.shelf?.forget(peer)
  }
}

function isSilent({ signMs, missedMs }: Entry, nowMs: number): boolean {
  return missedMs >= signMs && missedMs > 0 && nowMs - missedMs < silentForMs
}
