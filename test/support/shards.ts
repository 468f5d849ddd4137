/** Shard stores of several peers in one temporary folder, joined by a switchboard. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createTransfer, type TransferService } from '../../protocols/transfer/index.ts'
import { realFiles, realClock, realRandom, silentLog } from '../../src/environment.ts'
import { ShardFiles } from '../../src/storage/shard-files.ts'
import type { ShardEntry, ShardIndex } from '../../src/storage/shard-index.ts'
import { ShardStore } from '../../src/storage/shard-store.ts'
import { Switchboard } from './channel-pair.ts'
import { signer } from './peers.ts'

export class MemoryIndex implements ShardIndex {
  readonly entries = new Map<string, ShardEntry>()

  async put(entry: ShardEntry): Promise<void> {
    this.entries.set(entry.root, entry)
  }

  get(root: string): ShardEntry | undefined {
    return this.entries.get(root)
  }

  async delete(root: string): Promise<void> {
    this.entries.delete(root)
  }

  async shorten(root: string, untilMs: number): Promise<void> {
    const entry = this.entries.get(root)
    if (entry === undefined) return
    const keepUntilMs = Math.min(entry.keepUntilMs, Math.max(untilMs, entry.othersUntilMs))
    this.entries.set(root, { ...entry, keepUntilMs })
  }

  expired(nowMs: number): ShardEntry[] {
    return [...this.entries.values()].filter((entry) => entry.keepUntilMs <= nowMs)
  }

  totalBut(owner: string): { bytes: number; shards: number } {
    const others = [...this.entries.values()].filter((entry) => entry.owner !== owner)
    return { bytes: others.reduce((sum, entry) => sum + entry.bytes, 0), shards: others.length }
  }

  bytesOf(owner: string): number {
    return [...this.entries.values()].reduce((sum, entry) => sum + (entry.owner === owner ? entry.bytes : 0), 0)
  }

  after(root: string): ShardEntry | undefined {
    return [...this.entries.values()]
      .filter((entry) => entry.root > root)
      .toSorted((left, right) => (left.root < right.root ? -1 : 1))[0]
  }
}

export interface Keeper {
  readonly name: string
  readonly folder: string
  readonly index: MemoryIndex
  readonly files: ShardFiles
  readonly store: ShardStore
  readonly transfer: TransferService
}

export class Warehouse implements AsyncDisposable {
  readonly board = new Switchboard()
  readonly keepers: Keeper[] = []
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async of(count: number, quotaBytes = 2 ** 30): Promise<Warehouse> {
    const warehouse = new Warehouse(await mkdtemp(join(tmpdir(), 'pleach-shards-')))
    for (let seed = 0; seed < count; seed++) await warehouse.open(seed, new MemoryIndex(), quotaBytes)
    return warehouse
  }

  async open(seed: number, index: MemoryIndex, quotaBytes: number): Promise<Keeper> {
    this.keepers[seed]?.store.stop()
    const name = signer(seed).peer
    const folder = join(this.folder, String(seed))
    const files = new ShardFiles(realFiles, folder)
    const store = new ShardStore(
      { quotaBytes, termMsMax: 3_600_000 },
      { files, index, clock: realClock, random: realRandom, log: silentLog, self: name },
    )
    await store.start()
    const transfer = createTransfer({ streams: this.board.streamsOf(name), timekeeper: realClock, shelf: store })
    await transfer.serve()
    const keeper = { name, folder, index, files, store, transfer }
    this.keepers[seed] = keeper
    return keeper
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { store } of this.keepers) store.stop()
    this.board.hangUp()
    await rm(this.folder, { recursive: true, force: true })
  }
}
