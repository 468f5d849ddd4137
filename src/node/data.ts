/** The data of a peer, put together: what it keeps for others, what others keep for it, and what it does for both unasked. */
import { createPlacement } from '../../protocols/placement/index.ts'
import { createStorageExchange } from '../../protocols/storage/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import type { Fault, PeerName, Signer } from '../../protocols/wire/index.ts'
import type { BandwidthOptions } from '../config/options.ts'
import type { Clock, Files, Log, Random } from '../environment.ts'
import { unpackTar } from '../execution/tar-read.ts'
import { packFolder } from '../execution/tar-write.ts'
import type { Host } from '../host/index.ts'
import { Audits } from '../ledger/audits.ts'
import { Dossiers } from '../ledger/dossiers.ts'
import type { MachineStates } from '../ledger/machine-states.ts'
import { Objects } from '../ledger/objects.ts'
import { Puts } from '../ledger/puts.ts'
import { Secrets } from '../ledger/secrets.ts'
import type { SequenceFloors } from '../ledger/sequence-floors.ts'
import { Shards } from '../ledger/shards.ts'
import type { Store } from '../ledger/store.ts'
import type { Journal } from '../reactor.ts'
import { advertisedMax, ObjectArchive } from '../storage/archive.ts'
import type { Mill } from '../storage/mill.ts'
import { DiskRoom } from '../storage/disk-room.ts'
import { ShardCache } from '../storage/cache.ts'
import { scrubBetween } from '../storage/scrub.ts'
import type { PeerRates } from '../storage/peer-rates.ts'
import type { ShardStore } from '../storage/shard-store.ts'
import type { RelayedBytes } from './byte-tally.ts'
import { CarriedBytes } from './carried-bytes.ts'
import { Chores } from './chores.ts'
import { Heralds } from './heralds.ts'
import { withOwnArchive } from './local-placement.ts'
import { createShardPlane } from './shard-plane.ts'
import { ObjectCare } from './object-care.ts'
import { ObjectCars } from './object-cars.ts'
import { ObjectPuts } from './object-puts.ts'
import { OwnObjects } from './objects.ts'
import { StorageAccounts } from './storage-accounts.ts'
import { Transfers } from './transfers.ts'

export interface DataDeps {
  readonly signer: Signer
  readonly network: string
  readonly host: Pick<Host, 'streams' | 'bulletin' | 'networkOf'>
  /** Whether who shares a network shares its fate. */
  readonly isPublic: boolean
  readonly ledger: Store
  readonly floors: SequenceFloors
  /** What goes through relays. */
  readonly relayed: RelayedBytes
  /** Where receipts of storage are written down, and how often they are asked for, where not as usual. */
  readonly books: {
    readonly journal: Journal
    readonly machines: MachineStates
    readonly everyMs?: number | undefined
  }
  readonly disk: Files
  readonly mill: Mill
  readonly dataDir: string
  /** Most that is kept for others. */
  readonly quotaBytes: number
  /** And of what was read here. */
  readonly cacheBytes: number
  readonly bandwidth: BandwidthOptions | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Who runs a peer, as it says itself. */
  readonly operatorOf: (peer: PeerName) => string | undefined
  readonly keepers: (signal: AbortSignal) => Promise<readonly PeerName[]>
  /** A path for a tar that is gone soon. */
  readonly tarPath: () => string
  readonly onFault: (peer: PeerName, fault: Fault) => void
  readonly onSilent: (peer: PeerName) => void
  readonly onBroken: (peer: PeerName, what: string) => void
}

export interface DataPlane {
  /** Whom a peer shares its fate with, where that matters. */
  readonly networkOf: (peer: PeerName) => string | undefined
  readonly store: ShardStore
  readonly cache: ShardCache
  readonly transfer: TransferService
  readonly rates: PeerRates
  readonly transfers: Transfers
  readonly objects: OwnObjects
  readonly puts: ObjectPuts
  readonly cars: ObjectCars
  readonly care: ObjectCare
  readonly accounts: StorageAccounts
  readonly packFolder: (path: string) => Promise<string>
  readonly unpack: (tar: string, folder: string) => ReturnType<typeof unpackTar>
  /** Answers others. */
  serve(): Promise<void>
  /** Begins what is done unasked. */
  begin(): void
  stop(): Promise<void>
}

/** Files and bytes of a folder that travels as one input, and of outputs. */
const tarLimits = { entriesMax: 100_000, bytesMax: 2 ** 36 }
/** Of what is kept for others, the most for one of them. */
const ownerShareMax = 0.25
/** How often what is kept is read through, what is ours looked after, and adverts repeated (the DHT keeps them for 48 h). */
const minute = 60_000
const scrubEveryMs = 6 * 60 * minute
const tendEveryMs = 6 * 60 * minute
const advertiseEveryMs = 20 * 60 * minute
const sweepEveryMs = 10 * minute
/** How often keepers are asked for receipts of what audits have shown. */
const receiptsEveryMs = 60 * minute

export function createData(deps: DataDeps): DataPlane {
  const {
    signer,
    network,
    host,
    ledger,
    floors,
    disk,
    mill,
    dataDir,
    quotaBytes,
    cacheBytes,
    clock,
    random,
    log,
    keepers,
    operatorOf,
    onFault,
    onSilent,
  } = deps
  const networkOf = (peer: PeerName) => (deps.isPublic ? host.networkOf(peer) : undefined)
  const self = signer.peer
  const { bulletin, streams } = host
  const shards = new Shards(ledger)
  const dossiers = new Dossiers(ledger)
  const heralds = new Heralds(bulletin, network, clock, log)
  const advertise = (object: string): void => heralds.advertise(object)
  const room = new DiskRoom({ disk, folder: dataDir, log, giveWay: async (bytes) => cache.giveWay(bytes) })
  const cache: ShardCache = new ShardCache(cacheBytes, {
    disk,
    folder: dataDir,
    mill,
    clock,
    random,
    log,
    advertise,
    diskLeftBytes: async () => room.leftBytes(),
  })
  const {
    store,
    transfer: carrier,
    rates,
  } = createShardPlane(
    { folder: dataDir, quotaBytes, ownerBytesMax: Math.ceil(quotaBytes * ownerShareMax), bandwidth: deps.bandwidth },
    { self, disk, index: shards, streams, clock, random, log, cache, room },
  )
  const carried = new CarriedBytes()
  const { relayed } = deps
  const transfer = carried.counted(carrier)
  const notary = { signer, network }
  const exchange = createStorageExchange({ streams, timekeeper: clock, notary })
  const accounts = new StorageAccounts({
    ...deps.books,
    notary,
    clock,
    log,
    exchange,
    shards,
    carried,
    relayed,
    onFault,
  })
  const roomFor = (owner: PeerName) => store.roomFor(owner)
  const archive = new ObjectArchive({ signer, network, shards, dossiers, cache, roomFor, clock, log, advertise })
  const placement = withOwnArchive(createPlacement({ streams, timekeeper: clock, archive }), self, archive)
  const transfers = new Transfers(clock)
  const pack = async (path: string): Promise<string> => {
    const tar = deps.tarPath()
    await packFolder(path, tar, tarLimits)
    return tar
  }
  const unpack = async (tar: string, folder: string) => unpackTar(tar, folder, tarLimits)
  const saying = { bulletin, placement, signer, network, clock, log, onFault }
  const caring = {
    self,
    disk,
    mill,
    clock,
    random,
    log,
    store,
    cache,
    transfer,
    rates,
    transfers,
    keepers,
    onFault,
    advertise,
    unpack,
    packFolder: pack,
    objects: new Objects(ledger),
    audits: new Audits(ledger),
    onSilent,
    networkOf,
    operatorOf,
    locating: { ...saying, self, known: async (object: string) => archive.dossier(object).catch(() => undefined) },
    announcing: { ...saying, nextSequence: async () => floors.next('placement', clock.nowMs()) },
  }
  const objects = new OwnObjects(caring)
  const openPuts = new Puts(ledger)
  const puts = new ObjectPuts({ ...caring, own: objects, puts: openPuts, secrets: new Secrets(ledger, random) })
  const cars = new ObjectCars({ ...caring, own: objects, placing: puts, puts: openPuts })
  const care = new ObjectCare({ ...caring, own: objects, placement, accounts, onBroken: deps.onBroken })
  const chores = new Chores({ clock, random, log })

  return {
    store,
    cache,
    transfer,
    rates,
    transfers,
    objects,
    puts,
    cars,
    care,
    accounts,
    packFolder: pack,
    unpack,
    networkOf,
    async serve() {
      await store.start()
      await cache.start()
      await transfer.serve()
      await placement.serve()
      await accounts.serve()
    },
    begin() {
      chores.start([
        {
          name: 'the scrub',
          firstMs: scrubEveryMs,
          everyMs: scrubEveryMs,
          // Where a round begins is left to chance: whoever restarts often would read the same shards again and again.
          run: async (signal) => {
            const from = Buffer.from(random.bytes(32)).toString('hex')
            await scrubBetween({ store, index: shards, clock }, from, undefined, signal)
            await scrubBetween({ store, index: shards, clock }, '', from, signal)
          },
        },
        {
          name: 'looking after objects',
          firstMs: 10 * minute,
          everyMs: tendEveryMs,
          run: async (signal) => care.tend(signal),
        },
        {
          name: 'the receipts of storage and of carrying',
          firstMs: deps.books.everyMs ?? 20 * minute,
          everyMs: deps.books.everyMs ?? receiptsEveryMs,
          run: async (signal) => accounts.settle(signal),
        },
        {
          name: 'advertising objects',
          firstMs: minute,
          everyMs: advertiseEveryMs,
          run: async () => {
            for (const object of dossiers.advertised(advertisedMax)) advertise(object)
            for (const object of cache.objects().slice(-advertisedMax)) advertise(object)
            for (const { object, kept } of objects.list()) if (kept) advertise(object)
            await heralds.settled()
          },
        },
        {
          name: 'sweeping what is known of objects',
          firstMs: sweepEveryMs,
          everyMs: sweepEveryMs,
          run: async () => {
            await archive.sweep()
            await puts.tidy()
          },
        },
      ])
    },
    async stop() {
      store.stop()
      await Promise.all([chores.stop(), cache.stop()])
      await accounts.takeUp()
      await heralds.stop()
    },
  }
}
