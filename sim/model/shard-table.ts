/**
 * The index of a peer's shards, with the durability of the ledger: an entry is there, for everybody and for good, when its put
 * resolves, and not before. A life that ends earlier takes it with it.
 */
import type { ShardEntry, ShardIndex } from '../../src/storage/shard-index.ts'
import { committed } from './committed.ts'
import type { DiskLife, ModelDisk } from './files.ts'

/** The rows, which outlive every life. */
export type ShardRows = Map<string, ShardEntry>

export class ShardTable implements ShardIndex {
  readonly #rows: ShardRows
  readonly #disk: ModelDisk
  readonly #life: DiskLife
  readonly #onChange: (added?: ShardEntry) => void

  constructor(rows: ShardRows, disk: ModelDisk, life: DiskLife, onChange: (added?: ShardEntry) => void = () => {}) {
    this.#rows = rows
    this.#disk = disk
    this.#life = life
    this.#onChange = onChange
  }

  async put(entry: ShardEntry): Promise<void> {
    await this.#commit(() => {
      const known = this.#rows.get(entry.root)
      const keepUntilMs = Math.max(entry.keepUntilMs, known?.keepUntilMs ?? 0)
      const othersUntilMs = Math.max(entry.othersUntilMs, known?.othersUntilMs ?? 0)
      this.#rows.set(entry.root, known === undefined ? entry : { ...known, keepUntilMs, othersUntilMs })
      this.#onChange(known === undefined ? entry : undefined)
    })
  }

  get(root: string): ShardEntry | undefined {
    return this.#rows.get(root)
  }

  async delete(root: string): Promise<void> {
    await this.#commit(() => {
      this.#rows.delete(root)
      this.#onChange()
    })
  }

  async shorten(root: string, untilMs: number): Promise<void> {
    await this.#commit(() => {
      const known = this.#rows.get(root)
      if (known === undefined) return
      const keepUntilMs = Math.min(known.keepUntilMs, Math.max(untilMs, known.othersUntilMs))
      this.#rows.set(root, { ...known, keepUntilMs })
      this.#onChange()
    })
  }

  expired(nowMs: number): ShardEntry[] {
    return [...this.#rows.values()].filter(({ keepUntilMs }) => keepUntilMs <= nowMs)
  }

  totalBut(owner: string): { readonly bytes: number; readonly shards: number } {
    let [bytes, shards] = [0, 0]
    for (const entry of this.#rows.values()) {
      if (entry.owner === owner) continue
      bytes += entry.bytes
      shards++
    }
    return { bytes, shards }
  }

  bytesOf(owner: string): number {
    let bytes = 0
    for (const entry of this.#rows.values()) if (entry.owner === owner) bytes += entry.bytes
    return bytes
  }

  after(root: string): ShardEntry | undefined {
    return [...this.#rows.values()]
      .filter((entry) => entry.root > root)
      .toSorted((left, right) => (left.root < right.root ? -1 : 1))[0]
  }

  async #commit(change: () => void): Promise<void> {
    return committed(this.#disk, this.#life, change)
  }
}
