/**
 * A whole peer in a process of its own, for benches: one that keeps shards, or one that puts and gets. It does what it is told, one thing
 * at a time, until the parent hangs up.
 *
 *     fork('keeping-peer.ts', [folder, network, 'keeper' | 'owner', address?])   →  { ready: address }
 *     send({ do: 'watch' })                →  {}             until then nothing of it is counted
 *     send({ do: 'usage' })                →  { usage }      since it was last asked to watch
 *     send({ do: 'put', path, code })      →  { object }     the string that lets others read it
 *     send({ do: 'get', object, path })    →  {}
 *     send({ do: 'keepers' })              →  { keepers }    how many it knows
 */
import process from 'node:process'

import { collectForBulk } from '../../src/collector.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createPeer } from '../../src/node.ts'
import { watch, type Usage } from './usage.ts'

export type PeerOrder =
  | { readonly do: 'watch' | 'usage' | 'keepers' }
  | { readonly do: 'put'; readonly path: string; readonly code: string }
  | { readonly do: 'get'; readonly object: string; readonly path: string }

export interface PeerAnswer {
  readonly ready?: string
  readonly usage?: Usage
  readonly object?: string
  readonly keepers?: number
  readonly failed?: string
}

const withinMs = 3_600_000

collectForBulk()
const [folder, network, role, address] = process.argv.slice(2)
const peer = await createPeer(
  {
    network: network!,
    reach: 'loopback',
    dataDir: folder!,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: address === undefined ? [] : [address],
    offer:
      role === 'owner'
        ? null
        : {
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
if (address !== undefined) await peer.ready(AbortSignal.timeout(20_000))

let usage: (() => Usage) | undefined

async function obey(order: PeerOrder): Promise<PeerAnswer> {
  const signal = AbortSignal.timeout(withinMs)
  switch (order.do) {
    case 'watch':
      usage = watch()
      return {}
    case 'usage':
      return { usage: usage!() }
    case 'keepers':
      return { keepers: (await peer.control.offers(true, signal)).length }
    case 'put': {
      const { read } = await peer.control.put({ path: order.path, code: order.code }, signal)
      return { object: read }
    }
    case 'get':
      await peer.control.get({ object: order.object, path: order.path }, signal)
      return {}
    default:
      return order satisfies never
  }
}

process.on('message', (order: PeerOrder) => {
  void obey(order)
    .catch((error: unknown): PeerAnswer => ({ failed: String(error) }))
    .then((answer) => process.send!(answer))
})
process.on('disconnect', () => void peer.stop().then(() => process.exit(0)))
process.send!({ ready: peer.addresses()[0]! } satisfies PeerAnswer)
