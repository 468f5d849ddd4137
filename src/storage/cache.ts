/**
 * Shards of objects that this peer read for its owner, kept as long as there is room and given to others who read the same: so what is
 * popular comes from many places. Nothing of it is promised to anybody. It has room of its own, and whoever was not asked for longest goes.
 *
 *     <folder>/cache/shards/ab/ab12…     as shards are kept (shard-files.ts)
 *     <folder>/cache/objects/<cid>       the dossier of an object of which a shard is here, as a frame of placement
 */
import { join } from 'node:path'

import { equals, toString } from 'uint8arrays'

import { decodeObjectManifest, leavesPerStrip, type ObjectManifest } from '../../protocols/erasure/index.ts'
import { decodePlacementMessage, encodePlacementMessage, type Dossier } from '../../protocols/placement/index.ts'
import type { ShardSource } from '../../protocols/transfer/index.ts'
import { RefusedError, cidOfDocument, refusal } from '../../protocols/wire/index.ts'
import type { Clock, Files, Log, Random } from '../environment.ts'
import type { Mill } from './mill.ts'
import { FileSource, type PlainSource } from './plain-source.ts'
import { cutSegments } from './seal.ts'
import { DamagedShardError, ShardFiles } from './shard-files.ts'
import type { ShardWriter } from './shard-writer.ts'

export interface CacheDeps {
  readonly disk: Files
  /** Of the peer's data. */
  readonly folder: string
  readonly mill: Mill
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** What the disk itself has room for, in bytes. */
  diskLeftBytes(): Promise<number>
  /** Lets us be found for an object. */
  advertise(object: string): void
}

/** An object that was read to a file. */
export interface ReadObject {
  readonly path: string
  readonly manifest: Uint8Array
  readonly records: readonly Uint8Array[]
  readonly key: Uint8Array
}

/** Of the room, what one object may take: a large one does not drive out all others. */
const objectShareMax = 0.5
/** Objects that wait to be taken in: each is an open file. */
const waitingMax = 16
/** Objects of which shards are here: manifests are held in memory. */
const objectsMax = 1_024

interface CachedShard {
  readonly object: string
  readonly shard: number
  readonly bytes: number
}

interface CachedObject {
  readonly manifest: Uint8Array
  readonly records: readonly Uint8Array[]
  readonly shards: Set<number>
}

export class ShardCache {
  readonly #deps: CacheDeps
  readonly #files: ShardFiles
  readonly #quotaBytes: number
  /** By root; the one that was asked for last comes last. */
  readonly #shards = new Map<string, CachedShard>()
  readonly #objects = new Map<string, CachedObject>()
  readonly #stop = new AbortController()
  #bytes = 0
  #waiting = 0
  #taking: Promise<void> = Promise.resolve()
  /** The object that is being taken in: it is not forgotten while it has no shard yet. */
  #coming: string | undefined

  constructor(quotaBytes: number, deps: CacheDeps) {
    this.#quotaBytes = quotaBytes
    this.#deps = deps
    this.#files = new ShardFiles(deps.disk, join(deps.folder, 'cache'))
  }

  /** Takes up what an earlier life left, as far as it is whole and there is room. */
  async start(): Promise<void> {
    const { disk, folder, log } = this.#deps
    if (this.#quotaBytes === 0) return disk.remove(join(folder, 'cache'))
    await disk.makeFolder(this.#objectsFolder())
    await this.#files.prepare()
    for (const name of await disk.list(this.#objectsFolder())) {
      const known = this.#objects.size < objectsMax ? await this.#readDossier(name) : undefined
      if (known === undefined) await disk.remove(join(this.#objectsFolder(), name))
      else this.#objects.set(name, { ...known, shards: new Set() })
    }
    const lost = new Set<string>()
    for await (const root of this.#files.roots()) lost.add(root)
    for (const [object, { manifest }] of this.#objects) {
      const { shards, shardBytes } = decodeObjectManifest(manifest)
      for (const [shard, bytes] of shards.entries()) {
        const root = toString(bytes, 'hex')
        if (!lost.has(root) || (await this.#files.size(root)) !== shardBytes) continue
        lost.delete(root)
        this.#enter(root, { object, shard, bytes: shardBytes })
      }
    }
    for (const root of lost) await this.#files.remove(root)
    for (const [object, { shards }] of this.#objects) if (shards.size === 0) await this.#forget(object)
    await this.#makeRoom(0)
    log('debug', 'the cache was taken up', { objects: this.#objects.size, shards: this.#shards.size, lost: lost.size })
  }

  /** Ends what is being taken in. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the peer stops'))
    await this.#taking
  }

  total(): { readonly bytes: number; readonly shards: number; readonly quotaBytes: number } {
    return { bytes: this.#bytes, shards: this.#shards.size, quotaBytes: this.#quotaBytes }
  }

  /** Objects of which a shard is here; those that were taken in last come last. */
  objects(): string[] {
    return [...this.#objects.keys()]
  }

  /** What is known of an object of which shards are here, and which. */
  dossier(object: string): Dossier | undefined {
    const known = this.#objects.get(object)
    if (known === undefined) return undefined
    const { manifest, records, shards } = known
    return { manifest, records, cached: [...shards].toSorted((left, right) => left - right) }
  }

  /** A shard to be read. What is no longer what it was is thrown away, and refused as DAMAGED. */
  async open(root: Uint8Array): Promise<ShardSource | undefined> {
    const name = toString(root, 'hex')
    const entry = this.#shards.get(name)
    if (entry === undefined) return undefined
    this.#shards.delete(name)
    this.#shards.set(name, entry)
    return this.#carefully(name, async () => {
      const source = await this.#files.open(name)
      return source && { ...source, leaf: async (leaf) => this.#carefully(name, async () => source.leaf(leaf)) }
    })
  }

  /**
   * Takes in what there is room for of an object that was read. Never rejects. Resolves when its file is open: it may be removed from then on. What follows
   * is work beside others', and nobody waits for it. A file that changed meanwhile has other roots, and is not kept.
   */
  async take(read: ReadObject): Promise<void> {
    const manifest = decodeObjectManifest(read.manifest)
    const object = cidOfDocument(read.manifest)
    const wanted = this.#wantedOf(manifest)
    const known = this.#objects.get(object)
    if (wanted.length === 0 || this.#waiting >= waitingMax || this.#stop.signal.aborted) return
    // Which were drawn does not matter: as many are here already.
    if (known !== undefined && known.shards.size >= wanted.length) return
    this.#waiting++
    const source = await FileSource.of(this.#deps.disk, read.path).catch((error: unknown) => {
      this.#deps.log('info', 'an object was not cached', { object, error })
    })
    if (source === undefined) {
      this.#waiting--
      return
    }
    this.#taking = this.#taking.then(async () => {
      try {
        await this.#takeIn(object, read, manifest, wanted, source)
      } catch (error) {
        if (!this.#stop.signal.aborted) this.#deps.log('info', 'an object was not cached', { object, error })
      } finally {
        this.#waiting--
        await source[Symbol.asyncDispose]()
      }
    })
  }

  /** Resolves when nothing is being taken in. */
  async settled(): Promise<void> {
    await this.#taking
  }

  /** Gives up so many bytes at least, if it has them: the disk is needed for what is promised. */
  async giveWay(bytes: number): Promise<void> {
    const leaveBytes = Math.max(0, this.#bytes - bytes)
    while (this.#bytes > leaveBytes) await this.#dropOldest()
  }

  /**
   * The data shards when there is room for all: who finds them need not decode. Otherwise those that chance picks, so that of several
   * readers not all have the same.
   */
  #wantedOf({ code, shardBytes }: ObjectManifest): number[] {
    const count = Math.floor((this.#quotaBytes * objectShareMax) / shardBytes)
    if (count >= code.k) return Array.from({ length: code.k }, (_, shard) => shard)
    const all = Array.from({ length: code.k + code.m }, (_, shard) => shard)
    for (let index = 0; index < count; index++) {
      const other = index + Math.floor(this.#deps.random.float() * (all.length - index))
      ;[all[index], all[other]] = [all[other]!, all[index]!]
    }
    return all.slice(0, count)
  }

  async #takeIn(
    object: string,
    read: ReadObject,
    manifest: ObjectManifest,
    wanted: readonly number[],
    source: PlainSource,
  ): Promise<void> {
    const rootOf = (shard: number): string => toString(manifest.shards[shard]!, 'hex')
    const here = this.#objects.get(object)?.shards.size ?? 0
    const missing = wanted.filter((shard) => !this.#shards.has(rootOf(shard))).slice(0, wanted.length - here)
    if (missing.length * manifest.shardBytes > (await this.#deps.diskLeftBytes()))
      throw new Error('the disk is nearly full')
    const writers = await this.#sealed(manifest, read.key, missing, source)
    this.#coming = object
    try {
      if (writers.some((writer, index) => !equals(writer.root, manifest.shards[missing[index]!]!)))
        throw new Error('the file is no longer what was read')
      await this.#makeRoom(missing.length * manifest.shardBytes)
      await this.#writeDossier(object, read)
      for (const [index, shard] of missing.entries()) {
        await this.#files.adopt(writers[index]!, rootOf(shard))
        this.#enter(rootOf(shard), { object, shard, bytes: manifest.shardBytes })
      }
    } catch (error) {
      await Promise.all(writers.map(async (writer) => writer.discard()))
      throw error
    } finally {
      this.#coming = undefined
      if (this.#objects.get(object)?.shards.size === 0) await this.#forget(object)
    }
    this.#deps.advertise(object)
  }

  /** Shards of the file, as its owner's were: the same bytes under the same key are the same shards. */
  async #sealed(
    { code }: ObjectManifest,
    key: Uint8Array,
    shards: readonly number[],
    source: PlainSource,
  ): Promise<ShardWriter[]> {
    const { mill, random } = this.#deps
    const { signal } = this.#stop
    const writers: ShardWriter[] = []
    try {
      for (const _shard of shards) writers.push(await this.#files.begin(toString(random.bytes(16), 'hex')))
      // One at a time: it is in nobody's hurry.
      for await (const { room, ...place } of cutSegments(mill, source, code, signal)) {
        try {
          const { strips, hashes } = await mill.seal(room, { code, key, ...place }, signal)
          for (const [index, shard] of shards.entries())
            await writers[index]!.write(place.number * leavesPerStrip, strips[shard]!, hashes[shard]!)
        } finally {
          room.giveBack()
        }
      }
      return writers
    } catch (error) {
      await Promise.all(writers.map(async (writer) => writer.discard()))
      throw error
    }
  }

  #enter(root: string, entry: CachedShard): void {
    this.#shards.set(root, entry)
    this.#objects.get(entry.object)?.shards.add(entry.shard)
    this.#bytes += entry.bytes
  }

  async #makeRoom(bytes: number): Promise<void> {
    while (this.#shards.size > 0 && this.#bytes + bytes > this.#quotaBytes) await this.#dropOldest()
    while (this.#objects.size >= objectsMax) await this.#dropOldest()
  }

  async #dropOldest(): Promise<void> {
    for (const root of this.#shards.keys()) return this.#drop(root)
  }

  async #drop(root: string): Promise<void> {
    const entry = this.#shards.get(root)
    if (entry === undefined) return
    this.#shards.delete(root)
    this.#bytes -= entry.bytes
    const object = this.#objects.get(entry.object)
    object?.shards.delete(entry.shard)
    await this.#files.remove(root)
    if (object?.shards.size === 0 && entry.object !== this.#coming) await this.#forget(entry.object)
  }

  async #forget(object: string): Promise<void> {
    this.#objects.delete(object)
    await this.#deps.disk.remove(join(this.#objectsFolder(), object))
  }

  async #writeDossier(object: string, { manifest, records }: ReadObject): Promise<void> {
    const shards = this.#objects.get(object)?.shards ?? new Set<number>()
    this.#objects.set(object, { manifest, records, shards })
    const file = await this.#deps.disk.create(join(this.#objectsFolder(), object), 'empty')
    try {
      await file.write(encodePlacementMessage({ say: 'dossier', manifest, records }), 0)
    } finally {
      await file.close()
    }
  }

  /** Undefined for what is none, for example because its writing was broken off. */
  async #readDossier(object: string): Promise<Dossier | undefined> {
    const file = await this.#deps.disk.open(join(this.#objectsFolder(), object))
    try {
      const bytes = new Uint8Array((await file.look()).bytes)
      await file.read(bytes, 0)
      const dossier = decodePlacementMessage(bytes)
      return dossier.say === 'dossier' && cidOfDocument(dossier.manifest) === object ? dossier : undefined
    } catch {
      return undefined
    } finally {
      await file.close()
    }
  }

  async #carefully<Result>(root: string, act: () => Promise<Result>): Promise<Result> {
    try {
      return await act()
    } catch (error) {
      const leaf = error instanceof DamagedShardError ? error.leaf : -1
      this.#deps.log('warn', 'a cached shard cannot be read', { root, error })
      await this.#drop(root)
      throw new RefusedError(refusal('DAMAGED', { leaf }))
    }
  }

  #objectsFolder(): string {
    return join(this.#deps.folder, 'cache', 'objects')
  }
}
