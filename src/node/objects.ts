/** The objects of this peer's owner: their keys, where they are, and how they come back. */
import { rename, rm } from 'node:fs/promises'

import {
  decodeObjectManifest,
  formatObjectCapability,
  keyBytes,
  parseObjectCapability,
  type Code,
} from '../../protocols/erasure/index.ts'
import type { Version } from '../../protocols/placement/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import type { Fault, PeerName } from '../../protocols/wire/index.ts'
import type { GetView, KeyView, ObjectView, RemovedView } from '../control/api.ts'
import type { Clock, Files, Log, Random } from '../environment.ts'
import type { Audits } from '../ledger/audits.ts'
import type { ObjectEntry, Objects } from '../ledger/objects.ts'
import { announcePlacement, type AnnounceDeps, type Announced } from '../storage/announce.ts'
import { fetchObject, InconsistentObjectError, NotEnoughShardsError, type FetchReport } from '../storage/fetch.ts'
import type { ShardCache } from '../storage/cache.ts'
import { locateObject, type LocateDeps, type Located } from '../storage/locate.ts'
import type { Mill } from '../storage/mill.ts'
import type { PeerRates } from '../storage/peer-rates.ts'
import type { Placed } from '../storage/place.ts'
import { sealFile, type SealedObject } from '../storage/seal.ts'
import type { ShardStore } from '../storage/shard-store.ts'
import { withPlacers } from './inconsistency.ts'
import { badString, cannotRead, toldOf, unknownObject } from './object-errors.ts'
import { checkDestination } from './object-files.ts'
import { mergedPlaces, nowhere, placesFrom, placesOf, placesText, sourcesFrom, type Found } from './object-places.ts'
import { countedTransfer, type Progress, type Transfers } from './transfers.ts'
import { objectView, peerView } from './views.ts'

export interface ObjectDeps {
  readonly self: PeerName
  readonly disk: Files
  readonly mill: Mill
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly objects: Pick<Objects, keyof Objects>
  readonly audits: Pick<Audits, keyof Audits>
  readonly store: ShardStore
  readonly cache: Pick<ShardCache, 'take' | 'dossier'>
  readonly transfer: TransferService
  readonly rates: PeerRates
  readonly transfers: Transfers
  /** Finds what others placed, and says what we did. */
  readonly locating: LocateDeps
  readonly announcing: AnnounceDeps
  advertise(object: string): void
  keepers(signal: AbortSignal): Promise<readonly PeerName[]>
  readonly networkOf: (peer: PeerName) => string | undefined
  readonly operatorOf: (peer: PeerName) => string | undefined
  readonly packFolder: (path: string) => Promise<string>
  unpack(tar: string, folder: string): Promise<unknown>
  readonly onFault: (peer: PeerName, fault: Fault) => void
  /** It was asked to take a shard, and gave no sign. */
  readonly onSilent: (peer: PeerName) => void
}

/** An object that somebody means: by a string, or by the id of one that is ours. */
export interface Target {
  readonly cid: string
  readonly name: string
  /** Null: with a verify string, of an object that is not ours. */
  readonly key: Uint8Array | null
  readonly entry: ObjectEntry | undefined
}

/** How long inputs of jobs are kept, and objects that were put: keepers take no longer terms by default. */
export const inputsKeptMs = 2 * 60 * 60_000
export const objectsKeptMs = 30 * 24 * 60 * 60_000 - 60 * 60_000
/** Once placed, an object is with its keepers; here its shards stay only until that is done. */
export const ownCopyKeptMs = 60 * 60_000

/** How long keepers are told that an object is removed, and how many at once: who is away lets go when its term is over. */
const releaseWithinMs = 5_000
const releasesMax = 16

export interface GetInput {
  readonly object: string
  readonly path: string
  readonly unpack?: boolean
  readonly transfer?: string
}

export class OwnObjects {
  readonly #deps: ObjectDeps

  constructor(deps: ObjectDeps) {
    this.#deps = deps
  }

  /** Seals a file under a key of its own and remembers both. All shards are here; none is placed. */
  async seal(path: string, code: Code, keptMs: number, name: string, signal: AbortSignal): Promise<SealedObject> {
    const { random, clock, objects } = this.#deps
    const object = await sealFile(this.#deps, path, code, random.bytes(keyBytes), clock.nowMs() + keptMs, signal)
    await objects.put({
      cid: object.cid,
      key: object.key,
      manifest: object.manifest,
      placement: nowhere,
      bytes: object.bytes,
      name,
      createdMs: clock.nowMs(),
      isKept: true,
      isFolder: false,
    })
    return object
  }

  /** Keeps here what was sealed here, for so long from now. False when it is not whole any more. */
  async keepSealed(cid: string, keptMs: number): Promise<boolean> {
    const object = this.sealed(cid)
    return object !== undefined && this.#deps.store.prolong(object.roots, this.#deps.clock.nowMs() + keptMs)
  }

  /** What was sealed here, so that it can be placed again. */
  sealed(cid: string): SealedObject | undefined {
    const entry = this.#deps.objects.get(cid)
    if (entry === undefined) return undefined
    const { code, shards, shardBytes, bytes } = decodeObjectManifest(entry.manifest)
    return {
      cid,
      manifest: entry.manifest,
      key: entry.key,
      bytes,
      shardBytes,
      code: { k: code.k, m: code.m },
      roots: shards,
    }
  }

  async get(input: GetInput, signal: AbortSignal): Promise<GetView> {
    const target = this.target(input.object)
    if (target.key === null) throw cannotRead()
    const read = { ...target, key: target.key }
    return this.#deps.transfers.watch(input.transfer, async (progress) => {
      try {
        return await this.#get(input, read, progress, signal)
      } catch (error) {
        throw await this.told(error, target, `pleach get ${target.cid.slice(-8)} -o ${input.path}`, signal)
      }
    })
  }

  async #get(
    input: GetInput,
    target: Target & { readonly key: Uint8Array },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<GetView> {
    const isFolder = input.unpack ?? target.entry?.isFolder ?? false
    await checkDestination(input.path, isFolder)
    const path = isFolder ? `${input.path}.tar.partial` : input.path
    const report = await this.fromPlaces(
      target,
      async (found) => {
        const fetched = await this.#fetch(found, target.key, path, progress, signal)
        await this.#deps.cache.take({ path, key: target.key, manifest: found.manifest, records: found.records })
        return fetched
      },
      signal,
    )
    if (isFolder) await this.#unpack(path, input.path)
    return {
      v: 1,
      object: target.cid,
      bytes: report.bytes,
      path: input.path,
      sources: report.sources.map(({ peer, bytes }) => ({ peer: peerView(peer), bytes })),
      decodedSegments: report.decodedSegments,
    }
  }

  /** The same error in a person's words, with what is known of who is behind it. */
  async told(
    error: unknown,
    { cid, name }: Pick<Target, 'cid' | 'name'>,
    command: string,
    signal: AbortSignal,
  ): Promise<unknown> {
    return toldOf(await this.withPlacers(error, cid, signal), name, command)
  }

  /** The same error; of an object that is inconsistent it names who placed it. */
  async withPlacers(error: unknown, cid: string, signal: AbortSignal): Promise<unknown> {
    if (!(error instanceof InconsistentObjectError)) return error
    const { self, log } = this.#deps
    return withPlacers({ self, log, locate: async () => this.locate(cid, false, signal) }, error, cid, signal)
  }

  /** Reads an object from where we put it; where that is not enough, from where the network says that it is. */
  async fromPlaces<Result>(
    target: Target,
    read: (found: Found) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    const { entry } = target
    const known = entry === undefined ? [] : placesOf(entry.placement)
    try {
      if (entry === undefined || known.length === 0) throw new NotEnoughShardsError(1, 0, [], [])
      const here = this.#deps.cache.dossier(target.cid)?.cached ?? []
      const cached = here.map((shard) => ({ shard, peer: this.#deps.self }))
      return await read({ manifest: entry.manifest, places: known, cached, records: [] })
    } catch (error) {
      // Others may have repaired it since, and say where it is now.
      if (!(error instanceof NotEnoughShardsError)) throw error
      return read(await this.#placesNow(target, error, known, signal))
    }
  }

  /** What the network says. Rejects with `error` when our own object is not found: then that is what is wrong. */
  async #placesNow(
    target: Target,
    error: NotEnoughShardsError,
    known: readonly Placed[],
    signal: AbortSignal,
  ): Promise<Found> {
    let located: Located
    try {
      located = await this.locate(target.cid, target.entry !== undefined, signal)
    } catch (notFound) {
      signal.throwIfAborted()
      throw target.entry === undefined ? notFound : error
    }
    const { manifest, decoded, versions, cached } = located
    const found = placesFrom(versions, decoded.shards.length, this.#deps.clock.nowMs())
    const places = mergedPlaces(found, known)
    if (target.entry !== undefined && places.length === known.length && cached.length === 0) throw error
    return { manifest, places, cached, records: versions.flatMap(({ envelopes }) => envelopes) }
  }

  async #fetch(
    { manifest, places, cached }: Found,
    key: Uint8Array,
    path: string,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<FetchReport> {
    const { code, shardBytes } = decodeObjectManifest(manifest)
    progress.begin('fetching', code.k * shardBytes)
    const { self, rates } = this.#deps
    const deps = {
      ...this.#deps,
      transfer: countedTransfer(this.#deps.transfer, progress),
      // What is here costs nobody anything.
      costOf: (peer: PeerName) => (peer === self ? -Infinity : rates.costOf(peer)),
    }
    return fetchObject(deps, { manifest, key, sources: sourcesFrom(places, cached), path }, signal)
  }

  /** The folder appears whole or not at all. */
  async #unpack(tar: string, folder: string): Promise<void> {
    const partial = `${folder}.partial`
    try {
      await rm(partial, { recursive: true, force: true })
      await this.#deps.unpack(tar, partial)
      await rename(partial, folder)
    } finally {
      await rm(tar, { force: true })
      await rm(partial, { recursive: true, force: true })
    }
  }

  list(): ObjectView[] {
    return this.#deps.objects
      .list()
      .filter(({ placement }) => placement !== nowhere)
      .map((entry) => this.#view(entry))
  }

  #view(entry: ObjectEntry): ObjectView {
    return objectView(entry, this.#deps.audits.of(entry.cid))
  }

  /**
   * Forgets an object and its key, takes our record back, and tells keepers that we need its shards no more. Who does not hear it lets them
   * go when the term is over.
   */
  async remove(text: string, signal: AbortSignal): Promise<RemovedView> {
    const { entry } = this.target(text)
    if (entry === undefined) throw unknownObject(text, 0)
    const view = this.#view(entry)
    const places = entry.isKept ? placesOf(entry.placement) : []
    let released = 0
    if (entry.isKept) {
      const keepers = [...new Set(places.map(({ peer }) => peer))]
      await announcePlacement(this.#deps.announcing, entry, [], [], signal, keepers)
      released = (await this.release(entry, places, signal)).length
    }
    await this.#deps.objects.delete(entry.cid)
    await this.#deps.audits.forget(entry.cid)
    return { ...view, shardsPlaced: places.length, shardsReleased: released }
  }

  /** Tells keepers that we need these shards no more. Resolves with those that are gone for certain. */
  async release(
    { manifest }: Pick<ObjectEntry, 'manifest'>,
    places: readonly Placed[],
    signal: AbortSignal,
  ): Promise<Placed[]> {
    const { transfer, clock } = this.#deps
    const { shards } = decodeObjectManifest(manifest)
    const queue = [...places]
    const released: Placed[] = []
    using deadline = clock.deadline(releaseWithinMs, signal)
    const worker = async (): Promise<void> => {
      for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
        const untilMs = await transfer.release(place.peer, shards[place.shard]!, deadline.signal).catch(() => undefined)
        if (untilMs === 0) released.push(place)
      }
    }
    await Promise.all(Array.from({ length: releasesMax }, worker))
    signal.throwIfAborted()
    return released
  }

  exportKey(text: string): KeyView {
    const { cid, key, name } = this.target(text)
    if (key === null) throw cannotRead()
    return {
      v: 1,
      object: cid,
      name,
      read: formatObjectCapability({ can: 'read', object: cid, key }),
      verify: formatObjectCapability({ can: 'verify', object: cid }),
    }
  }

  /** Takes up an object that somebody else put, under a name of ours. */
  async importKey(input: { readonly read: string; readonly name?: string }, signal: AbortSignal): Promise<ObjectView> {
    const { objects, clock } = this.#deps
    const target = this.target(input.read)
    if (target.key === null) throw cannotRead()
    if (target.entry !== undefined) return this.#view(target.entry)
    try {
      const { manifest, decoded, versions } = await this.locate(target.cid, true, signal)
      const placement = placesText(placesFrom(versions, decoded.shards.length, clock.nowMs()))
      await objects.put({
        cid: target.cid,
        key: target.key,
        manifest,
        placement,
        bytes: decoded.bytes,
        name: input.name ?? target.cid.slice(-8),
        createdMs: clock.nowMs(),
        isKept: false,
        isFolder: false,
      })
    } catch (error) {
      throw toldOf(error, target.name, 'pleach key import STRING')
    }
    return this.#view(objects.get(target.cid)!)
  }

  async locate(cid: string, thorough: boolean, signal: AbortSignal): Promise<Located> {
    return locateObject(this.#deps.locating, cid, thorough, signal)
  }

  /** Says where an object is, and lets us be found for it. */
  async announce(
    object: { readonly cid: string; readonly manifest: Uint8Array },
    placed: readonly Placed[],
    others: readonly Version[],
    signal: AbortSignal,
  ): Promise<Announced> {
    this.#deps.advertise(object.cid)
    return announcePlacement(this.#deps.announcing, object, placed, others, signal)
  }

  /** Whom the text means. Throws a ControlError when it is neither a string nor one of ours. */
  target(text: string): Target {
    const { objects } = this.#deps
    const capability = parseObjectCapability(text)
    if (capability !== undefined) {
      const entry = objects.get(capability.object)
      const ours = entry === undefined || entry.placement === nowhere ? undefined : entry
      const key = capability.can === 'read' ? capability.key : (ours?.key ?? null)
      return { cid: capability.object, name: ours?.name ?? capability.object.slice(-8), key, entry: ours }
    }
    if (text.startsWith('pleach:')) throw badString()
    const found = (objects.get(text) === undefined ? objects.find(text) : [text])
      .map((cid) => objects.get(cid))
      // What was sealed for a job, or found no keepers, was never put.
      .filter((entry) => entry !== undefined && entry.placement !== nowhere)
    const [entry] = found
    if (entry === undefined || found.length > 1) throw unknownObject(text, found.length)
    return { cid: entry.cid, name: entry.name, key: entry.key, entry }
  }
}
