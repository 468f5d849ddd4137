/** The shards that this peer keeps: for others within a quota, and its own. What others may put and get is the `Shelf` port. */
import assert from 'node:assert/strict'

import { equals, fromString, toString } from 'uint8arrays'

import { leafCount } from '../../protocols/erasure/index.ts'
import type { Admission, Shelf, ShardSink, ShardSource } from '../../protocols/transfer/index.ts'
import { RefusedError, refusal, type Refusal } from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import type { DiskRoom } from './disk-room.ts'
import { systemCode } from './system-code.ts'
import { Intake } from './intake.ts'
import { DamagedShardError, type ShardFiles } from './shard-files.ts'
import type { ShardEntry, ShardIndex } from './shard-index.ts'
import type { ShardWriter } from './shard-writer.ts'
import { Turns } from './turns.ts'

export interface ShardStoreOptions {
  /** Most that is kept for others, in bytes; 0 keeps nothing. */
  readonly quotaBytes: number
  /** Of that, the most for one owner; all of it when left out. */
  readonly ownerBytesMax?: number
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
  /** What the disk itself has room for; when left out that is found out by writing. */
  readonly disk?: DiskRoom
}

type Request = Parameters<Shelf['admit']>[0]

/** How often expired shards are swept. */
const sweepMs = 60_000

export class ShardStore implements Shelf {
  readonly #deps: ShardStoreDeps
  readonly #options: ShardStoreOptions
  readonly #intake: Intake
  /** Whatever looks at an entry and then acts on it has the shard's turn: sweeping and prolonging must not cross. */
  readonly #turns = new Turns()
  /** Shards of which stored bytes were found changed since the start, and where: to be taken in again when somebody puts them. */
  readonly #damaged = new Map<string, number>()
  #cancelSweep: () => void = () => {}

  constructor(options: ShardStoreOptions, deps: ShardStoreDeps) {
    this.#options = options
    this.#deps = deps
    this.#intake = new Intake(deps.clock, async () => this.begin())
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
    void this.#intake
      .clear()
      .catch((error: unknown) => this.#deps.log('warn', 'what broke off was not removed', { error }))
  }

  async sweep(): Promise<void> {
    const { index, clock } = this.#deps
    this.#cancelSweep()
    await this.#intake.sweep()
    for (const { root } of index.expired(clock.nowMs())) await this.#turns.take(root, async () => this.#expire(root))
    this.#cancelSweep = clock.after(
      sweepMs,
      () => void this.sweep().catch((error: unknown) => this.#deps.log('warn', 'sweep failed', { error })),
    )
  }

  /** A shard to be read. What is wrong with it is logged, and is a RefusedError for whoever reads. */
  async open(root: Uint8Array): Promise<ShardSource | undefined> {
    return this.#open(root, false)
  }

  /** As `open`, for whoever looks whether all is well: what is remembered of the files does not count. */
  async openAnew(root: Uint8Array): Promise<ShardSource | undefined> {
    return this.#open(root, true)
  }

  /**
   * Makes the hashes beside a shard again, when it is they that are damaged and the shard itself is sound. Resolves with whether it was so;
   * it is given out again then. `pace` is awaited after each leaf that is read.
   */
  async mend(root: Uint8Array, pace: () => Promise<void>): Promise<boolean> {
    const { files, index, log } = this.#deps
    const name = toString(root, 'hex')
    const bytes = index.get(name)?.bytes
    if (bytes === undefined || this.#damaged.get(name) !== -1) return false
    return this.#carefully(name, async () => {
      const hashes = await files.hashesOf(name, bytes, pace)
      if (hashes === undefined) return false
      return this.#turns.take(name, async () => {
        // It may have been let go meanwhile, or put again.
        if (index.get(name) === undefined || !this.#damaged.has(name)) return false
        await files.mend(name, hashes)
        this.#damaged.delete(name)
        log('warn', 'the hashes of a shard were damaged, and were made again from its bytes', { root: name })
        return true
      })
    })
  }

  /** What is kept for others. */
  total(): { readonly bytes: number; readonly shards: number } {
    return this.#deps.index.totalBut(this.#deps.self)
  }

  /** What may still be kept for one owner, of what is lent. */
  roomFor(owner: string): { readonly freeBytes: number; readonly quotaBytes: number } {
    const { quotaBytes, ownerBytesMax = quotaBytes } = this.#options
    if (owner === this.#deps.self) return { freeBytes: Infinity, quotaBytes }
    const freeBytes = quotaBytes - this.total().bytes - this.#intake.underWayBytes
    const ownerFreeBytes = ownerBytesMax - this.#deps.index.bytesOf(owner) - this.#intake.underWayBytesOf(owner)
    return { freeBytes: Math.min(freeBytes, ownerFreeBytes), quotaBytes }
  }

  async admit(request: Request): Promise<Admission> {
    const name = toString(request.root, 'hex')
    return this.#turns.take(name, async () => {
      const known = this.#damaged.has(name) ? undefined : this.#deps.index.get(name)
      const no = await this.#objection(name, request, known !== undefined)
      if (no !== undefined) return { admit: 'no', refusal: no }
      if (known !== undefined) {
        const entry = prolonged(known, request.from, request.keepUntilMs)
        if (entry.keepUntilMs > known.keepUntilMs || entry.othersUntilMs > known.othersUntilMs)
          await this.#carefully(name, async () => this.#deps.index.put(entry))
        // What its owner may shorten is not promised to another.
        return { admit: 'have', keepUntilMs: known.owner === request.from ? entry.keepUntilMs : entry.othersUntilMs }
      }
      const sink = await this.#carefully(name, async () => this.#sink(name, request))
      return { admit: 'all', keepUntilMs: request.keepUntilMs, sink }
    })
  }

  /** A writer for a shard of our own, whose root is known only at the end. */
  async begin(): Promise<ShardWriter> {
    return this.#deps.files.begin(toString(this.#deps.random.bytes(16), 'hex'))
  }

  /** Takes a shard of our own in. Durable when it resolves with its root. */
  async adopt(writer: ShardWriter, shardBytes: number, keepUntilMs: number): Promise<Uint8Array> {
    const { root } = writer
    const name = toString(root, 'hex')
    await this.#turns.take(name, async () => this.#enter(writer, name, shardBytes, keepUntilMs, this.#deps.self))
    return root
  }

  /** Shards of our own are needed until `untilMs` and no longer. */
  async shorten(roots: readonly Uint8Array[], untilMs: number): Promise<void> {
    const { index, self } = this.#deps
    await Promise.all(
      roots.map(async (root) => {
        const name = toString(root, 'hex')
        await this.#turns.take(name, async () => {
          if (index.get(name)?.owner === self) await index.shorten(name, untilMs)
        })
      }),
    )
  }

  /** Shards of our own that are needed until `untilMs` at least. False when one of them is not here any more. */
  async prolong(roots: readonly Uint8Array[], untilMs: number): Promise<boolean> {
    const { index, self } = this.#deps
    for (const root of roots) {
      const name = toString(root, 'hex')
      const isPromised = await this.#turns.take(name, async () => {
        const known = index.get(name)
        if (known !== undefined) await index.put(prolonged(known, self, untilMs))
        return known !== undefined
      })
      // What is wrong with it is logged.
      const source = isPromised ? await this.openAnew(root).catch(() => undefined) : undefined
      if (source === undefined) return false
      await source.close()
    }
    return true
  }

  async release(root: Uint8Array, from: string): Promise<number> {
    const { index, clock } = this.#deps
    const name = toString(root, 'hex')
    return this.#turns.take(name, async () => {
      const known = index.get(name)
      if (known === undefined) throw new RefusedError(refusal('NOT_FOUND'))
      if (known.owner !== from) throw new RefusedError(refusal('NOT_OWNER'))
      return this.#carefully(name, async () => {
        await index.shorten(name, clock.nowMs())
        await this.#expire(name)
        return index.get(name)?.keepUntilMs ?? 0
      })
    })
  }

  async #open(root: Uint8Array, isAnew: boolean): Promise<ShardSource | undefined> {
    const name = toString(root, 'hex')
    const entry = this.#deps.index.get(name)
    if (entry === undefined) return undefined
    return this.#carefully(name, async () => {
      // Whoever audits is to know, though the leaves that it asks for may be sound.
      const leaf = this.#damaged.get(name)
      if (leaf !== undefined) throw new DamagedShardError(name, leaf)
      const source = await this.#deps.files.open(name, isAnew)
      if (source?.shardBytes !== entry.bytes) {
        // To say another size than what was put is a fault, and the disk is to blame for it, not we.
        await source?.close()
        throw new DamagedShardError(name, -1)
      }
      return { ...source, leaf: async (leaf) => this.#carefully(name, async () => source.leaf(leaf)) }
    })
  }

  /** Why we do not take it; undefined: we do, and room is promised. Shards that broke off give way to one that needs their room. */
  async #objection(name: string, request: Request, isKnown: boolean): Promise<Refusal | undefined> {
    const { clock, self } = this.#deps
    const { quotaBytes, ownerBytesMax = quotaBytes, termMsMax } = this.#options
    const { shardBytes, keepUntilMs, from } = request
    const nowMs = clock.nowMs()
    const termMs = keepUntilMs - nowMs
    if (from !== self) {
      if (quotaBytes === 0) return refusal('NOT_KEEPING')
      if (termMs <= 0) return refusal('TERM_OVER', { nowMs })
      if (termMs > termMsMax) return refusal('TERM_TOO_LONG', { termMs, termMsMax })
    }
    if (isKnown) return undefined
    if (this.#intake.isUnderWay(name)) return refusal('BUSY')
    const diskFreeBytes =
      from === self ? Infinity : await this.#deps.disk?.freeBytes(shardBytes + this.#intake.underWayBytes)
    for (;;) {
      const freeBytes = quotaBytes - this.total().bytes - this.#intake.underWayBytes
      if (diskFreeBytes !== undefined && shardBytes + this.#intake.underWayBytes > diskFreeBytes)
        return refusal('NO_SPACE', { shardBytes, diskFreeBytes })
      const ownerBytes = this.#deps.index.bytesOf(from) + this.#intake.underWayBytesOf(from)
      if (from !== self && shardBytes <= freeBytes && ownerBytes + shardBytes > ownerBytesMax)
        return refusal('OWNER_FULL', { shardBytes, ownerBytes, ownerBytesMax })
      // Looked at and promised in one go: no other shard can be promised the same room.
      if (from === self || shardBytes <= freeBytes - this.#intake.brokenBytes(name)) {
        this.#intake.promise(name, shardBytes, from)
        return undefined
      }
      if (shardBytes > freeBytes || !(await this.#intake.dropOldest())) {
        return refusal('NO_SPACE', { shardBytes, freeBytes: Math.max(0, freeBytes), quotaBytes })
      }
    }
  }

  async #sink(name: string, { shardBytes, keepUntilMs, from }: Request): Promise<ShardSink> {
    const writer = await this.#intake.begin(name)
    const first = writer.leaves
    return {
      needed: Array.from({ length: leafCount(shardBytes) - first }, (_, index) => first + index),
      write: async (leaf, bytes, hash) => this.#carefully(name, async () => writer.write(leaf, bytes, hash)),
      finish: async () => {
        assert.ok(equals(writer.root, fromString(name, 'hex')), 'every leaf was proved, so the root must be right')
        try {
          await this.#turns.take(name, async () =>
            this.#carefully(name, async () => this.#enter(writer, name, shardBytes, keepUntilMs, from)),
          )
        } finally {
          // Whatever failed here would fail again: there is nothing to be kept for another try.
          this.#intake.end(name)
        }
      },
      abandon: async () => this.#intake.breakOff(name, writer),
    }
  }

  /** File first, entry last: what has an entry is durable. */
  async #enter(writer: ShardWriter, root: string, bytes: number, keepUntilMs: number, owner: string): Promise<void> {
    const { files, index, clock } = this.#deps
    const known = index.get(root)
    await files.adopt(writer, root)
    const fresh = { root, bytes, owner, othersUntilMs: 0, createdMs: clock.nowMs(), keepUntilMs }
    await index.put(known === undefined ? fresh : prolonged(known, owner, keepUntilMs))
    this.#damaged.delete(root)
  }

  async #expire(root: string): Promise<void> {
    const { files, index, clock } = this.#deps
    const entry = index.get(root)
    // It may have been prolonged while it waited for its turn.
    if (entry === undefined || entry.keepUntilMs > clock.nowMs()) return
    // The entry goes first: a file without an entry is rubbish, an entry without a file would be a lie.
    await index.delete(root)
    await files.remove(root)
    this.#damaged.delete(root)
  }

  /** What goes wrong with our disk is logged here with all that is known, and the other side is told as much as concerns it. */
  async #carefully<Result>(root: string, act: () => Promise<Result>): Promise<Result> {
    try {
      return await act()
    } catch (error) {
      if (error instanceof RefusedError) throw error
      if (error instanceof DamagedShardError) {
        if (!this.#damaged.has(root)) this.#deps.log('error', 'a shard is damaged', { root, leaf: error.leaf })
        this.#damaged.set(root, error.leaf)
        throw new RefusedError(refusal('DAMAGED', { leaf: error.leaf }))
      }
      this.#deps.log('error', 'the disk failed under a shard', { root, error })
      const code = systemCode(error)
      throw new RefusedError(refusal(code === 'ENOSPC' || code === 'EDQUOT' ? 'NO_SPACE' : 'STORAGE_FAILED'))
    }
  }
}

/** The entry with a term that is promised to its owner, or to another. */
function prolonged(entry: ShardEntry, to: string, untilMs: number): ShardEntry {
  const { owner, keepUntilMs, othersUntilMs } = entry
  return {
    ...entry,
    keepUntilMs: Math.max(keepUntilMs, untilMs),
    othersUntilMs: owner === to ? othersUntilMs : Math.max(othersUntilMs, untilMs),
  }
}
