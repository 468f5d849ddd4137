/**
 * A bare libp2p in a process of its own: pours bytes for whoever asks, and drinks from others.
 *
 *     fork('raw-peer.ts', ['bulk'])       →  { ready: address }   `bulk`: with the collector set as a peer has it; else in a Node as it comes
 *     send({ from: addresses, bytes })    →  { tookMs }           `bytes` from each, all at once
 *     send('processor')                   →  { cpuMs }            of the processors, since it began
 */
import process from 'node:process'

import { collectForBulk } from '../../src/collector.ts'
import { drinkRaw, rawNode, serveRaw } from './raw-stream.ts'
import { msOf } from './usage.ts'

export interface RawOrder {
  readonly from: readonly string[]
  readonly bytes: number
}

if (process.argv[2] === 'bulk') collectForBulk()
const node = await rawNode(['/ip4/127.0.0.1/tcp/0'])
await serveRaw(node)
process.on('message', (order: RawOrder | 'processor') => {
  if (order === 'processor') return process.send!({ cpuMs: msOf(process.cpuUsage()) })
  const startMs = performance.now()
  return void Promise.all(order.from.map(async (address) => drinkRaw(node, address, order.bytes))).then(() =>
    process.send!({ tookMs: performance.now() - startMs }),
  )
})
process.on('disconnect', () => process.exit(0))
process.send!({ ready: node.getMultiaddrs()[0]!.toString() })
