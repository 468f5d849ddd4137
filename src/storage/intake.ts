/**
 * Shards that are being taken in for others: what room is promised to them, and what is kept of those that broke off, so that
 * whoever puts again goes on where it stopped.
 */
import type { Clock } from '../environment.ts'
import type { ShardWriter } from './shard-writer.ts'

/** How long a shard that broke off waits for its owner to come back. */
export const brokenKeptMs = 10 * 60_000
/** How many wait: each is an open file. */
export const brokenMax = 16

interface Uptake {
  readonly writer: ShardWriter
  readonly shardBytes: number
}

export class Intake {
  readonly #clock: Clock
  readonly #begin: () => Promise<ShardWriter>
  /** Shards whose blocks are coming now. */
  readonly #underWay = new Map<
    string,
    { readonly shardBytes: number; readonly owner: string; writer: ShardWriter | null }
  >()
  /** The oldest first. */
  readonly #broken = new Map<string, Uptake & { readonly sinceMs: number }>()

  constructor(clock: Clock, begin: () => Promise<ShardWriter>) {
    this.#clock = clock
    this.#begin = begin
  }

  isUnderWay(name: string): boolean {
    return this.#underWay.has(name)
  }

  /** Room that is promised to shards whose blocks are coming, in bytes. */
  get underWayBytes(): number {
    return sum([...this.#underWay.values()].map(({ shardBytes }) => shardBytes))
  }

  underWayBytesOf(owner: string): number {
    return sum([...this.#underWay.values()].map((uptake) => (uptake.owner === owner ? uptake.shardBytes : 0)))
  }

  /** Room that is held for shards that broke off, in bytes; but not for the one of this name, which it is for. */
  brokenBytes(except: string): number {
    return sum([...this.#broken].map(([name, { shardBytes }]) => (name === except ? 0 : shardBytes)))
  }

  /** Promises room. */
  promise(name: string, shardBytes: number, owner: string): void {
    this.#underWay.set(name, { shardBytes, owner, writer: null })
  }

  /** A writer for a shard that room was promised to: the one that broke off, if it was of this size. */
  async begin(name: string): Promise<ShardWriter> {
    const uptake = this.#underWay.get(name)!
    const broken = this.#broken.get(name)
    this.#broken.delete(name)
    try {
      if (broken !== undefined && broken.shardBytes === uptake.shardBytes) uptake.writer = broken.writer
      else {
        await broken?.writer.discard()
        uptake.writer = await this.#begin()
      }
      return uptake.writer
    } catch (error) {
      this.end(name)
      throw error
    }
  }

  /** The shard is in, or is given up. */
  end(name: string): void {
    this.#underWay.delete(name)
  }

  /** The blocks of a shard came to an early end. When it was given up before, the room is another's by now, who puts it again. */
  async breakOff(name: string, writer: ShardWriter): Promise<void> {
    const uptake = this.#underWay.get(name)
    if (uptake?.writer !== writer) return writer.discard()
    this.#underWay.delete(name)
    if (writer.leaves === 0) return writer.discard()
    this.#broken.set(name, { writer, shardBytes: uptake.shardBytes, sinceMs: this.#clock.nowMs() })
    if (this.#broken.size > brokenMax) await this.dropOldest()
  }

  /** Gives up the shard that has waited longest. False when none waits. */
  async dropOldest(): Promise<boolean> {
    for (const [name, { writer }] of this.#broken) {
      this.#broken.delete(name)
      await writer.discard()
      return true
    }
    return false
  }

  /** Gives up what has waited too long. */
  async sweep(): Promise<void> {
    for (const { sinceMs } of this.#broken.values()) {
      if (this.#clock.nowMs() - sinceMs < brokenKeptMs) return
      await this.dropOldest()
    }
  }

  /** Gives up all that waits. */
  async clear(): Promise<void> {
    while (await this.dropOldest());
  }
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}
