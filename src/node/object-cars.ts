/** Objects as files that other programs can read (CAR): written from what keepers have, and taken up again. */
import {
  BadCarError,
  InconsistentObjectError,
  decodeObjectManifest,
  formatObjectCapability,
} from '../../protocols/erasure/index.ts'
import type { CarView, PutView } from '../control/api.ts'
import type { ObjectEntry } from '../ledger/objects.ts'
import type { Puts } from '../ledger/puts.ts'
import { takeCar } from '../storage/car-read.ts'
import { writeCar } from '../storage/car-write.ts'
import { cannotRead, carDoesNotOpen, carOfAnother, carWithoutKey, toldOf } from './object-errors.ts'
import { checkDestination, checkSource } from './object-files.ts'
import { nowhere, sourcesFrom } from './object-places.ts'
import { unfinishedKeptMs, type ObjectPuts } from './object-puts.ts'
import type { ObjectDeps, OwnObjects } from './objects.ts'
import { countedReads, countedTransfer } from './transfers.ts'
import { peerView } from './views.ts'

export interface CarDeps extends ObjectDeps {
  readonly own: OwnObjects
  readonly placing: Pick<ObjectPuts, 'place' | 'again'>
  readonly puts: Puts
}

export interface ExportInput {
  readonly object: string
  readonly path: string
  readonly transfer?: string
}

export interface ImportInput {
  readonly path: string
  /** The string that reads the object; not needed of one that is known here. */
  readonly read?: string
  readonly name?: string
  readonly transfer?: string
}

export class ObjectCars {
  readonly #deps: CarDeps

  constructor(deps: CarDeps) {
    this.#deps = deps
  }

  /** Needs no key: a verify string is enough. */
  async write(input: ExportInput, signal: AbortSignal): Promise<CarView> {
    const { own, transfers, transfer } = this.#deps
    const target = own.target(input.object)
    const { cid, name, key } = target
    await checkDestination(input.path, false)
    return transfers.watch(input.transfer, async (progress) => {
      const deps = { ...this.#deps, transfer: countedTransfer(transfer, progress) }
      try {
        const { bytes, sources } = await own.fromPlaces(
          target,
          async ({ manifest, places, cached }) => {
            const { code, shardBytes } = decodeObjectManifest(manifest)
            progress.begin('fetching', code.k * shardBytes)
            return writeCar(deps, { manifest, sources: sourcesFrom(places, cached), path: input.path }, signal)
          },
          signal,
        )
        return {
          v: 1,
          object: cid,
          name,
          path: input.path,
          bytes,
          read: key === null ? null : formatObjectCapability({ can: 'read', object: cid, key }),
          verify: formatObjectCapability({ can: 'verify', object: cid }),
          sources: sources.map(({ peer, bytes }) => ({ peer: peerView(peer), bytes })),
        }
      } catch (error) {
        throw await own.told(error, { cid, name }, `pleach export ${cid.slice(-8)} -o ${input.path}`, signal)
      }
    })
  }

  /** Takes up what is in the file, checks all of it, and places it with keepers like what was put. */
  async take(input: ImportInput, signal: AbortSignal): Promise<PutView> {
    return this.#deps.transfers.watch(input.transfer, async (progress) => {
      const { clock, objects, puts, placing, disk } = this.#deps
      const name =
        input.name ??
        input.path
          .split('/')
          .at(-1)!
          .replace(/\.car$/, '')
      const ownUntilMs = clock.nowMs() + unfinishedKeptMs
      try {
        const { isFolder, bytes: fileBytes } = await checkSource(input.path)
        if (isFolder) throw new BadCarError('malformed', 'it is a folder')
        progress.begin('reading', fileBytes)
        const deps = { ...this.#deps, disk: countedReads(disk, progress) }
        const keyOf = (cid: string): Uint8Array => this.#keyOf(cid, input.read)
        const { cid, manifest, key, bytes } = await takeCar(deps, input.path, keyOf, ownUntilMs, signal)
        const known = objects.get(cid)
        const fresh = { placement: nowhere, createdMs: clock.nowMs(), isFolder: false, ...known }
        const entry: ObjectEntry = {
          ...fresh,
          cid,
          manifest,
          key,
          bytes,
          name: input.name ?? known?.name ?? name,
          isKept: true,
        }
        await puts.begin(entry, clock.nowMs(), ownUntilMs)
        return await placing.again(entry, async () => {}, progress, signal)
      } catch (error) {
        if (error instanceof InconsistentObjectError) throw carDoesNotOpen(error.message)
        throw toldOf(error, name, `pleach import ${input.path}`)
      }
    })
  }

  #keyOf(cid: string, read: string | undefined): Uint8Array {
    const { own, objects } = this.#deps
    const given = read === undefined ? undefined : own.target(read)
    if (given !== undefined && given.cid !== cid) throw carOfAnother(cid)
    const key = given === undefined ? objects.get(cid)?.key : given.key
    if (key === null) throw cannotRead()
    if (key === undefined) throw carWithoutKey(cid)
    return key
  }
}
