/**
 * A bare libp2p in a process of its own, in a Node as it comes: pours bytes for whoever asks, and drinks from others.
 *
 *     fork('raw-peer.ts')                 →  { ready: address }
 *     send({ from: addresses, bytes })    →  { tookMs }           `bytes` from each, all at once
 */
import process from 'node:process'

import { drinkRaw, rawNode, serveRaw } from './raw-stream.ts'

export interface RawOrder {
  readonly from: readonly string[]
  readonly bytes: number
}

const node = await rawNode(['/ip4/127.0.0.1/tcp/0'])
await serveRaw(node)
process.on('message', ({ from, bytes }: RawOrder) => {
  const startMs = performance.now()
  void Promise.all(from.map(async (address) => drinkRaw(node, address, bytes))).then(() =>
    process.send!({ tookMs: performance.now() - startMs }),
  )
})
process.on('disconnect', () => process.exit(0))
process.send!({ ready: node.getMultiaddrs()[0]!.toString() })
