/**
 * One peer's storage in the model: shelf, transfer, put and get of production on a virtual disk, model streams and a virtual
 * clock. It belongs to the peer and outlives its lives; each life boots it anew:
 *
 *     const storage = new ModelStorage({ self, disk, streams, random, options, vice, onFault, … })
 *     await storage.boot(life)          // what src/node.ts does with storage at a start
 *     life.isOver = true; storage.crash('process')  // or 'power': unsynced writes and names may be gone
 *     await storage.boot(nextLife)
 *
 * The world has to let all promises of an event settle before its next event (`settled` in storage-world.ts does).
 */
import { keyBytes, type Code } from '../../protocols/erasure/index.ts'
import { createTransfer, type Shelf, type TransferService } from '../../protocols/transfer/index.ts'
import { RefusedError, type Fault, type PeerName } from '../../protocols/wire/index.ts'
import { silentLog, type Log } from '../../src/environment.ts'
import { withOwnShelf } from '../../src/node/local-transfer.ts'
import { sourcesOf } from '../../src/node/sources.ts'
import { fetchObject, type FetchReport, type FetchSource } from '../../src/storage/fetch.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { placeShards } from '../../src/storage/place.ts'
import { sealFile, type SealedObject } from '../../src/storage/seal.ts'
import type { ShardEntry } from '../../src/storage/shard-index.ts'
import { ShardFiles } from '../../src/storage/shard-files.ts'
import { ShardStore, type ShardStoreOptions } from '../../src/storage/shard-store.ts'
import type { SeededRandom } from '../random.ts'
import type { LifeFiles, ModelDisk } from './files.ts'
import { bentShelf, bentStreams, type KeeperVice } from './keeper-vices.ts'
import type { LifeClock } from './life.ts'
import { ObjectRows } from './object-tables.ts'
import { ShardTable, type ShardRows } from './shard-table.ts'
import { createCaring, type Caring, type CaringDeps } from './storage-caring.ts'
import type { ModelStreams } from './streams.ts'

export interface ModelStorageDeps {
  readonly self: PeerName
  readonly disk: ModelDisk
  readonly streams: ModelStreams
  readonly random: SeededRandom
  readonly options: ShardStoreOptions
  readonly vice?: KeeperVice | null
  readonly log?: Log
  readonly onFault: (peer: PeerName, fault: Fault) => void
  /** A promise was made to a peer: this shard is durable here until then. 0: the peer has given it back. Returns what it was promised before. */
  readonly onStored?: (root: string, to: PeerName, keepUntilMs: number) => number
  /** What is kept has changed: for others so much is; or there is a shard that was not. */
  readonly onKept?: (bytes: number, added: ShardEntry | undefined) => void
  /** With it objects are looked after; without it they are only put and read. */
  readonly caring?: CaringDeps
}

/** All that somebody needs to read an object. */
export interface ReadableObject {
  readonly cid: string
  readonly manifest: Uint8Array
  readonly key: Uint8Array
  readonly sources: readonly FetchSource[]
  /** Roots of its shards, hex, and how long its keepers have them. */
  readonly roots: readonly string[]
  readonly keepUntilMs: number
}

interface Running {
  readonly life: LifeClock
  readonly files: LifeFiles
  readonly store: ShardStore
  readonly transfer: TransferService
  readonly caring: Caring | undefined
}

/** Where production has its data directory, and where a person's files are. */
export const dataFolder = '/pleach'
const homeFolder = '/home'
/** As in src/node/objects.ts: once placed, an object is with its keepers. */
const ownCopyKeptMs = 60 * 60_000

/** In this thread: what another did would come at a time that no seed decides. */
const mill = new LocalMill()

export class ModelStorage {
  readonly rows: ShardRows = new Map()
  readonly objectRows = new ObjectRows()
  readonly #deps: ModelStorageDeps
  #running: Running | undefined
  #names = 0

  constructor(deps: ModelStorageDeps) {
    this.#deps = deps
  }

  get disk(): ModelDisk {
    return this.#deps.disk
  }

  /** Of the life that runs; undefined when none does. */
  get store(): ShardStore | undefined {
    return this.#running?.store
  }

  get transfer(): TransferService | undefined {
    return this.#running?.transfer
  }

  /** What looks after objects in the life that runs, if anything does. */
  get caring(): Caring | undefined {
    return this.#running?.caring
  }

  /** Files that are open now. */
  get opened(): number {
    return this.#running?.files.opened ?? 0
  }

  /** Begins a life. Resolves when it serves; never when the life ends before. */
  async boot(life: LifeClock): Promise<void> {
    const { self, disk, streams, random, options, vice = null, log = silentLog, onFault, onKept } = this.#deps
    const files = disk.files(life)
    const table = new ShardTable(this.rows, disk, life, (added) => onKept?.(table.totalBut(self).bytes, added))
    const store = new ShardStore(options, {
      files: new ShardFiles(files, dataFolder),
      index: table,
      clock: life,
      random,
      log,
      self,
    })
    const honest = this.#noted(store)
    const port = streams.streamsOf(self, life, onFault)
    const transfer = createTransfer({
      streams: vice === null ? port : bentStreams(port, vice),
      timekeeper: life,
      shelf: vice === null ? honest : bentShelf(honest, vice, life),
    })
    const own = withOwnShelf(transfer, self, store)
    const { caring: caringDeps } = this.#deps
    const caring =
      caringDeps === undefined
        ? undefined
        : createCaring(caringDeps, {
            self,
            disk,
            files,
            life,
            random,
            log,
            mill,
            store,
            table,
            rows: this.rows,
            objectRows: this.objectRows,
            transfer: own,
            // Who hangs up, or says things twice, does so in transfers.
            streams: port,
            onFault,
          })
    this.#running = { life, files, store, transfer: own, caring }
    await files.remove(homeFolder)
    await files.makeFolder(dataFolder)
    await files.makeFolder(homeFolder)
    await files.syncFolder('/')
    await store.start()
    await transfer.serve()
    await caring?.begin()
  }

  /** To be called when a life is over: the process died, or the machine lost its power. */
  crash(how: 'process' | 'power'): void {
    this.#running = undefined
    this.#deps.streams.hangUp(this.#deps.self, how === 'power')
    if (how === 'power') this.#deps.disk.losePower()
  }

  /** Seals and places, as `pleach put` does. Rejects as they do. */
  async put(
    plain: Uint8Array,
    code: Code,
    keepers: readonly PeerName[],
    keptMs: number,
    signal: AbortSignal,
  ): Promise<ReadableObject> {
    return this.place(await this.seal(plain, code, signal), keepers, keptMs, signal)
  }

  /** Seals a file that holds this. Rejects as sealFile does. */
  async seal(plain: Uint8Array, code: Code, signal: AbortSignal): Promise<SealedObject> {
    const { random } = this.#deps
    const { life, files, store } = this.#alive()
    const path = `${homeFolder}/in${this.#names++}`
    try {
      await this.#save(files, path, plain)
      const ownUntilMs = life.nowMs() + ownCopyKeptMs
      const object = await sealFile(
        { disk: files, store, mill },
        path,
        code,
        random.bytes(keyBytes),
        ownUntilMs,
        signal,
      )
      for (const root of object.roots) this.#deps.onStored?.(nameOf(root), this.#deps.self, ownUntilMs)
      return object
    } finally {
      await files.remove(path)
    }
  }

  /** Places what was sealed, in this life or one before, perhaps not for the first time. Rejects as placeShards does. */
  async place(
    object: SealedObject,
    keepers: readonly PeerName[],
    keptMs: number,
    signal: AbortSignal,
  ): Promise<ReadableObject> {
    const { self, onFault } = this.#deps
    const { life, store, transfer } = this.#alive()
    const keepUntilMs = life.nowMs() + keptMs
    const placed = await placeShards(
      { transfer, store, clock: life, onFault },
      { object, candidates: keepers, keepUntilMs },
      signal,
    )
    const { cid, manifest, key } = object
    await this.#running?.caring?.remember(object, placed)
    return {
      cid,
      manifest,
      key,
      sources: sourcesOf(object, placed, self),
      roots: object.roots.map(nameOf),
      keepUntilMs,
    }
  }

  /** Fetches an object into a file, as `pleach get` does, and gives back what is in it. Rejects as fetchObject does. */
  async get(
    object: Pick<ReadableObject, 'manifest' | 'key' | 'sources'>,
    signal: AbortSignal,
  ): Promise<{ readonly plain: Uint8Array; readonly report: FetchReport }> {
    const { onFault, disk } = this.#deps
    const { life, files, transfer } = this.#alive()
    const { manifest, key, sources } = object
    const path = `${homeFolder}/out${this.#names++}`
    const report = await fetchObject(
      { transfer, clock: life, disk: files, mill, onFault },
      { manifest, key, sources, path },
      signal,
    )
    const plain = disk.content(path)!.slice()
    await files.remove(path)
    return { plain, report }
  }

  #alive(): Running {
    if (this.#running === undefined) throw new Error('the peer is down')
    return this.#running
  }

  async #save(files: LifeFiles, path: string, plain: Uint8Array): Promise<void> {
    const file = await files.create(path, 'empty')
    try {
      await file.write(plain, 0)
    } finally {
      await file.close()
    }
  }

  /** The shelf, and a note of each promise that it makes. */
  #noted(shelf: Shelf): Shelf {
    const { onStored } = this.#deps
    if (onStored === undefined) return shelf
    return {
      open: async (root) => shelf.open(root),
      async admit(request) {
        const { from } = request
        const name = nameOf(request.root)
        const admission = await shelf.admit(request)
        if (admission.admit === 'no') return admission
        if (admission.admit === 'have') {
          onStored(name, from, admission.keepUntilMs)
          return admission
        }
        const { sink, keepUntilMs } = admission
        const finish = async (): Promise<void> => {
          await sink.finish()
          onStored(name, from, keepUntilMs)
        }
        return { ...admission, sink: { ...sink, finish } }
      },
      async release(root, from) {
        const releasing = shelf.release(root, from)
        // A crash may come before the answer.
        const promisedMs = onStored(nameOf(root), from, 0)
        try {
          return await releasing
        } catch (error) {
          if (error instanceof RefusedError) onStored(nameOf(root), from, promisedMs)
          throw error
        }
      },
    }
  }
}

function nameOf(root: Uint8Array): string {
  return Buffer.from(root).toString('hex')
}
