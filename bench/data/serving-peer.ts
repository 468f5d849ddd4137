/**
 * A keeper in a process of its own, for the bench: serves the shards in a folder over TCP as a peer does. How it behaves is said to it while it
 * runs.
 *
 *     fork('serving-peer.ts', [folder])   →  { ready: { peer, address } }
 *     send({ mode, bytesPerSecond })      →  { set: true }
 *     send('watch')                       →  {}
 *     send('usage')                       →  { usage }    since it was last asked to watch
 *     send('processor')                   →  { cpuMs }    since it began
 */
import process from 'node:process'

import { createTransfer, emptyShelf, type Pace, type Shelf, type ShardSource } from '../../protocols/transfer/index.ts'
import { collectForBulk } from '../../src/collector.ts'
import { realClock, realFiles, realRandom, realTurns, silentLog } from '../../src/environment.ts'
import { createHost, identityFromSeed } from '../../src/host/index.ts'
import { Bandwidth } from '../../src/storage/bandwidth.ts'
import { inTurns } from '../../src/storage/sending-turns.ts'
import { ShardFiles } from '../../src/storage/shard-files.ts'
import { msOf, watch, type Usage } from './usage.ts'

/** stalled: sends one block of each exchange, and nothing more. corrupt: flips a bit of every block. */
export type ServingMode = 'honest' | 'stalled' | 'corrupt'

export interface ServingOrder {
  readonly mode: ServingMode
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null
}

export interface ServingPeer {
  readonly peer: string
  readonly address: string
}

collectForBulk()
const files = new ShardFiles(realFiles, process.argv[2]!)
let mode: ServingMode = 'honest'
/** Who stalls does so until it is told something else: otherwise its exchanges would never be free again. */
let stalling = Promise.withResolvers<void>()
const paceAt = (upBytesPerSecond: number | null): Pace =>
  inTurns(new Bandwidth({ upBytesPerSecond, downBytesPerSecond: null }, realClock), realTurns)
let pace = paceAt(null)

function bent(source: ShardSource): ShardSource {
  let sent = 0
  return {
    ...source,
    async leaf(leaf) {
      if (mode === 'stalled' && ++sent > 1) await stalling.promise
      const { bytes, proof } = await source.leaf(leaf)
      if (mode === 'corrupt') bytes[leaf % bytes.byteLength]! ^= 1
      return { bytes, proof }
    },
  }
}

const shelf: Shelf = {
  ...emptyShelf,
  open: async (root) => {
    const source = await files.open(Buffer.from(root).toString('hex'))
    return source === undefined ? undefined : bent(source)
  },
}

const host = await createHost(
  { network: 'bench', reach: 'loopback', listen: ['/ip4/127.0.0.1/tcp/0'] },
  { identity: identityFromSeed(realRandom.bytes(32)), clock: realClock, random: realRandom, log: silentLog },
)
await host.start()
await createTransfer({
  streams: host.streams,
  timekeeper: realClock,
  shelf,
  pace: { up: async (bytes, signal) => pace.up(bytes, signal), down: async () => {} },
}).serve()

let usage: (() => Usage) | undefined

process.on('message', (order: ServingOrder | 'watch' | 'usage' | 'processor') => {
  if (order === 'usage') return process.send!({ usage: usage?.() })
  if (order === 'watch') {
    usage = watch()
    return process.send!({})
  }
  if (order === 'processor') return process.send!({ cpuMs: msOf(process.cpuUsage()) })
  mode = order.mode
  stalling.resolve()
  stalling = Promise.withResolvers<void>()
  pace = paceAt(order.bytesPerSecond)
  return process.send!({ set: true })
})
process.on('disconnect', () => process.exit(0))
const ready: ServingPeer = {
  peer: host.peer,
  address: host.addresses()[0]!,
}
process.send!({ ready })
