/** What the storage world sees of peers that look after objects, beside what is true: for the checkers. Nobody in it is told. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { AuditFound } from '../../src/ledger/audits.ts'
import type { KeeperVice } from './keeper-vices.ts'
import { LightSignal } from './light-signal.ts'
import { availableShards, isWhole } from './shard-census.ts'
import type { StoragePeer } from './storage-peer.ts'
import type { StorageWorld, WorldObject } from './storage-world.ts'

const never = new LightSignal().asSignal
/** Vices of keepers that give a short shard all the same. */
const givingVices: readonly KeeperVice[] = ['half-open', 'crumbs', 'overfeed']
/** Until all that is kept has been read through. */
const scrubbedMs = 120_000
/** One look at a disk. */
const lookMs = 5_000

export interface Made {
  /** Hex. */
  readonly root: string
  readonly by: StoragePeer
  /** An honest keeper had it by then, for others. */
  readonly isKept: boolean
  readonly atMs: number
}

/** An object that somebody honest looks after when all is over. */
export interface Cared {
  readonly object: WorldObject
  /** Shards at keepers that give them, when nothing more would happen to any, and when all was over. */
  readonly inCalm: number
  readonly atEnd: number
  /** Shards at honest keepers that never lost anything. */
  readonly unharmed: number
}

export interface Audited {
  readonly by: StoragePeer
  readonly peer: StoragePeer
  readonly root: string
  readonly verdict: string
  readonly reason: string
  /** What its disk said when the verdict was written down. */
  readonly isPromised: boolean
  readonly isSound: boolean
  readonly atMs: number
}

export class StorageWatch {
  /** Shards that a peer made itself, when it sealed or repaired. */
  readonly made: Made[] = []
  /** What audits found, and what was true. */
  readonly audits: Audited[] = []
  /** Roots of all shards that were ever sealed, by the object's CID. */
  readonly rootsOf = new Map<string, readonly string[]>()
  readonly cared: Cared[] = []
  /** Rotten shards that their keepers still give out for sound when all is over. */
  readonly rotUnseen: { readonly peer: number; readonly root: string }[] = []
  readonly #world: StorageWorld

  constructor(world: StorageWorld) {
    this.#world = world
  }

  /** To be called when all was looked after for a while. `inCalm`: the shards there were when nothing more would be lost. */
  judge(object: WorldObject, inCalm: number): void {
    if (!this.#isCaredFor(object)) return
    this.cared.push({ object, inCalm, atEnd: this.available(object), unharmed: this.#unharmed(object) })
  }

  /** Keepers to whose disks nothing happened, of an object whose owner could always look after it. */
  #unharmed({ placed, owner }: WorldObject): number {
    if (placed === null || owner.vice !== null || owner.isGone) return 0
    const isUnharmed = (name: PeerName): boolean => {
      const { vice, isGone, struckMs } = this.#world.peerOf(name)!
      return name !== owner.name && vice === null && !isGone && struckMs === -Infinity
    }
    return placed.sources.filter(({ peers }) => peers.some(isUnharmed)).length
  }

  /** Distinct shards of an object at keepers that give them, wherever they are. */
  available({ placed }: WorldObject): number {
    if (placed === null) return 0
    const everybody = this.#world.peers.map(({ name }) => name)
    const sources = placed.sources.map(({ shard }) => ({ shard, peers: everybody }))
    return availableShards(this.#world, placed, sources, givingVices)
  }

  #isCaredFor({ placed }: WorldObject): boolean {
    const isCarer = ({ vice, isUp, storage }: StoragePeer): boolean =>
      vice === null && isUp && storage.objectRows.objects.get(placed!.cid)?.isKept === true
    return placed !== null && this.#world.peers.some(isCarer)
  }

  onMade(by: StoragePeer, root: string): void {
    const isKept = this.#world.peers.some((peer) => {
      const entry = peer.storage.rows.get(root)
      return entry !== undefined && entry.owner !== peer.name && peer.vice === null && peer.isUp && isWhole(peer, root)
    })
    this.made.push({ root, by, isKept, atMs: this.#world.elapsedMs })
  }

  /** What an audit is about to write down, beside what is on the disk of the keeper. */
  onAudits(by: StoragePeer, entries: readonly AuditFound[]): void {
    for (const { object, shard, keeper, verdict, reason } of entries) {
      const root = this.rootsOf.get(object)?.[shard]
      const peer = this.#world.peerOf(keeper)
      if (root === undefined || peer === undefined) continue
      const entry = peer.storage.rows.get(root)
      const isKept = entry !== undefined && entry.keepUntilMs > peer.life.nowMs()
      const isSound = isKept && isWhole(peer, root)
      // Of what it no longer promises it may still have what it said it had.
      const isPromised = (peer.promised.get(root) ?? 0) > peer.life.nowMs()
      this.audits.push({ by, peer, root, verdict, reason, isPromised, isSound, atMs: this.#world.elapsedMs })
      this.#world.note(by.number, `audit ${root.slice(0, 8)} at ${peer.number} ${verdict} ${reason}`)
    }
  }

  /** A scrub, for those that have not had one since the rot; then every keeper is asked for what rotted. */
  async lookForRot(): Promise<void> {
    for (const peer of this.#world.peers) void peer.storage.caring?.stop()
    for (const peer of this.#world.peers) peer.storage.caring?.scrub(never).catch(() => {})
    await this.#world.runUntil(this.#world.elapsedMs + scrubbedMs)
    for (const { number, vice, isUp, storage, rotted } of this.#world.peers) {
      if (vice !== null || !isUp) continue
      for (const root of rotted) {
        const peer = this.#world.peers[number]!
        if (!storage.rows.has(root) || isWhole(peer, root)) continue
        let isGivenOut = false
        storage.store?.open(Buffer.from(root, 'hex')).then(
          async (source) => {
            isGivenOut = source !== undefined
            await source?.close()
          },
          () => {},
        )
        await this.#world.runUntil(this.#world.elapsedMs + lookMs)
        if (isGivenOut) this.rotUnseen.push({ peer: number, root })
      }
    }
  }
}
