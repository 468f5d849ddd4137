/** The shards of this peer and what carries them, put together. */
import { createTransfer, type Shelf, type TransferService } from '../../protocols/transfer/index.ts'
import type { PeerName, Streams } from '../../protocols/wire/index.ts'
import type { BandwidthOptions } from '../config/options.ts'
import { realTurns, type Clock, type Files, type Log, type Random } from '../environment.ts'
import { Bandwidth, exchangesMaxAt } from '../storage/bandwidth.ts'
import { PeerRates } from '../storage/peer-rates.ts'
import { inTurns } from '../storage/sending-turns.ts'
import { ShardFiles } from '../storage/shard-files.ts'
import type { ShardIndex } from '../storage/shard-index.ts'
import type { DiskRoom } from '../storage/disk-room.ts'
import type { ShardCache } from '../storage/cache.ts'
import { ShardStore } from '../storage/shard-store.ts'
import { keepTermMsMax } from './lending.ts'
import { withOwnShelf } from './local-transfer.ts'

export interface ShardPlane {
  readonly store: ShardStore
  readonly transfer: TransferService
  readonly rates: PeerRates
}

const unlimited: BandwidthOptions = { upBytesPerSecond: null, downBytesPerSecond: null }

export function createShardPlane(
  options: {
    readonly folder: string
    readonly quotaBytes: number
    readonly ownerBytesMax: number
    readonly bandwidth: BandwidthOptions | undefined
  },
  deps: {
    readonly self: PeerName
    readonly disk: Files
    readonly index: ShardIndex
    readonly streams: Streams
    readonly clock: Clock
    readonly random: Random
    readonly log: Log
    readonly cache: Pick<ShardCache, 'open'>
    readonly room: DiskRoom
  },
): ShardPlane {
  const { folder, quotaBytes, ownerBytesMax, bandwidth = unlimited } = options
  const { self, disk, index, streams, clock, random, log, cache, room } = deps
  const files = new ShardFiles(disk, folder)
  const store = new ShardStore(
    { quotaBytes, ownerBytesMax, termMsMax: keepTermMsMax },
    { files, index, clock, random, log, self, disk: room },
  )
  const pace = inTurns(new Bandwidth(bandwidth, clock), realTurns)
  const exchangesMax = exchangesMaxAt(bandwidth)
  const shelf: Shelf = {
    // What is kept is damaged when the store says so: a copy in the cache would hide that from an audit.
    open: async (root) => (await store.open(root)) ?? cache.open(root),
    admit: async (request) => store.admit(request),
    release: async (root, from) => store.release(root, from),
  }
  const carried = createTransfer({ streams, timekeeper: clock, shelf, pace, exchangesMax })
  return { store, transfer: withOwnShelf(carried, self, shelf), rates: new PeerRates() }
}
