/**
 * A whole peer that keeps shards, in a process of its own, for benches of the other side.
 *
 *     fork('keeping-peer.ts', [folder, network, address])   →  { ready: peer }, until the parent hangs up
 */
import process from 'node:process'

import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createPeer } from '../../src/node.ts'

const [folder, network, address] = process.argv.slice(2)
const peer = await createPeer(
  {
    network: network!,
    reach: 'loopback',
    dataDir: folder!,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [address!],
    offer: {
      cpuMilli: 1_000,
      memoryBytes: 2 ** 28,
      keepBytes: 2 ** 36,
      // Dearer than any job: it keeps, and that is all.
      cpuHourMicro: 10 ** 9,
      unit: 'credit',
      wallMsMax: 3_600_000,
    },
    workers: 1,
    profile: 'bench',
  },
  { clock: realClock, random: realRandom, log: silentLog },
)
await peer.ready(AbortSignal.timeout(20_000))
process.on('disconnect', () => void peer.stop().then(() => process.exit(0)))
process.send!({ ready: peer.name })
