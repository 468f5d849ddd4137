/** Objects of this peer's owner: what they are, their keys, and where their shards were put. */
import type { DatabaseSync } from 'node:sqlite'

import type { Store } from './store.ts'

export interface ObjectEntry {
  readonly cid: string
  readonly key: Uint8Array
  readonly manifest: Uint8Array
  /** JSON: `[{shard, peers}]`. */
  readonly placement: string
  readonly bytes: number
  readonly name: string
  readonly createdMs: number
  /** Ours to look after; false: somebody gave us the key. */
  readonly isKept: boolean
  /** Its bytes are a tar of a folder. */
  readonly isFolder: boolean
}

/** Objects that are listed, the newest first. */
const listedMax = 10_000

export class Objects {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async put(entry: ObjectEntry): Promise<void> {
    await this.#store.write((db) => writeObject(db, entry))
  }

  get(cid: string): ObjectEntry | undefined {
    const row = this.#store.read((db) => db.prepare('SELECT * FROM objects WHERE cid = ?').get(cid))
    if (row === undefined) return undefined
    return entryOf(row)
  }

  /** The object that was sealed under a key. */
  byKey(key: Uint8Array): ObjectEntry | undefined {
    const row = this.#store.read((db) => db.prepare('SELECT * FROM objects WHERE key = ?').get(key))
    return row === undefined ? undefined : entryOf(row)
  }

  list(): ObjectEntry[] {
    return this.#store
      .read((db) => db.prepare('SELECT * FROM objects ORDER BY created_ms DESC LIMIT ?').all(listedMax))
      .map(entryOf)
  }

  async delete(cid: string): Promise<void> {
    await this.#store.write((db) => db.prepare('DELETE FROM objects WHERE cid = ?').run(cid))
  }

  /** CIDs that begin or end with the text: they all begin alike. */
  find(part: string): string[] {
    return this.#store
      .read((db) =>
        db
          .prepare('SELECT cid FROM objects WHERE substr(cid, 1, ?) = ? OR substr(cid, -?) = ? LIMIT 10')
          .all(part.length, part, part.length, part),
      )
      .map((row) => row.cid as string)
  }
}

/** Within a change of the ledger. Of an object that is known, only what may change of it. */
export function writeObject(
  db: DatabaseSync,
  { cid, key, manifest, placement, bytes, name, createdMs, isKept, isFolder }: ObjectEntry,
): void {
  db.prepare(
    `INSERT INTO objects (cid, key, manifest, placement, bytes, name, created_ms, kept, folder)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (cid) DO UPDATE SET placement = excluded.placement, name = excluded.name, kept = excluded.kept,
       folder = excluded.folder`,
  ).run(cid, key, manifest, placement, bytes, name, createdMs, Number(isKept), Number(isFolder))
}

export function entryOf(row: Record<string, unknown>): ObjectEntry {
  return {
    cid: row.cid as string,
    key: row.key as Uint8Array,
    manifest: row.manifest as Uint8Array,
    placement: row.placement as string,
    bytes: row.bytes as number,
    name: row.name as string,
    createdMs: row.created_ms as number,
    isKept: row.kept === 1,
    isFolder: row.folder === 1,
  }
}
