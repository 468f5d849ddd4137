/** Keepers in processes of their own, and one object whose shards they all have. */
import { fork, type ChildProcess } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Code } from '../../protocols/erasure/index.ts'
import { realClock, realFiles, realRandom, silentLog } from '../../src/environment.ts'
import { Shards } from '../../src/ledger/shards.ts'
import { Store } from '../../src/ledger/store.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { sealFile, type SealedObject } from '../../src/storage/seal.ts'
import { ShardFiles } from '../../src/storage/shard-files.ts'
import { ShardStore } from '../../src/storage/shard-store.ts'
import { ask, processorMsOf } from './ask.ts'
import type { ServingOrder, ServingPeer } from './serving-peer.ts'
import type { Usage } from './usage.ts'

export const honest: ServingOrder = { mode: 'honest', bytesPerSecond: null }

export class Crowd implements AsyncDisposable {
  readonly peers: readonly ServingPeer[]
  readonly #children: readonly ChildProcess[]

  private constructor(peers: readonly ServingPeer[], children: readonly ChildProcess[]) {
    this.peers = peers
    this.#children = children
  }

  static async of(count: number, folder: string): Promise<Crowd> {
    const program = join(import.meta.dirname, 'serving-peer.ts')
    const children = Array.from({ length: count }, () => fork(program, [folder], { serialization: 'advanced' }))
    const said = await Promise.all(children.map(async (child) => once(child, 'message')))
    return new Crowd(
      (said as [{ ready: ServingPeer }][]).map(([{ ready }]) => ready),
      children,
    )
  }

  /** The first so many do this, all others are honest. */
  async order(count: number, order: ServingOrder): Promise<void> {
    for (const [index, child] of this.#children.entries()) await ask(child, index < count ? order : honest)
  }

  /** What the first takes while this is done. */
  async usageOfFirst(work: () => Promise<unknown>): Promise<Usage> {
    const [child] = this.#children as [ChildProcess]
    await ask(child, 'watch')
    await work()
    return (await ask<{ usage: Usage }>(child, 'usage')).usage
  }

  /** What the first so many have had of the processors since they began, in milliseconds. */
  async processorMs(count: number): Promise<number> {
    return processorMsOf(this.#children.slice(0, count))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      const exit = child.exitCode === null ? once(child, 'exit') : undefined
      child.kill()
      await exit
    }
  }
}

export interface BenchObject extends SealedObject {
  /** The plaintext. */
  readonly path: string
}

/** An object of chance, with all of its shards in `folder`. */
export async function sealedObject(folder: string, bytes: number, code: Code): Promise<BenchObject> {
  const path = join(folder, 'plain')
  await writeFile(path, pieces(bytes))
  const ledger = Store.open(join(folder, 'ledger.db'), realClock, silentLog)
  try {
    const store = new ShardStore(
      { quotaBytes: 0, termMsMax: 0 },
      {
        files: new ShardFiles(realFiles, folder),
        index: new Shards(ledger),
        clock: realClock,
        random: realRandom,
        log: silentLog,
        self: 'bench',
      },
    )
    await store.start()
    const [key, keepUntilMs] = [realRandom.bytes(32), realClock.nowMs() + 3_600_000]
    const sealed = await sealFile(
      { disk: realFiles, store, mill: new LocalMill() },
      path,
      code,
      key,
      keepUntilMs,
      new AbortController().signal,
    )
    store.stop()
    return { ...sealed, path }
  } finally {
    ledger.close()
  }
}

function* pieces(bytes: number): Generator<Uint8Array> {
  for (let left = bytes; left > 0; left -= 2 ** 20) yield randomFillSync(new Uint8Array(Math.min(left, 2 ** 20)))
}
