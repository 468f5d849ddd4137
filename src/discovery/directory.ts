/**
 * The capability records that this peer knows: read from the bulletin, verified, bounded, and never older than what was seen
 * before (the floor of the sequence outlives a restart).
 */
import { capabilityNamespace, openCapability, type KnownCapability } from '../../protocols/capability/index.ts'
import { Fault, publicKeyOf, sha256, type Bulletin, type PeerName, type Signer } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'

/** The highest sequence number seen of a key; outlives a restart. Resolves false when `sequence` is lower. */
export interface SequenceFloor {
  raise(key: string, sequence: number, hash: Uint8Array): Promise<boolean>
}

export interface DirectoryDeps {
  readonly bulletin: Bulletin
  readonly signer: Signer
  readonly network: string
  readonly clock: Clock
  readonly log: Log
  readonly floor: SequenceFloor
}

/** Records kept in memory: a few hundred bytes each. The one nearest to its expiry goes first. */
const recordsMax = 4_096
/** Look-ups of records under way at once. */
const fetchesMax = 8

export class Directory {
  readonly #deps: DirectoryDeps
  readonly #records = new Map<PeerName, KnownCapability>()

  constructor(deps: DirectoryDeps) {
    this.#deps = deps
  }

  /** Live records, in no particular order. */
  known(): KnownCapability[] {
    const nowMs = this.#deps.clock.nowMs()
    for (const [peer, { capability }] of this.#records) if (capability.expiresMs <= nowMs) this.#records.delete(peer)
    return [...this.#records.values()].filter(({ capability }) => !capability.withdrawn)
  }

  get(peer: PeerName): KnownCapability | undefined {
    const record = this.#records.get(peer)
    const isLive = record !== undefined && record.capability.expiresMs > this.#deps.clock.nowMs()
    return isLive && !record.capability.withdrawn ? record : undefined
  }

  /** Asks the bulletin who advertises `advert`, and reads their records. Resolves with those that are live. */
  async find(advert: string, limit: number, signal: AbortSignal): Promise<KnownCapability[]> {
    const found: KnownCapability[] = []
    const fetches = new Set<Promise<void>>()
    try {
      for await (const peer of this.#deps.bulletin.find(advert, limit, signal)) {
        if (peer === this.#deps.signer.peer) continue
        const fetch = this.fetch(peer, signal).then((record) => {
          fetches.delete(fetch)
          if (record !== undefined) found.push(record)
        })
        fetches.add(fetch)
        if (fetches.size >= fetchesMax) await Promise.race(fetches)
      }
    } catch (error) {
      // A query that ran out of time has still found what it has found.
      if (!signal.aborted) throw error
    }
    await Promise.all(fetches)
    return found
  }

  /** The live record of one peer, from the bulletin; what is known already when the bulletin has none. */
  async fetch(peer: PeerName, signal: AbortSignal): Promise<KnownCapability | undefined> {
    try {
      const envelope = await this.#deps.bulletin.get(capabilityNamespace, publicKeyOf(peer), signal)
      if (envelope !== undefined) await this.take(peer, envelope)
    } catch (error) {
      if (error instanceof Fault) this.#deps.log('debug', 'an unlawful record was read', { peer, error })
      else if (!signal.aborted) this.#deps.log('debug', 'a record could not be read', { peer, error })
    }
    return this.get(peer)
  }

  /** Takes a record in if it is lawful, by `peer`, and not older than what was seen. Throws a Fault when it is not lawful. */
  async take(peer: PeerName, envelope: Uint8Array): Promise<boolean> {
    const { signer, network, clock, floor } = this.#deps
    const record = openCapability(signer, network, envelope, clock.nowMs())
    if (record.by !== peer) throw new Fault('SIGNER_UNEXPECTED', 'the record is by another peer', { by: record.by })
    if (!(await floor.raise(`${capabilityNamespace}/${peer}`, record.body.sequence, sha256(envelope)))) return false
    this.#records.delete(peer)
    this.#records.set(peer, { peer, capability: record.body, envelope })
    if (this.#records.size > recordsMax) this.#evict()
    return true
  }

  #evict(): void {
    let oldest: KnownCapability | undefined
    for (const record of this.#records.values()) {
      if (oldest === undefined || record.capability.expiresMs < oldest.capability.expiresMs) oldest = record
    }
    if (oldest !== undefined) this.#records.delete(oldest.peer)
  }
}
