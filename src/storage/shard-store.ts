/** The shards that this peer keeps: for others within a quota, and its own. What others may put and get is the `Shelf` port. */
import { toString } from 'uint8arrays'

import { leafCount } from '../../protocols/erasure/index.ts'
import {
  shardBytesMax,
  type Admission,
  type Shelf,
  type ShardSink,
  type ShardSource,
} from '../../protocols/transfer/index.ts'
import { refusal } from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import type { ShardFiles, ShardWriter } from './shard-files.ts'
import type { ShardIndex } from './shard-index.ts'

export interface ShardStoreOptions {
  /** Most that is kept for others, in bytes; 0 keeps nothing. */
  readonly quotaBytes: number
  /** Longest term for others, in milliseconds. */
  readonly termMsMax: number
}

export interface ShardStoreDeps {
  readonly files: ShardFiles
  readonly index: ShardIndex
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** This peer's own name: what it keeps for itself is not refused. */
  readonly self: string
}

/** How often expired shards are swept. */
const sweepMs = 60_000

export class ShardStore implements Shelf {
  readonly #deps: ShardStoreDeps
  readonly #options: ShardStoreOptions
  /** Bytes that are promised to transfers under way. */
  #reservedBytes = 0
  readonly #incoming = new Set<string>()
  #cancelSweep: () => void = () => {}

  constructor(options: ShardStoreOptions, deps: ShardStoreDeps) {
    this.#options = options
    this.#deps = deps
  }

  /** Sweeps what a crash or the time left behind, and goes on sweeping. */
  async start(): Promise<void> {
    const { files, index, log } = this.#deps
    await files.prepare()
    let orphans = 0
    for await (const root of files.roots()) {
      if (index.get(root) !== undefined) continue
      await files.remove(root)
      orphans++
    }
    if (orphans > 0) log('info', 'shards without an entry were removed', { orphans })
    await this.sweep()
  }

  stop(): void {
    this.#cancelSweep()
  }

  async sweep(): Promise<void> {
    const { files, index, clock } = this.#deps
    this.#cancelSweep()
    for (const { root } of index.expired(clock.nowMs())) {
      // The entry goes first: a file without an entry is rubbish, an entry without a file would be a lie.
      await index.delete(root)
      await files.remove(root)
    }
    this.#cancelSweep = clock.after(
      sweepMs,
      () => void this.sweep().catch((error: unknown) => this.#deps.log('warn', 'sweep failed', { error })),
    )
  }

  async open(root: Uint8Array): Promise<ShardSource | undefined> {
    const name = toString(root, 'hex')
    return this.#deps.index.get(name) === undefined ? undefined : this.#deps.files.open(name)
  }

  /** What is kept for others. */
  total(): { readonly bytes: number; readonly shards: number } {
    return this.#deps.index.totalBut(this.#deps.self)
  }

  async admit({ root, shardBytes, keepUntilMs, from }: Parameters<Shelf['admit']>[0]): Promise<Admission> {
    const { index, clock, self } = this.#deps
    const name = toString(root, 'hex')
    const known = index.get(name)
    const nowMs = clock.nowMs()
    if (from !== self) {
      const { quotaBytes, termMsMax } = this.#options
      if (quotaBytes === 0) return { admit: 'no', refusal: refusal('NOT_KEEPING') }
      if (shardBytes > shardBytesMax)
        return { admit: 'no', refusal: refusal('TOO_LARGE', { shardBytes, shardBytesMax }) }
      if (keepUntilMs - nowMs > termMsMax)
        return { admit: 'no', refusal: refusal('TERM_TOO_LONG', { termMs: keepUntilMs - nowMs, termMsMax }) }
      const freeBytes = quotaBytes - index.totalBut(self).bytes - this.#reservedBytes
      if (known === undefined && shardBytes > freeBytes)
        return { admit: 'no', refusal: refusal('NO_SPACE', { shardBytes, freeBytes: Math.max(0, freeBytes) }) }
    }
    if (known !== undefined) {
      const until = Math.max(known.keepUntilMs, keepUntilMs)
      if (until > known.keepUntilMs) await index.put({ ...known, keepUntilMs: until })
      return { admit: 'have', keepUntilMs: until }
    }
    if (this.#incoming.has(name)) return { admit: 'no', refusal: refusal('BUSY') }
    return { admit: 'all', keepUntilMs, sink: await this.#sink(name, shardBytes, keepUntilMs, from) }
  }

  /** A writer for a shard of our own, whose root is known only at the end. */
  async begin(): Promise<ShardWriter> {
    return this.#deps.files.begin(toString(this.#deps.random.bytes(16), 'hex'))
  }

  /** Takes a shard of our own in. Durable when it resolves with its root. */
  async adopt(writer: ShardWriter, shardBytes: number, keepUntilMs: number): Promise<Uint8Array> {
    const root = writer.root
    await this.#enter(writer, toString(root, 'hex'), shardBytes, keepUntilMs, this.#deps.self)
    return root
  }

  async #sink(name: string, shardBytes: number, keepUntilMs: number, owner: string): Promise<ShardSink> {
    this.#reservedBytes += shardBytes
    this.#incoming.add(name)
    const writer = await this.begin()
    const release = (): void => {
      if (this.#incoming.delete(name)) this.#reservedBytes -= shardBytes
    }
    return {
      needed: Array.from({ length: leafCount(shardBytes) }, (_, leaf) => leaf),
      write: async (leaf, bytes, hash) => writer.write(leaf, bytes, hash),
      finish: async () => {
        await this.#enter(writer, name, shardBytes, keepUntilMs, owner)
        release()
      },
      abandon: async () => {
        release()
        await writer.discard()
      },
    }
  }

  async #enter(writer: ShardWriter, root: string, bytes: number, keepUntilMs: number, owner: string): Promise<void> {
    const { files, index, clock } = this.#deps
    await files.adopt(writer, root)
    await index.put({ root, bytes, keepUntilMs, owner, createdMs: clock.nowMs() })
  }
}
