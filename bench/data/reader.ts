/** A reader as the benches have it: a host, one worker thread, and fetches of an object to the disk. */
import { rm } from 'node:fs/promises'
import process from 'node:process'

import { leafBytes } from '../../protocols/erasure/index.ts'
import { createTransfer, emptyShelf } from '../../protocols/transfer/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import { realClock, realFiles, realRandom, silentLog } from '../../src/environment.ts'
import { createHost, identityFromSeed, type Host } from '../../src/host/index.ts'
import { fetchObject, type FetchReport } from '../../src/storage/fetch.ts'
import { PeerRates } from '../../src/storage/peer-rates.ts'
import { WorkerMill } from '../../src/storage/workers/worker-mill.ts'
import type { BenchObject } from './crowd.ts'
import { areSame } from './same-files.ts'
import { msOf, watch, type Usage } from './usage.ts'

/** Length prefix of a frame as long as a block. */
const prefixBytes = 3

export interface Run {
  readonly seconds: number
  readonly report: FetchReport
  readonly blamed: ReadonlySet<PeerName>
  /** Of all frames that came. */
  readonly frameBytes: number
  /** Of the processors, all threads of this process, and its main thread. */
  readonly cpuMs: number
  readonly mainMs: number
  /** Of a run that was watched. */
  readonly usage: Usage | undefined
}

export class Reader implements AsyncDisposable {
  readonly #host: Host
  readonly #mill = new WorkerMill({ workersMax: 1 }, { clock: realClock, log: silentLog })

  private constructor(host: Host) {
    this.#host = host
  }

  /** Connected to all of these addresses. */
  static async of(addresses: readonly string[], signal: AbortSignal): Promise<Reader> {
    const host = await createHost(
      { network: 'bench', reach: 'loopback', listen: [] },
      { identity: identityFromSeed(realRandom.bytes(32)), clock: realClock, random: realRandom, log: silentLog },
    )
    await host.start()
    for (const address of addresses) await host.dial(address, signal)
    return new Reader(host)
  }

  /** One fetch to `path` by a reader that knows nothing of anybody's rate. Rejects when what was read is not the object. */
  async fetch(
    object: BenchObject,
    path: string,
    peerOf: (shard: number) => PeerName,
    isWatched: boolean = false,
  ): Promise<Run> {
    const blamed = new Set<PeerName>()
    let frameBytes = 0
    const transfer = createTransfer({
      streams: this.#host.streams,
      timekeeper: realClock,
      shelf: emptyShelf,
      pace: {
        up: async () => {},
        down: async (bytes) => void (frameBytes += bytes + (bytes >= leafBytes ? prefixBytes : 1)),
      },
    })
    const sources = object.roots.map((_, shard) => ({ shard, peers: [peerOf(shard)] }))
    const usage = isWatched ? watch() : undefined
    const [all, main] = [process.cpuUsage(), process.threadCpuUsage()]
    const beganMs = performance.now()
    const report = await fetchObject(
      {
        transfer,
        clock: realClock,
        disk: realFiles,
        mill: this.#mill,
        rates: new PeerRates(),
        onFault: (peer) => void blamed.add(peer),
      },
      { ...object, sources, path },
      new AbortController().signal,
    )
    const seconds = (performance.now() - beganMs) / 1_000
    const [cpuMs, mainMs] = [msOf(process.cpuUsage(all)), msOf(process.threadCpuUsage(main))]
    const used = usage?.()
    if (!(await areSame(object.path, path))) throw new Error('what was read is not the object')
    await rm(path)
    await settled(path)
    return { seconds, report, blamed, frameBytes, cpuMs, mainMs, usage: used }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host.stop()
    await this.#mill[Symbol.asyncDispose]()
  }
}

/** What the disk has to do for a file that went is not to be waited for by the next run. */
async function settled(path: string): Promise<void> {
  const file = await realFiles.create(path, 'new')
  await file.write(new Uint8Array(1), 0)
  await file.datasync()
  await file.close()
  await rm(path)
}
