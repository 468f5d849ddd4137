/**
 * Puts: a file or a folder sealed, placed with keepers, and said where it is. A put that broke off, because the line, the caller or this
 * peer was gone, goes on when the same bytes are put again: it does not by itself, since whoever asked was told that it failed, may have
 * thought better of it, and nobody would be there to hear how it ended.
 */
import { rm } from 'node:fs/promises'

import {
  decodeObjectManifest,
  formatObjectCapability,
  keyBytes,
  parseCode,
  type Code,
  type ObjectManifest,
} from '../../protocols/erasure/index.ts'
import type { PutView } from '../control/api.ts'
import type { ObjectEntry } from '../ledger/objects.ts'
import type { Puts } from '../ledger/puts.ts'
import type { Secrets } from '../ledger/secrets.ts'
import { isSealedFrom } from '../storage/compare.ts'
import { convergentKey, hashOfFile } from '../storage/convergent.ts'
import { happinessOf, lossesBorne, operatorsBorne } from '../storage/happiness.ts'
import { OwnShardError, placeShards, PlacementError, type Placed } from '../storage/place.ts'
import { renewTerms } from '../storage/renew.ts'
import { sealFile } from '../storage/seal.ts'
import { Turns } from '../storage/turns.ts'
import { badCode, noKeepers, ownCopyDamaged } from './object-errors.ts'
import { checkSource, toldOfSource } from './object-files.ts'
import { mergedPlaces, nowhere, placesOf, placesText } from './object-places.ts'
import { keepersThatFailed } from './object-health.ts'
import { objectsKeptMs, ownCopyKeptMs, type ObjectDeps, type OwnObjects } from './objects.ts'
import { countedReads, countedTransfer, type Progress } from './transfers.ts'
import { peerView } from './views.ts'

export interface PutDeps extends ObjectDeps {
  readonly own: Pick<OwnObjects, 'announce'>
  readonly puts: Puts
  readonly secrets: Pick<Secrets, 'of'>
}

export interface PutInput {
  readonly path: string
  readonly code?: string
  readonly name?: string
  /** Under a key that follows from the bytes: what was put before is found again. */
  readonly convergent?: boolean
  readonly transfer?: string
}

/** How long a put that broke off can be gone on with: for so long our own shards of it take up room. */
export const unfinishedKeptMs = 24 * 60 * 60_000
/** Of puts that broke off, how many are laid beside a file that has as many bytes. */
const comparedMax = 8

/** What is to become an object. */
interface Plain {
  readonly path: string
  readonly name: string
  readonly isFolder: boolean
  readonly code: Code
  readonly bytes: number
}

export class ObjectPuts {
  readonly #deps: PutDeps
  /** Objects that are being placed: another put of the same bytes leaves them alone. */
  readonly #underWay = new Set<string>()
  /** One convergent put of the same bytes after the other: the second finds what the first made. */
  readonly #turns = new Turns()

  constructor(deps: PutDeps) {
    this.#deps = deps
  }

  async put(input: PutInput, signal: AbortSignal): Promise<PutView> {
    const code = parseCode(input.code ?? 'keep')
    if (code === undefined) throw badCode(input.code ?? '')
    return this.#deps.transfers.watch(input.transfer, async (progress) => this.#put(input, code, progress, signal))
  }

  async #put(input: PutInput, code: Code, progress: Progress, signal: AbortSignal): Promise<PutView> {
    const name = input.name ?? input.path.split('/').at(-1)!
    const { isFolder } = await checkSource(input.path)
    let path = input.path
    try {
      progress.begin('packing', 0)
      if (isFolder) path = await this.#deps.packFolder(input.path)
      const plain: Plain = { path, name, isFolder, code, bytes: (await checkSource(path)).bytes }
      if (input.convergent === true) return await this.#putConvergent(plain, progress, signal)
      const entry = (await this.#unfinished(plain, progress, signal)) ?? (await this.#seal(plain, progress, signal))
      return await this.place(entry, progress, signal)
    } catch (error) {
      throw toldOfSource(error, input.path)
    } finally {
      if (isFolder && path !== input.path) await rm(path, { force: true })
    }
  }

  async #putConvergent(plain: Plain, progress: Progress, signal: AbortSignal): Promise<PutView> {
    const { disk, secrets, objects } = this.#deps
    progress.begin('reading', plain.bytes)
    const contentHash = await hashOfFile(countedReads(disk, progress), plain.path, signal)
    const key = convergentKey(await secrets.of('convergent'), contentHash, plain.code)
    return this.#turns.take(Buffer.from(key).toString('hex'), async () => {
      const known = objects.byKey(key)
      const again = async (): Promise<ObjectEntry> => this.#seal(plain, progress, signal, { key, contentHash })
      if (known === undefined) return this.place(await again(), progress, signal)
      const entry = { ...known, name: plain.name, isFolder: plain.isFolder, isKept: true }
      return this.again(entry, async () => void (await again()), progress, signal)
    })
  }

  /**
   * Places an object again that we know: who has a shard keeps it longer, and only what is lost is sent. `seal` is asked to make our own
   * shards of it, when something is lost and they are not all here.
   */
  async again(
    known: ObjectEntry,
    seal: () => Promise<void>,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<PutView> {
    const { puts, clock } = this.#deps
    const { cid, placement } = known
    const manifest = decodeObjectManifest(known.manifest)
    const nowMs = clock.nowMs()
    if (placement !== nowhere) {
      progress.begin('looking', 0)
      const held = await renewTerms(this.#deps, manifest, placesOf(placement), nowMs + objectsKeptMs, signal)
      if (puts.get(cid) === undefined) await puts.begin(known, nowMs, nowMs + unfinishedKeptMs)
      for (const { shard, peer, keepUntilMs } of held) await puts.note(cid, { shard, keeper: peer, keepUntilMs })
    }
    const held = puts.shards(cid).filter(({ keepUntilMs }) => keepUntilMs > nowMs)
    if (held.length < manifest.shards.length && !(await this.#hasShards(manifest))) await seal()
    return this.place(known, progress, signal)
  }

  /**
   * Places an object that is sealed here, as far as it is not yet with keepers, and says where it is. Resolves when every shard is
   * acknowledged.
   */
  async place(entry: ObjectEntry, progress: Progress, signal: AbortSignal): Promise<PutView> {
    this.#underWay.add(entry.cid)
    try {
      return await this.#place(entry, progress, signal)
    } finally {
      this.#underWay.delete(entry.cid)
    }
  }

  async #place(entry: ObjectEntry, progress: Progress, signal: AbortSignal): Promise<PutView> {
    const { puts, clock, store, own } = this.#deps
    const { cid, manifest } = entry
    const { code, shards, shardBytes } = decodeObjectManifest(manifest)
    const noted = puts.shards(cid).map(({ keeper, ...shard }) => ({ ...shard, peer: keeper }))
    const held = noted
      .filter(({ keepUntilMs }) => keepUntilMs > clock.nowMs())
      .map((place): Placed => ({ ...place, heardUntilMs: place.keepUntilMs }))
    const wanted = [...shards.keys()].filter((shard) => !held.some((place) => place.shard === shard))
    progress.begin('placing', shardBytes * wanted.length)
    const diary = {
      offered: async (offered: Pick<Placed, 'shard' | 'peer'>) =>
        puts.note(cid, { shard: offered.shard, keeper: offered.peer, keepUntilMs: 0 }),
      placed: async ({ shard, peer, keepUntilMs }: Placed) => puts.note(cid, { shard, keeper: peer, keepUntilMs }),
    }
    let placed: Placed[]
    try {
      placed = await placeShards(
        { ...this.#deps, transfer: countedTransfer(this.#deps.transfer, progress), diary },
        {
          object: { roots: shards, code },
          shards: wanted,
          held,
          offered: noted.filter(({ keepUntilMs }) => keepUntilMs === 0),
          candidates: await this.#deps.keepers(signal),
          lastResort: keepersThatFailed(this.#deps.audits.of(cid)),
          keepUntilMs: clock.nowMs() + objectsKeptMs,
        },
        signal,
      )
    } catch (error) {
      if (error instanceof OwnShardError) {
        // It would be the same the next time: what is here is of no use any more.
        await puts.giveUp(cid, entry.placement === nowhere)
        throw ownCopyDamaged(entry.name, error.message)
      }
      if (!(error instanceof PlacementError)) throw error
      throw noKeepers(error.missing.length, code.k + code.m, error.message)
    }
    const all = mergedPlaces(held, placed).toSorted((left, right) => left.shard - right.shard)
    await puts.finish({ ...entry, placement: placesText(all) })
    await store.shorten(shards, clock.nowMs() + ownCopyKeptMs)
    progress.begin('telling', 0)
    const { acknowledged, told } = await own.announce({ cid, manifest }, all, [], signal)
    return putView(
      entry,
      code,
      all,
      {
        shardsThere: held.length,
        keepersTold: told.length,
        recordsStored: acknowledged,
      },
      this.#deps.operatorOf,
    )
  }

  /** Lets go of puts that broke off and were not gone on with while our own shards were there. */
  async tidy(): Promise<void> {
    const { puts, clock } = this.#deps
    for (const { entry } of puts.over(clock.nowMs()))
      if (!this.#underWay.has(entry.cid)) await puts.giveUp(entry.cid, entry.placement === nowhere)
  }

  /** The put of these very bytes that broke off, if there is one: it has a key already, and shards, some of them with keepers. */
  async #unfinished(
    { path, name, isFolder, code, bytes }: Plain,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<ObjectEntry | undefined> {
    const { puts, disk, clock } = this.#deps
    for (const { entry, ownUntilMs } of puts.ofBytes(bytes, comparedMax)) {
      const manifest = decodeObjectManifest(entry.manifest)
      if (manifest.code.k !== code.k || manifest.code.m !== code.m || entry.isFolder !== isFolder) continue
      if (this.#underWay.has(entry.cid) || ownUntilMs <= clock.nowMs()) continue
      progress.begin('comparing', bytes)
      const deps = { ...this.#deps, disk: countedReads(disk, progress) }
      if (await isSealedFrom(deps, path, entry, signal)) return { ...entry, name }
    }
    return undefined
  }

  /** Seals a file, under a key of its own unless there is one that belongs to its bytes. It is remembered that it is to be placed. */
  async #seal(
    { path, name, isFolder, code, bytes: toSeal }: Plain,
    progress: Progress,
    signal: AbortSignal,
    known?: { readonly key: Uint8Array; readonly contentHash: Uint8Array },
  ): Promise<ObjectEntry> {
    const { random, clock, objects, puts, disk } = this.#deps
    progress.begin('sealing', toSeal)
    const deps = { ...this.#deps, disk: countedReads(disk, progress) }
    const nowMs = clock.nowMs()
    const ownUntilMs = nowMs + unfinishedKeptMs
    const key = known?.key ?? random.bytes(keyBytes)
    const { cid, manifest, bytes } = await sealFile(deps, path, code, key, ownUntilMs, signal, known?.contentHash)
    const { placement = nowhere, createdMs = nowMs } = objects.get(cid) ?? {}
    const entry: ObjectEntry = { cid, key, manifest, placement, bytes, name, createdMs, isKept: true, isFolder }
    await puts.begin(entry, nowMs, ownUntilMs)
    return entry
  }

  /** Whether all shards are here and can be read. */
  async #hasShards({ shards }: ObjectManifest): Promise<boolean> {
    for (const root of shards) {
      const source = await this.#deps.store.open(root).catch(() => undefined)
      if (source === undefined) return false
      await source.close()
    }
    return true
  }
}

function putView(
  { cid, key, bytes, name, isFolder }: ObjectEntry,
  { k, m }: Code,
  placed: readonly Placed[],
  counts: Pick<PutView, 'shardsThere' | 'keepersTold' | 'recordsStored'>,
  operatorOf: ObjectDeps['operatorOf'],
): PutView {
  return {
    v: 1,
    object: cid,
    bytes,
    k,
    n: k + m,
    keepers: [...new Set(placed.map(({ peer }) => peer))].map(peerView),
    name,
    read: formatObjectCapability({ can: 'read', object: cid, key }),
    verify: formatObjectCapability({ can: 'verify', object: cid }),
    keptUntilMs: Math.min(...placed.map(({ keepUntilMs }) => keepUntilMs)),
    happiness: happinessOf(placed),
    lossesBorne: lossesBorne(placed, k),
    operatorsBorne: operatorsBorne(placed, k, operatorOf),
    ...counts,
    folder: isFolder,
  }
}
