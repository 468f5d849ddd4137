/**
 * A whole peer whose owner puts or gets one object, in a process of its own, to be killed at it.
 *
 *     fork('owning-peer.ts', [JSON of OwningOrder])   →  { done: PutView | GetView }, or exit code 1
 */
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createPeer } from '../../src/node.ts'

export interface OwningOrder {
  readonly folder: string
  readonly network: string
  readonly address: string
  /** To be known before it begins. */
  readonly keepers: number
  readonly act:
    | { readonly put: string; readonly code: string; readonly convergent?: boolean }
    | { readonly get: string; readonly to: string }
}

const withinMs = 300_000

const { folder, network, address, keepers, act } = JSON.parse(process.argv[2]!) as OwningOrder
const peer = await createPeer(
  {
    network,
    reach: 'loopback',
    dataDir: folder,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [address],
    offer: null,
    workers: 1,
    profile: 'bench',
  },
  { clock: realClock, random: realRandom, log: silentLog },
)
const signal = AbortSignal.timeout(withinMs)
await peer.ready(signal)
while ((await peer.control.offers(true, signal)).length < keepers) await sleep(100, undefined, { signal })
const done =
  'put' in act
    ? await peer.control.put(
        { path: act.put, code: act.code, ...(act.convergent === true ? { convergent: true } : {}) },
        signal,
      )
    : await peer.control.get({ object: act.get, path: act.to }, signal)
process.send!({ done })
await peer.stop()
process.exit(0)
