/**
 * What a peer of the storage model does for objects beside putting and getting them: `createData` of production, with the virtual
 * disk, clock and board in the place of the ledger and the DHT. Audits, repairs, claims, renewals, records, dossiers and the scrub are
 * production's own.
 */
import { createPlacement } from '../../protocols/placement/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import type { Fault, PeerName, Signer, Streams } from '../../protocols/wire/index.ts'
import type { Log } from '../../src/environment.ts'
import type { AuditFound } from '../../src/ledger/audits.ts'
import { Chores } from '../../src/node/chores.ts'
import { Heralds } from '../../src/node/heralds.ts'
import { withOwnArchive } from '../../src/node/local-placement.ts'
import { ObjectCare } from '../../src/node/object-care.ts'
import { placesFrom, placesText, sourcesFrom } from '../../src/node/object-places.ts'
import { OwnObjects } from '../../src/node/objects.ts'
import { Transfers } from '../../src/node/transfers.ts'
import { ObjectArchive } from '../../src/storage/archive.ts'
import type { Mill } from '../../src/storage/mill.ts'
import { PeerRates } from '../../src/storage/peer-rates.ts'
import type { Placed } from '../../src/storage/place.ts'
import { scrubBetween } from '../../src/storage/scrub.ts'
import type { SealedObject } from '../../src/storage/seal.ts'
import type { ShardStore } from '../../src/storage/shard-store.ts'
import type { FetchSource } from '../../src/storage/sources.ts'
import type { SeededRandom } from '../random.ts'
import type { LifeFiles, ModelDisk } from './files.ts'
import type { LifeClock } from './life.ts'
import { objectTables, type ObjectRows } from './object-tables.ts'
import type { ShardRows, ShardTable } from './shard-table.ts'
import type { StorageBulletin } from './storage-bulletin.ts'

export const storageNetwork = 'model'
const announceWithinMs = 60_000

/** How often what is ours is looked after and what is kept read through, in milliseconds. */
export interface CarePace {
  readonly tendEveryMs: number
  readonly scrubEveryMs: number
  readonly sweepEveryMs: number
}

export interface CaringDeps {
  readonly signer: Signer
  readonly bulletin: StorageBulletin
  readonly pace: CarePace
  /** Whom shards are offered to. */
  readonly keepers: () => readonly PeerName[]
  readonly onAudits: (entries: readonly AuditFound[]) => void
  readonly onBroken: (peer: PeerName) => void
}

interface LifeDeps {
  readonly self: PeerName
  readonly disk: ModelDisk
  readonly files: LifeFiles
  readonly life: LifeClock
  readonly random: SeededRandom
  readonly log: Log
  readonly mill: Mill
  readonly store: ShardStore
  readonly table: ShardTable
  readonly rows: ShardRows
  readonly objectRows: ObjectRows
  readonly transfer: TransferService
  readonly streams: Streams
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

export interface Caring {
  begin(): Promise<void>
  /** What was placed is ours to look after from now on. */
  remember(object: SealedObject, placed: readonly Placed[]): Promise<void>
  /** Looks after what somebody else put, too. */
  pin(read: string, signal: AbortSignal): Promise<void>
  /** Where an object is, for whoever has nothing but its CID. */
  sourcesOf(cid: string, signal: AbortSignal): Promise<readonly FetchSource[]>
  tend(signal: AbortSignal): Promise<void>
  scrub(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
}

export function createCaring(caring: CaringDeps, deps: LifeDeps): Caring {
  const { signer, bulletin, pace, keepers, onAudits, onBroken } = caring
  const { self, disk, files, life, random, log, mill, store, table, rows, objectRows, transfer, streams, onFault } =
    deps
  const { objects, audits, dossiers, nextSequence } = objectTables(objectRows, rows, disk, life, onAudits)
  const network = storageNetwork
  const board = bulletin.of(self, life)
  const heralds = new Heralds(board, network, life, log)
  const advertise = (object: string): void => heralds.advertise(object)
  // Nobody reads for others here.
  const cache = { take: async () => {}, dossier: () => undefined }
  const archive = new ObjectArchive({
    signer,
    network,
    shards: table,
    dossiers,
    cache,
    roomFor: (owner) => store.roomFor(owner),
    clock: life,
    log,
    advertise,
  })
  const placement = withOwnArchive(createPlacement({ streams, timekeeper: life, archive }), self, archive)
  const unpacked = async (): Promise<never> => {
    throw new Error('there are no folders here')
  }
  const saying = { bulletin: board, placement, signer, network, clock: life, log, onFault }
  const common = {
    self,
    disk: files,
    mill,
    clock: life,
    random,
    log,
    store,
    cache,
    transfer,
    objects,
    audits,
    advertise,
    onFault,
    onSilent: () => {},
    rates: new PeerRates(),
    transfers: new Transfers(life),
    keepers: async () => keepers(),
    networkOf: () => undefined,
    operatorOf: () => undefined,
    packFolder: unpacked,
    unpack: unpacked,
    locating: { ...saying, self, known: async (object: string) => archive.dossier(object).catch(() => undefined) },
    announcing: { ...saying, nextSequence },
  }
  const own = new OwnObjects(common)
  // Nothing is billed in the model.
  const accounts = { shown: async () => {} }
  const care = new ObjectCare({ ...common, own, placement, accounts, onBroken })
  const chores = new Chores({ clock: life, random, log })
  const scrub = async (signal: AbortSignal): Promise<void> => {
    await scrubBetween({ store, index: table, clock: life }, '', undefined, signal)
  }
  const { tendEveryMs, scrubEveryMs, sweepEveryMs } = pace
  return {
    async begin() {
      await placement.serve()
      chores.start([
        { name: 'tending', firstMs: tendEveryMs, everyMs: tendEveryMs, run: async (signal) => care.tend(signal) },
        { name: 'the scrub', firstMs: scrubEveryMs, everyMs: scrubEveryMs, run: scrub },
        { name: 'sweeping', firstMs: sweepEveryMs, everyMs: sweepEveryMs, run: async () => archive.sweep() },
      ])
    },
    async remember(object, placed) {
      const { cid, key, manifest, bytes } = object
      await objects.put({
        cid,
        key,
        manifest,
        bytes,
        placement: placesText(placed),
        name: cid.slice(-8),
        createdMs: life.nowMs(),
        isKept: true,
        isFolder: false,
      })
      using deadline = life.deadline(announceWithinMs)
      await own.announce(object, placed, [], deadline.signal)
    },
    async pin(read, signal) {
      await care.pin(read, signal)
    },
    async sourcesOf(cid, signal) {
      const { decoded, versions } = await own.locate(cid, false, signal)
      return sourcesFrom(placesFrom(versions, decoded.shards.length, life.nowMs()), [])
    },
    tend: async (signal) => care.tend(signal),
    scrub,
    async stop() {
      await Promise.all([chores.stop(), heralds.stop()])
    },
  }
}
