/**
 * What this peer knows of the objects of which it keeps a shard: their manifests, and who said where their shards are; and who
 * repairs one of them just now. The `Archive` that placement is served from.
 */
import { toString } from 'uint8arrays'

import { decodeObjectManifest } from '../../protocols/erasure/index.ts'
import { claimMsMax, newestVersions, type Archive, type Dossier } from '../../protocols/placement/index.ts'
import { RefusedError, refusal, type PeerName, type Signer } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'
import type { DossierEntry, DossierIndex } from './dossier-index.ts'
import type { ShardIndex } from './shard-index.ts'

export interface ArchiveDeps {
  readonly signer: Pick<Signer, 'verify'>
  readonly network: string
  readonly shards: Pick<ShardIndex, 'get'>
  readonly dossiers: DossierIndex
  /** Bytes that may still be kept for one owner, and of how many. */
  roomFor(owner: string): { readonly freeBytes: number; readonly quotaBytes: number }
  /** What is here of objects without being kept. */
  readonly cache: { dossier(object: string): Dossier | undefined }
  readonly clock: Clock
  readonly log: Log
  /** Lets us be found as one that knows an object. */
  advertise(object: string): void
}

/** Objects that may name one shard: whoever knows a root could otherwise fill the ledger with manifests that name it. */
const objectsPerShardMax = 4
/** Objects under repair at once, as far as we were asked. */
const claimsMax = 1_024
/** Objects that we are found for: each costs the DHT some fifty messages now and then. */
export const advertisedMax = 64

interface Claim {
  readonly by: PeerName
  readonly untilMs: number
}

export class ObjectArchive implements Archive {
  readonly #deps: ArchiveDeps
  readonly #claims = new Map<string, Claim>()

  constructor(deps: ArchiveDeps) {
    this.#deps = deps
  }

  async dossier(object: string): Promise<Dossier> {
    const cached = this.#deps.cache.dossier(object)
    const kept = this.#deps.dossiers.get(object)
    if (kept === undefined && cached === undefined) throw new RefusedError(refusal('NOT_FOUND'))
    return { ...cached, ...(kept === undefined ? cached! : { manifest: kept.manifest, records: kept.records }) }
  }

  async keep(object: string, { manifest, records }: Dossier, advertise: boolean): Promise<void> {
    const { dossiers, clock, network, signer, log } = this.#deps
    const roots = this.#held(manifest)
    const known = dossiers.get(object)
    if (roots.length === 0) throw new RefusedError(refusal('NOT_FOUND'))
    if (known === undefined && dossiers.countOf(roots[0]!) >= objectsPerShardMax)
      throw new RefusedError(refusal('BUSY'))
    const owners = new Set(roots.map((root) => this.#deps.shards.get(root)?.owner))
    const versions = newestVersions(
      signer,
      network,
      object,
      [...(known?.records ?? []), ...records],
      clock.nowMs(),
      (writer) => (owners.has(writer) ? 0 : 1),
    )
    const isAdvertised =
      known?.isAdvertised === true || (advertise && dossiers.advertised(advertisedMax).length < advertisedMax)
    const entry: DossierEntry = {
      object,
      root: roots[0]!,
      manifest,
      records: versions.flatMap(({ envelopes }) => envelopes),
      isAdvertised,
    }
    const grownBytes = bytesOf(entry) - (known === undefined ? 0 : bytesOf(known))
    const { freeBytes, quotaBytes } = this.#deps.roomFor(this.#deps.shards.get(entry.root)!.owner)
    if (grownBytes > freeBytes)
      throw new RefusedError(
        refusal('NO_SPACE', { dossierBytes: grownBytes, freeBytes: Math.max(0, freeBytes), quotaBytes }),
      )
    try {
      await dossiers.put(entry)
    } catch (error) {
      log('error', 'a dossier was not written down', { object, error })
      throw new RefusedError(refusal('STORAGE_FAILED'))
    }
    if (isAdvertised && known?.isAdvertised !== true) this.#deps.advertise(object)
  }

  claim(object: string, forMs: number, from: PeerName): number {
    if (this.#deps.dossiers.get(object) === undefined) throw new RefusedError(refusal('NOT_FOUND'))
    const nowMs = this.#deps.clock.monotonicMs()
    for (const [name, { untilMs }] of this.#claims) if (untilMs <= nowMs) this.#claims.delete(name)
    const other = this.#claims.get(object)
    if (other !== undefined && other.by !== from)
      throw new RefusedError(refusal('CLAIMED', { forMs: Math.ceil(other.untilMs - nowMs) }))
    this.#claims.delete(object)
    if (forMs === 0) return 0
    if (this.#claims.size >= claimsMax) throw new RefusedError(refusal('BUSY', { claimsMax }))
    const grantedMs = Math.min(forMs, claimMsMax)
    this.#claims.set(object, { by: from, untilMs: nowMs + grantedMs })
    return grantedMs
  }

  /** Forgets objects of which no shard is here any more. */
  async sweep(): Promise<void> {
    const { dossiers } = this.#deps
    for (const entry of dossiers.stray()) {
      const [root] = this.#held(entry.manifest)
      if (root === undefined) await dossiers.delete(entry.object)
      else await dossiers.put({ ...entry, root })
    }
  }

  /** Roots of a manifest's shards that are here. */
  #held(manifest: Uint8Array): string[] {
    return decodeObjectManifest(manifest)
      .shards.map((root) => toString(root, 'hex'))
      .filter((root) => this.#deps.shards.get(root) !== undefined)
  }
}

function bytesOf({ manifest, records }: Pick<DossierEntry, 'manifest' | 'records'>): number {
  return records.reduce((sum, record) => sum + record.byteLength, manifest.byteLength)
}
