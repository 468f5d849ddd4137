/**
 * How late a peer's main thread is while 64 MiB are put and got by two real peers, over TCP on this machine: what else it has to do,
 * answering the network above all, is as late. Beside it the same thread with nothing to do, since others use this machine too.
 */
import { fork } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createPeer, type Peer } from '../../src/node.ts'
import type { Part } from '../bench.ts'
import { valueRow } from '../report.ts'

const objectBytes = 64 * 1024 * 1024
/** Half of the shards with each of two keepers. */
const code = '8+8'
const keepers = 2
const lateMsMax = 20
const idleMs = 1_000
const tickMs = 1
const withinMs = 120_000

interface Spread {
  readonly p99: number
  readonly longest: number
}

interface Delays {
  readonly tookMs: number
  /** How late the thread was, in milliseconds. */
  readonly late: Spread
  /** How much of that it was at work; the rest of the time others had its processor. */
  readonly busy: Spread
}

export const loop: Part = {
  name: 'loop',
  about: 'how late the main thread is while 64 MiB are put and got',
  async measure({ rounds, folder, say, signal }) {
    const network = `bench-${Buffer.from(realRandom.bytes(6)).toString('hex')}`
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
    const series: Record<'idle' | 'put' | 'get', Delays[]> = { idle: [], put: [], get: [] }
    try {
      await Promise.all(children.map(async (child) => once(child, 'message')))
      await knowsKeepers(owner, signal)
      const [path, to] = [join(folder, 'plain'), join(folder, 'got')]
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds}`)
        await writeFile(path, randomFillSync(new Uint8Array(objectBytes)))
        series.idle.push(await delaysOf(async () => sleep(idleMs)))
        let object = ''
        series.put.push(
          await delaysOf(async () => {
            object = (await owner.control.put({ path, code }, AbortSignal.timeout(withinMs))).object
          }),
        )
        series.get.push(
          await delaysOf(async () => owner.control.get({ object, path: to }, AbortSignal.timeout(withinMs))),
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
      const row = (what: string, of: (delays: Delays) => number, target?: { readonly most: number }) =>
        valueRow(`${name}: ${what}`, 'ms', series[name].map(of), target)
      return [
        row('late, 99 of 100', ({ late }) => late.p99, { most: lateMsMax }),
        row('latest', ({ late }) => late.longest),
        row('at work at a stretch, 99 of 100', ({ busy }) => busy.p99),
        row('at work at a stretch, longest', ({ busy }) => busy.longest),
        row('took', ({ tookMs }) => tookMs),
      ]
    })
  },
}

async function knowsKeepers(owner: Peer, signal: AbortSignal): Promise<void> {
  while ((await owner.control.offers(true, signal)).length < keepers) await sleep(100, undefined, { signal })
}

/** Looks once a millisecond how late that is, and how much of it this thread itself was at work. */
async function delaysOf(work: () => Promise<unknown>): Promise<Delays> {
  const [late, busy]: [number[], number[]] = [[], []]
  let [beforeMs, cpuBefore] = [performance.now(), cpuMs()]
  const timer = setInterval(() => {
    const [nowMs, cpuNow] = [performance.now(), cpuMs()]
    const lateMs = Math.max(0, nowMs - beforeMs - tickMs)
    late.push(lateMs)
    busy.push(Math.min(lateMs, cpuNow - cpuBefore))
    ;[beforeMs, cpuBefore] = [nowMs, cpuNow]
  }, tickMs)
  const startMs = performance.now()
  await work()
  const tookMs = performance.now() - startMs
  clearInterval(timer)
  return { tookMs, late: spreadOf(late), busy: spreadOf(busy) }
}

/** Time that this thread has had of a processor. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((left, right) => left - right)
  return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, longest: sorted.at(-1) ?? 0 }
}
