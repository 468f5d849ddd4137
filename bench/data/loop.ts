/**
 * How late a peer's main thread is while 64 MiB are put and got by two real peers, over TCP on this machine: what else it has to do,
 * answering the network above all, is as late. Beside it the same thread with nothing to do, since others use this machine too.
 */
import { fork } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { collectForBulk } from '../../src/collector.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createPeer, type Peer } from '../../src/node.ts'
import type { Part } from '../bench.ts'
import { valueRow } from '../report.ts'
import { computingMsMax, watch, type Usage } from './usage.ts'

const objectBytes = 64 * 1024 * 1024
/** Half of the shards with each of two keepers. */
const code = '8+8'
const keepers = 2
const lateMsMax = 20
const idleMs = 1_000
const withinMs = 120_000

export const loop: Part = {
  name: 'loop',
  about: 'how late the main thread is while 64 MiB are put and got',
  async measure({ rounds, folder, say, signal }) {
    const network = `bench-${Buffer.from(realRandom.bytes(6)).toString('hex')}`
    collectForBulk()
    const dataDir = join(folder, 'owner')
    const owner = await createPeer(
      {
        network,
        reach: 'loopback',
        dataDir,
        listen: ['/ip4/127.0.0.1/tcp/0'],
        bootstrap: [],
        offer: null,
        workers: 1,
        profile: 'bench',
      },
      { clock: realClock, random: realRandom, log: silentLog },
    )
    const program = join(import.meta.dirname, 'keeping-peer.ts')
    const children = Array.from({ length: keepers }, (_, index) =>
      fork(program, [join(folder, `keeper${index}`), network, 'keeper', owner.addresses()[0]!]),
    )
    const series: Record<'idle' | 'put' | 'get', Usage[]> = { idle: [], put: [], get: [] }
    try {
      await Promise.all(children.map(async (child) => once(child, 'message')))
      await knowsKeepers(owner, signal)
      const [path, to] = [join(folder, 'plain'), join(folder, 'got')]
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds}`)
        await writeFile(path, randomFillSync(new Uint8Array(objectBytes)))
        series.idle.push(await usageOf(async () => sleep(idleMs)))
        let object = ''
        series.put.push(
          await usageOf(async () => {
            object = (await owner.control.put({ path, code }, AbortSignal.timeout(withinMs))).object
          }),
        )
        series.get.push(
          await usageOf(async () => owner.control.get({ object, path: to }, AbortSignal.timeout(withinMs))),
        )
        await rm(to)
      }
    } finally {
      await owner.stop()
      for (const child of children) {
        child.disconnect()
        await once(child, 'exit')
      }
    }
    return (['idle', 'put', 'get'] as const).flatMap((name) => {
      const row = (what: string, of: (usage: Usage) => number, target?: { readonly most: number }) =>
        valueRow(`${name}: ${what}`, 'ms', series[name].map(of), target)
      return [
        row('late, 99 of 100', ({ late }) => late.p99, { most: lateMsMax }),
        row('latest', ({ late }) => late.longest),
        row('at work at a stretch, 99 of 100', ({ busy }) => busy.p99),
        row('at work at a stretch, longest', ({ busy }) => busy.longest),
        row('computing at a stretch, 99 of 100', ({ computing }) => computing.p99, { most: computingMsMax }),
        row('computing at a stretch, longest', ({ computing }) => computing.longest),
        row('took', ({ tookMs }) => tookMs),
      ]
    })
  },
}

async function knowsKeepers(owner: Peer, signal: AbortSignal): Promise<void> {
  while ((await owner.control.offers(true, signal)).length < keepers) await sleep(100, undefined, { signal })
}

async function usageOf(work: () => Promise<unknown>): Promise<Usage> {
  const usage = watch()
  await work()
  return usage()
}
