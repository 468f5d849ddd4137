/** Entries of the shards that this peer keeps. */
import type { Store } from './store.ts'

export interface ShardEntry {
  readonly root: string
  readonly bytes: number
  readonly keepUntilMs: number
  readonly owner: string
  readonly othersUntilMs: number
  readonly createdMs: number
}

/** Expired shards that are handled in one go. */
const sweepMax = 1_000

export class Shards {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async put({ root, bytes, keepUntilMs, owner, othersUntilMs, createdMs }: ShardEntry): Promise<void> {
    await this.#store.write((db) =>
      db
        .prepare(
          `INSERT INTO shards (root, bytes, keep_until_ms, owner, others_until_ms, created_ms) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (root) DO UPDATE SET keep_until_ms = max(keep_until_ms, excluded.keep_until_ms),
             others_until_ms = max(others_until_ms, excluded.others_until_ms)`,
        )
        .run(root, bytes, keepUntilMs, owner, othersUntilMs, createdMs),
    )
  }

  get(root: string): ShardEntry | undefined {
    const row = this.#store.read((db) => db.prepare('SELECT * FROM shards WHERE root = ?').get(root))
    return row === undefined ? undefined : entryOf(row)
  }

  /** All that is kept for one owner. */
  of(owner: string): ShardEntry[] {
    return this.#store.read((db) => db.prepare('SELECT * FROM shards WHERE owner = ?').all(owner)).map(entryOf)
  }

  async delete(root: string): Promise<void> {
    await this.#store.write((db) => db.prepare('DELETE FROM shards WHERE root = ?').run(root))
  }

  async shorten(root: string, untilMs: number): Promise<void> {
    await this.#store.write((db) =>
      db
        .prepare('UPDATE shards SET keep_until_ms = min(keep_until_ms, max(?, others_until_ms)) WHERE root = ?')
        .run(untilMs, root),
    )
  }

  expired(nowMs: number): ShardEntry[] {
    return this.#store
      .read((db) => db.prepare('SELECT * FROM shards WHERE keep_until_ms <= ? LIMIT ?').all(nowMs, sweepMax))
      .map(entryOf)
  }

  /** What is kept for anybody but `owner`, with what is known of their objects. */
  totalBut(owner: string): { readonly bytes: number; readonly shards: number } {
    return this.#total('<>', owner)
  }

  bytesOf(owner: string): number {
    return this.#total('=', owner).bytes
  }

  #total(is: '=' | '<>', owner: string): { readonly bytes: number; readonly shards: number } {
    const [shards, dossiers] = this.#store.read((db) => [
      db
        .prepare(`SELECT coalesce(sum(bytes), 0) AS bytes, count(*) AS shards FROM shards WHERE owner ${is} ?`)
        .get(owner),
      db
        .prepare(
          `SELECT coalesce(sum(dossiers.bytes), 0) AS bytes FROM dossiers JOIN shards ON shards.root = dossiers.root
           WHERE shards.owner ${is} ?`,
        )
        .get(owner),
    ])
    return { bytes: (shards!.bytes as number) + (dossiers!.bytes as number), shards: shards!.shards as number }
  }

  /** The entry with the next higher root; the first for the empty text. */
  after(root: string): ShardEntry | undefined {
    const row = this.#store.read((db) =>
      db.prepare('SELECT * FROM shards WHERE root > ? ORDER BY root LIMIT 1').get(root),
    )
    return row === undefined ? undefined : entryOf(row)
  }
}

function entryOf(row: Record<string, unknown>): ShardEntry {
  return {
    root: row.root as string,
    bytes: row.bytes as number,
    keepUntilMs: row.keep_until_ms as number,
    owner: row.owner as string,
    othersUntilMs: row.others_until_ms as number,
    createdMs: row.created_ms as number,
  }
}
