/** What is known of the objects of which this peer keeps a shard. */
import * as dagCbor from '@ipld/dag-cbor'

import type { Store } from './store.ts'

export interface DossierEntry {
  readonly object: string
  readonly root: string
  readonly manifest: Uint8Array
  readonly records: readonly Uint8Array[]
  readonly isAdvertised: boolean
}

/** Strays that are handled in one go. */
const strayMax = 1_000

export class Dossiers {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async put({ object, root, manifest, records, isAdvertised }: DossierEntry): Promise<void> {
    const encoded = dagCbor.encode([...records])
    const bytes = records.reduce((sum, record) => sum + record.byteLength, manifest.byteLength)
    await this.#store.write((db) =>
      db
        .prepare(
          `INSERT INTO dossiers (object, root, manifest, records, advertised, bytes) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (object) DO UPDATE SET root = excluded.root, records = excluded.records, advertised = excluded.advertised,
             bytes = excluded.bytes`,
        )
        .run(object, root, manifest, encoded, Number(isAdvertised), bytes),
    )
  }

  get(object: string): DossierEntry | undefined {
    const row = this.#store.read((db) => db.prepare('SELECT * FROM dossiers WHERE object = ?').get(object))
    return row === undefined ? undefined : entryOf(row)
  }

  async delete(object: string): Promise<void> {
    await this.#store.write((db) => db.prepare('DELETE FROM dossiers WHERE object = ?').run(object))
  }

  countOf(root: string): number {
    const row = this.#store.read((db) =>
      db.prepare('SELECT count(*) AS objects FROM dossiers WHERE root = ?').get(root),
    )
    return row!.objects as number
  }

  advertised(limit: number): string[] {
    return this.#store
      .read((db) => db.prepare('SELECT object FROM dossiers WHERE advertised = 1 ORDER BY rowid LIMIT ?').all(limit))
      .map((row) => row.object as string)
  }

  stray(): DossierEntry[] {
    return this.#store
      .read((db) =>
        db.prepare('SELECT * FROM dossiers WHERE root NOT IN (SELECT root FROM shards) LIMIT ?').all(strayMax),
      )
      .map(entryOf)
  }
}

function entryOf(row: Record<string, unknown>): DossierEntry {
  return {
    object: row.object as string,
    root: row.root as string,
    manifest: row.manifest as Uint8Array,
    records: dagCbor.decode(row.records as Uint8Array),
    isAdvertised: row.advertised === 1,
  }
}
